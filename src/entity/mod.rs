//! Tables as Rust. Rules live in `domain`; here stand only columns and the values they may have.

pub mod audit_record;
pub mod category;
pub mod category_ancestor;
pub mod idempotency_key;
pub mod inventory_level;
pub mod inventory_movement;
pub mod product;
pub mod product_image;
pub mod product_listing;
pub mod product_option;
pub mod product_tag;
pub mod product_variant;
pub mod refresh_token;
pub mod session;
pub mod sign_in_attempt;
pub mod user_account;
pub mod user_address;
