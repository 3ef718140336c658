//! Orders: what may become of them, who sees them, and what happened to them.

pub mod change;
pub mod feed;
pub mod state;
