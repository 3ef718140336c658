//! The catalog: products with their variants and images, on shelves.

pub mod cache;
pub mod create;
pub mod create_category;
mod deeds;
pub mod derived;
pub mod description;
pub mod find;
pub mod insert;
pub mod listing;
pub mod policy;
pub mod rows;
pub mod shelves;
pub mod slug;
pub mod state;
pub mod tree;
pub mod update;
pub mod update_variant;
pub mod validate;
