//! The catalog through its API.

mod cache;
mod find;
mod images;
mod listing;
mod made_slugs;
mod search;
