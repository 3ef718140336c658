//! The schema: all rooms' queries and mutations under one root.

use async_graphql::{EmptyMutation, EmptySubscription, Object, Schema};

pub type ShopSchema = Schema<Query, EmptyMutation, EmptySubscription>;

#[derive(Debug, Default)]
pub struct Query;

#[Object]
impl Query {
    async fn version(&self) -> &str {
        env!("CARGO_PKG_VERSION")
    }
}

/// Builds the schema.
pub fn build() -> ShopSchema {
    Schema::build(Query, EmptyMutation, EmptySubscription).finish()
}
