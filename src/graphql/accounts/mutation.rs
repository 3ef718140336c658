//! Mutations of one's own account and sessions.

use async_graphql::{Context, ID, Object};
use secrecy::{ExposeSecret as _, SecretString};

use super::User;
use super::inputs::{
    AccountRegisterInput, AccountUpdateInput, PasswordChangeInput, SessionCreateInput, SessionRefreshInput,
};
use super::payloads::{
    AccountRegisterPayload, AccountUpdatePayload, PasswordChangePayload, SessionCreatePayload,
    SessionRefreshPayload, SessionRevokeAllPayload, SessionRevokePayload, SessionTokens,
};
use crate::domain::accounts::session::SignedIn;
use crate::domain::accounts::{password, refresh, register, revoke, sign_in, update};
use crate::domain::carts::take_over::take_over;
use crate::domain::context::Context as DomainContext;
use crate::graphql::context::ContextExt as _;
use crate::graphql::cookies::RefreshCookie;
use crate::graphql::error::{ApiError, Result};
use crate::graphql::ids::parse_id;
use crate::graphql::inventory::int;
use crate::graphql::scalars::DateTime;
use crate::graphql::user_error::{UserError, refused};
use crate::kernel::actor::Actor;
use crate::kernel::error::Error;
use crate::kernel::id::{CartId, SessionId};

#[derive(Debug, Default)]
pub struct AccountsMutation;

/// Hands the tokens out, the refresh token in a cookie where it was asked for. The payload is already read by whom it
/// is about, although the request came from nobody.
fn welcome(ctx: &Context<'_>, signed_in: SignedIn) -> Result<(User, SessionTokens)> {
    let cookie = ctx.refresh_cookie()?;
    let viewer = ctx.domain()?.of(signed_in.actor());
    let SignedIn {
        user,
        access,
        refresh,
        ..
    } = signed_in;
    let tokens = SessionTokens {
        access_token: access.token.expose_secret().to_owned(),
        access_token_expires_at: DateTime(access.expires_at),
        refresh_token: if cookie.is_asked_for() {
            String::new()
        } else {
            refresh.token.expose_secret().to_owned()
        },
        refresh_token_expires_at: DateTime(refresh.expires_at),
    };
    cookie.set(refresh.token, refresh.expires_at);
    Ok((User::seen_by(user, viewer), tokens))
}

type Entrance = (Option<User>, Option<SessionTokens>, Vec<UserError>);

fn entrance(ctx: &Context<'_>, outcome: Result<SignedIn>) -> Result<Entrance> {
    let (signed_in, user_errors) = refused(outcome)?;
    let (user, tokens) = signed_in
        .map(|signed_in| welcome(ctx, signed_in))
        .transpose()?
        .unzip();
    Ok((user, tokens, user_errors))
}

/// Takes a guest's cart along. That this fails is no reason to turn somebody away who has proved who they are: the cart
/// stays where it was, and comes along another time.
async fn bring(ctx: &DomainContext, cart: CartId) {
    if let Err(error) = take_over(ctx, cart).await {
        let error = anyhow::Error::from(error);
        tracing::error!(error = format!("{error:#}"), "a guest's cart was not taken along");
    }
}

/// The token in the input, else the one in the cookie of a client that asked for cookies.
fn presented(sent: SecretString, cookie: &RefreshCookie) -> SecretString {
    if sent.expose_secret().is_empty() {
        cookie.sent().cloned().unwrap_or(sent)
    } else {
        sent
    }
}

async fn end(ctx: &Context<'_>, session: Option<ID>) -> Result<SessionId> {
    let domain = ctx.domain()?;
    let session = session.map(|id| parse_id(&id, "sessionId")).transpose()?;
    let ended = revoke::revoke(domain, session).await?;
    if matches!(domain.actor, Actor::User { session, .. } if session == ended) {
        ctx.refresh_cookie()?.clear();
    }
    Ok(ended)
}

#[Object]
impl AccountsMutation {
    /// Opens an account, and signs in to it. For an email that has an account this is `sessionCreate`: with its password it
    /// signs in, with another one it is INVALID_CREDENTIALS. So it may be sent again when the answer was lost. After too many
    /// attempts, or too many accounts opened from one address, it is THROTTLED, with `retryAfter` seconds.
    async fn account_register(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The new account.")] input: AccountRegisterInput,
    ) -> Result<AccountRegisterPayload> {
        let outcome = register::register(ctx.domain()?, &input.into_domain()).await;
        let (user, tokens, user_errors) = entrance(ctx, outcome.map_err(ApiError))?;
        Ok(AccountRegisterPayload {
            user,
            tokens,
            user_errors,
        })
    }

