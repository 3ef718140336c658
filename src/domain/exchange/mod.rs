//! Catalogs in and out of the shop, in the file formats of other shops.

pub mod shopify;
