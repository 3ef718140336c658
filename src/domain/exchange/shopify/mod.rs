//! Shopify's product CSV, read and written.
//!
//! A file is read as a stream: a first pass looks for handles whose rows do not stand together, a second
//! one hands over products in batches, each of which is written in one transaction. What a row of the
//! file does to the shop:
//!
//! - Products are the same when their handle is the slug; variants when their option values are.
//! - What a column says wins. A column that is missing says nothing, and leaves what the shop has; a
//!   blank cell empties it (status and stock aside, which blank cells leave alone).
//! - Images, tags and option names follow the file. Variants that it leaves out stay, with the images
//!   that they show: an order may point at them.
//! - `Product Category` (`A > B > C`) is the product's category; without it, a new or changed `Type` is.
//!   A staff member's choice of category therefore lasts until the file says something else.
//! - Stock is news only when the file says another number than the last file did. It never falls below
//!   what is reserved for orders.
//! - A bad row leaves its whole product out. A row without a handle belongs to no product.

mod batches;
mod category;
mod check;
mod columns;
#[cfg(test)]
mod damage;
mod encoding;
mod error;
mod export;
mod images;
mod import;
mod load;
mod plan;
mod product;
mod reader;
mod record;
mod report;
mod row;
mod scan;
mod source;
mod stock;
mod survey;
mod variants;
mod write;

pub use error::ExchangeError;
pub use export::{Exported, Lossy, export};
pub use import::{Import, Watch, import};
pub use report::{Counts, Note, Report};

/// The most variants of one product, as Shopify has it.
const MAX_VARIANTS: usize = 2_048;

/// What Shopify writes as the option, and as its value, of a product that has no options.
const NO_OPTION: &str = "Title";
const NO_OPTION_VALUE: &str = "Default Title";
