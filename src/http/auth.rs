//! Who is calling: the holder of the token in `Authorization: Bearer …`, or nobody in particular.

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;

use super::accept::MediaType;
use super::reply;
use crate::domain::context::Platform;
use crate::infra::token::TokenError;
use crate::kernel::actor::{Actor, Origin};

/// # Errors
/// A token was sent that does not count. A caller who sends one wants to be somebody: going on as
/// nobody would only fail later, and say something else.
pub(super) fn caller(headers: &HeaderMap, platform: &Platform) -> Result<Actor, TokenError> {
    let mut sent = headers.get_all(header::AUTHORIZATION).iter();
    match (sent.next(), sent.next()) {
        (None, _) => Ok(Actor::Anonymous),
        (Some(one), None) => bearer(one.to_str().map_err(|_| TokenError::Invalid)?, platform),
        (Some(_), Some(_)) => Err(TokenError::Invalid),
    }
}

/// The same for the header's value: `Bearer <token>`.
pub(super) fn bearer(value: &str, platform: &Platform) -> Result<Actor, TokenError> {
    let (scheme, token) = value.trim().split_once(' ').ok_or(TokenError::Invalid)?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(TokenError::Invalid);
    }
    let holder = platform.tokens.verify(token.trim())?;
    if !platform.revocations.admits(&holder) {
        return Err(TokenError::Revoked);
    }
    Ok(Actor::User {
        id: holder.user,
        session: holder.session,
        role: holder.role,
    })
}

/// Where the request comes from.
pub(super) fn origin(headers: &HeaderMap) -> Origin {
    let user_agent = headers
        .get(header::USER_AGENT)
        .and_then(|value| value.to_str().ok());
    Origin::new(None, user_agent)
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
