//! Stock through its API.

mod adjust;
