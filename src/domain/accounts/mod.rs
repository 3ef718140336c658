//! People: their accounts, their sessions, and what ends them.

pub mod backoff;
pub mod create;
mod credentials;
pub mod find;
mod identity;
pub mod list;
pub mod password;
pub mod policy;
pub mod refresh;
pub mod register;
pub mod revocation;
pub mod revoke;
pub mod role;
pub mod session;
pub mod sign_in;
pub mod update;
