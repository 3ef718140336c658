//! People: accounts, and the sessions in which they are signed in.

mod inputs;
mod mutation;
mod payloads;
mod query;
mod role;
mod types;
mod users;

pub(crate) use inputs::AddressInput;
pub use mutation::AccountsMutation;
pub use query::AccountsQuery;
pub use role::RoleMutation;
pub use types::{Address, Session, User, UserRole};
pub use users::UsersQuery;
