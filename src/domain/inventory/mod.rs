//! Stock: how many of each variant there are.
