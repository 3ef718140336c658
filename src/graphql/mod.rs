//! The public contract: types, inputs, resolvers and loaders. No queries, no transactions.

pub mod accounts;
pub mod answer;
pub mod audit;
pub mod carts;
pub mod catalog;
mod change;
pub mod connection;
mod context;
pub mod cookies;
pub mod document;
pub mod engine;
pub mod error;
pub mod execution;
mod guard;
pub mod ids;
pub mod inventory;
pub mod limits;
mod list;
pub mod loaders;
pub mod money;
pub mod node;
pub mod orders;
pub mod payments;
pub mod scalars;
pub mod schema;
pub mod shop;
pub mod user_error;
