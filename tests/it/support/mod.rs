//! What every test stands on: a shop of its own, on a database of its own, of either kind.
//!
//! Write a test once, inside [`both!`], and it runs as `…::sqlite` and as `…::postgres`:
//!
//! ```ignore
//! both! {
//!     async fn a_mug_is_listed(shop: &Shop) {
//!         shop.add(product("Mug").price(1_200)).await;
//!         let data = shop.data(As::Anonymous, "{ products(first: 1) { nodes { name } } }", json!({})).await;
//!         assert_eq!(data["products"]["nodes"][0]["name"], "Mug");
//!     }
//! }
//! ```
//!
//! SQLite needs nothing. For PostgreSQL the tests start a server of their own when its programs are
//! installed; see [`cluster`].

pub(crate) mod books;
pub(crate) mod buyer;
mod cluster;
mod database;
mod goods;
pub(crate) mod grown;
pub(crate) mod process;
mod redis;
mod shop;
mod socket;

pub(crate) use buyer::GuestOrder;
pub(crate) use database::{Kind, TestDatabase};
pub(crate) use goods::{GoodsBuilder, product, variant};
pub(crate) use redis::RedisServer;
pub(crate) use shop::{As, Reply, Server, Shop, user_of};
pub(crate) use socket::{BIG, Socket, big_goods, subscribe};

/// Defines tests that run on both databases, each time with a new, migrated and empty one.
macro_rules! both {
    ($($(#[$meta:meta])* async fn $name:ident($shop:ident: &$type:ty) $body:block)*) => {$(
        mod $name {
            #[allow(unused_imports, reason = "a test need not name anything of its file")]
            use super::*;

            $(#[$meta])*
            async fn test($shop: &$type) $body

            #[tokio::test]
            async fn sqlite() {
                on($crate::support::Kind::Sqlite).await;
            }

            #[tokio::test]
            async fn postgres() {
                on($crate::support::Kind::Postgres).await;
            }

            async fn on(kind: $crate::support::Kind) {
                let Some(database) = $crate::support::TestDatabase::new(kind).await else { return };
                let shop = $crate::support::Shop::open(&database, &[]).await;
                test(&shop).await;
                shop.close().await;
                database.drop().await;
            }
        }
    )*};
}
