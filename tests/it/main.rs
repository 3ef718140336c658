//! The integration tests, in one binary. They speak to the shop as its clients do, on SQLite and on
//! PostgreSQL; `support` says how.

#[macro_use]
mod support;

mod constraints;
mod demo;
mod harness;
mod migrations;
