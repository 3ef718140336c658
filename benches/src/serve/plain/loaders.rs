//! Rows by key, for many keys at once.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::hash::Hash;
use std::sync::Arc;

use async_graphql::dataloader::{DataLoader, Loader};
use async_graphql::runtime::{TokioSpawner, TokioTimer};
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::types::{Category, Image, Money, OrderLine, Payment, Product, Variant};
use crate::serve::database::Database;

pub(super) type Rows = DataLoader<Tables>;

pub(super) struct Tables(Database);

/// One for all requests, as in the library's book.
pub(super) fn loader(database: &Database) -> Rows {
    DataLoader::new(
        Tables(database.clone()),
        TokioSpawner::current(),
        TokioTimer::default(),
    )
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct ProductById(pub(super) Uuid);
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct CategoryById(pub(super) Uuid);
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct VariantById(pub(super) Uuid);
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct VariantsByProduct(pub(super) Uuid);
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct ImageByProduct(pub(super) Uuid);
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct LinesByOrder(pub(super) Uuid);
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct PaymentsByOrder(pub(super) Uuid);

#[rustfmt::skip]
type ProductRow = (Uuid, String, String, String, i64, i64, String, Option<Uuid>);
type VariantRow = (Uuid, Uuid, String, Option<String>, i64, String);

impl Tables {
    /// All rows of these ids; `sql` ends where they are compared. An array on PostgreSQL, a list on SQLite.
    async fn all<R>(&self, sql: &str, order: &str, ids: &[Uuid]) -> Result<Vec<R>, Arc<sqlx::Error>>
    where
        R: Send + Unpin,
        R: for<'r> sqlx::FromRow<'r, sqlx::postgres::PgRow>
            + for<'r> sqlx::FromRow<'r, sqlx::sqlite::SqliteRow>,
    {
        match &self.0 {
            Database::Postgres(pool) => {
                let sql = AssertSqlSafe(format!("{sql} = ANY($1) {order}"));
                sqlx::query_as(sql).bind(ids).fetch_all(pool).await
            }
            Database::Sqlite { read, .. } => {
                let mut list = "?".to_owned();
                for _ in ids.iter().skip(1) {
                    let _ = write!(list, ", ?");
                }
                let mut query = sqlx::query_as(AssertSqlSafe(format!("{sql} IN ({list}) {order}")));
                for id in ids {
                    query = query.bind(*id);
                }
                query.fetch_all(read).await
            }
        }
        .map_err(Arc::new)
    }
}

fn gather<K: Eq + Hash, V>(rows: impl IntoIterator<Item = (K, V)>) -> HashMap<K, Vec<V>> {
    let mut gathered: HashMap<K, Vec<V>> = HashMap::new();
    for (key, value) in rows {
        gathered.entry(key).or_default().push(value);
    }
    gathered
}

/// A loader: its key, what it finds, the statement, and what becomes of the rows.
macro_rules! load {
    ($key:ident, $value:ty, $row:ty, $sql:expr, $order:expr, |$rows:ident| $made:expr) => {
        impl Loader<$key> for Tables {
            type Value = $value;
            type Error = Arc<sqlx::Error>;

            async fn load(&self, keys: &[$key]) -> Result<HashMap<$key, $value>, Self::Error> {
                let ids: Vec<Uuid> = keys.iter().map(|key| key.0).collect();
                let $rows = self.all::<$row>($sql, $order, &ids).await?.into_iter();
                Ok($made)
            }
        }
    };
}

load!(
    ProductById,
    Product,
    ProductRow,
    "SELECT id, name, slug, description, price_min, price_max, currency, category_id FROM product
     WHERE status = 'ACTIVE' AND id",
    "",
    |rows| rows
        .map(Product::new)
        .map(|product| (ProductById(product.id), product))
        .collect()
);
load!(
    CategoryById,
    Category,
    (Uuid, String, String),
    "SELECT id, name, slug FROM category WHERE id",
    "",
    |rows| rows
        .map(|(id, name, slug)| (CategoryById(id), Category { name, slug }))
        .collect()
);
load!(
    VariantById,
    Variant,
    VariantRow,
    "SELECT v.id, v.product_id, v.title, v.sku, v.price, p.currency FROM product_variant v
     JOIN product p ON p.id = v.product_id WHERE v.id",
    "",
    |rows| rows.map(|row| (VariantById(row.0), Variant::new(row))).collect()
);
load!(
    VariantsByProduct,
    Vec<Variant>,
    VariantRow,
    "SELECT v.id, v.product_id, v.title, v.sku, v.price, p.currency FROM product_variant v
     JOIN product p ON p.id = v.product_id WHERE v.product_id",
    "ORDER BY v.position, v.id",
    |rows| gather(rows.map(|row| (VariantsByProduct(row.1), Variant::new(row))))
);
load!(
    ImageByProduct,
    Image,
    (Uuid, String),
    "SELECT product_id, url FROM product_image WHERE product_id",
    "ORDER BY position DESC, id DESC",
    // The first one comes last, and stays.
    |rows| rows
        .map(|(product, url)| (ImageByProduct(product), Image { url }))
        .collect()
);
load!(
    LinesByOrder,
    Vec<OrderLine>,
    (Uuid, i32, Option<Uuid>),
    "SELECT order_id, quantity, variant_id FROM order_line WHERE order_id",
    "ORDER BY position",
    |rows| gather(
        rows.map(|(order, quantity, variant)| (LinesByOrder(order), OrderLine { quantity, variant }))
    )
);
load!(
    PaymentsByOrder,
    Vec<Payment>,
    (Uuid, String, i64, String),
    "SELECT order_id, status, amount, currency FROM payment WHERE order_id",
    "ORDER BY created_at, id",
    |rows| gather(rows.map(|(order, status, amount, currency)| {
        (
            PaymentsByOrder(order),
            Payment {
                status,
                amount: Money::new(amount, &currency),
            },
        )
    }))
);
