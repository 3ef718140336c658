//! The public contract: types, inputs, resolvers and loaders. No queries, no transactions.

pub mod answer;
pub mod document;
pub mod engine;
pub mod error;
pub mod execution;
pub mod loaders;
pub mod schema;
