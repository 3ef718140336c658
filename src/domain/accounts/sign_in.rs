//! Signing in with an email and a password.

use secrecy::SecretString;

use super::backoff::{self, Attempt};
use super::credentials::{accept, conclude, prove};
use super::identity;
use super::session::{SignedIn, open_in_txn};
use crate::domain::audit::record::{Deed, record_as};
use crate::domain::context::Context;
use crate::kernel::actor::Actor;
use crate::kernel::error::Result;

/// Opens a session.
///
/// # Errors
/// INVALID_CREDENTIALS, alike for an email that nobody has; Throttled after too many attempts.
pub async fn sign_in(ctx: &Context, email: &str, password: &SecretString) -> Result<SignedIn> {
    let mut attempt = backoff::begin(ctx, &identity::account_key(email)).await?;
    let outcome = check_in(ctx, &mut attempt, password).await;
    conclude(ctx, &attempt, "sessionCreateFailed", outcome).await
}

/// Opens a session for whoever knows the password of the account that the attempt is of.
pub(super) async fn check_in(
    ctx: &Context,
    attempt: &mut Attempt,
    password: &SecretString,
) -> Result<SignedIn> {
    let user = identity::find(ctx.db().fresh(), ctx, attempt.account()).await?;
    let proof = prove(ctx, user, password, attempt, "").await?;
    let txn = ctx.db().begin().await?;
    let user = accept(&txn, ctx, attempt, &proof, "").await?;
    let opened = open_in_txn(&txn, ctx, user.id).await?;
    let actor = Actor::User {
        id: user.id,
        session: opened.session,
        role: user.role.into(),
    };
    let deed = Deed {
        action: "sessionCreate",
        subject: Some(opened.session.to_string()),
        ..Deed::default()
    };
    record_as(&txn, ctx, &actor, deed).await?;
    txn.commit().await?;
    ctx.platform.revocations.end(&opened.ended, ctx.now());
    SignedIn::new(ctx, user, opened.session, opened.refresh)
}
