//! Accounts that an operator opens: there is nobody yet who could make the first admin.

use sea_orm::ConnectionTrait;
use serde_json::json;

use super::register::{NewUser, Register, check, insert_user, is_taken};
use super::role::shown;
use super::session::open_in_txn;
use crate::domain::audit::record::{Deed, record};
use crate::domain::context::Context;
use crate::domain::permission::Permission;
use crate::entity::user_account;
use crate::kernel::actor::Role;
use crate::kernel::error::{Error, ErrorCode, Result};
use crate::kernel::id::{SessionId, UserId};

/// Opens an account of any role, without signing in to it.
///
/// # Errors
/// Unauthenticated, Forbidden; refused with everything that is wrong with the input, TAKEN for the email.
pub async fn create_user(ctx: &Context, command: &Register, role: Role) -> Result<user_account::Model> {
    ctx.require(Permission::WriteRoles)?;
    let checked = check(ctx, command).await?;
    let password_hash = ctx.platform.passwords.hash(command.password.clone()).await?;
    let new = NewUser {
        role,
        password_hash,
        ..checked
    };
    let txn = ctx.db().begin().await?;
    let user = add_user(&txn, ctx, &new).await.map_err(|error| {
        if is_taken(&error) {
            return Error::refused(ErrorCode::Taken, "email", "is the email of another account");
        }
        error
    })?;
    txn.commit().await?;
    Ok(user)
}

/// Adds an account whose parts have been checked, inside the caller's transaction.
pub async fn add_user<C: ConnectionTrait>(
    connection: &C,
    ctx: &Context,
    new: &NewUser,
) -> Result<user_account::Model> {
    let user = insert_user(connection, ctx, new).await?;
    let after = json!({"email": user.email, "name": user.name, "role": shown(user.role)});
    record(connection, ctx, Deed::created("userCreate", user.id, after)).await?;
    Ok(user)
}

/// Opens a session of an account without its password.
///
/// # Errors
/// Unauthenticated or Forbidden.
pub async fn open_session(ctx: &Context, user: UserId) -> Result<SessionId> {
    ctx.require(Permission::WriteRoles)?;
    let txn = ctx.db().begin().await?;
    let opened = open_in_txn(&txn, ctx, user).await?;
    let deed = Deed {
        action: "sessionCreate",
        subject: Some(opened.session.to_string()),
        ..Deed::default()
    };
    record(&txn, ctx, deed).await?;
    txn.commit().await?;
    ctx.platform.revocations.end(&opened.ended, ctx.now());
    Ok(opened.session)
}
