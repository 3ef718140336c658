//! Keys: how others verify our tokens, and how keys are changed.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{ED25519, UnparsedPublicKey};
use serde_json::{Value, json};
use souk::kernel::actor::Role;

use crate::support::{As, Shop};

pub(super) const PRIVATE: &str = "-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIDAb2yyfAqIAcxJCMD3awPHXhMTCxXkbFg+xKKqgLBBC
-----END PRIVATE KEY-----";
pub(super) const PUBLIC: &str = "-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEAHoE698ZIwhNMeUfv46DDe9A12OMIDMemwmn0qgtR0Bc=
-----END PUBLIC KEY-----";
const NEXT_PRIVATE: &str = "-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIL0nngbqC92bXL9KMCQ3a4dvRq+83d20mA8HUp7/FYKV
-----END PRIVATE KEY-----";
const OLD_SECRET: &str = "0e1c87b3a95d42f6b8d7c1e05f3a2946";
const SECRET: &str = "7b0d4fe1c95a3826d4179ab3c2f0586e";

/// What a service does that has the address of the keys and nothing else, by another library than ours.
async fn claims_by_public_keys(shop: &Shop, token: &str) -> Option<Value> {
    let reply = shop.get("/.well-known/jwks.json", &[]).await;
    let keys = reply.json()["keys"].as_array().unwrap().clone();
    let [header, claims, signature] = token.split('.').collect::<Vec<_>>().try_into().unwrap();
    let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).unwrap();
    let said: Value = serde_json::from_slice(&decode(header)).unwrap();
    let key = keys.iter().find(|key| key["kid"] == said["kid"])?;
    assert_eq!(
        (&key["kty"], &key["crv"], &key["alg"]),
        (&json!("OKP"), &json!("Ed25519"), &said["alg"])
    );
    let public = UnparsedPublicKey::new(&ED25519, decode(key["x"].as_str().unwrap()));
    public
        .verify(format!("{header}.{claims}").as_bytes(), &decode(signature))
        .ok()?;
    serde_json::from_slice(&decode(claims)).ok()
}

async fn accepts(shop: &Shop, token: &str) -> bool {
    let bearer = format!("Bearer {token}");
    let headers = [
        ("content-type", "application/json"),
        ("authorization", bearer.as_str()),
    ];
    let reply = shop.post(&headers, r#"{"query": "{ __typename }"}"#).await;
    reply.status.is_success()
}

both! {
    async fn others_verify_tokens_by_the_public_keys_alone(shop: &Shop) {
        let settings = [("SOUK_JWT_PRIVATE_KEY", PRIVATE), ("SOUK_PUBLIC_URL", "https://api.shop.example/")];
        let by_pair = shop.beside(&settings).await;
        let token = by_pair.token(Role::Staff);
        let claims = claims_by_public_keys(&by_pair, &token).await.unwrap();
        assert_eq!(
            (&claims["iss"], &claims["aud"], &claims["role"]),
            (&json!("https://api.shop.example"), &json!("souk"), &json!("staff"))
        );
        assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 15 * 60);
        for claim in ["sub", "sid", "jti"] {
            assert!(claims[claim].is_string(), "{claims}");
        }
        let reply = by_pair.get("/.well-known/jwks.json", &[]).await;
        assert_eq!(reply.header("content-type"), "application/jwk-set+json");
        assert_eq!(reply.header("cache-control"), "public, max-age=300");
        assert!(!reply.text().contains("\"d\""), "{}", reply.text());
        by_pair.close().await;
        // A secret cannot be shown.
        assert_eq!(shop.get("/.well-known/jwks.json", &[]).await.json(), json!({"keys": []}));
    }

    async fn a_key_pair_is_changed_without_a_gap(shop: &Shop) {
        let before = shop.beside(&[("SOUK_JWT_PRIVATE_KEY", PRIVATE)]).await;
        let token = before.token(Role::Customer);
        let after = shop.beside(&[("SOUK_JWT_PRIVATE_KEY", NEXT_PRIVATE), ("SOUK_JWT_PREVIOUS_PUBLIC_KEY", PUBLIC)]).await;
        assert!(accepts(&after, &token).await);
        assert!(claims_by_public_keys(&after, &token).await.is_some());
        let new = after.token(Role::Customer);
        assert!(claims_by_public_keys(&after, &new).await.is_some());
        assert!(accepts(&after, &new).await);
        assert!(!accepts(&before, &new).await);
        let done = shop.beside(&[("SOUK_JWT_PRIVATE_KEY", NEXT_PRIVATE)]).await;
        assert!(!accepts(&done, &token).await);
        assert!(accepts(&done, &new).await);
        for shop in [before, after, done] {
            shop.close().await;
        }
    }

    async fn a_secret_is_changed_without_a_gap(shop: &Shop) {
        let token = shop.token(Role::Customer);
        let after = shop.beside(&[("SOUK_JWT_SECRET", SECRET), ("SOUK_JWT_PREVIOUS_SECRET", OLD_SECRET)]).await;
        assert!(accepts(&after, &token).await);
        let new = after.token(Role::Customer);
        assert!(accepts(&after, &new).await);
        assert!(!accepts(shop, &new).await);
        let done = shop.beside(&[("SOUK_JWT_SECRET", SECRET)]).await;
        assert!(!accepts(&done, &token).await);
        assert!(accepts(&done, &new).await);
        assert_eq!(done.data(As::Customer, "{ __typename }", json!({})).await["__typename"], "Query");
        after.close().await;
        done.close().await;
    }
}
