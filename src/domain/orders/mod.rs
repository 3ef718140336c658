//! Orders: what may become of them, who sees them, and what happened to them.

pub mod change;
pub mod events;
pub mod feed;
pub mod find;
pub mod list;
pub mod policy;
pub mod state;
