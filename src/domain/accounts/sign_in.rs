//! Signing in with an email and a password.

use secrecy::SecretString;

use super::backoff;
use super::credentials::{Proof, accept, prove};
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
    let attempt = backoff::begin(ctx, &identity::account_key(email)).await?;
    let user = identity::find(ctx.db().fresh(), ctx, attempt.account()).await?;
    let proof = prove(ctx, user, password, attempt, ("sessionCreateFailed", "")).await?;
    enter(ctx, &proof).await
}

/// Opens a session for somebody who has proved to be who they say.
pub(super) async fn enter(ctx: &Context, proof: &Proof) -> Result<SignedIn> {
    let txn = ctx.db().begin().await?;
    let user = accept(&txn, ctx, proof, "").await?;
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
