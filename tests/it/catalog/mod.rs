//! The catalog through its API.

mod cache;
mod categories;
mod create;
mod find;
mod listing;
mod search;
mod staff;
mod update;
mod update_variant;
