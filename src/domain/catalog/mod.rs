//! The catalog: products with their variants and images, on shelves.

pub mod cache;
pub mod derived;
