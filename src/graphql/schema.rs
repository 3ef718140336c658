//! The schema: all rooms' queries and mutations under one root.

use async_graphql::{EmptyMutation, EmptySubscription, Object, SDLExportOptions, Schema};

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

/// The schema as text, sorted.
pub fn sdl() -> String {
    build().sdl_with_options(
        SDLExportOptions::new()
            .sorted_fields()
            .sorted_arguments()
            .sorted_enum_items(),
    )
}
