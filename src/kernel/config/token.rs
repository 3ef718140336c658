//! The settings of access tokens: whose they are, and the keys that they are signed with.

use std::time::Duration;

use ed25519_dalek::pkcs8::{DecodePrivateKey as _, DecodePublicKey as _};
use ed25519_dalek::{SigningKey, VerifyingKey};
use secrecy::SecretString;
use url::Url;

use super::parse::ConfigError;
use super::settings::Reader;
use super::{Environment, KeyConfig, TokenConfig};

const MIN_SECRET_BYTES: usize = 32;

/// Of a random key half as many differ hardly ever.
const MIN_DIFFERENT: usize = 8;

/// A token repeats both, and is not to grow beyond what is read of one.
const MAX_PARTY_BYTES: usize = 255;

pub(super) fn token(
    reader: &Reader<'_>,
    environment: Environment,
    public_url: &Url,
    longest_life: Duration,
) -> Result<TokenConfig, ConfigError> {
    let origin = public_url.origin().ascii_serialization();
    Ok(TokenConfig {
        keys: keys(reader, environment)?,
        longest_life,
        issuer: party(reader, "SOUK_JWT_ISSUER", &origin)?,
        audience: party(reader, "SOUK_JWT_AUDIENCE", "")?,
    })
}

fn party(reader: &Reader<'_>, name: &str, default: &str) -> Result<String, ConfigError> {
    let text = reader.optional(name).unwrap_or(default);
    if text.len() > MAX_PARTY_BYTES {
        let reason = format!("has more than {MAX_PARTY_BYTES} bytes");
        return Err(ConfigError::bad(name, reason));
    }
    Ok(text.to_owned())
}

/// One algorithm at a time: a key of the other kind beside the current one is a mistake, and not a small one.
fn keys(reader: &Reader<'_>, environment: Environment) -> Result<KeyConfig, ConfigError> {
    let only_beside = |name: &str, other: &str| {
        let reason = format!("means nothing without {other}: tokens of one algorithm only are accepted");
        match reader.optional(name) {
            Some(_) => Err(ConfigError::bad(name, reason)),
            None => Ok(()),
        }
    };
    let secret = secret(reader, "SOUK_JWT_SECRET")?;
    if let Some(current) = private_key(reader, "SOUK_JWT_PRIVATE_KEY")? {
        if reader.optional("SOUK_JWT_PREVIOUS_SECRET").is_some() {
            let reason =
                "cannot stand beside SOUK_JWT_PRIVATE_KEY: tokens of one algorithm only are accepted";
            return Err(ConfigError::bad("SOUK_JWT_PREVIOUS_SECRET", reason));
        }
        let previous = public_key(reader, "SOUK_JWT_PREVIOUS_PUBLIC_KEY")?;
        return Ok(KeyConfig::Pair {
            current: Box::new(current),
            previous,
        });
    }
    only_beside("SOUK_JWT_PREVIOUS_PUBLIC_KEY", "SOUK_JWT_PRIVATE_KEY")?;
    if secret.is_none() && environment == Environment::Production {
        return Err(ConfigError::bad(
            "SOUK_JWT_SECRET",
            "must be set in production: 32 random bytes, e.g. of `openssl rand -hex 32`",
        ));
    }
    Ok(KeyConfig::Secret {
        current: secret,
        previous: self::secret(reader, "SOUK_JWT_PREVIOUS_SECRET")?,
    })
}

fn secret(reader: &Reader<'_>, name: &str) -> Result<Option<SecretString>, ConfigError> {
    match reader.optional(name) {
        None => Ok(None),
        Some(text) if text.len() < MIN_SECRET_BYTES => Err(ConfigError::bad(
            name,
            format!("must have at least {MIN_SECRET_BYTES} bytes"),
        )),
        // One letter over and over, or a phrase out of a manual, is no secret.
        Some(text) if weak(text) => Err(ConfigError::bad(
            name,
            "is easy to guess: take 32 random bytes, e.g. of `openssl rand -hex 32`",
        )),
        Some(text) => Ok(Some(SecretString::from(text))),
    }
}

