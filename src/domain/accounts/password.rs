//! A new password.

use std::sync::Arc;

use sea_orm::{ColumnTrait as _, Condition, EntityTrait as _};
use secrecy::SecretString;

use super::backoff::{self, Attempt};
use super::credentials::{accept, check_length, check_strength, conclude, hash, prove, set_password};
use super::revoke::somebody;
use super::session::end_in_txn;
use crate::domain::audit::record::{Deed, record};
use crate::domain::context::Context;
use crate::entity::session::RevokeReason;
use crate::entity::{session, user_account};
use crate::kernel::check::Checker;
use crate::kernel::error::{Error, Result};
use crate::kernel::id::SessionId;

const CURRENT: &str = "currentPassword";
const NEW: &str = "newPassword";

/// Changes the caller's password, and signs out all other sessions: whoever knew the old one may be in them.
///
/// # Errors
/// INVALID_CREDENTIALS when the current one is wrong: a stolen access token is not enough, and guessing is as slow as
/// signing in. TOO_SHORT, TOO_LONG, WEAK_PASSWORD for the new one; Throttled.
pub async fn change_password(
    ctx: &Context,
    current: &SecretString,
    new: &SecretString,
) -> Result<Arc<user_account::Model>> {
    let (id, this_session) = somebody(ctx)?;
    let mut checker = Checker::default();
    check_length(&mut checker, NEW, new);
    checker.finish()?;
    let user = user_account::Entity::find_by_id(id).one(ctx.db().fresh()).await?;
    let user = user.ok_or(Error::Unauthenticated)?;
    check_strength(ctx, NEW, new, &user.email, &user.name).await?;

    let mut attempt = backoff::begin(ctx, &user.email_key).await?;
    let outcome = change(ctx, user, this_session, (current, new), &mut attempt).await;
    conclude(ctx, &attempt, "passwordChangeFailed", outcome).await
}

async fn change(
    ctx: &Context,
    user: user_account::Model,
    this_session: SessionId,
    (current, new): (&SecretString, &SecretString),
    attempt: &mut Attempt,
) -> Result<Arc<user_account::Model>> {
    let proof = prove(ctx, Some(user), current, attempt, CURRENT).await?;
    let hash = hash(ctx, new).await?;

    let now = ctx.now();
    let txn = ctx.db().begin().await?;
    let mut user = accept(&txn, ctx, attempt, &proof, CURRENT).await?;
    user.password_version += 1;
    set_password(&txn, user.id, &hash, user.password_version).await?;
    let others = Condition::all()
        .add(session::Column::UserId.eq(user.id))
        .add(session::Column::Id.ne(this_session));
    let ended = end_in_txn(&txn, others, RevokeReason::PasswordChanged, now).await?;
    let deed = Deed {
        action: "passwordChange",
        subject: Some(user.id.to_string()),
        ..Deed::default()
    };
    record(&txn, ctx, deed).await?;
    txn.commit().await?;
    ctx.platform.revocations.end(&ended, now);
    user.password_hash = hash;
    Ok(Arc::new(user))
}
