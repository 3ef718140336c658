//! The refresh token's cookie on the wire. A browser shows it to no script, sends it to this host alone, over TLS alone
//! (or to itself), and never along with another site's request.
//!
//! It counts only beside `Souk-Refresh-Token: cookie`. A page elsewhere cannot send that header unless its origin is one of
//! `SOUK_CORS_ORIGINS`, so what a browser adds by itself is never enough.

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret as _, SecretString};

use crate::graphql::cookies::{Change, RefreshCookie};

pub(super) const WISH: HeaderName = HeaderName::from_static("souk-refresh-token");

const NAME: &str = "__Host-souk-refresh";
const ATTRIBUTES: &str = "Path=/; Secure; HttpOnly; SameSite=Strict";

/// What the client asked for, and sent.
pub(super) fn of(headers: &HeaderMap) -> RefreshCookie {
    let mut wishes = headers.get_all(WISH).iter();
    match (wishes.next(), wishes.next()) {
        (Some(wish), None) if wish == "cookie" => RefreshCookie::asked(sent(headers)),
        _ => RefreshCookie::default(),
    }
}

/// The cookie's value. Of two by this name one is not ours, and which of them cannot be known.
fn sent(headers: &HeaderMap) -> Option<SecretString> {
    let mut ours = headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .filter(|(name, _)| *name == NAME);
    match (ours.next(), ours.next()) {
        (Some((_, value)), None) if !value.is_empty() => Some(SecretString::from(value)),
        _ => None,
    }
}

/// Adds what the resolvers wanted to the answer.
pub(super) fn apply(cookie: &RefreshCookie, now: DateTime<Utc>, headers: &mut HeaderMap) {
    let Some(change) = cookie.wanted() else { return };
    let line = match change {
        Change::Set { token, expires_at } => {
            let seconds = (expires_at - now).num_seconds().max(0);
            format!(
                "{NAME}={}; Max-Age={seconds}; {ATTRIBUTES}",
                token.expose_secret()
            )
        }
        Change::Clear => format!("{NAME}=; Max-Age=0; {ATTRIBUTES}"),
    };
    match HeaderValue::from_str(&line) {
        Ok(mut line) => {
            line.set_sensitive(true);
            headers.append(header::SET_COOKIE, line);
        }
        // The client then has to sign in again.
        Err(_) => tracing::error!("a refresh token cannot be sent as a cookie"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, value.parse().unwrap());
        }
        headers
    }

    fn read(lines: &[(&'static str, &str)]) -> (bool, Option<String>) {
        let cookie = of(&headers(lines));
        (
            cookie.is_asked_for(),
            cookie.sent().map(|token| token.expose_secret().to_owned()),
        )
    }

    #[test]
    fn a_cookie_counts_only_for_who_asks() {
        let cookie = ("cookie", "a=b; __Host-souk-refresh=souk_rt_1; c=d");
        let wish = ("souk-refresh-token", "cookie");
        assert_eq!(read(&[cookie, wish]), (true, Some("souk_rt_1".to_owned())));
        assert_eq!(read(&[wish]), (true, None));
        for not_asked in ["", "body", "Cookie", "cookie, body"] {
            assert_eq!(read(&[cookie, ("souk-refresh-token", not_asked)]), (false, None));
        }
        assert_eq!(read(&[cookie]), (false, None));
        assert_eq!(read(&[cookie, wish, wish]), (false, None));
    }

    #[test]
    fn a_cookie_that_another_could_have_planted_does_not_count() {
        let wish = ("souk-refresh-token", "cookie");
        for lines in [
            "__Host-souk-refresh=1; __Host-souk-refresh=2",
            "souk-refresh=1",
            "__host-souk-refresh=1",
            "x__Host-souk-refresh=1",
            "__Host-souk-refresh",
            "__Host-souk-refresh=",
        ] {
            assert_eq!(read(&[wish, ("cookie", lines)]), (true, None), "{lines}");
        }
        let twice = [
            wish,
            ("cookie", "__Host-souk-refresh=1"),
            ("cookie", "__Host-souk-refresh=2"),
        ];
        assert_eq!(read(&twice), (true, None));
    }

    #[test]
    fn the_last_wish_is_written_with_every_attribute() {
        let now = DateTime::from_timestamp(1_760_000_000, 0).unwrap();
        let set = |cookie: &RefreshCookie| {
            let mut answer = HeaderMap::new();
            apply(cookie, now, &mut answer);
            answer
                .get(header::SET_COOKIE)
                .map(|line| line.to_str().unwrap().to_owned())
        };
        let cookie = RefreshCookie::asked(None);
        assert_eq!(set(&cookie), None);
        let week = now + chrono::Duration::days(7);
        cookie.set(SecretString::from("souk_rt_1"), week);
        assert_eq!(
            set(&cookie).unwrap(),
            "__Host-souk-refresh=souk_rt_1; Max-Age=604800; Path=/; Secure; HttpOnly; SameSite=Strict"
        );
        cookie.clear();
        assert_eq!(
            set(&cookie).unwrap(),
            "__Host-souk-refresh=; Max-Age=0; Path=/; Secure; HttpOnly; SameSite=Strict"
        );
        let body = RefreshCookie::default();
        body.set(SecretString::from("souk_rt_1"), week);
        assert_eq!(set(&body), None);
    }
}
