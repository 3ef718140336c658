//! Who is asking.

use async_graphql::{Context, Object};

use super::User;
use crate::graphql::context::ContextExt as _;
use crate::graphql::error::Result;
use crate::graphql::loaders::UserById;

#[derive(Debug, Default)]
pub struct AccountsQuery;

async fn me(ctx: &Context<'_>) -> Result<Option<User>> {
    let Some(id) = ctx.domain()?.actor.user() else {
        return Ok(None);
    };
    Ok(ctx.loaders()?.load_one(UserById(id)).await?.map(User::new))
}

#[Object]
impl AccountsQuery {
    /// Whoever is signed in: the holder of the access token. Null when none was sent.
    async fn me(&self, ctx: &Context<'_>) -> Option<Result<User>> {
        me(ctx).await.transpose()
    }
}
