//! Accounts: who people are, and how they prove it.

mod keys;
pub(crate) mod revocations;
mod tokens;
