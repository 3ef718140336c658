//! W4: an order of three lines, its stock and its payment in one transaction, in tables of its own, and no more than that:
//! no cart, no events, no ledger, no audit.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use sqlx::postgres::PgPool;
use sqlx::sqlite::SqlitePool;
use uuid::Uuid;

use super::Shop;
use crate::serve::Failed;
use crate::serve::database::{Database, rows};

/// Made anew. Stock is that of Souk's variants, and ample.
const TABLES: [&str; 8] = [
    "DROP TABLE IF EXISTS bench_payment",
    "DROP TABLE IF EXISTS bench_line",
    "DROP TABLE IF EXISTS bench_order",
    "DROP TABLE IF EXISTS bench_stock",
    "CREATE TABLE bench_stock AS SELECT id AS variant_id, price, 1000000000 AS on_hand FROM product_variant",
    "CREATE UNIQUE INDEX bench_stock_variant ON bench_stock (variant_id)",
    "CREATE TABLE bench_order (id uuid PRIMARY KEY, key text NOT NULL UNIQUE, email text NOT NULL, address text NOT NULL,
        total bigint NOT NULL)",
    "CREATE TABLE bench_payment (id uuid PRIMARY KEY, order_id uuid NOT NULL REFERENCES bench_order (id),
        amount bigint NOT NULL)",
];
const LINES: &str = "
    CREATE TABLE bench_line (order_id uuid NOT NULL REFERENCES bench_order (id), variant_id uuid NOT NULL,
        quantity int NOT NULL, price bigint NOT NULL, PRIMARY KEY (order_id, variant_id))";

const ORDER: &str = "
    INSERT INTO bench_order (id, key, email, address, total) VALUES ($1, $2, $3, $4, $5)
    ON CONFLICT (key) DO NOTHING";
/// Locked in the order of their ids, so that two orders never wait for each other.
const TAKE_ALL: &str = "
    WITH held AS (SELECT variant_id FROM bench_stock WHERE variant_id = ANY($1) ORDER BY variant_id FOR UPDATE)
    UPDATE bench_stock s SET on_hand = s.on_hand - w.quantity
    FROM held, unnest($1, $2) AS w (variant_id, quantity)
    WHERE s.variant_id = held.variant_id AND w.variant_id = s.variant_id AND s.on_hand >= w.quantity
    RETURNING s.variant_id, w.quantity, s.price";
const TAKE: &str = "
    UPDATE bench_stock SET on_hand = on_hand - $2 WHERE variant_id = $1 AND on_hand >= $2
    RETURNING variant_id, $2, price";
const ADD_LINES: &str = "
    INSERT INTO bench_line (order_id, variant_id, quantity, price)
    SELECT $1, w.variant_id, w.quantity, w.price FROM unnest($2, $3, $4) AS w (variant_id, quantity, price)";
const ADD_LINE: &str =
    "INSERT INTO bench_line (order_id, variant_id, quantity, price) VALUES ($1, $2, $3, $4)";
const PAY: &str = "INSERT INTO bench_payment (id, order_id, amount) VALUES ($1, $2, $3)";

type Taken = (Uuid, i32, i64);

#[derive(Deserialize)]
pub(super) struct Order {
    key: String,
    email: String,
    address: Box<serde_json::value::RawValue>,
    lines: Vec<Wanted>,
}

#[derive(Deserialize)]
struct Wanted {
    variant: Uuid,
    quantity: i32,
}

#[derive(Serialize)]
pub(super) struct Placed {
    order: Uuid,
    total: i64,
}

pub(super) async fn prepare(database: &Database) -> anyhow::Result<()> {
    for sql in TABLES.into_iter().chain([LINES]) {
        match database {
            Database::Postgres(pool) => sqlx::query(sql).execute(pool).await.map(drop)?,
            Database::Sqlite { write, .. } => sqlx::query(sql).execute(write).await.map(drop)?,
        }
    }
    Ok(())
}

/// Some of what can be bought.
pub(super) async fn variants(State(shop): State<Shop>) -> Result<Json<Vec<Uuid>>, Failed> {
    let rows = rows!(
        &shop.database,
        (Uuid,),
        "SELECT variant_id FROM bench_stock LIMIT 3000"
    )?;
    Ok(Json(rows.into_iter().map(|row| row.0).collect()))
}

pub(super) async fn place(
    State(shop): State<Shop>,
    Json(order): Json<Order>,
) -> Result<Json<Placed>, Failed> {
    let placed = match &shop.database {
        Database::Postgres(pool) => in_postgres(pool, &order).await?,
        Database::Sqlite { write, .. } => in_sqlite(write, &order).await?,
    };
    Ok(Json(placed))
}

fn total(taken: &[Taken], order: &Order) -> anyhow::Result<i64> {
    anyhow::ensure!(taken.len() == order.lines.len(), "not enough stock");
    Ok(taken
        .iter()
        .map(|(_, quantity, price)| i64::from(*quantity) * price)
        .sum())
}

async fn in_postgres(pool: &PgPool, order: &Order) -> anyhow::Result<Placed> {
    let id = Uuid::now_v7();
    let mut transaction = pool.begin().await?;
    let (variants, quantities): (Vec<Uuid>, Vec<i32>) = order
        .lines
        .iter()
        .map(|line| (line.variant, line.quantity))
        .unzip();
    let taken: Vec<Taken> = sqlx::query_as(TAKE_ALL)
        .bind(variants)
        .bind(quantities)
        .fetch_all(&mut *transaction)
        .await?;
    let total = total(&taken, order)?;
    let inserted = sqlx::query(ORDER)
        .bind(id)
        .bind(&order.key)
        .bind(&order.email)
        .bind(order.address.get())
        .bind(total)
        .execute(&mut *transaction)
        .await?;
    anyhow::ensure!(inserted.rows_affected() == 1, "the key was used");
    sqlx::query(ADD_LINES)
        .bind(id)
        .bind(taken.iter().map(|line| line.0).collect::<Vec<_>>())
        .bind(taken.iter().map(|line| line.1).collect::<Vec<_>>())
        .bind(taken.iter().map(|line| line.2).collect::<Vec<_>>())
        .execute(&mut *transaction)
        .await?;
    sqlx::query(PAY)
        .bind(Uuid::now_v7())
        .bind(id)
        .bind(total)
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await?;
    Ok(Placed { order: id, total })
}

async fn in_sqlite(pool: &SqlitePool, order: &Order) -> anyhow::Result<Placed> {
    let id = Uuid::now_v7();
    let mut transaction = pool.begin_with("BEGIN IMMEDIATE").await?;
    let mut taken: Vec<Taken> = Vec::with_capacity(order.lines.len());
    for line in &order.lines {
        let row = sqlx::query_as(TAKE)
            .bind(line.variant)
            .bind(line.quantity)
            .fetch_optional(&mut *transaction)
            .await?;
        taken.extend::<Option<Taken>>(row);
    }
    let total = total(&taken, order)?;
    let inserted = sqlx::query(ORDER)
        .bind(id)
        .bind(&order.key)
        .bind(&order.email)
        .bind(order.address.get())
        .bind(total)
        .execute(&mut *transaction)
        .await?;
    anyhow::ensure!(inserted.rows_affected() == 1, "the key was used");
    for (variant, quantity, price) in taken {
        sqlx::query(ADD_LINE)
            .bind(id)
            .bind(variant)
            .bind(quantity)
            .bind(price)
            .execute(&mut *transaction)
            .await?;
    }
    sqlx::query(PAY)
        .bind(Uuid::now_v7())
        .bind(id)
        .bind(total)
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await?;
    Ok(Placed { order: id, total })
}
