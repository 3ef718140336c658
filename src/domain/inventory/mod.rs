//! Stock: how many of each variant there are.

pub mod levels;
