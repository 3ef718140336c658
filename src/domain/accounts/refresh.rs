//! Going on with a session: a refresh token buys an access token and the refresh token that comes after it.
//!
//! A token is good for one use. One that comes a second time is in two hands, and since nobody can tell which of them
//! is the thief's, the session ends for both. Only a client that asks again at once, because it lost the answer, or
//! because it asked several times at once, is told the same answer: the successor is made from the token, so it need
//! not be stored to be known again.

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, Condition, DatabaseTransaction, EntityTrait as _, QueryFilter as _,
    QueryOrder as _, QuerySelect as _,
};
use secrecy::{ExposeSecret as _, SecretString};

use super::identity::may_be_used;
use super::session::{self as sessions, RefreshToken, SignedIn, end_in_txn, is_plausible, live, successor};
use crate::domain::audit::record::{Deed, record_as};
use crate::domain::context::Context;
use crate::entity::session::RevokeReason;
use crate::entity::{refresh_token, session, user_account};
use crate::infra::metric::RATE_LIMIT_REFUSALS;
use crate::infra::secret::digest;
use crate::kernel::actor::Actor;
use crate::kernel::error::{Error, ErrorCode, Result};
use crate::kernel::id::SessionId;

const PATH: &str = "refreshToken";

/// How often a session goes on within an hour: each time leaves a row for a month. Pages that keep no token may refresh
/// whenever they are opened; nobody opens more.
const MOST: u64 = 120;
const HOUR: TimeDelta = TimeDelta::hours(1);

/// Exchanges a refresh token.
///
/// # Errors
/// TOKEN_INVALID for one that is unknown, expired or of a session that has ended; TOKEN_REUSED for one that was used
/// before, which ends its session; Throttled, with the token unused, after too many within an hour.
pub async fn refresh(ctx: &Context, presented: &SecretString) -> Result<SignedIn> {
    if !is_plausible(presented) {
        return Err(invalid());
    }
    let txn = ctx.db().begin().await?;
    let Some(session) = session_of(&txn, ctx, presented).await? else {
        return Err(invalid());
    };
    let user = user_account::Entity::find_by_id(session.user_id)
        .one(&txn)
        .await?;
    let user = user.filter(|user| may_be_used(ctx, user)).ok_or_else(invalid)?;
    // Nobody else changes the session's tokens from here on.
    let row = token(&txn, presented).await?.ok_or_else(invalid)?;
    let next = RefreshToken {
        token: successor(&row, presented)?,
        expires_at: ctx.now() + sessions::life(ctx),
    };
    let next = match row.used_at {
        None if row.expires_at <= ctx.now() => return Err(invalid()),
        None => {
            slow_down(&txn, ctx, session.id).await?;
            rotate(&txn, ctx, &row, &next).await?;
            Some(next)
        }
        Some(_) => told_again(&txn, ctx, &row, next).await?,
    };
    let Some(refresh) = next else {
        return Err(end_for_reuse(txn, ctx, &session, &user).await?);
    };
    txn.commit().await?;
    SignedIn::new(ctx, user, session.id, refresh)
}

fn invalid() -> Error {
    let message = "does not count any more: sign in again";
    Error::refused(ErrorCode::TokenInvalid, PATH, message)
}

async fn token(txn: &DatabaseTransaction, presented: &SecretString) -> Result<Option<refresh_token::Model>> {
    let hash = digest(presented.expose_secret());
    Ok(refresh_token::Entity::find_by_id(hash).one(txn).await?)
}

/// The session that the token is of, locked, if it goes on.
async fn session_of(
    txn: &DatabaseTransaction,
    ctx: &Context,
    presented: &SecretString,
) -> Result<Option<session::Model>> {
    let Some(row) = token(txn, presented).await? else {
        return Ok(None);
    };
    Ok(session::Entity::find_by_id(row.session_id)
        .filter(live(ctx.now()))
        .lock_exclusive()
        .one(txn)
        .await?)
}

