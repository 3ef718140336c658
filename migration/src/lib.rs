//! Souk's database schema, step by step. Each step goes up and down on SQLite and on PostgreSQL.
//!
//! The steps never import the application's entities: a step must go on doing what it did on the
//! day it was written, whatever becomes of the tables later.

pub use sea_orm_migration::MigratorTrait;
use sea_orm_migration::prelude::*;

mod column;
mod m20261121_000001_create_category;
mod m20261121_000002_create_product;
mod m20261121_000003_create_inventory;
mod m20261121_000004_create_product_search;
mod m20261121_000005_create_idempotency_key;
mod m20261121_000006_create_account;
mod m20261121_000007_create_sign_in_attempt;
mod m20261121_000008_create_audit_record;
mod m20261121_000009_create_cart;
mod m20261121_000010_create_order;
mod m20261121_000011_create_order_event;
mod m20261121_000012_create_payment;
mod m20261121_000013_create_gateway_event;
mod m20261121_000014_create_ledger_transfer;
mod m20261121_000015_create_instance;
mod m20261122_000016_index_what_is_there;
mod m20261122_000017_place_order_events;

/// All steps, in their order.
#[derive(Debug)]
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m20261121_000001_create_category::Migration),
            Box::new(m20261121_000002_create_product::Migration),
            Box::new(m20261121_000003_create_inventory::Migration),
            Box::new(m20261121_000004_create_product_search::Migration),
            Box::new(m20261121_000005_create_idempotency_key::Migration),
            Box::new(m20261121_000006_create_account::Migration),
            Box::new(m20261121_000007_create_sign_in_attempt::Migration),
            Box::new(m20261121_000008_create_audit_record::Migration),
            Box::new(m20261121_000009_create_cart::Migration),
            Box::new(m20261121_000010_create_order::Migration),
            Box::new(m20261121_000011_create_order_event::Migration),
            Box::new(m20261121_000012_create_payment::Migration),
            Box::new(m20261121_000013_create_gateway_event::Migration),
            Box::new(m20261121_000014_create_ledger_transfer::Migration),
            Box::new(m20261121_000015_create_instance::Migration),
            Box::new(m20261122_000016_index_what_is_there::Migration),
            Box::new(m20261122_000017_place_order_events::Migration),
        ]
    }
}
