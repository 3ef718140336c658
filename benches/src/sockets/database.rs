//! Orders and events straight in the database: fifty thousand orders in seconds, and events at a rate that costs the servers
//! nothing but telling them. An event is what an instance beside would write: its row and its order's in one transaction, and
//! after the commit the notification that wakes the others.

use std::sync::Arc;

use anyhow::{Result, ensure};
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
use tokio::sync::Notify;
use uuid::Uuid;

use super::order::{Order, spell};
use super::report::Happened;
use super::{AT_ONCE, clock};

/// Orders of one statement.
const BATCH: usize = 5_000;

/// Confirmed, so that no hold runs out. The token of a guest is the id's text.
const PLACE: &str = r#"INSERT INTO shop_order (id, number, status, payment_status, fulfillment_status, guest_token_hash, guest_seed,
    email, shipping_address, currency, subtotal, shipping_total, tax_total, discount_total, total, paid, refunded, last_seq,
    placed_at, updated_at)
SELECT id, id::text, 'CONFIRMED', 'UNPAID', 'UNFULFILLED', encode(sha256(convert_to(id::text, 'UTF8')), 'hex'), 'seed',
    'ann@example.com', '{"name": "Ann", "line1": "High Street", "city": "Leeds", "country_code": "GB"}', 'USD',
    0, 0, 0, 0, 0, 0, 0, 0, now(), now()
FROM unnest($1::uuid[]) AS id"#;

const UPDATE: &str = "WITH changed AS (
    UPDATE shop_order SET last_seq = last_seq + 1, updated_at = now() WHERE id = $1
    RETURNING id, last_seq, status, payment_status, fulfillment_status)
INSERT INTO order_event (id, order_id, seq, type, status, payment_status, fulfillment_status, message, actor, occurred_at)
SELECT $2, id, last_seq, 'PAYMENT_PENDING', status, payment_status, fulfillment_status, $3, 'system',
    'epoch'::timestamptz + $4 * interval '1 microsecond'
FROM changed";

/// As `db.notify` says it, outside of the transaction: within, commits would queue up.
const NOTIFY: &str = "NOTIFY souk_order_events";

pub(super) struct Shop {
    pool: PgPool,
    committed: Arc<Notify>,
}

impl Shop {
    pub(super) async fn open(url: &str) -> Result<Self> {
        ensure!(
            url.starts_with("postgres"),
            "only on PostgreSQL do servers hear what others write at once: --by api measures SQLite"
        );
        let connections = u32::try_from(AT_ONCE + 1)?;
        let pool = PgPoolOptions::new()
            .max_connections(connections)
            .connect(url)
            .await?;
        let committed = Arc::new(Notify::new());
        let (notifier, woken) = (pool.clone(), Arc::clone(&committed));
        // One for all that was committed while the last was under way.
        tokio::spawn(async move {
            loop {
                woken.notified().await;
                if sqlx::query(NOTIFY).execute(&notifier).await.is_err() {
                    return;
                }
            }
        });
        Ok(Self { pool, committed })
    }

    pub(super) async fn orders(&self, count: usize) -> Result<Vec<Order>> {
        let ids: Vec<Uuid> = (0..count).map(|_| Uuid::now_v7()).collect();
        for batch in ids.chunks(BATCH) {
            sqlx::query(PLACE).bind(batch).execute(&self.pool).await?;
        }
        let order = |uuid: Uuid| Order {
            id: spell(uuid),
            uuid,
            token: uuid.to_string(),
        };
        Ok(ids.into_iter().map(order).collect())
    }

    pub(super) async fn update(&self, number: u32, order: &Order) -> Result<Happened> {
        let at = clock::now();
        sqlx::query(UPDATE)
            .bind(order.uuid)
            .bind(Uuid::now_v7())
            .bind(format!("update {number}."))
            .bind(at)
            .execute(&self.pool)
            .await?;
        let committed = clock::now();
        self.committed.notify_one();
        Ok(Happened { at, committed })
    }
}
