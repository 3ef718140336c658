//! Signing out: of one device, or of all.

use sea_orm::{
    ColumnTrait as _, Condition, DatabaseTransaction, EntityTrait as _, QueryFilter as _, QueryOrder as _,
    QuerySelect as _, QueryTrait as _,
};

use super::identity::{DEMO_DOMAIN, may_be_used};
use super::session::{end_in_txn, live};
use crate::domain::audit::record::{Deed, record};
use crate::domain::context::Context;
use crate::domain::permission::Permission;
use crate::entity::session::RevokeReason;
use crate::entity::{session, user_account};
use crate::kernel::actor::{Actor, Role};
use crate::kernel::error::{Error, ErrorCode, Refusal, Result};
use crate::kernel::id::{SessionId, UserId};

/// Whoever is signed in, and where.
///
/// # Errors
/// Unauthenticated for everybody else.
pub(super) fn somebody(ctx: &Context) -> Result<(UserId, SessionId)> {
    ctx.require(Permission::OwnAccount)?;
    match ctx.actor {
        Actor::User { id, session, .. } => Ok((id, session)),
        Actor::Anonymous | Actor::System => Err(Error::Unauthenticated),
    }
}

/// Ends one of the caller's sessions, or the one that asks.
///
/// # Errors
/// NOT_FOUND for one that is not the caller's, or has ended.
pub async fn revoke(ctx: &Context, which: Option<SessionId>) -> Result<SessionId> {
    let (user, current) = somebody(ctx)?;
    let id = which.unwrap_or(current);
    let own = Condition::all()
        .add(session::Column::Id.eq(id))
        .add(session::Column::UserId.eq(user));
    let now = ctx.now();
    let txn = ctx.db().begin().await?;
    let ended = end_in_txn(&txn, own, RevokeReason::SignedOut, now).await?;
    if ended.is_empty() {
        return Err(not_found().into());
    }
    record_of_staff(&txn, ctx, "sessionRevoke", id.to_string()).await?;
    txn.commit().await?;
    ctx.platform.revocations.end(&ended, now);
    Ok(id)
}

/// Ends all of the caller's sessions, the one that asks as well. How many they were.
pub async fn revoke_all(ctx: &Context) -> Result<usize> {
    let (user, _) = somebody(ctx)?;
    let now = ctx.now();
    let txn = ctx.db().begin().await?;
    lock_user(&txn, user).await?;
    let own = Condition::all().add(session::Column::UserId.eq(user));
    let ended = end_in_txn(&txn, own, RevokeReason::SignedOutEverywhere, now).await?;
    record_of_staff(&txn, ctx, "sessionRevokeAll", user.to_string()).await?;
    txn.commit().await?;
    ctx.platform.revocations.end(&ended, now);
    Ok(ended.len())
}

/// Ends the sessions of the demo shop's people where it is not open. Nobody can sign in as one of them there, nor refresh;
/// but access tokens of the days when it was open are signed with the same key, and count until their sessions end.
///
/// # Errors
/// Unauthenticated or Forbidden.
pub async fn revoke_demo(ctx: &Context) -> Result<usize> {
    ctx.require(Permission::WriteRoles)?;
    if ctx.platform.accounts.demo {
        return Ok(0);
    }
    let now = ctx.now();
    let signed_in = session::Entity::find()
        .select_only()
        .column(session::Column::UserId)
        .filter(live(now))
        .into_query();
    let txn = ctx.db().begin().await?;
    let people = user_account::Entity::find()
        .filter(user_account::Column::EmailKey.ends_with(DEMO_DOMAIN))
        .filter(user_account::Column::Id.in_subquery(signed_in))
        .order_by_asc(user_account::Column::Id)
        .lock_exclusive()
        .all(&txn)
        .await?;
    let mut ended = Vec::new();
    // The end of a text says less than its domain does.
    for user in people.iter().filter(|user| !may_be_used(ctx, user)) {
        let own = Condition::all().add(session::Column::UserId.eq(user.id));
        ended.extend(end_in_txn(&txn, own, RevokeReason::NoDemo, now).await?);
        record_of_staff(&txn, ctx, "sessionRevokeAll", user.id.to_string()).await?;
    }
    txn.commit().await?;
    ctx.platform.revocations.end(&ended, now);
    Ok(ended.len())
}

/// Whoever changes several sessions of an account locks it first, so that nobody waits in a circle, and no session is
/// opened meanwhile.
pub(super) async fn lock_user(
    txn: &DatabaseTransaction,
    user: UserId,
) -> Result<Option<user_account::Model>> {
    Ok(user_account::Entity::find_by_id(user)
        .lock_exclusive()
        .one(txn)
        .await?)
}

/// Customers' comings and goings are their own business.
async fn record_of_staff(
    txn: &DatabaseTransaction,
    ctx: &Context,
    action: &'static str,
    subject: String,
) -> Result<()> {
    if ctx.actor.role() < Some(Role::Staff) {
        return Ok(());
    }
    let deed = Deed {
        action,
        subject: Some(subject),
        ..Deed::default()
    };
    record(txn, ctx, deed).await
}

/// Its argument stands outside of any input.
fn not_found() -> Refusal {
    let mut refusal = Refusal::new(ErrorCode::NotFound, "", "you have no such session");
    refusal.path = vec!["sessionId".to_owned()];
    refusal
}
