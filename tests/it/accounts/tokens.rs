//! Tokens that somebody made up, changed, kept too long or brought from elsewhere: each is refused at the door.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::Duration;
use jsonwebtoken::{Algorithm, EncodingKey, crypto};
use serde_json::{Value, json};
use souk::kernel::actor::Role;

use super::keys::{PRIVATE, PUBLIC};
use crate::support::Shop;

const SECRET: &str = "0e1c87b3a95d42f6b8d7c1e05f3a2946";

/// For the administrator alone: a forged token that counted would be seen.
const ASK: &str = r#"{"query": "{ products(first: 1, filter: {statuses: [DRAFT]}) { totalCount } }"}"#;

fn write(part: &Value) -> String {
    URL_SAFE_NO_PAD.encode(part.to_string())
}

/// A token, taken apart so that it can be put together otherwise.
#[derive(Clone)]
struct Parts {
    header: Value,
    claims: Value,
}

impl Parts {
    fn of(token: &str) -> Self {
        let mut parts = token.split('.').map(read_or_null);
        Self {
            header: parts.next().unwrap(),
            claims: parts.next().unwrap(),
        }
    }

    fn header(&self, name: &str, value: impl Into<Value>) -> Self {
        let mut changed = self.clone();
        changed.header[name] = value.into();
        changed
    }

    fn claim(&self, name: &str, value: impl Into<Value>) -> Self {
        let mut changed = self.clone();
        changed.claims[name] = value.into();
        changed
    }

    fn text(&self) -> String {
        format!("{}.{}", write(&self.header), write(&self.claims))
    }

    /// Signed by a secret, whatever the header says.
    fn sign(&self, secret: &[u8]) -> String {
        let key = EncodingKey::from_secret(secret);
        let signature = crypto::sign(self.text().as_bytes(), &key, Algorithm::HS256).unwrap();
        format!("{}.{signature}", self.text())
    }
}

fn read_or_null(part: &str) -> Value {
    let bytes = URL_SAFE_NO_PAD.decode(part).unwrap();
    serde_json::from_slice(&bytes).unwrap_or(Value::Null)
}

async fn status(shop: &Shop, token: &str) -> (u16, String) {
    let bearer = format!("Bearer {token}");
    let headers = [
        ("content-type", "application/json"),
        ("authorization", bearer.as_str()),
    ];
    let reply = shop.post(&headers, ASK).await;
    (reply.status.as_u16(), reply.text().to_owned())
}

async fn refuses(shop: &Shop, what: &str, token: &str) {
    let bearer = format!("Bearer {token}");
    let headers = [
        ("content-type", "application/json"),
        ("authorization", bearer.as_str()),
    ];
    let reply = shop.post(&headers, ASK).await;
    assert_eq!(reply.status.as_u16(), 401, "{what}: {}", reply.text());
    assert_eq!(
        reply.header("www-authenticate"),
        r#"Bearer error="invalid_token""#,
        "{what}"
    );
    let error = &reply.json()["errors"][0];
    assert_eq!(error["extensions"]["code"], "UNAUTHENTICATED", "{what}");
    assert_eq!(error["message"], "The access token is not valid.", "{what}");
}

