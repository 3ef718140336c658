//! The front door: HTTP to the letter, its limits, sockets, and how the process stops.

mod caching;
mod connections;
mod deadline;
mod documents;
mod known;
mod limits;
mod process;
mod protocol;
mod sockets;
mod tls;

use sea_orm::{ConnectionTrait as _, DatabaseTransaction};

use crate::support::{Kind, Shop};

/// What a well-behaved client sends.
const JSON: (&str, &str) = ("content-type", "application/json");
const ACCEPT_NEW: (&str, &str) = ("accept", "application/graphql-response+json");
const ACCEPT_OLD: (&str, &str) = ("accept", "application/json");

/// A mutation that waits for whatever [`hold`] gave.
pub(crate) const CREATE: &str =
    r#"mutation { productCreate(input: {name: "Mug", variants: [{price: "12.00"}]}) { product { id } } }"#;

/// Keeps whoever changes products waiting until it is rolled back, however fast the machine is.
pub(crate) async fn hold(shop: &Shop) -> DatabaseTransaction {
    let txn = shop.db().begin().await.unwrap();
    // On SQLite a transaction has the one lock on writing from its beginning.
    if shop.kind == Kind::Postgres {
        txn.execute_unprepared("LOCK TABLE product IN ACCESS EXCLUSIVE MODE")
            .await
            .unwrap();
    }
    txn
}
