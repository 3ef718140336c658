//! What a competent newcomer would write: async-graphql with its defaults, on Souk's tables. Each document is parsed and
//! validated for each request, objects are `SimpleObject`s, and relations go through the library's `DataLoader`.
//!
//! It is given what costs a newcomer nothing to find out: prepared statements, connections that are not asked whether they
//! live, indexes for every list, the same allocator.

mod inputs;
mod loaders;
mod query;
mod types;

use async_graphql::{EmptyMutation, EmptySubscription, Request, Response, Schema};
use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use uuid::Uuid;

use super::database::Database;

type Shop = Schema<query::Query, EmptyMutation, EmptySubscription>;

pub(super) fn routes(database: &Database, customer: Uuid) -> Router {
    let schema = Schema::build(query::Query { customer }, EmptyMutation, EmptySubscription)
        .data(database.clone())
        .data(loaders::loader(database))
        .finish();
    Router::new().route("/graphql", post(answer)).with_state(schema)
}

async fn answer(State(schema): State<Shop>, Json(asked): Json<Request>) -> Json<Response> {
    Json(schema.execute(asked).await)
}
