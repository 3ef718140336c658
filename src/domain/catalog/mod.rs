//! The catalog: products with their variants and images, on shelves.

pub mod cache;
pub mod derived;
pub mod description;
pub mod insert;
pub mod shelves;
pub mod state;
