//! Tokens of either kind: what counts, and what does not.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::pkcs8::EncodePrivateKey as _;
use ed25519_dalek::{Signer as _, SigningKey};
use jsonwebtoken::{Algorithm, EncodingKey};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

use super::*;
use crate::kernel::clock::ManualClock;
use crate::kernel::config::KeyConfig;

const HOUR: Duration = Duration::from_secs(3600);
const SECRET: &str = "a secret of at least thirty-two bytes";
const OLD_SECRET: &str = "the secret of last year, long enough";

fn start() -> DateTime<Utc> {
    DateTime::from_timestamp(1_760_000_000, 0).unwrap()
}

fn secrets(current: &str, previous: Option<&str>) -> KeyConfig {
    KeyConfig::Secret {
        current: Some(current.into()),
        previous: previous.map(SecretString::from),
    }
}

fn pair(current: u8, previous: Option<u8>) -> KeyConfig {
    KeyConfig::Pair {
        current: Box::new(SigningKey::from_bytes(&[current; 32])),
        previous: previous.map(|seed| SigningKey::from_bytes(&[seed; 32]).verifying_key()),
    }
}

fn tokens(keys: KeyConfig) -> (Tokens, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::at(start()));
    let config = TokenConfig {
        keys,
        longest_life: HOUR,
        issuer: "https://shop.example".to_owned(),
        audience: "souk".to_owned(),
    };
    let database = DatabaseConfig {
        url: "sqlite://nowhere/souk.db".into(),
        replica_url: None,
        replica_max_lag: std::time::Duration::from_secs(10),
        connections: 1,
        auto_migrate: true,
        statement_timeout: None,
    };
    (
        Tokens::of_config(&config, &database, clock.clone()).unwrap(),
        clock,
    )
}

fn holder(role: Role) -> Holder {
    Holder {
        user: UserId::new(),
        session: SessionId::new(),
        role,
    }
}

fn issue(tokens: &Tokens, holder: &Holder) -> String {
    let issued = tokens.issue(holder, HOUR).unwrap();
    issued.token.expose_secret().to_owned()
}

fn parts(token: &str) -> [String; 3] {
    let parts: Vec<String> = token.split('.').map(str::to_owned).collect();
    parts.try_into().unwrap()
}

