//! The integration tests, in one binary. They speak to the shop as its clients do, on SQLite and on
//! PostgreSQL; `support` says how.

#![expect(
    clippy::as_conversions,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unreachable,
    clippy::unwrap_used,
    reason = "a test that cannot go on should stop"
)]

#[macro_use]
mod support;

mod access;
mod accounts;
mod answers;
mod audit;
mod bad_input;
mod carts;
mod catalog;
mod constraints;
mod cost;
mod demo;
mod documents;
mod events;
mod exchange;
mod explain;
mod gateways;
mod harness;
mod hostile;
mod house;
mod http;
mod instances;
mod inventory;
mod ledger;
mod light;
mod limits;
mod migrations;
mod orders;
mod payments;
mod schema;
mod sql_counts;
mod told;
mod user_command;
mod users;
