//! The same request twice is carried out once.
//!
//! The key is claimed inside the transaction that carries the request out, by inserting its row. So the
//! effect and the memory of it commit together or not at all, and of two requests at once the second
//! waits at that insert until the first has committed, and then finds its result.

use std::borrow::Cow;
use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use chrono::{DateTime, Utc};
use sea_orm::{
    ColumnTrait as _, Condition, DatabaseTransaction, DbErr, EntityTrait as _, QueryFilter as _,
    QuerySelect as _,
};
use serde::Serialize;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::entity::idempotency_key;
use crate::infra::db::Trouble;
use crate::infra::db::lock::{Patience, wait_as_ever, wait_at_most};
use crate::infra::db::many::Rows;
use crate::infra::secret::digest;
use crate::kernel::actor::Actor;
use crate::kernel::error::{Error, ErrorCode, Result};

/// How long a key is remembered, at least.
pub const REMEMBERED_FOR: chrono::Duration = chrono::Duration::hours(24);

/// Deletes keys that need not be remembered any more; how many.
pub async fn forget_old(txn: &DatabaseTransaction, now: DateTime<Utc>, at_most: u64) -> Result<u64> {
    use idempotency_key::Column::{Actor, CreatedAt, Key};
    let old: Vec<(String, String)> = idempotency_key::Entity::find()
        .select_only()
        .columns([Actor, Key])
        .filter(CreatedAt.lt(now - REMEMBERED_FOR))
        .limit(at_most)
        .into_tuple()
        .all(txn)
        .await?;
    let mut deleted = 0;
    for (actor, key) in old {
        let gone = idempotency_key::Entity::delete_many()
            .filter(Actor.eq(actor))
            .filter(Key.eq(key))
            .filter(CreatedAt.lt(now - REMEMBERED_FOR))
            .exec(txn)
            .await?;
        deleted += gone.rows_affected;
    }
    Ok(deleted)
}

const MAX_KEY: usize = 255;

/// A request that carries an idempotency key.
#[derive(Clone, Debug)]
pub struct Request<'a> {
    /// Whose key it is: two people may come upon the same one.
    owner: String,
    pub operation: &'static str,
    key: Cow<'a, str>,
    fingerprint: String,
}

/// What a claim found.
#[derive(Clone, Debug, PartialEq)]
pub enum Claim {
    /// Carry the request out, then [`Request::remember`] its result in the same transaction.
    New,
    /// It was carried out before, with this result.
    Done(Value),
}

impl<'a> Request<'a> {
    /// `input` is all that the request asks for, its key aside.
    pub fn new(actor: &Actor, operation: &'static str, key: &'a str, input: &impl Serialize) -> Result<Self> {
        Self::owned_by(actor.key(), operation, key, input)
    }

    /// Of a guest: strangers have nothing in common but that they are nobody, so what the request is about says who asks.
    /// `about` is what only this guest has or knows; it is stored as a hash.
    pub fn of_guest(
        about: &str,
        operation: &'static str,
        key: &'a str,
        input: &impl Serialize,
    ) -> Result<Self> {
        Self::owned_by(format!("guest {}", digest(about)), operation, key, input)
    }

    fn owned_by(
        owner: String,
        operation: &'static str,
        key: &'a str,
        input: &impl Serialize,
    ) -> Result<Self> {
        let refuse = |code, message: String| Err(Error::refused(code, "idempotencyKey", message));
        if key.is_empty() {
            return refuse(ErrorCode::Required, "must not be empty".to_owned());
        }
        if key.chars().count() > MAX_KEY {
            let message = format!("has more than {MAX_KEY} characters");
            return refuse(ErrorCode::TooLong, message);
        }
        if key.chars().any(char::is_control) {
            return refuse(ErrorCode::Invalid, "has a control character".to_owned());
        }
        let canonical = serde_json::to_vec(&(operation, input)).map_err(Error::internal)?;
        let fingerprint = Sha256::digest(canonical)
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        Ok(Self {
            owner,
            operation,
            key: key.into(),
            fingerprint,
        })
    }

    /// The same, to be kept for longer than what it was made of.
    pub fn into_owned(self) -> Request<'static> {
        Request {
            owner: self.owner,
            operation: self.operation,
            key: self.key.into_owned().into(),
            fingerprint: self.fingerprint,
        }
    }

    /// What two requests with the same key have in common, as a number: see [`Member::apart`](super::group::Member::apart).
    pub fn number(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        (&self.owner, &self.key).hash(&mut hasher);
        hasher.finish()
    }

    /// Claims the key, or finds what it was used for.
    ///
    /// # Errors
    /// `IDEMPOTENCY_KEY_REUSED` when it was used for another input; `IDEMPOTENCY_IN_PROGRESS` when the first
    /// request with it is still running after a few seconds.
    pub async fn claim(&self, txn: &DatabaseTransaction, now: DateTime<Utc>) -> Result<Claim> {
        let claimed = claim_all(txn, &[(self, Value::Null)], now, Patience::Long).await?;
        claimed.into_iter().next().unwrap_or_else(|| Err(vanished()))
    }

    fn is_of(&self, row: &idempotency_key::Model) -> bool {
        (&row.actor, row.key.as_str()) == (&self.owner, self.key.as_ref())
    }

    fn condition(&self) -> Condition {
        Condition::all()
            .add(idempotency_key::Column::Actor.eq(self.owner.clone()))
            .add(idempotency_key::Column::Key.eq(self.key.as_ref()))
    }

    /// Keeps the result for those who ask again.
    pub async fn remember(&self, txn: &DatabaseTransaction, result: Value) -> Result<()> {
        idempotency_key::Entity::update_many()
            .col_expr(idempotency_key::Column::Result, result.into())
            .filter(self.condition())
            .exec(txn)
            .await?;
        Ok(())
    }
}