fn weak(secret: &str) -> bool {
    let lower = secret.to_ascii_lowercase();
    different(secret.chars()) < MIN_DIFFERENT
        || repeats(secret.as_bytes())
        || ["changeme", "change-me", "password", "secret-secret", "your-"]
            .iter()
            .any(|w| lower.contains(w))
}

/// Whether it is a shorter text over and over, which may well be the alphabet.
fn repeats(secret: &[u8]) -> bool {
    (1..=secret.len() / 2).any(|period| secret.iter().zip(secret.iter().skip(period)).all(|(a, b)| a == b))
}

fn different<T: Ord>(items: impl Iterator<Item = T>) -> usize {
    items.collect::<std::collections::BTreeSet<T>>().len()
}

fn private_key(reader: &Reader<'_>, name: &str) -> Result<Option<SigningKey>, ConfigError> {
    let Some(pem) = pem(reader, name) else {
        return Ok(None);
    };
    // The library's own words might repeat some of the key.
    let key = SigningKey::from_pkcs8_pem(&pem).map_err(|_| {
        let reason =
            "is no Ed25519 private key as PKCS#8 PEM: make one by `openssl genpkey -algorithm ed25519`";
        ConfigError::bad(name, reason)
    })?;
    if different(key.as_bytes().iter()) < MIN_DIFFERENT {
        let reason = "is easy to guess: make a key by `openssl genpkey -algorithm ed25519`";
        return Err(ConfigError::bad(name, reason));
    }
    Ok(Some(key))
}

fn public_key(reader: &Reader<'_>, name: &str) -> Result<Option<VerifyingKey>, ConfigError> {
    let Some(pem) = pem(reader, name) else {
        return Ok(None);
    };
    match VerifyingKey::from_public_key_pem(&pem) {
        // Under a weak one there are signatures that nobody made.
        Ok(key) if !key.is_weak() => Ok(Some(key)),
        Ok(_) | Err(_) => {
            let reason =
                "is no Ed25519 public key as PEM: `openssl pkey -pubout` makes it of the private one";
            Err(ConfigError::bad(name, reason))
        }
    }
}

