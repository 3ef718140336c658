//! Accounts: who people are, and how they prove it.

mod addresses;
mod backoff;
mod cookies;
mod keys;
mod password;
mod people;
mod profile;
mod races;
mod refresh;
mod register;
pub(crate) mod revocations;
mod sessions;
mod sign_in;
mod tokens;
