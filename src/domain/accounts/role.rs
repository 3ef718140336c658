//! Who is staff, and who is admin.

use sea_orm::sea_query::Expr;
use sea_orm::{
    ActiveEnum as _, ColumnTrait as _, DatabaseTransaction, EntityTrait as _, QueryFilter as _,
    QuerySelect as _,
};
use serde_json::json;

use super::identity::may_be_used;
use crate::domain::audit::record::{Deed, record};
use crate::domain::context::Context;
use crate::domain::permission::Permission;
use crate::entity::user_account::{self, Column, UserRole};
use crate::infra::db::lock;
use crate::kernel::actor::{Actor, Role};
use crate::kernel::error::{Error, ErrorCode, Result};
use crate::kernel::id::UserId;

/// Gives an account another role. Its sessions go on, but no access token with the old role counts any more.
///
/// # Errors
/// Unauthenticated, Forbidden; refused NOT_FOUND, or INVALID when the shop would be left without an admin.
pub async fn update_role(ctx: &Context, id: UserId, role: Role) -> Result<()> {
    ctx.require(Permission::WriteRoles)?;
    let txn = ctx.db().begin().await?;
    // One change of roles at a time: of two admins who demote each other only the first is still one.
    lock::exclusive(&txn, "admins").await?;
    require_still(&txn, ctx).await?;
    let user = user_account::Entity::find_by_id(id)
        .lock_exclusive()
        .one(&txn)
        .await?;
    let user =
        user.ok_or_else(|| Error::refused(ErrorCode::NotFound, "userId", "there is no such account"))?;
    let new = UserRole::from(role);
    if user.role == new {
        return Ok(());
    }
    // One who cannot act as an admin leaves as many as there were.
    let counts = user.role == UserRole::Admin && may_be_used(ctx, &user);
    if counts && admins(&txn, ctx).await? <= 1 {
        let message = "is the only admin: make somebody else an admin first";
        return Err(Error::refused(ErrorCode::Invalid, "role", message));
    }
    let now = ctx.now();
    user_account::Entity::update_many()
        .col_expr(Column::Role, Expr::val(new))
        .col_expr(Column::RoleChangedAt, Expr::val(now))
        .col_expr(Column::UpdatedAt, Expr::val(now))
        .filter(Column::Id.eq(id))
        .exec(&txn)
        .await?;
    let (before, after) = (
        json!({ "role": user.role.to_value() }),
        json!({ "role": new.to_value() }),
    );
    record(&txn, ctx, Deed::changed("userRoleUpdate", id, before, after)).await?;
    txn.commit().await?;
    ctx.platform.revocations.role_changed(id, role, now);
    Ok(())
}

/// The token says what the caller was when it was issued; what somebody changed a moment ago is in the table.
async fn require_still(txn: &DatabaseTransaction, ctx: &Context) -> Result<()> {
    let Actor::User { id, .. } = ctx.actor else {
        return Ok(());
    };
    let caller = user_account::Entity::find_by_id(id).one(txn).await?;
    match caller {
        Some(caller) if Permission::WriteRoles.allows(Some(caller.role.into())) => Ok(()),
        Some(_) | None => Err(Error::Forbidden),
    }
}

/// How many could act as one: the demo shop's admin cannot, in production.
async fn admins(txn: &DatabaseTransaction, ctx: &Context) -> Result<usize> {
    let admins = user_account::Entity::find().filter(Column::Role.eq(UserRole::Admin));
    let admins = admins.all(txn).await?;
    Ok(admins.iter().filter(|admin| may_be_used(ctx, admin)).count())
}

/// As the API and the audit log write it.
pub fn shown(role: impl Into<UserRole>) -> String {
    role.into().to_value()
}