fn read(part: &str) -> Value {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

fn write(part: &Value) -> String {
    URL_SAFE_NO_PAD.encode(part.to_string())
}

/// Signed by a secret, whatever the header says.
fn sign_by_secret(header: &Value, claims: &Value, secret: &[u8]) -> String {
    let signed = format!("{}.{}", write(header), write(claims));
    let key = EncodingKey::from_secret(secret);
    let signature = jsonwebtoken::crypto::sign(signed.as_bytes(), &key, Algorithm::HS256).unwrap();
    format!("{signed}.{signature}")
}

#[test]
fn a_token_names_its_holder_until_it_expires() {
    for keys in [secrets(SECRET, None), pair(1, None)] {
        let (tokens, clock) = tokens(keys);
        let ann = holder(Role::Staff);
        let token = issue(&tokens, &ann);
        let expires_at = start() + chrono::Duration::hours(1);
        let verified = Verified {
            holder: ann,
            expires_at,
        };
        assert_eq!(tokens.verify(&token), Ok(verified));
        clock.advance(chrono::Duration::seconds(3599));
        assert_eq!(tokens.verify(&token), Ok(verified));
        clock.advance(chrono::Duration::seconds(1));
        assert_eq!(tokens.verify(&token), Err(TokenError::Expired));
    }
}

/// What ended is remembered for as long as tokens live by the settings of today.
#[test]
fn a_token_of_when_they_lived_longer_ends_with_the_others() {
    let (tokens, clock) = tokens(secrets(SECRET, None));
    let issued = tokens.issue(&holder(Role::Customer), HOUR * 24).unwrap();
    let token = issued.token.expose_secret();
    clock.advance(chrono::Duration::seconds(3599));
    let expires_at = start() + chrono::Duration::hours(1);
    assert_eq!(tokens.verify(token).unwrap().expires_at, expires_at);
    clock.advance(chrono::Duration::seconds(1));
    assert_eq!(tokens.verify(token), Err(TokenError::Expired));
}

#[test]
fn a_token_of_the_future_is_refused_beyond_what_clocks_differ() {
    let (tokens, clock) = tokens(secrets(SECRET, None));
    clock.advance(chrono::Duration::seconds(31));
    let token = issue(&tokens, &holder(Role::Customer));
    clock.advance(chrono::Duration::seconds(-31));
    assert_eq!(tokens.verify(&token), Err(TokenError::Invalid));
    clock.advance(chrono::Duration::seconds(1));
    assert!(tokens.verify(&token).is_ok());
}

#[test]
fn the_previous_key_still_verifies_and_no_longer_signs() {
    for (old, new) in [
        (secrets(OLD_SECRET, None), secrets(SECRET, Some(OLD_SECRET))),
        (pair(1, None), pair(2, Some(1))),
    ] {
        let ((old, _), (new, _)) = (tokens(old), tokens(new));
        assert!(new.verify(&issue(&old, &holder(Role::Admin))).is_ok());
        let token = issue(&new, &holder(Role::Admin));
        assert!(new.verify(&token).is_ok());
        assert_eq!(old.verify(&token), Err(TokenError::Invalid));
    }
}

#[test]
fn the_header_says_what_it_is_and_which_key_and_nothing_about_a_secret() {
    let (by_secret, _) = tokens(secrets(SECRET, None));
    let (by_pair, _) = tokens(pair(1, None));
    let header = |tokens| read(&parts(&issue(tokens, &holder(Role::Admin)))[0]);
    // The thumbprint as Python computes it: sha256 of {"crv":"Ed25519","kty":"OKP","x":"iojj3XQJ8ZX9UtstPLpdcspnCb8dlBIb83SIAbQPb1w"}
    let thumbprint = "UDDReOZl1ipXAfp9wYsm13sDBMK5og--QWdBjzuf6o4";
    assert_eq!(
        header(&by_pair),
        json!({"typ": "at+jwt", "alg": "EdDSA", "kid": thumbprint})
    );
    let said = header(&by_secret);
    assert_eq!((&said["typ"], &said["alg"]), (&json!("at+jwt"), &json!("HS256")));
    assert_eq!(said["kid"].as_str().unwrap().len(), 12);
    assert_ne!(said["kid"], header(&tokens(secrets(OLD_SECRET, None)).0)["kid"]);
}

#[test]
fn what_we_did_not_sign_is_refused() {
    for keys in [secrets(SECRET, None), pair(1, None)] {
        let (tokens, _) = tokens(keys);
        let good = issue(&tokens, &holder(Role::Customer));
        let [header, claims, signature] = parts(&good);
        let mut admin = read(&claims);
        admin["role"] = "admin".into();
        let mut none = read(&header);
        none["alg"] = "none".into();
        let none = write(&none);
        let bad = [
            String::new(),
            "x".to_owned(),
            "..".to_owned(),
            format!("{header}.{}.{signature}", write(&admin)),
            format!("{none}.{claims}."),
            format!("{none}.{claims}.{signature}"),
            format!("{header}.{claims}."),
            format!("{header}.{claims}"),
            good[..good.len() - 1].to_owned(),
            format!("{good}."),
            format!("{good}{}", "x".repeat(MAX_TOKEN_BYTES)),
        ];
        for token in bad {
            assert_eq!(tokens.verify(&token), Err(TokenError::Invalid), "{token}");
        }
    }
}

/// A public key is known to all. Taken for a secret it would let anybody sign.
#[test]
fn a_public_key_is_no_secret() {
    use ed25519_dalek::pkcs8::EncodePublicKey as _;
    use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;

    let (tokens, _) = tokens(pair(1, Some(2)));
    let [header, claims, _] = parts(&issue(&tokens, &holder(Role::Admin)));
    let public = SigningKey::from_bytes(&[1; 32]).verifying_key();
    let pem = public.to_public_key_pem(LineEnding::LF).unwrap();
    let der = public.to_public_key_der().unwrap();
    let x = URL_SAFE_NO_PAD.encode(public.as_bytes());
    let known = [
        public.as_bytes().as_slice(),
        pem.as_bytes(),
        pem.trim_end().as_bytes(),
        der.as_bytes(),
        x.as_bytes(),
        b"",
    ];
    for secret in known {
        for algorithm in ["HS256", "EdDSA"] {
            let mut header = read(&header);
            header["alg"] = algorithm.into();
            let forged = sign_by_secret(&header, &read(&claims), secret);
            assert_eq!(tokens.verify(&forged), Err(TokenError::Invalid), "{algorithm}");
        }
    }
}

/// The reverse: a shop with a secret takes no signature of a key pair, least of all one that the secret made.
#[test]
fn a_secret_is_no_key_pair() {
    let (by_secret, _) = tokens(secrets(SECRET, None));
    let (by_pair, _) = tokens(pair(1, None));
    let admin = holder(Role::Admin);
    assert_eq!(
        by_secret.verify(&issue(&by_pair, &admin)),
        Err(TokenError::Invalid)
    );
    assert_eq!(
        by_pair.verify(&issue(&by_secret, &admin)),
        Err(TokenError::Invalid)
    );
    let [header, claims, _] = parts(&issue(&by_secret, &admin));
    let mut header = read(&header);
    header["alg"] = "EdDSA".into();
    let signed = format!("{}.{claims}", write(&header));
    let seed: [u8; 32] = SECRET.as_bytes()[..32].try_into().unwrap();
    let signature = SigningKey::from_bytes(&seed).sign(signed.as_bytes());
    let forged = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature.to_bytes()));
    assert_eq!(by_secret.verify(&forged), Err(TokenError::Invalid));
}