/// # Errors
/// Throttled when the session went on too often.
async fn slow_down(txn: &DatabaseTransaction, ctx: &Context, session: SessionId) -> Result<()> {
    // Where access tokens are short-lived, four times for each of them.
    let lives = 4 * 60 * 60 / ctx.platform.accounts.access_token_life.as_secs().max(1);
    let before_so_many: Option<DateTime<Utc>> = refresh_token::Entity::find()
        .select_only()
        .column(refresh_token::Column::CreatedAt)
        .filter(refresh_token::Column::SessionId.eq(session))
        .order_by_desc(refresh_token::Column::CreatedAt)
        .offset(MOST.max(lives))
        .limit(1)
        .into_tuple()
        .one(txn)
        .await?;
    let now = ctx.now();
    match before_so_many.map(|at| at + HOUR - now) {
        Some(wait) if wait > TimeDelta::zero() => {
            RATE_LIMIT_REFUSALS.counter(["refresh"]).increment(1);
            let retry_after = wait.to_std().map_err(Error::internal)?;
            Err(Error::Throttled { retry_after })
        }
        Some(_) | None => Ok(()),
    }
}

/// Uses the token up, for the next one.
async fn rotate(
    txn: &DatabaseTransaction,
    ctx: &Context,
    row: &refresh_token::Model,
    next: &RefreshToken,
) -> Result<()> {
    let now = ctx.now();
    let used = refresh_token::ActiveModel {
        used_at: Set(Some(now)),
        used_from: Set(Some(client(ctx))),
        ..Default::default()
    };
    // The condition decides, not the lock: whatever else may go wrong, a token is used once.
    let changed = refresh_token::Entity::update_many()
        .set(used)
        .filter(refresh_token::Column::Hash.eq(row.hash.clone()))
        .filter(refresh_token::Column::UsedAt.is_null())
        .filter(refresh_token::Column::ExpiresAt.gt(now))
        .exec(txn)
        .await?;
    if changed.rows_affected != 1 {
        return Err(Error::internal(anyhow::anyhow!(
            "a locked refresh token was used by another"
        )));
    }
    sessions::store(txn, row.session_id, next, now).await?;
    sessions::forget_used(txn, row.session_id, now).await?;
    let session = session::ActiveModel {
        id: Set(row.session_id),
        user_agent: Set(ctx.origin.user_agent.clone()),
        ip_address: Set(ctx
            .origin
            .address
            .map(|address| address.to_canonical().to_string())),
        last_used_at: Set(now),
        expires_at: Set(next.expires_at),
        ..Default::default()
    };
    session::Entity::update(session).exec(txn).await?;
    Ok(())
}

/// The same answer again, for the client that just had it and has not used it yet.
async fn told_again(
    txn: &DatabaseTransaction,
    ctx: &Context,
    row: &refresh_token::Model,
    next: RefreshToken,
) -> Result<Option<RefreshToken>> {
    let grace = TimeDelta::from_std(ctx.platform.accounts.refresh_grace).unwrap_or(TimeDelta::zero());
    let in_time = row.used_at.is_some_and(|at| ctx.now() - at < grace);
    if !in_time || row.used_from.as_deref() != Some(&client(ctx)) {
        return Ok(None);
    }
    let child = token(txn, &next.token).await?;
    Ok(child
        .filter(|child| child.used_at.is_none())
        .map(|child| RefreshToken {
            expires_at: child.expires_at,
            ..next
        }))
}

/// Ends the session for all who hold a token of it. The refusal is to be told after this was committed.
async fn end_for_reuse(
    txn: DatabaseTransaction,
    ctx: &Context,
    session: &session::Model,
    user: &user_account::Model,
) -> Result<Error> {
    let now = ctx.now();
    let which = Condition::all().add(session::Column::Id.eq(session.id));
    let ended = end_in_txn(&txn, which, RevokeReason::TokenReused, now).await?;
    // By whom is not known; the session's account stands for it, as the one that it happened to.
    let actor = Actor::User {
        id: user.id,
        session: session.id,
        role: user.role.into(),
    };
    let deed = Deed {
        action: "refreshTokenReused",
        subject: Some(session.id.to_string()),
        ..Deed::default()
    };
    record_as(&txn, ctx, &actor, deed).await?;
    txn.commit().await?;
    ctx.platform.revocations.end(&ended, now);
    let message = "was used before: its session has been closed, in case somebody else has it. Sign in again";
    Ok(Error::refused(ErrorCode::TokenReused, PATH, message))
}

/// Which client this is, as far as one can tell: where it is and what it says it is.
fn client(ctx: &Context) -> String {
    let agent = ctx.origin.user_agent.as_deref().unwrap_or_default();
    digest(&format!("{} {agent}", ctx.origin.network()))
}
