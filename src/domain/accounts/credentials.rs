//! What people type to prove who they are: checking its form, and whether it belongs together.

use sea_orm::{ActiveValue::Set, DatabaseTransaction, EntityTrait as _, QuerySelect as _};
use secrecy::{ExposeSecret as _, SecretString};

use super::backoff::{self, Attempt};
use super::identity;
use crate::domain::audit::record::{Deed, record};
use crate::domain::context::Context;
use crate::entity::user_account;
use crate::infra::password::Verdict;
use crate::kernel::check::Checker;
use crate::kernel::error::{Error, ErrorCode, Refusal, Result};
use crate::kernel::id::UserId;

/// In characters. More than 64, so that passphrases fit; not without end, so that hashing has one.
pub(super) const PASSWORD: std::ops::RangeInclusive<usize> = 8..=256;

/// The same answer for every reason.
pub(super) fn mismatch(path: &str) -> Error {
    let message = "the email and the password do not belong together";
    Error::refused(ErrorCode::InvalidCredentials, path, message)
}

fn is_mismatch(error: &Error) -> bool {
    matches!(error, Error::Refused(refusals) if refusals.iter().any(|one| one.code == ErrorCode::InvalidCredentials))
}

/// A password that somebody wants to have.
pub(super) fn check_length(checker: &mut Checker, path: &str, password: &SecretString) {
    let length = length(password);
    let (min, max) = (*PASSWORD.start(), *PASSWORD.end());
    let refusal = if length < min {
        let message = format!("must have at least {min} characters");
        Refusal::new(ErrorCode::TooShort, path, message).with_params(serde_json::json!({"min": min}))
    } else if length > max {
        let message = format!("must have {max} characters at most");
        Refusal::new(ErrorCode::TooLong, path, message).with_params(serde_json::json!({"max": max}))
    } else {
        return;
    };
    checker.add(refusal);
}

/// # Errors
/// WEAK_PASSWORD, with why.
pub(super) async fn check_strength(
    ctx: &Context,
    path: &str,
    password: &SecretString,
    email: &str,
    name: &str,
) -> Result<()> {
    let parts = [email, name]
        .into_iter()
        .flat_map(|text| text.split(['@', ' ', '.']));
    let known = [email, name, &ctx.platform.shop.name].into_iter().chain(parts);
    let known = known.filter(|text| !text.is_empty()).map(str::to_owned).collect();
    match ctx.platform.passwords.weakness(password.clone(), known).await? {
        None => Ok(()),
        Some(reason) => {
            let message = format!("is too easy to guess: {reason}");
            Err(Error::refused(ErrorCode::WeakPassword, path, message))
        }
    }
}

/// An account whose password was right.
pub(super) struct Proof {
    user: user_account::Model,
    /// The same password hashed as it should be now, where it was not.
    new_hash: Option<String>,
}

/// Tells how an attempt ended that did not get in, whatever the reason: one whose end nobody tells is in flight until it is
/// taken for lost. Every way in returns through here, and nothing below tells it of a failure.
pub(super) async fn conclude<T>(
    ctx: &Context,
    attempt: &Attempt,
    failure: &'static str,
    outcome: Result<T>,
) -> Result<T> {
    match &outcome {
        Ok(_) => {}
        Err(error) if is_mismatch(error) => fail(ctx, failure, attempt).await?,
        // Our fault, not a guess. What went wrong first is what the caller is told, also when this goes wrong as well.
        Err(_) => {
            if let Err(error) = backoff::take_back(ctx, attempt).await {
                let error = format!("{:#}", anyhow::Error::from(error));
                tracing::warn!(error, "an attempt to sign in could not be taken back");
            }
        }
    }
    outcome
}

/// Checks the password of an account, or of none. The attempt has begun.
///
/// # Errors
/// INVALID_CREDENTIALS at this path; Throttled.
pub(super) async fn prove(
    ctx: &Context,
    user: Option<user_account::Model>,
    password: &SecretString,
    attempt: &mut Attempt,
    path: &str,
) -> Result<Proof> {
    let hash = user.as_ref().map(|user| user.password_hash.clone());
    match (user, compare(ctx, password, hash).await?) {
        (Some(user), Outcome::Right(new_hash)) => {
            attempt.was_right();
            Ok(Proof { user, new_hash })
        }
        (_, Outcome::Wrong | Outcome::Right(_)) => Err(mismatch(path)),
    }
}

enum Outcome {
    Wrong,
    Right(Option<String>),
}

async fn compare(ctx: &Context, password: &SecretString, hash: Option<String>) -> Result<Outcome> {
    // Nobody can have such a password, so it is not worth hashing, whoever's it is said to be.
    if !PASSWORD.contains(&length(password)) {
        return Ok(Outcome::Wrong);
    }
    let passwords = &ctx.platform.passwords;
    Ok(match passwords.verify(password.clone(), hash).await? {
        Verdict::Wrong => Outcome::Wrong,
        Verdict::Right => Outcome::Right(None),
        Verdict::RightButOld => Outcome::Right(Some(passwords.hash(password.clone()).await?)),
    })
}

/// The hash of a new password.
pub(super) async fn hash(ctx: &Context, password: &SecretString) -> Result<String> {
    ctx.platform.passwords.hash(password.clone()).await
}

/// Counted no further than it takes to know that it is too long.
fn length(password: &SecretString) -> usize {
    password.expose_secret().chars().take(PASSWORD.end() + 1).count()
}

/// Counts and records, for an account and for none.
async fn fail(ctx: &Context, action: &'static str, attempt: &Attempt) -> Result<()> {
    let txn = ctx.db().begin().await?;
    backoff::fail(&txn, attempt, ctx.now()).await?;
    let user = identity::find(&txn, ctx, attempt.account()).await?;
    let deed = Deed {
        action,
        subject: Some(identity::subject(ctx, user.as_ref(), attempt.account())?),
        ..Deed::default()
    };
    record(&txn, ctx, deed).await?;
    txn.commit().await?;
    Ok(())
}

/// Locks the account whose password was right, forgives the attempt, and stores the better hash.
///
/// # Errors
/// INVALID_CREDENTIALS, at this path, when the password has been changed meanwhile.
pub(super) async fn accept(
    txn: &DatabaseTransaction,
    ctx: &Context,
    attempt: &Attempt,
    proof: &Proof,
    path: &str,
) -> Result<user_account::Model> {
    backoff::forgive(txn, ctx, attempt).await?;
    let mut user = user_account::Entity::find_by_id(proof.user.id)
        .lock_exclusive()
        .one(txn)
        .await?
        // The hash may be another by now: whoever else has just signed in has hashed the same password anew.
        .filter(|user| user.password_version == proof.user.password_version)
        .ok_or_else(|| mismatch(path))?;
    if let Some(hash) = &proof.new_hash {
        set_password(txn, user.id, hash, user.password_version).await?;
        user.password_hash.clone_from(hash);
    }
    Ok(user)
}

/// Stores the hash of a password; `version` is the next one for a new password, and the same for the same one.
pub(super) async fn set_password(
    txn: &DatabaseTransaction,
    user: UserId,
    hash: &str,
    version: i32,
) -> Result<()> {
    let row = user_account::ActiveModel {
        id: Set(user),
        password_hash: Set(hash.to_owned()),
        password_version: Set(version),
        ..Default::default()
    };
    user_account::Entity::update(row).exec(txn).await?;
    Ok(())
}
