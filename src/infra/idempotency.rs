//! The same request twice is carried out once.
//!
//! The key is claimed inside the transaction that carries the request out, by inserting its row. So the
//! effect and the memory of it commit together or not at all, and of two requests at once the second
//! waits at that insert until the first has committed, and then finds its result.

use chrono::{DateTime, Utc};
use sea_orm::sea_query::OnConflict;
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, ConnectionTrait as _, DatabaseBackend, DatabaseTransaction, DbErr,
};
use sea_orm::{EntityTrait as _, QueryFilter as _, QuerySelect as _};
use serde::Serialize;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::entity::idempotency_key;
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

/// How long the second of two requests waits for the first.
const WAIT: &str = "SET LOCAL lock_timeout = '5s'";

/// What comes after the claim waits as everybody does.
const WAIT_NO_LONGER: &str = "SET LOCAL lock_timeout TO DEFAULT";

const MAX_KEY: usize = 255;

/// A request that carries an idempotency key.
#[derive(Clone, Debug)]
pub struct Request<'a> {
    /// Whose key it is: two people may come upon the same one.
    owner: String,
    pub operation: &'static str,
    pub key: &'a str,
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
            key,
            fingerprint,
        })
    }

    /// Claims the key, or finds what it was used for.
    ///
    /// # Errors
    /// `IDEMPOTENCY_KEY_REUSED` when it was used for another input; `IDEMPOTENCY_IN_PROGRESS` when the first
    /// request with it is still running after a few seconds.
    pub async fn claim(&self, txn: &DatabaseTransaction, now: DateTime<Utc>) -> Result<Claim> {
        if txn.get_database_backend() == DatabaseBackend::Postgres {
            txn.execute_unprepared(WAIT).await?;
        }
        self.forget_expired(txn, now).await?;
        let row = idempotency_key::ActiveModel {
            actor: Set(self.owner.clone()),
            key: Set(self.key.to_owned()),
            operation: Set(self.operation.to_owned()),
            fingerprint: Set(self.fingerprint.clone()),
            result: Set(Value::Null),
            created_at: Set(now),
        };
        let inserted = idempotency_key::Entity::insert(row)
            .on_conflict(OnConflict::new().do_nothing().to_owned())
            .exec_without_returning(txn)
            .await
            .map_err(in_progress)?;
        if txn.get_database_backend() == DatabaseBackend::Postgres {
            txn.execute_unprepared(WAIT_NO_LONGER).await?;
        }
        if inserted == 1 {
            Ok(Claim::New)
        } else {
            self.find(txn).await.map(Claim::Done)
        }
    }

    /// This actor's old row under the same key, which may be used again.
    async fn forget_expired(&self, txn: &DatabaseTransaction, now: DateTime<Utc>) -> Result<()> {
        idempotency_key::Entity::delete_many()
            .filter(idempotency_key::Column::Actor.eq(self.owner.clone()))
            .filter(idempotency_key::Column::Key.eq(self.key))
            .filter(idempotency_key::Column::CreatedAt.lt(now - REMEMBERED_FOR))
            .exec(txn)
            .await
            .map_err(in_progress)?;
        Ok(())
    }

    async fn find(&self, txn: &DatabaseTransaction) -> Result<Value> {
        let row = idempotency_key::Entity::find_by_id((self.owner.clone(), self.key.to_owned()))
            .one(txn)
            .await?;
        match row {
            Some(row) if row.fingerprint == self.fingerprint => Ok(row.result),
            Some(_) => Err(Error::refused(
                ErrorCode::IdempotencyKeyReused,
                "idempotencyKey",
                "was used for another request: take a new key for each new request",
            )),
            None => Err(Error::internal(anyhow::anyhow!(
                "an idempotency key vanished under its lock"
            ))),
        }
    }

    /// Keeps the result for those who ask again.
    pub async fn remember(&self, txn: &DatabaseTransaction, result: Value) -> Result<()> {
        idempotency_key::Entity::update_many()
            .col_expr(idempotency_key::Column::Result, result.into())
            .filter(idempotency_key::Column::Actor.eq(self.owner.clone()))
            .filter(idempotency_key::Column::Key.eq(self.key))
            .exec(txn)
            .await?;
        Ok(())
    }
}

/// PostgreSQL gave up waiting for the row of the first request.
fn in_progress(error: DbErr) -> Error {
    const LOCK_NOT_AVAILABLE: &str = "55P03";
    if error.to_string().contains(LOCK_NOT_AVAILABLE) || error.to_string().contains("lock timeout") {
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
