//! Accounts that an operator opens: there is nobody yet who could make the first admin.

use secrecy::SecretString;

use super::register::{NewUser, Register, check, insert_user, is_taken};
use super::role::shown;
use crate::domain::audit::record::{Deed, record};
use crate::domain::context::Context;
use crate::domain::permission::Permission;
use crate::entity::user_account;
use crate::kernel::actor::Role;
use crate::kernel::email::Email;
use crate::kernel::error::{Error, ErrorCode, Result};

/// Opens an account of any role, without signing in to it.
///
/// # Errors
/// Unauthenticated, Forbidden; refused with everything that is wrong with the input, TAKEN for the email.
pub async fn create_user(ctx: &Context, command: &Register, role: Role) -> Result<user_account::Model> {
    ctx.require(Permission::WriteRoles)?;
    let checked = check(ctx, command).await?;
    let password_hash = hash(ctx, &command.password).await?;
    insert(
        ctx,
        &NewUser {
            role,
            password_hash,
            ..checked
        },
    )
    .await
    .map_err(|error| {
        if is_taken(&error) {
            let message = "is the email of another account";
            return Error::refused(ErrorCode::Taken, "email", message);
        }
        error
    })
}

/// The same for an account whose email, name and password are the program's own, and known to everybody.
///
/// # Errors
/// Only faults; [`is_taken`] knows that of an email which somebody has.
pub async fn create_known_user(
    ctx: &Context,
    (email, name, role): (Email, &str, Role),
    password: &SecretString,
) -> Result<user_account::Model> {
    let password_hash = hash(ctx, password).await?;
    let name = name.to_owned();
    insert(
        ctx,
        &NewUser {
            email,
            name,
            role,
            password_hash,
        },
    )
    .await
}

async fn hash(ctx: &Context, password: &SecretString) -> Result<String> {
    ctx.platform.passwords.hash(password.clone()).await
}

async fn insert(ctx: &Context, new: &NewUser) -> Result<user_account::Model> {
    let txn = ctx.db().begin().await?;
    let user = insert_user(&txn, ctx, new).await?;
    let after = serde_json::json!({"email": user.email, "name": user.name, "role": shown(new.role)});
    record(&txn, ctx, Deed::created("userCreate", user.id, after)).await?;
    txn.commit().await?;
    Ok(user)
}