/// Claims the keys of several requests by one statement, or finds what they were used for. No two of them have the same key.
///
/// Each comes with its result, which is kept at once where it is known before; whoever does not do what it says after all must
/// [`forget`] the claim. Whoever has long patience waits so for another request with his key, and for what comes after it as
/// ever; short patience stays until [`wait_as_ever`].
///
/// # Errors
/// For each by itself as of [`Request::claim`]; a conflict for all where somebody's short patience ends.
pub async fn claim_all(
    txn: &DatabaseTransaction,
    claims: &[(&Request<'_>, Value)],
    now: DateTime<Utc>,
    patience: Patience,
) -> Result<Vec<Result<Claim>>> {
    wait_at_most(txn, patience).await?;
    let claimed = match patience {
        Patience::Short => insert(txn, claims, now).await?,
        Patience::Long => {
            let claimed = insert(txn, claims, now).await.map_err(in_progress)?;
            wait_as_ever(txn).await?;
            claimed
        }
    };
    let is_new = |request: &Request<'_>| claimed.contains(&(request.owner.clone(), request.key.to_string()));
    let others = claims.iter().filter(|(request, _)| !is_new(request));
    let others = others.fold(Condition::any(), |any, (request, _)| any.add(request.condition()));
    let rows = if others.is_empty() {
        Vec::new()
    } else {
        idempotency_key::Entity::find().filter(others).all(txn).await?
    };
    let found = claims.iter().map(|(request, _)| {
        if is_new(request) {
            return Ok(Claim::New);
        }
        match rows.iter().find(|row| request.is_of(row)) {
            Some(row) if row.fingerprint == request.fingerprint => Ok(Claim::Done(row.result.clone())),
            Some(_) => Err(Error::refused(
                ErrorCode::IdempotencyKeyReused,
                "idempotencyKey",
                "was used for another request: take a new key for each new request",
            )),
            None => Err(vanished()),
        }
    });
    Ok(found.collect())
}

/// The keys that were free, or need not be remembered any more. In their order, so that two transactions with the same keys never
/// wait for each other in a circle.
async fn insert(
    txn: &DatabaseTransaction,
    claims: &[(&Request<'_>, Value)],
    now: DateTime<Utc>,
) -> Result<HashSet<(String, String)>, DbErr> {
    let mut claims: Vec<_> = claims.iter().collect();
    claims.sort_unstable_by_key(|(request, _)| (&request.owner, &request.key));
    let mut rows = Rows::new([
        ("actor", "text"),
        ("key", "text"),
        ("operation", "text"),
        ("fingerprint", "text"),
        ("result", "jsonb"),
        ("created_at", "timestamptz"),
    ]);
    for (request, result) in claims {
        rows.push([
            request.owner.clone().into(),
            request.key.to_string().into(),
            request.operation.into(),
            request.fingerprint.clone().into(),
            result.clone().into(),
            now.into(),
        ]);
    }
    let claimed = rows
        .query(txn, Some((now - REMEMBERED_FOR).into()), |source, old| {
            format!(
                r#"INSERT INTO "idempotency_key" ("actor", "key", "operation", "fingerprint", "result", "created_at")
                SELECT * FROM {source} WHERE true ON CONFLICT ("actor", "key") DO UPDATE SET "operation" = excluded."operation",
                "fingerprint" = excluded."fingerprint", "result" = excluded."result", "created_at" = excluded."created_at"
                WHERE "idempotency_key"."created_at" < {old} RETURNING "actor", "key""#
            )
        })
        .await?;
    let claimed = claimed
        .iter()
        .map(|row| Ok((row.try_get("", "actor")?, row.try_get("", "key")?)));
    claimed.collect()
}

/// Takes back claims of this transaction, whose requests were not carried out.
pub async fn forget(txn: &DatabaseTransaction, requests: &[&Request<'_>]) -> Result<()> {
    if requests.is_empty() {
        return Ok(());
    }
    let these = requests
        .iter()
        .fold(Condition::any(), |any, request| any.add(request.condition()));
    idempotency_key::Entity::delete_many()
        .filter(these)
        .exec(txn)
        .await?;
    Ok(())
}

fn vanished() -> Error {
    Error::internal(anyhow::anyhow!("an idempotency key vanished under its lock"))
}

/// PostgreSQL gave up waiting for the row of the first request.
fn in_progress(error: DbErr) -> Error {
    if Trouble::of_database(&error) == Some(Trouble::Conflict) {
        let message = "a request with this key is still being carried out: ask again in a few seconds";
        return crate::kernel::error::Refusal::new(
            ErrorCode::IdempotencyInProgress,
            "idempotencyKey",
            message,
        )
        .retryable()
        .into();
    }
    error.into()
}
