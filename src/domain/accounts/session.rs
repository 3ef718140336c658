//! Sessions: one for each device, kept alive by refresh tokens that follow one another.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, Condition, DatabaseTransaction, EntityTrait as _,
    IntoActiveModel as _, QueryFilter as _, QueryOrder as _, QuerySelect as _, QueryTrait as _,
};
use secrecy::{ExposeSecret as _, SecretString};

use crate::domain::context::Context;
use crate::entity::session::RevokeReason;
use crate::entity::{refresh_token, session, user_account};
use crate::infra::secret;
use crate::infra::token::{AccessToken, Holder};
use crate::kernel::actor::Actor;
use crate::kernel::error::{Error, Result};
use crate::kernel::id::{SessionId, UserId};

/// Devices on which one account may be signed in.
const MOST: u64 = 100;

/// How long what has ended is kept: for the address book of where somebody is known, and to tell a token that was used
/// from one that never was.
pub(super) const KEPT: TimeDelta = TimeDelta::days(30);

/// By this a refresh token is known for one wherever it turns up, such as in a repository.
const PREFIX: &str = "souk_rt_";

/// A refresh token to hand out.
#[derive(Clone, Debug)]
pub struct RefreshToken {
    pub token: SecretString,
    pub expires_at: DateTime<Utc>,
}

/// Somebody who may go on, and by what.
#[derive(Debug)]
pub struct SignedIn {
    pub user: Arc<user_account::Model>,
    pub session: SessionId,
    pub access: AccessToken,
    pub refresh: RefreshToken,
}

impl SignedIn {
    pub(super) fn new(
        ctx: &Context,
        user: user_account::Model,
        session: SessionId,
        refresh: RefreshToken,
    ) -> Result<Self> {
        let holder = Holder {
            user: user.id,
            session,
            role: user.role.into(),
        };
        let life = ctx.platform.accounts.access_token_life;
        let access = ctx
            .platform
            .tokens
            .issue(&holder, life)
            .map_err(Error::internal)?;
        Ok(Self {
            user: Arc::new(user),
            session,
            access,
            refresh,
        })
    }

    /// Who asks from now on.
    pub fn actor(&self) -> Actor {
        Actor::User {
            id: self.user.id,
            session: self.session,
            role: self.user.role.into(),
        }
    }
}

/// A session that was just opened.
#[derive(Debug)]
pub struct Opened {
    pub session: SessionId,
    pub refresh: RefreshToken,
    /// What had to end for it. Tell `Revocations::end` after the commit.
    pub ended: Vec<SessionId>,
}

/// Opens a session of this account, which the transaction has locked or made.
pub async fn open_in_txn(txn: &DatabaseTransaction, ctx: &Context, user: UserId) -> Result<Opened> {
    let now = ctx.now();
    purge(txn, user, now).await?;
    let ended = end_oldest(txn, user, now).await?;
    let refresh = RefreshToken {
        token: SecretString::from(format!("{PREFIX}{}", secret::random()?.expose_secret())),
        expires_at: now + life(ctx),
    };
    let row = session::Model {
        id: SessionId::new(),
        user_id: user,
        user_agent: ctx.origin.user_agent.clone(),
        ip_address: ctx
            .origin
            .address
            .map(|address| address.to_canonical().to_string()),
        created_at: now,
        last_used_at: now,
        expires_at: refresh.expires_at,
        revoked_at: None,
        revoke_reason: None,
    };
    let session = row.id;
    session::Entity::insert(row.into_active_model())
        .exec_without_returning(txn)
        .await?;
    store(txn, session, &refresh, now).await?;
    Ok(Opened {
        session,
        refresh,
        ended,
    })
}

/// Keeps what it takes to know a token again.
pub(super) async fn store(
    txn: &DatabaseTransaction,
    session: SessionId,
    refresh: &RefreshToken,
    now: DateTime<Utc>,
) -> Result<()> {
    let row = refresh_token::ActiveModel {
        hash: Set(secret::digest(refresh.token.expose_secret())),
        session_id: Set(session),
        seed: Set(secret::random()?.expose_secret().to_owned()),
        created_at: Set(now),
        expires_at: Set(refresh.expires_at),
        used_at: Set(None),
        used_from: Set(None),
    };
    refresh_token::Entity::insert(row)
        .exec_without_returning(txn)
        .await?;
    Ok(())
}

