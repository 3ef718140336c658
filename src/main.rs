//! The `souk` binary.

fn main() {}
