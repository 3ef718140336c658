//! The schema: all rooms' queries, mutations and subscriptions under one root.

use std::sync::Arc;

use async_graphql::extensions::{Extension, ExtensionContext, ExtensionFactory, NextExecute};
use async_graphql::{
    MergedObject, MergedSubscription, Response, SDLExportOptions, Schema, SchemaBuilder, ValidationMode,
};
use async_trait::async_trait;

use super::accounts::{AccountsMutation, AccountsQuery, RoleMutation, UsersQuery};
use super::audit::AuditQuery;
use super::carts::{CartsMutation, CartsQuery};
use super::catalog::{CatalogMutation, CatalogQuery};
use super::inventory::InventoryMutation;
use super::ledger::LedgerQuery;
use super::limits::Limits;
use super::node::NodeQuery;
use super::orders::{OrdersMutation, OrdersQuery, OrdersSubscription};
use super::payments::PaymentsMutation;
use super::shop::ShopQuery;
use super::spans::Spans;
use crate::infra::telemetry::trace;
use crate::kernel::config::LimitsConfig;

pub type ShopSchema = Schema<Query, Mutation, Subscription>;

/// Everything that can be read.
#[derive(Debug, Default, MergedObject)]
pub struct Query(
    NodeQuery,
    ShopQuery,
    AccountsQuery,
    UsersQuery,
    AuditQuery,
    CatalogQuery,
    CartsQuery,
    OrdersQuery,
    LedgerQuery,
);

/// Everything that can be changed.
#[derive(Debug, Default, MergedObject)]
pub struct Mutation(
    AccountsMutation,
    RoleMutation,
    CatalogMutation,
    InventoryMutation,
    CartsMutation,
    OrdersMutation,
    PaymentsMutation,
);

/// Everything that can be waited for.
#[derive(Debug, Default, MergedSubscription)]
pub struct Subscription(OrdersSubscription);

/// Builds the schema with the limits that resolvers keep. `open` is for those who may read the schema: only they are
/// told what a misspelt name was meant to be.
pub fn build(limits: &LimitsConfig, open: bool) -> ShopSchema {
    let schema = builder(limits);
    if open {
        schema.finish()
    } else {
        schema.disable_suggestions().finish()
    }
}

/// The same for operations that have passed validation: it is not done again.
pub fn build_trusting(limits: &LimitsConfig) -> ShopSchema {
    builder(limits)
        .validation_mode(ValidationMode::Fast)
        .disable_suggestions()
        .finish()
}

fn builder(limits: &LimitsConfig) -> SchemaBuilder<Query, Mutation, Subscription> {
    let schema = Schema::build(Query::default(), Mutation::default(), Subscription::default())
        .data(Limits::from(limits))
        // The lexer has counted brackets before; the library's own limit would be a second, unsettable one.
        .limit_recursive_depth(limits.nesting);
    if trace::is_on() {
        schema.extension(Spans)
    } else {
        schema
    }
}

/// The same, but what it is given it only validates.
pub fn build_checking(limits: &LimitsConfig) -> ShopSchema {
    Schema::build(Query::default(), Mutation::default(), Subscription::default())
        .limit_recursive_depth(limits.nesting)
        .extension(NeverRun)
        .finish()
}

/// Stands where execution would begin, which comes after validation.
struct NeverRun;

impl ExtensionFactory for NeverRun {
    fn create(&self) -> Arc<dyn Extension> {
        Arc::new(Self)
    }
}

#[async_trait]
impl Extension for NeverRun {
    async fn execute(&self, _: &ExtensionContext<'_>, _: Option<&str>, _: NextExecute<'_>) -> Response {
        Response::default()
    }
}

/// The schema as text, sorted, so that two of them can be compared line by line.
pub fn sdl() -> String {
    let schema = Schema::build(Query::default(), Mutation::default(), Subscription::default()).finish();
    let options = SDLExportOptions::new()
        .sorted_fields()
        .sorted_arguments()
        .sorted_enum_items();
    schema.sdl_with_options(options)
}
