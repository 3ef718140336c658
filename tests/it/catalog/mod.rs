//! The catalog through its API.

mod cache;
mod find;
mod listing;
mod search;
