//! Who is calling: the holder of the token in `Authorization: Bearer …`, or nobody in particular; and from where.

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;

use super::accept::MediaType;
use super::address::{self, Peer};
use super::{Shared, reply};
use crate::domain::context::Platform;
use crate::infra::token::{TokenError, Verified};
use crate::kernel::actor::{Actor, Origin};

/// What the token says; None for nobody in particular.
///
/// # Errors
/// A token was sent that does not count. A caller who sends one wants to be somebody: going on as
/// nobody would only fail later, and say something else.
pub(super) fn caller(headers: &HeaderMap, platform: &Platform) -> Result<Option<Verified>, TokenError> {
    let mut sent = headers.get_all(header::AUTHORIZATION).iter();
    match (sent.next(), sent.next()) {
        (None, _) => Ok(None),
        (Some(one), None) => {
            let value = one.to_str().map_err(|_| TokenError::Invalid)?;
            bearer(value, platform).map(Some)
        }
        (Some(_), Some(_)) => Err(TokenError::Invalid),
    }
}

/// The header's value, `Bearer <token>`, as far as it counts now.
pub(super) fn bearer(value: &str, platform: &Platform) -> Result<Verified, TokenError> {
    let (scheme, token) = value.trim().split_once(' ').ok_or(TokenError::Invalid)?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(TokenError::Invalid);
    }
    let verified = platform.tokens.verify(token.trim())?;
    still_counts(&verified, platform)?;
    Ok(verified)
}

/// Whether a token that was verified a while ago has not come to its end since.
pub(super) fn still_counts(verified: &Verified, platform: &Platform) -> Result<(), TokenError> {
    if verified.expires_at <= platform.clock.now() {
        return Err(TokenError::Expired);
    }
    if !platform.revocations.admits(&verified.holder) {
        return Err(TokenError::Revoked);
    }
    Ok(())
}

pub(super) fn actor(verified: &Verified) -> Actor {
    let holder = verified.holder;
    Actor::User {
        id: holder.user,
        session: holder.session,
        role: holder.role,
    }
}

/// Where the request comes from.
pub(super) fn origin(shared: &Shared, peer: Option<Peer>, headers: &HeaderMap) -> Origin {
    let user_agent = headers
        .get(header::USER_AGENT)
        .and_then(|value| value.to_str().ok());
    let address = address::client(peer, headers, &shared.config.trusted_proxies);
    Origin::new(address, user_agent)
}

pub(super) fn refusal(error: TokenError, media_type: MediaType) -> Response {
    let mut response = reply::refusal_as(
        StatusCode::UNAUTHORIZED,
        "UNAUTHENTICATED",
        &error.to_string(),
        media_type,
    );
    response.headers_mut().insert(
        header::WWW_AUTHENTICATE,
        HeaderValue::from_static(r#"Bearer error="invalid_token""#),
    );
    response
}
