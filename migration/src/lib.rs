//! Souk's database schema, step by step.
