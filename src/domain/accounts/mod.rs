//! People: their accounts, their sessions, and what ends them.

pub mod find;
pub mod list;
pub mod policy;
pub mod revocation;
pub mod role;
