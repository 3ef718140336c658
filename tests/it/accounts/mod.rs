//! Accounts: who people are, and how they prove it.

mod backoff;
mod password;
mod people;
mod profile;
mod races;
mod refresh;
mod register;
mod sessions;
mod sign_in;
