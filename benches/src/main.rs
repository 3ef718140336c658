//! What Souk is measured by: the loads, and the bare servers that it is compared with.

fn main() {}
