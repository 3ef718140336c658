//! axum with the bare SQL: one statement for a load, two for W3, and JSON by serde. No GraphQL, no permissions, no cache.
//!
//! Answers have the shape of Souk's, so that as many bytes are made and sent.

mod catalog;
mod checkout;
mod orders;

use axum::Router;
use axum::routing::post;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::database::Database;

#[derive(Clone)]
struct Shop {
    database: Database,
    customer: Uuid,
}

pub(super) async fn prepare_checkout(database: &Database) -> anyhow::Result<()> {
    checkout::prepare(database).await
}

pub(super) fn routes(database: &Database, customer: Uuid) -> Router {
    let shop = Shop {
        database: database.clone(),
        customer,
    };
    Router::new()
        .route("/w1", post(catalog::products))
        .route("/w2", post(catalog::product))
        .route("/w3", post(orders::mine))
        .route("/w5", post(catalog::search))
        .route("/variants", post(checkout::variants))
        .route("/checkout", post(checkout::place))
        .with_state(shop)
}

/// A request as it is sent to Souk, without looking at its document.
#[derive(Deserialize)]
struct Asked<V> {
    variables: V,
}

#[derive(Serialize)]
struct Data<T> {
    data: T,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Money {
    amount: String,
    currency_code: String,
}

impl Money {
    /// The benchmark's catalog is in a currency of two decimals.
    fn new(cents: i64, currency: &str) -> Self {
        Self {
            amount: format!("{}.{:02}", cents / 100, cents % 100),
            currency_code: currency.to_owned(),
        }
    }
}

#[derive(Serialize)]
struct Range {
    min: Money,
    max: Money,
}

#[derive(Serialize)]
struct Named {
    name: String,
}

#[derive(Serialize)]
struct Nodes<T> {
    nodes: Vec<T>,
}
