//! The catalog: products with their variants and images, on shelves.

pub mod cache;
pub mod derived;
pub mod description;
pub mod find;
pub mod insert;
pub mod listing;
pub mod policy;
pub mod rows;
pub mod shelves;
pub mod state;
pub mod tree;
