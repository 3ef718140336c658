//! Stock: how many of each variant there are.

pub mod adjust;
pub mod hold;
pub mod levels;
