//! Loaders of people and what belongs to them.

use std::collections::HashMap;
use std::sync::Arc;

use async_graphql::dataloader::Loader as Load;

use super::{Loader, loader};
use crate::domain::accounts::find;
use crate::entity::{session, user_account, user_address};
use crate::graphql::error::{ApiError, Result};
use crate::kernel::id::{SessionId, UserId};

loader!(
    /// An account, if the caller may see it.
    UserById(UserId) => Arc<user_account::Model>, find::users_by_ids
);
loader!(
    /// The addresses of an account, in their order.
    AddressesByUser(UserId) => Vec<Arc<user_address::Model>>, find::addresses_by_users
);
loader!(
    /// A session of the caller that goes on.
    SessionById(SessionId) => Arc<session::Model>, find::sessions_by_ids
);
loader!(
    /// The caller's sessions that go on, the last used first.
    SessionsByUser(UserId) => Vec<Arc<session::Model>>, find::sessions_by_users
);