    /// Signs in: opens a session on this device. INVALID_CREDENTIALS whether there is no such account or the password is
    /// another one. An account has at most 100 sessions: the ones longest unused end. After too many attempts it is THROTTLED,
    /// with `retryAfter` seconds. The guest's cart comes along where it can: whatever becomes of it, you are signed in, and
    /// `user.cart` says what is in yours.
    async fn session_create(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Who, and the proof of it.")] input: SessionCreateInput,
    ) -> Result<SessionCreatePayload> {
        let domain = ctx.domain()?;
        let (email, password, cart) = input.into_parts()?;
        let outcome = sign_in::sign_in(domain, &email, &password).await;
        if let (Ok(signed_in), Some(cart)) = (&outcome, cart) {
            bring(&domain.of(signed_in.actor()), cart).await;
        }
        let (user, tokens, user_errors) = entrance(ctx, outcome.map_err(ApiError))?;
        Ok(SessionCreatePayload {
            user,
            tokens,
            user_errors,
        })
    }

    /// Goes on with a session: takes its refresh token and gives the next one, and an access token. Send it without the old
    /// access token, which may have expired. A refresh token is good for one use: one that comes again is TOKEN_REUSED and
    /// closes the session, since somebody else may have it. Only the same client may ask again within seconds, when it
    /// lost the answer or asked twice at once, and is told the same. TOKEN_INVALID for any other that does not count.
    /// Far more often than access tokens expire it is THROTTLED, and the token is not used up.
    async fn session_refresh(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The session.")] input: SessionRefreshInput,
    ) -> Result<SessionRefreshPayload> {
        let cookie = ctx.refresh_cookie()?;
        let outcome = refresh::refresh(ctx.domain()?, &presented(input.into_token(), cookie)).await;
        if matches!(outcome, Err(Error::Refused(_))) {
            cookie.clear();
        }
        let (user, tokens, user_errors) = entrance(ctx, outcome.map_err(ApiError))?;
        Ok(SessionRefreshPayload {
            user,
            tokens,
            user_errors,
        })
    }

    /// Signs out of one session. Its tokens no longer count, and its WebSockets are closed. NOT_FOUND for a session that is not
    /// yours or has ended.
    async fn session_revoke(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which of your sessions; the one that is asking when null.")] session_id: Option<ID>,
    ) -> Result<SessionRevokePayload> {
        let (session_id, user_errors) = refused(end(ctx, session_id).await)?;
        Ok(SessionRevokePayload {
            session_id: session_id.map(|id| id.to_string().into()),
            user_errors,
        })
    }

    /// Signs out everywhere, here too.
    async fn session_revoke_all(&self, ctx: &Context<'_>) -> Result<SessionRevokeAllPayload> {
        let outcome = revoke::revoke_all(ctx.domain()?).await;
        let (ended, user_errors) = refused(outcome.map_err(ApiError))?;
        ctx.refresh_cookie()?.clear();
        let revoked_count = int(i64::try_from(ended.unwrap_or_default()).unwrap_or(i64::MAX));
        Ok(SessionRevokeAllPayload {
            revoked_count,
            user_errors,
        })
    }

    /// Changes your password, and signs you out of all other sessions. Guessing the current one is THROTTLED as signing in is.
    async fn password_change(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The current password and the new one.")] input: PasswordChangeInput,
    ) -> Result<PasswordChangePayload> {
        let (current, new) = input.into_parts();
        let outcome = password::change_password(ctx.domain()?, &current, &new).await;
        let (user, user_errors) = refused(outcome.map_err(ApiError))?;
        let user = user.map(User::new);
        Ok(PasswordChangePayload { user, user_errors })
    }

    /// Changes your own name and addresses. The email stays.
    async fn account_update(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to change.")] input: AccountUpdateInput,
    ) -> Result<AccountUpdatePayload> {
        let outcome = update::update_account(ctx.domain()?, input.into_domain()).await;
        let (user, user_errors) = refused(outcome.map_err(ApiError))?;
        let user = user.map(User::new);
        Ok(AccountUpdatePayload { user, user_errors })
    }
}