/// The token that comes after this one. It takes both to make it: who reads the database lacks the token, and who has the
/// token lacks the seed.
pub(super) fn successor(row: &refresh_token::Model, presented: &SecretString) -> Result<SecretString> {
    let derived = secret::derive(&row.seed, presented)?;
    Ok(SecretString::from(format!("{PREFIX}{}", derived.expose_secret())))
}

/// Whether it can be a refresh token at all.
pub(super) fn is_plausible(token: &SecretString) -> bool {
    let rest = token.expose_secret().strip_prefix(PREFIX);
    rest.is_some_and(|rest| rest.len() == 43 && rest.is_ascii())
}

pub(super) fn life(ctx: &Context) -> TimeDelta {
    TimeDelta::from_std(ctx.platform.accounts.refresh_token_life).unwrap_or(TimeDelta::days(36_500))
}

/// Those of these sessions that go on.
pub(super) fn live(now: DateTime<Utc>) -> Condition {
    Condition::all()
        .add(session::Column::RevokedAt.is_null())
        .add(session::Column::ExpiresAt.gt(now))
}

/// Ends the sessions that go on and of which this holds. Tell `Revocations::end` after the commit.
pub(super) async fn end_in_txn(
    txn: &DatabaseTransaction,
    which: Condition,
    reason: RevokeReason,
    now: DateTime<Utc>,
) -> Result<Vec<SessionId>> {
    let changes = session::ActiveModel {
        revoked_at: Set(Some(now)),
        revoke_reason: Set(Some(reason)),
        ..Default::default()
    };
    let ended = session::Entity::update_many()
        .set(changes)
        .filter(live(now))
        .filter(which)
        .exec_with_returning(txn)
        .await?;
    Ok(ended.into_iter().map(|session| session.id).collect())
}

/// Makes room for one more.
async fn end_oldest(txn: &DatabaseTransaction, user: UserId, now: DateTime<Utc>) -> Result<Vec<SessionId>> {
    let too_many: Vec<SessionId> = session::Entity::find()
        .select_only()
        .column(session::Column::Id)
        .filter(session::Column::UserId.eq(user))
        .filter(live(now))
        .order_by_desc(session::Column::LastUsedAt)
        .order_by_desc(session::Column::Id)
        .offset(MOST - 1)
        .limit(MOST)
        .into_tuple()
        .all(txn)
        .await?;
    if too_many.is_empty() {
        return Ok(too_many);
    }
    let which = Condition::all().add(session::Column::Id.is_in(too_many));
    end_in_txn(txn, which, RevokeReason::TooMany, now).await
}

/// Forgets the tokens of a session that were used long ago: a device may go on for years without signing in again.
pub(super) async fn forget_used(
    txn: &DatabaseTransaction,
    session: SessionId,
    now: DateTime<Utc>,
) -> Result<()> {
    refresh_token::Entity::delete_many()
        .filter(refresh_token::Column::SessionId.eq(session))
        .filter(refresh_token::Column::UsedAt.lt(now - KEPT))
        .exec(txn)
        .await?;
    Ok(())
}

/// Forgets what ended long ago.
async fn purge(txn: &DatabaseTransaction, user: UserId, now: DateTime<Utc>) -> Result<()> {
    let long_ago = now - KEPT;
    let sessions = session::Entity::find()
        .select_only()
        .column(session::Column::Id)
        .filter(session::Column::UserId.eq(user))
        .into_query();
    session::Entity::delete_many()
        .filter(session::Column::UserId.eq(user))
        .filter(
            Condition::any()
                .add(session::Column::RevokedAt.lt(long_ago))
                .add(session::Column::ExpiresAt.lt(long_ago)),
        )
        .exec(txn)
        .await?;
    refresh_token::Entity::delete_many()
        .filter(refresh_token::Column::SessionId.in_subquery(sessions))
        .filter(refresh_token::Column::UsedAt.lt(long_ago))
        .exec(txn)
        .await?;
    Ok(())
}
