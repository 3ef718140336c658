//! Runs one operation of one caller: gives the resolvers their context and their loaders.

use async_graphql::{Request, Response};
use futures_util::StreamExt as _;

use super::loaders::{self, Idle};
use super::schema::ShopSchema;
use crate::domain::context::Context;

/// Executes a request that has passed all limits.
pub async fn run(schema: &ShopSchema, request: Request, context: Context) -> Response {
    let idle = Idle::default();
    let loaders = loaders::of(context.clone(), &idle);
    idle.watch(schema.execute(request.data(context).data(loaders)))
        .await
}

/// The first response to a subscription that has passed all limits; None when it has none.
pub async fn first(schema: &ShopSchema, request: Request, context: Context) -> Option<Response> {
    let idle = Idle::default();
    let loaders = loaders::of(context.clone(), &idle);
    let mut responses = schema.execute_stream(request.data(context).data(loaders));
    idle.watch(responses.next()).await
}
