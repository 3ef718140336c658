//! Souk, a GraphQL commerce server.
//!
//! The floors of the house, each importing only those below it:

/// Words that everyone speaks: settings, errors, ids, money, time.
pub mod kernel;

/// Tables as Rust.
pub mod entity;

/// Tools without business nouns: database, cache, full text, idempotency, tokens.
pub mod infra;

/// Rules, permissions, transactions and queries of the shop.
pub mod domain;

/// The public contract: types, inputs, resolvers, loaders.
pub mod graphql;

/// The front door: HTTP, WebSockets and server-sent events.
pub mod http;

/// The back door: work that nobody waits for.
pub mod worker;

/// Everything above, wired together by its settings.
pub mod app;

/// The command line.
pub mod cli;
