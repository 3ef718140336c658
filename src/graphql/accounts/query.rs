//! Who is asking.

use async_graphql::{Context, Object};

use super::User;
use crate::graphql::context::ContextExt as _;
use crate::graphql::error::Result;

#[derive(Debug, Default)]
pub struct AccountsQuery;

#[Object]
impl AccountsQuery {
    /// Whoever is signed in: the holder of the access token. Null when none was sent.
    async fn me(&self, ctx: &Context<'_>) -> Result<Option<User>> {
        Ok(ctx.domain()?.actor.user().map(User::signed_in))
    }
}
