//! New accounts.

use sea_orm::{ActiveValue::Set, ConnectionTrait, EntityTrait as _};
use secrecy::SecretString;

use super::backoff::{self, Attempt};
use super::credentials::{check_length, check_strength, conclude, hash};
use super::identity;
use super::session::{Opened, SignedIn, open_in_txn};
use super::sign_in::check_in;
use crate::domain::audit::record::{Deed, record_as};
use crate::domain::context::Context;
use crate::entity::user_account;
use crate::infra::db::violates_unique;
use crate::kernel::actor::{Actor, Role};
use crate::kernel::check::Checker;
use crate::kernel::email::Email;
use crate::kernel::error::{Error, ErrorCode, Result};
use crate::kernel::id::UserId;

/// An account as somebody describes it.
#[derive(Clone, Debug)]
pub struct Register {
    pub email: String,
    pub password: SecretString,
    pub name: String,
}

/// Opens an account and a session of it. For an email that somebody has it is signing in: with the password of the
/// account it opens a session, with another one it is refused as signing in is. So it can be repeated when the answer
/// was lost, and is of no more use to who guesses passwords.
///
/// # Errors
/// Refused with everything that is wrong with the input, WEAK_PASSWORD, INVALID_CREDENTIALS; Throttled.
pub async fn register(ctx: &Context, command: &Register) -> Result<SignedIn> {
    let NewUser { email, name, .. } = check(ctx, command).await?;
    let mut attempt = backoff::begin_registration(ctx, email.key()).await?;
    let new = NewUser {
        email,
        name,
        role: Role::Customer,
        password_hash: String::new(),
    };
    let outcome = open_or_come_back(ctx, new, &command.password, &mut attempt).await;
    conclude(ctx, &attempt, "accountRegisterFailed", outcome).await
}

async fn open_or_come_back(
    ctx: &Context,
    mut new: NewUser,
    password: &SecretString,
    attempt: &mut Attempt,
) -> Result<SignedIn> {
    let user = identity::find(ctx.db().fresh(), ctx, new.email.key()).await?;
    if user.is_some() {
        return check_in(ctx, attempt, password).await;
    }
    new.password_hash = hash(ctx, password).await?;
    match open(ctx, &new, attempt).await {
        // Between the look and the insert somebody else took it.
        Err(error) if is_taken(&error) => check_in(ctx, attempt, password).await,
        outcome => outcome,
    }
}

async fn open(ctx: &Context, new: &NewUser, attempt: &Attempt) -> Result<SignedIn> {
    let txn = ctx.db().begin().await?;
    backoff::opened(&txn, ctx, attempt).await?;
    let user = insert_user(&txn, ctx, new).await?;
    let Opened { session, refresh, .. } = open_in_txn(&txn, ctx, user.id).await?;
    let actor = Actor::User {
        id: user.id,
        session,
        role: new.role,
    };
    let deed = Deed {
        action: "accountRegister",
        subject: Some(user.id.to_string()),
        ..Deed::default()
    };
    record_as(&txn, ctx, &actor, deed).await?;
    txn.commit().await?;
    SignedIn::new(ctx, user, session, refresh)
}

/// An account whose parts have been checked.
#[derive(Clone, Debug)]
pub struct NewUser {
    pub email: Email,
    pub name: String,
    pub role: Role,
    pub password_hash: String,
}

/// Checks all that an account is made of; the hash is still to be made.
///
/// # Errors
/// Refused with everything that is wrong; WEAK_PASSWORD only when nothing else is.
pub async fn check(ctx: &Context, command: &Register) -> Result<NewUser> {
    let mut checker = Checker::default();
    let name = checker.text("name", &command.name);
    check_length(&mut checker, "password", &command.password);
    let email = check_email(ctx, &mut checker, &command.email);
    checker.finish()?;
    let email =
        email.ok_or_else(|| Error::internal(anyhow::anyhow!("an email was neither taken nor refused")))?;
    check_strength(ctx, "password", &command.password, email.shown(), &name).await?;
    Ok(NewUser {
        email,
        name,
        role: Role::Customer,
        password_hash: String::new(),
    })
}

fn check_email(ctx: &Context, checker: &mut Checker, text: &str) -> Option<Email> {
    if text.trim().is_empty() {
        checker.refuse(ErrorCode::Required, "email", "must not be empty");
        return None;
    }
    match text.parse::<Email>() {
        Ok(email) if identity::is_reserved(ctx, &email) => {
            checker.refuse(ErrorCode::Invalid, "email", "is kept for demonstrations");
            None
        }
        Ok(email) => Some(email),
        Err(error) => {
            checker.refuse(ErrorCode::Invalid, "email", error.to_string());
            None
        }
    }
}

/// Adds an account. That its email is taken comes as a fault which [`is_taken`] knows.
pub async fn insert_user<C: ConnectionTrait>(
    connection: &C,
    ctx: &Context,
    new: &NewUser,
) -> Result<user_account::Model> {
    let now = ctx.now();
    let user = user_account::Model {
        id: UserId::new(),
        email: new.email.shown().to_owned(),
        email_key: new.email.key().to_owned(),
        name: new.name.clone(),
        role: new.role.into(),
        password_hash: new.password_hash.clone(),
        password_version: 1,
        role_changed_at: None,
        created_at: now,
        updated_at: now,
    };
    let row = user_account::ActiveModel {
        id: Set(user.id),
        email: Set(user.email.clone()),
        email_key: Set(user.email_key.clone()),
        name: Set(user.name.clone()),
        role: Set(user.role),
        password_hash: Set(user.password_hash.clone()),
        password_version: Set(user.password_version),
        role_changed_at: Set(None),
        created_at: Set(now),
        updated_at: Set(now),
    };
    user_account::Entity::insert(row)
        .exec_without_returning(connection)
        .await?;
    Ok(user)
}

/// Whether [`insert_user`] failed because somebody has this email.
pub fn is_taken(error: &Error) -> bool {
    violates_unique(error, "user_account", "email_key")
}