async fn accepts(shop: &Shop, token: &str) {
    let (status, text) = status(shop, token).await;
    assert!(status == 200 && text.contains(r#""totalCount":0"#), "{text}");
}

async fn refuses_what_nobody_signed(shop: &Shop) {
    let good = shop.token(Role::Admin);
    accepts(shop, &good).await;
    let parts = Parts::of(&good);
    let signature = good.rsplit('.').next().unwrap();
    for none in ["none", "None", "NONE", ""] {
        let none = parts.header("alg", none).text();
        refuses(shop, "alg: none", &format!("{none}.")).await;
        refuses(shop, "alg: none, signed", &format!("{none}.{signature}")).await;
    }
    for length in (0..good.len()).step_by(7).chain([good.len() - 1]) {
        // Without its token the header is no Bearer at all, which is refused alike.
        refuses(shop, "truncated", &good[..length]).await;
    }
    let other = Parts::of(&shop.token_of("other", Role::Customer));
    for changed in [
        parts.claim("role", "customer"),
        parts.claim("sub", other.claims["sub"].clone()),
        parts.claim("exp", i64::MAX),
    ] {
        refuses(shop, "changed", &format!("{}.{signature}", changed.text())).await;
    }
    refuses(
        shop,
        "huge",
        &parts.header("kid", "k".repeat(60_000)).sign(SECRET.as_bytes()),
    )
    .await;
    refuses(shop, "huge", &"a.".repeat(30_000)).await;
}

both! {
    async fn what_nobody_signed_is_refused(shop: &Shop) {
        refuses_what_nobody_signed(shop).await;
        let by_pair = shop.beside(&[("SOUK_JWT_PRIVATE_KEY", PRIVATE)]).await;
        refuses_what_nobody_signed(&by_pair).await;
        by_pair.close().await;
    }

    async fn a_public_key_is_no_secret_and_a_secret_no_key_pair(shop: &Shop) {
        let by_pair = shop.beside(&[("SOUK_JWT_PRIVATE_KEY", PRIVATE)]).await;
        let parts = Parts::of(&by_pair.token(Role::Admin));
        let keys = by_pair.get("/.well-known/jwks.json", &[]).await;
        let x = keys.json()["keys"][0]["x"].as_str().unwrap().to_owned();
        let raw = URL_SAFE_NO_PAD.decode(&x).unwrap();
        for public in [raw.as_slice(), x.as_bytes(), PUBLIC.as_bytes(), format!("{PUBLIC}\n").as_bytes(), keys.text().as_bytes(), b""] {
            refuses(&by_pair, "HS256 by the public key", &parts.header("alg", "HS256").sign(public)).await;
            refuses(&by_pair, "HS256 said to be EdDSA", &parts.sign(public)).await;
        }
        // The secret of the settings means nothing beside a key pair, and the reverse.
        refuses(&by_pair, "HS256 by the secret", &shop.token(Role::Admin)).await;
        refuses(&by_pair, "HS256 by the secret, other kid", &parts.header("alg", "HS256").sign(SECRET.as_bytes())).await;
        refuses(shop, "EdDSA", &by_pair.token(Role::Admin)).await;
        let mine = Parts::of(&shop.token(Role::Admin));
        refuses(shop, "EdDSA by the secret", &mine.header("alg", "EdDSA").sign(SECRET.as_bytes())).await;
        by_pair.close().await;
    }

    async fn a_token_counts_in_its_time_alone(shop: &Shop) {
        let token = shop.token(Role::Admin);
        shop.clock.advance(Duration::seconds(-31));
        refuses(shop, "of the future", &token).await;
        shop.clock.advance(Duration::seconds(31 + 15 * 60 - 1));
        accepts(shop, &token).await;
        shop.clock.advance(Duration::seconds(1));
        let (status, text) = status(shop, &token).await;
        assert!(status == 401 && text.contains("The access token has expired."), "{text}");
    }

    /// Whoever has the secret, for another purpose, has no token of ours.
    async fn a_token_of_elsewhere_does_not_count(shop: &Shop) {
        let parts = Parts::of(&shop.token(Role::Admin));
        let sign = |parts: Parts| parts.sign(SECRET.as_bytes());
        accepts(shop, &sign(parts.clone())).await;
        for (what, token) in [
            ("foreign issuer", parts.claim("iss", "https://evil.example")),
            ("foreign audience", parts.claim("aud", "other")),
            ("several audiences", parts.claim("aud", json!(["souk", "other"]))),
            ("no token of access", parts.header("typ", "JWT")),
            ("another algorithm", parts.header("alg", "HS384")),
            ("unknown kid", parts.header("kid", "2026-01")),
            ("no kid", parts.header("kid", Value::Null)),
            ("kid with a path", parts.header("kid", "../../../../dev/null")),
            ("kid with a file", parts.header("kid", "file:///dev/null")),
            ("kid with SQL", parts.header("kid", "x' UNION SELECT 'secret' --")),
            ("kid with a line break", parts.header("kid", "a\r\nset-cookie: b")),
            ("no session", parts.claim("sid", Value::Null)),
            ("no user", parts.claim("sub", "product_01h455vb4pex5vsknk084sn02q")),
            ("no role", parts.claim("role", "root")),
        ] {
            refuses(shop, what, &sign(token)).await;
        }
        let renamed = shop.beside(&[("SOUK_JWT_ISSUER", "https://other.example")]).await;
        refuses(&renamed, "of before", &shop.token(Role::Admin)).await;
        renamed.close().await;
        let moved = shop.beside(&[("SOUK_JWT_AUDIENCE", "other")]).await;
        refuses(shop, "for the other", &moved.token(Role::Admin)).await;
        moved.close().await;
    }

    async fn a_header_may_be_only_so_large(shop: &Shop) {
        let server = shop.serve(&[("SOUK_LIMIT_HEADER_BYTES", "16KiB")]).await;
        let bearer = format!("Bearer {}", "x".repeat(20_000));
        let answer = server.post(&[("authorization", &bearer)], ASK).await;
        assert!(answer.starts_with("HTTP/1.1 431 "), "{answer:.100}");
        server.stop().await;
    }
}
