//! People: their accounts, their sessions, and what ends them.

pub mod revocation;
