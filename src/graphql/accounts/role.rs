//! Who is staff, and who is admin.

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};

use super::{User, UserRole};
use crate::domain::accounts::role::update_role;
use crate::domain::permission::Permission;
use crate::graphql::context::ContextExt as _;
use crate::graphql::error::Result;
use crate::graphql::guard::Requires;
use crate::graphql::ids::parse_id;
use crate::graphql::loaders::UserById;
use crate::graphql::user_error::{UserError, refused};
use crate::kernel::error::Error;

/// Another role for an account.
#[derive(Clone, Debug, InputObject)]
pub(crate) struct UserRoleUpdateInput {
    /// Whose (else NOT_FOUND).
    user_id: ID,
    /// The role that it is to have. The last admin stays one (else INVALID).
    role: UserRole,
}

/// The outcome of `userRoleUpdate`.
#[derive(Clone, Debug, SimpleObject)]
pub(crate) struct UserRoleUpdatePayload {
    /// The account as it is now; null when the change was refused.
    user: Option<User>,
    /// Why it was refused; empty when it was not.
    user_errors: Vec<UserError>,
}

async fn update(ctx: &Context<'_>, input: UserRoleUpdateInput) -> Result<User> {
    let id = parse_id(&input.user_id, "input.userId")?;
    update_role(ctx.domain()?, id, input.role.into()).await?;
    let row = ctx.loaders()?.load_one(UserById(id)).await?;
    let row = row.ok_or_else(|| Error::internal(anyhow::anyhow!("an account vanished")))?;
    Ok(User::new(row))
}

#[derive(Debug, Default)]
pub struct RoleMutation;

#[Object]
impl RoleMutation {
    /// Changes what an account may do, at once: its sessions go on, but access tokens with the old role are refused within
    /// seconds, and the next refresh brings one with the new role. Admins only.
    #[graphql(guard = "Requires(Permission::WriteRoles)")]
    async fn user_role_update(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Whose role, and which.")] input: UserRoleUpdateInput,
    ) -> Result<UserRoleUpdatePayload> {
        let (user, user_errors) = refused(update(ctx, input).await)?;
        Ok(UserRoleUpdatePayload { user, user_errors })
    }
}
