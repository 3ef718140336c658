//! Access tokens: signed statements of who is asking, good for a short while. They are not stored, so
//! none can be taken back; that is why they are short-lived.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};

use crate::kernel::actor::{Actor, Role};
use crate::kernel::clock::Clock;
use crate::kernel::config::{DatabaseConfig, TokenConfig};

/// Who signs, and for whom: a token of another system that happens to share the secret is not ours.
const PARTY: &str = "souk";

/// No honest token is longer; whatever is, is not even decoded.
const MAX_TOKEN_BYTES: usize = 4096;
/// As OpenID Connect has it. Together with an idempotency key it has to fit into a row of an index.
const MAX_SUBJECT: usize = 255;

const SECRET_FILE: &str = "souk.secret";
const MIN_KEPT_BYTES: usize = 32;

#[derive(Debug, Serialize, Deserialize)]
struct Claims {
    sub: String,
    role: Role,
    iss: String,
    aud: String,
    iat: i64,
    exp: i64,
}

/// Why a token does not count. Which of the two it is may be said; nothing else about it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    #[error("The access token has expired.")]
    Expired,
    #[error("The access token is not valid.")]
    Invalid,
}

/// Issues and verifies access tokens (HS256).
#[derive(Clone)]
pub struct Tokens {
    signing: EncodingKey,
    /// The current secret, then the previous one.
    verifying: Vec<DecodingKey>,
    clock: Arc<dyn Clock>,
}

impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tokens")
    }
}

impl Tokens {
    pub fn new(secret: &SecretString, previous: Option<&SecretString>, clock: Arc<dyn Clock>) -> Self {
        let verifying = std::iter::once(secret)
            .chain(previous)
            .map(|secret| DecodingKey::from_secret(secret.expose_secret().as_bytes()))
            .collect();
        Self {
            signing: EncodingKey::from_secret(secret.expose_secret().as_bytes()),
            verifying,
            clock,
        }
    }

    /// With the configured secret or, where none is set (development), the one that is kept beside
    /// the database, made when it is first needed.
    ///
    /// # Errors
    /// The secret's file cannot be read or written.
    pub fn of_config(
        token: &TokenConfig,
        database: &DatabaseConfig,
        clock: Arc<dyn Clock>,
    ) -> anyhow::Result<Self> {
        let secret = match &token.secret {
            Some(secret) => secret.clone(),
            None => kept_secret(&secret_file(database))?,
        };
        Ok(Self::new(&secret, token.previous_secret.as_ref(), clock))
    }

    /// # Errors
    /// The token cannot be signed; with a secret of any length, it can.
    pub fn issue(&self, subject: &str, role: Role, time_to_live: Duration) -> anyhow::Result<String> {
        let iat = self.clock.now().timestamp();
        let exp = iat.saturating_add(i64::try_from(time_to_live.as_secs()).unwrap_or(i64::MAX));
        let claims = Claims {
            sub: subject.to_owned(),
            role,
            iss: PARTY.to_owned(),
            aud: PARTY.to_owned(),
            iat,
            exp,
        };
        Ok(encode(&Header::new(Algorithm::HS256), &claims, &self.signing)?)
    }

    /// # Errors
    /// The token was not signed by us, has been tampered with, or has expired.
    pub fn verify(&self, token: &str) -> Result<Actor, TokenError> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(TokenError::Invalid);
        }
        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_audience(&[PARTY]);
        validation.set_issuer(&[PARTY]);
        validation.set_required_spec_claims(&["sub", "iss", "aud", "exp"]);
        // Against our own clock, which a test can move, further down.
        validation.validate_exp = false;
        let claims = self
            .verifying
            .iter()
            .find_map(|key| decode::<Claims>(token, key, &validation).ok())
            .ok_or(TokenError::Invalid)?
            .claims;
        if !(1..=MAX_SUBJECT).contains(&claims.sub.chars().count()) {
            return Err(TokenError::Invalid);
        }
        if claims.exp <= self.clock.now().timestamp() {
            return Err(TokenError::Expired);
        }
        Ok(Actor::User {
            subject: claims.sub,
            role: claims.role,
        })
    }
}

/// Beside the SQLite file, or in the working directory.
fn secret_file(database: &DatabaseConfig) -> PathBuf {
    let url = database.url.expose_secret();
    let file = url
        .strip_prefix("sqlite://")
        .or_else(|| url.strip_prefix("sqlite:"));
    let file = file.map(|file| file.split_once('?').map_or(file, |(file, _)| file));
    match file.and_then(|file| Path::new(file).parent()) {
        Some(folder) => folder.join(SECRET_FILE),
        None => PathBuf::from(SECRET_FILE),
    }
}

fn kept_secret(file: &Path) -> anyhow::Result<SecretString> {
    use anyhow::Context as _;

    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(file) {
        Ok(mut new) => {
            let secret = random_secret();
            new.write_all(secret.as_bytes())
                .with_context(|| format!("cannot write {}", file.display()))?;
            Ok(SecretString::from(secret))
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            // Another process may have made the file and be about to write to it.
            for _ in 0..20 {
                let secret = std::fs::read_to_string(file)
                    .with_context(|| format!("cannot read {}", file.display()))?;
                if secret.trim().len() >= MIN_KEPT_BYTES {
                    return Ok(SecretString::from(secret.trim()));
                }
                std::thread::sleep(Duration::from_millis(10));
            }
            anyhow::bail!("{} is damaged: delete it, and start again", file.display())
        }
        Err(error) => Err(error).with_context(|| format!("cannot create {}", file.display())),
    }
}