/// Many places that settings come from know no text of several lines.
fn pem(reader: &Reader<'_>, name: &str) -> Option<String> {
    reader.optional(name).map(|text| text.replace("\\n", "\n"))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::kernel::config::{Config, Source};

    const SECRET: &str = "f2b7c0d94e6a18355d7fa1c3b8e09264";
    const PRIVATE: &str = "-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIDAb2yyfAqIAcxJCMD3awPHXhMTCxXkbFg+xKKqgLBBC
-----END PRIVATE KEY-----";
    const PUBLIC: &str = "-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEAHoE698ZIwhNMeUfv46DDe9A12OMIDMemwmn0qgtR0Bc=
-----END PUBLIC KEY-----";

    fn with(settings: &[(&str, &str)]) -> Result<TokenConfig, ConfigError> {
        let environment = settings
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let source = Source::read(environment, Path::new("/nonexistent"))?;
        Config::from_source(&source).map(|config| config.token)
    }

    #[test]
    fn a_key_that_cannot_be_used_is_named_in_one_line_and_never_shown() {
        let flat = |pem: &str| pem.replace('\n', " ");
        let zeros = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n-----END PRIVATE KEY-----";
        let small_order = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n-----END PUBLIC KEY-----";
        let ec = "-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgk/usajKDIYTaHyY3\nzw9qGehTBKvjI+Xf/bXQQ/8ApRqhRANCAARlwMCPLrAo2nfhI7AWuvTKMmatkGIu\nXQUSyjyCbw26xHPN3g+yxOZvphvORKqxMx8SCOC/IoJItR9gBp8rO4YT\n-----END PRIVATE KEY-----";
        let pair = ("SOUK_JWT_PRIVATE_KEY", PRIVATE);
        let long = "x".repeat(256);
        for (beside, name, value) in [
            (None, "SOUK_JWT_SECRET", "short"),
            (None, "SOUK_JWT_SECRET", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
            (None, "SOUK_JWT_SECRET", "abcdefghijkabcdefghijkabcdefghijkabc"),
            (Some(pair), "SOUK_JWT_SECRET", "short"),
            (None, "SOUK_JWT_PREVIOUS_SECRET", "short"),
            (None, "SOUK_JWT_PRIVATE_KEY", "nonsense"),
            (None, "SOUK_JWT_PRIVATE_KEY", &PRIVATE[..80]),
            (None, "SOUK_JWT_PRIVATE_KEY", &flat(PRIVATE)),
            (None, "SOUK_JWT_PRIVATE_KEY", PUBLIC),
            (None, "SOUK_JWT_PRIVATE_KEY", zeros),
            (None, "SOUK_JWT_PRIVATE_KEY", ec),
            (None, "SOUK_JWT_PREVIOUS_PUBLIC_KEY", PUBLIC),
            (Some(pair), "SOUK_JWT_PREVIOUS_PUBLIC_KEY", PRIVATE),
            (Some(pair), "SOUK_JWT_PREVIOUS_PUBLIC_KEY", small_order),
            (Some(pair), "SOUK_JWT_PREVIOUS_SECRET", SECRET),
            (None, "SOUK_JWT_ISSUER", &long),
            (None, "SOUK_JWT_AUDIENCE", &long),
        ] {
            let settings: Vec<_> = beside.into_iter().chain([(name, value)]).collect();
            let error = with(&settings).unwrap_err().to_string();
            assert!(error.starts_with(&format!("{name}: ")), "{name}={value}: {error}");
            assert!(!error.contains('\n') && !error.contains("MC4CAQAwBQ"), "{error}");
        }
    }

    #[test]
    fn production_asks_for_a_key() {
        let production = ("SOUK_ENV", "production");
        let refused = with(&[production]).unwrap_err().to_string();
        assert!(refused.starts_with("SOUK_JWT_SECRET: "), "{refused}");
        let secret = with(&[production, ("SOUK_JWT_SECRET", SECRET)]).unwrap();
        assert!(matches!(
            secret.keys,
            KeyConfig::Secret {
                current: Some(_),
                previous: None
            }
        ));
        let pair = with(&[production, ("SOUK_JWT_PRIVATE_KEY", PRIVATE)]).unwrap();
        assert!(matches!(pair.keys, KeyConfig::Pair { previous: None, .. }));
    }

    #[test]
    fn a_key_may_stand_on_one_line_and_is_not_shown() {
        let line = |pem: &str| pem.replace('\n', "\\n");
        let config = with(&[
            ("SOUK_JWT_PRIVATE_KEY", &line(PRIVATE)),
            ("SOUK_JWT_PREVIOUS_PUBLIC_KEY", &line(PUBLIC)),
            ("SOUK_JWT_SECRET", SECRET),
        ])
        .unwrap();
        assert!(matches!(
            config.keys,
            KeyConfig::Pair {
                previous: Some(_),
                ..
            }
        ));
        let shown = format!("{config:?}");
        assert!(
            !shown.contains("48, 27, 219, 44") && !shown.contains(SECRET),
            "{shown}"
        );
    }

    #[test]
    fn the_issuer_is_the_public_address_unless_it_is_set() {
        let public = ("SOUK_PUBLIC_URL", "https://api.shop.example/souk/");
        let config = with(&[public]).unwrap();
        assert_eq!(
            (&*config.issuer, &*config.audience),
            ("https://api.shop.example", "souk")
        );
        let set = [
            public,
            ("SOUK_JWT_ISSUER", "shop"),
            ("SOUK_JWT_AUDIENCE", "shops"),
        ];
        let config = with(&set).unwrap();
        assert_eq!((&*config.issuer, &*config.audience), ("shop", "shops"));
    }
}
