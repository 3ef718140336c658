//! People: accounts, and the sessions in which they are signed in.

mod query;
mod types;

pub use query::AccountsQuery;
pub use types::{Address, Session, User, UserRole};