/// 244 random bits of the operating system, as text.
fn random_secret() -> String {
    let (a, b) = (uuid::Uuid::new_v4(), uuid::Uuid::new_v4());
    URL_SAFE_NO_PAD.encode([a.into_bytes(), b.into_bytes()].concat())
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Utc};

    use super::*;
    use crate::kernel::clock::ManualClock;

    fn start() -> DateTime<Utc> {
        DateTime::from_timestamp(1_760_000_000, 0).unwrap()
    }

    fn tokens(secret: &str, previous: Option<&str>) -> (Tokens, Arc<ManualClock>) {
        let clock = Arc::new(ManualClock::at(start()));
        let previous = previous.map(SecretString::from);
        (
            Tokens::new(&SecretString::from(secret), previous.as_ref(), clock.clone()),
            clock,
        )
    }

    const SECRET: &str = "a secret of at least thirty-two bytes";
    const HOUR: Duration = Duration::from_secs(3600);

    #[test]
    fn a_token_names_its_holder_until_it_expires() {
        let (tokens, clock) = tokens(SECRET, None);
        let token = tokens.issue("ann", Role::Staff, HOUR).unwrap();
        let ann = Actor::User {
            subject: "ann".to_owned(),
            role: Role::Staff,
        };
        assert_eq!(tokens.verify(&token), Ok(ann.clone()));
        clock.advance(chrono::Duration::seconds(3599));
        assert_eq!(tokens.verify(&token), Ok(ann));
        clock.advance(chrono::Duration::seconds(1));
        assert_eq!(tokens.verify(&token), Err(TokenError::Expired));
    }

    #[test]
    fn the_previous_secret_still_verifies_and_no_longer_signs() {
        let (old, _) = tokens("the secret of last year, long enough", None);
        let (new, _) = tokens(SECRET, Some("the secret of last year, long enough"));
        assert!(new.verify(&old.issue("ann", Role::Admin, HOUR).unwrap()).is_ok());
        assert_eq!(
            old.verify(&new.issue("ann", Role::Admin, HOUR).unwrap()),
            Err(TokenError::Invalid)
        );
    }

    #[test]
    fn what_we_did_not_sign_is_refused() {
        let (tokens, _) = tokens(SECRET, None);
        let good = tokens.issue("ann", Role::Customer, HOUR).unwrap();
        let [header, claims, signature] = good.split('.').collect::<Vec<_>>().try_into().unwrap();
        let admin = URL_SAFE_NO_PAD.encode(
            String::from_utf8(URL_SAFE_NO_PAD.decode(claims).unwrap())
                .unwrap()
                .replace("customer", "admin"),
        );
        let none = URL_SAFE_NO_PAD.encode(r#"{"alg":"none","typ":"JWT"}"#);
        let bad = [
            String::new(),
            "x".to_owned(),
            format!("{header}.{admin}.{signature}"),
            format!("{none}.{claims}."),
            format!("{none}.{claims}.{signature}"),
            format!("{good}{}", "x".repeat(MAX_TOKEN_BYTES)),
        ];
        for token in bad {
            assert_eq!(tokens.verify(&token), Err(TokenError::Invalid), "{token}");
        }
    }

    #[test]
    fn other_algorithms_and_other_parties_are_refused_even_with_the_right_secret() {
        let (tokens, _) = tokens(SECRET, None);
        let exp = start().timestamp() + 60;
        let ours = serde_json::json!({"sub": "ann", "role": "staff", "iss": "souk", "aud": "souk", "iat": 0, "exp": exp});
        let sign = |algorithm, claims: &serde_json::Value| {
            encode(
                &Header::new(algorithm),
                claims,
                &EncodingKey::from_secret(SECRET.as_bytes()),
            )
            .unwrap()
        };
        assert!(tokens.verify(&sign(Algorithm::HS256, &ours)).is_ok());
        assert_eq!(
            tokens.verify(&sign(Algorithm::HS512, &ours)),
            Err(TokenError::Invalid)
        );
        for (claim, value) in [("iss", "other"), ("aud", "other"), ("role", "god"), ("sub", "")] {
            let mut claims = ours.clone();
            claims[claim] = value.into();
            assert_eq!(
                tokens.verify(&sign(Algorithm::HS256, &claims)),
                Err(TokenError::Invalid),
                "{claim}"
            );
        }
        for claim in ["sub", "iss", "aud", "exp", "role"] {
            let mut claims = ours.clone();
            claims.as_object_mut().unwrap().remove(claim);
            assert_eq!(
                tokens.verify(&sign(Algorithm::HS256, &claims)),
                Err(TokenError::Invalid),
                "without {claim}"
            );
        }
    }

    #[test]
    fn the_secret_is_made_once_and_only_its_owner_may_read_it() {
        let folder = tempfile::tempdir().unwrap();
        let database = DatabaseConfig {
            url: format!("sqlite://{}/souk.db?mode=rwc", folder.path().display()).into(),
            replica_url: None,
            connections: 1,
            auto_migrate: true,
            statement_timeout: None,
        };
        let file = secret_file(&database);
        assert_eq!(file, folder.path().join("souk.secret"));
        let first = kept_secret(&file).unwrap();
        assert!(first.expose_secret().len() >= 42);
        assert_eq!(kept_secret(&file).unwrap().expose_secret(), first.expose_secret());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(
                std::fs::metadata(&file).unwrap().permissions().mode() & 0o777,
                0o600
            );
        }
        std::fs::write(&file, "short").unwrap();
        assert!(kept_secret(&file).unwrap_err().to_string().contains("damaged"));
    }
}
