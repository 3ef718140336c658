//! The catalog through its API.

mod cache;
mod categories;
mod create;
mod find;
mod images;
mod listing;
mod longest;
mod made_slugs;
mod search;
mod staff;
mod update;
mod update_variant;
