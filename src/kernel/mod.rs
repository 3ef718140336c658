//! Words that everyone speaks. Nothing here knows a table, a request or a rule of the shop.

pub mod actor;
pub mod address;
pub mod change;
pub mod check;
pub mod clock;
pub mod config;
pub mod country;
pub mod email;
pub mod error;
pub mod id;
pub mod money;
pub mod page;
pub mod text;
