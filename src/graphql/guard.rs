//! Guards of fields: what `domain::permission` says of the caller, asked before the field does anything.

use async_graphql::{Context, Guard};

use super::context::ContextExt as _;
use crate::domain::permission::Permission;

/// The field is for those who may do this: `#[graphql(guard = "Requires(Permission::WriteCatalog)")]`. For everybody
/// else it is an error, UNAUTHENTICATED or FORBIDDEN. The domain asks again: a guard is the outer of two doors.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Requires(pub(crate) Permission);

impl Guard for Requires {
    async fn check(&self, ctx: &Context<'_>) -> async_graphql::Result<()> {
        let allowed = ctx.domain().and_then(|domain| Ok(domain.require(self.0)?));
        allowed.map_err(async_graphql::Error::from)
    }
}
