//! People for these tests: where they are, and what they send.

use std::net::IpAddr;

use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};
use souk::domain::accounts::session::SignedIn;
use souk::domain::accounts::{refresh, register, sign_in};
use souk::domain::context::Context;
use souk::kernel::actor::{Actor, Origin};
use souk::kernel::error::{Error, Result};

use crate::support::Shop;

pub(super) const PASSWORD: &str = "tunnel-7-marmalade";
pub(super) const OTHER_PASSWORD: &str = "lamp-9-cucumber";

pub(super) const TOKENS: &str = "tokens { accessToken accessTokenExpiresAt refreshToken refreshTokenExpiresAt } userErrors { code path message params retryable }";

/// Somebody at an address, with a browser of this name.
pub(super) fn at(shop: &Shop, address: &str, browser: &str) -> Context {
    let address: IpAddr = address.parse().unwrap();
    let origin = Origin::new(Some(address), Some(browser));
    Context::writing(Actor::Anonymous, origin, shop.platform.clone())
}

/// Somebody at home.
pub(super) fn home(shop: &Shop) -> Context {
    at(shop, "192.0.2.1", "Browser")
}

pub(super) async fn sign_up(ctx: &Context, email: &str) -> SignedIn {
    let command = register::Register {
        email: email.to_owned(),
        password: PASSWORD.into(),
        name: "Ann Droid".to_owned(),
    };
    register::register(ctx, &command).await.unwrap()
}

pub(super) async fn enter(ctx: &Context, email: &str, password: &str) -> Result<SignedIn> {
    sign_in::sign_in(ctx, email, &password.into()).await
}

pub(super) async fn go_on(ctx: &Context, token: &SecretString) -> Result<SignedIn> {
    refresh::refresh(ctx, token).await
}

/// What became of it: `OK`, a code of a refusal, or the kind of error.
pub(super) fn outcome<T>(result: &Result<T>) -> String {
    match result {
        Ok(_) => "OK".to_owned(),
        Err(Error::Refused(refusals)) => format!("{:?}", refusals[0].code),
        Err(Error::Throttled { retry_after }) => format!("Throttled {}s", retry_after.as_secs_f64().ceil()),
        Err(error) => format!("{error:?}"),
    }
}

/// Sends an operation with an access token, or without one.
pub(super) async fn send(shop: &Shop, access: Option<&str>, document: &str, variables: Value) -> Value {
    let bearer = access.map(|token| format!("Bearer {token}"));
    let mut headers = vec![("content-type", "application/json"), ("user-agent", "Browser")];
    headers.extend(bearer.iter().map(|bearer| ("authorization", bearer.as_str())));
    let body = json!({"query": document, "variables": variables}).to_string();
    shop.post(&headers, body).await.json()
}

/// The same of whoever has just signed in.
pub(super) async fn send_as(shop: &Shop, who: &SignedIn, document: &str, variables: Value) -> Value {
    send(shop, Some(who.access.token.expose_secret()), document, variables).await
}

/// The one code of a payload's `userErrors`, and where it is.
pub(super) fn refusal(payload: &Value) -> (String, String) {
    let errors = payload["userErrors"].as_array().unwrap();
    assert_eq!(errors.len(), 1, "{payload}");
    let path: Vec<&str> = errors[0]["path"]
        .as_array()
        .unwrap()
        .iter()
        .map(|part| part.as_str().unwrap())
        .collect();
    (errors[0]["code"].as_str().unwrap().to_owned(), path.join("."))
}

/// How many rows a table has.
pub(super) async fn rows(shop: &Shop, table: &str) -> usize {
    shop.rows(&format!("SELECT CAST(COUNT(*) AS text) FROM {table}"))
        .await[0][0]
        .parse()
        .unwrap()
}

/// The actions of the audit record, the oldest first.
pub(super) async fn audit(shop: &Shop) -> Vec<String> {
    let rows = shop
        .rows("SELECT action FROM audit_record ORDER BY occurred_at, id")
        .await;
    rows.into_iter().flatten().collect()
}