#[test]
fn whoever_has_the_key_must_still_keep_to_the_form() {
    let (tokens, _) = tokens(secrets(SECRET, None));
    let [header, claims, _] = parts(&issue(&tokens, &holder(Role::Staff)));
    let (header, claims) = (read(&header), read(&claims));
    let verify =
        |header: &Value, claims: &Value| tokens.verify(&sign_by_secret(header, claims, SECRET.as_bytes()));
    assert!(verify(&header, &claims).is_ok());
    for (claim, value) in [
        ("iss", json!("other")),
        ("iss", json!(["https://shop.example"])),
        ("aud", json!("other")),
        ("aud", json!(["souk", "other"])),
        ("role", json!("god")),
        ("sub", json!("")),
        ("sub", json!("ann")),
        ("sid", json!("")),
        ("sid", claims["sub"].clone()),
        ("exp", json!("never")),
        ("exp", json!(1e300)),
        ("iat", json!(start().timestamp() + 3600)),
    ] {
        let mut claims = claims.clone();
        claims[claim] = value;
        assert_eq!(verify(&header, &claims), Err(TokenError::Invalid), "{claims}");
    }
    for claim in ["sub", "sid", "jti", "iss", "aud", "exp", "iat", "role"] {
        let mut claims = claims.clone();
        claims.as_object_mut().unwrap().remove(claim);
        assert_eq!(
            verify(&header, &claims),
            Err(TokenError::Invalid),
            "without {claim}"
        );
    }
    let kid = header["kid"].as_str().unwrap();
    for (field, value) in [
        ("alg", json!("HS512")),
        ("alg", json!("none")),
        ("typ", json!("JWT")),
        ("typ", Value::Null),
        ("kid", Value::Null),
        ("kid", json!("")),
        ("kid", json!(7)),
        ("kid", json!(&kid[..11])),
        ("kid", json!(format!("../{kid}"))),
        ("kid", json!("/dev/null")),
        ("kid", json!("' OR '1'='1")),
        ("kid", json!("\u{0}")),
        ("kid", json!("k".repeat(2000))),
    ] {
        let mut header = header.clone();
        header[field] = value;
        assert_eq!(verify(&header, &claims), Err(TokenError::Invalid), "{header}");
    }
    // A key that came along with the token proves nothing.
    let mut header = header;
    header["jwk"] = json!({"kty": "oct", "k": URL_SAFE_NO_PAD.encode("mine")});
    header["jku"] = json!("https://evil.example/jwks.json");
    header["kid"] = json!("mine");
    let forged = sign_by_secret(&header, &claims, b"mine");
    assert_eq!(tokens.verify(&forged), Err(TokenError::Invalid));
}

#[test]
fn a_pseudonym_takes_the_key_that_signs() {
    for (keys, others) in [
        (secrets(SECRET, None), secrets(OLD_SECRET, Some(SECRET))),
        (pair(1, None), pair(2, Some(1))),
    ] {
        let (one, other, again) = (tokens(keys.clone()).0, tokens(others).0, tokens(keys).0);
        let pseudonym = one.pseudonym("ann@example.com").unwrap();
        assert_eq!(pseudonym.len(), 32);
        assert_eq!(again.pseudonym("ann@example.com").unwrap(), pseudonym);
        assert_ne!(one.pseudonym("eve@example.com").unwrap(), pseudonym);
        assert_ne!(other.pseudonym("ann@example.com").unwrap(), pseudonym);
    }
}

#[test]
fn public_keys_are_shown_and_nothing_of_the_others() {
    let (by_pair, _) = tokens(pair(2, Some(1)));
    let shown = serde_json::to_value(by_pair.public_keys().unwrap()).unwrap();
    let keys = shown["keys"].as_array().unwrap();
    assert_eq!(keys.len(), 2);
    for (key, seed) in keys.iter().zip([2, 1]) {
        let public = SigningKey::from_bytes(&[seed; 32]).verifying_key();
        assert_eq!(
            (&key["kty"], &key["crv"], &key["alg"], &key["use"], &key["x"]),
            (
                &json!("OKP"),
                &json!("Ed25519"),
                &json!("EdDSA"),
                &json!("sig"),
                &json!(URL_SAFE_NO_PAD.encode(public.as_bytes()))
            )
        );
        assert_eq!(key["d"], Value::Null);
    }
    let private = SigningKey::from_bytes(&[2; 32]).to_pkcs8_der().unwrap();
    assert!(
        !shown
            .to_string()
            .contains(&URL_SAFE_NO_PAD.encode(private.as_bytes()))
    );
    let twice = serde_json::to_value(tokens(pair(1, Some(1))).0.public_keys().unwrap()).unwrap();
    assert_eq!(twice["keys"].as_array().unwrap().len(), 1);
    let (by_secret, _) = tokens(secrets(SECRET, Some(OLD_SECRET)));
    let none = serde_json::to_value(by_secret.public_keys().unwrap()).unwrap();
    assert_eq!(none, json!({"keys": []}));
}
