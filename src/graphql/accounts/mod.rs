//! People: accounts, and the sessions in which they are signed in.

mod inputs;
mod mutation;
mod payloads;
mod query;
mod types;

pub use mutation::AccountsMutation;
pub use query::AccountsQuery;
pub use types::{Address, Session, User, UserRole};
