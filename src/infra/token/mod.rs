//! Access tokens: signed statements of who is asking, good for a short while. They are not stored: what takes one
//! back before its time is that its session has ended, which is known elsewhere.

mod kept;
mod keys;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Header, Validation, decode, decode_header, encode};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use keys::Keys;

use crate::infra::secret::digest;
use crate::kernel::actor::Role;
use crate::kernel::clock::Clock;
use crate::kernel::config::{DatabaseConfig, TokenConfig};
use crate::kernel::id::{SessionId, UserId};

/// What a token is, by RFC 9068: so that no other thing that we may sign one day passes for one.
const TYPE: &str = "at+jwt";

/// No honest token is longer; whatever is, is not even decoded.
const MAX_TOKEN_BYTES: usize = 4096;

/// How far ahead the clock of another instance may be that has just issued a token, in seconds.
const LEEWAY: i64 = 30;

/// 128 bits.
const PSEUDONYM_LENGTH: usize = 32;

#[derive(Debug, Serialize, Deserialize)]
struct Claims {
    sub: String,
    sid: String,
    role: Role,
    jti: String,
    iss: String,
    aud: String,
    iat: i64,
    exp: i64,
}

/// What an access token says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holder {
    pub user: UserId,
    pub session: SessionId,
    pub role: Role,
}

/// A token to hand out, once.
#[derive(Debug)]
pub struct AccessToken {
    pub token: SecretString,
    pub expires_at: DateTime<Utc>,
}

/// A token that was verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verified {
    pub holder: Holder,
    pub expires_at: DateTime<Utc>,
}

/// Why a token does not count. Which of these it is may be said; nothing else about it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    #[error("The access token has expired.")]
    Expired,
    #[error("The access token is not valid.")]
    Invalid,
    /// Signed out, or the role has changed since.
    #[error("The access token no longer counts: refresh it, or sign in again.")]
    Revoked,
}

/// Issues and verifies access tokens.
#[derive(Clone)]
pub struct Tokens {
    keys: Keys,
    issuer: String,
    audience: String,
    validation: Validation,
    /// In seconds.
    longest_life: i64,
    clock: Arc<dyn Clock>,
}

impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tokens")
    }
}

impl Tokens {
    /// With the configured keys or, where there are none (development), a secret that is kept beside the database.
    ///
    /// # Errors
    /// The secret's file cannot be read or written.
    pub fn of_config(
        token: &TokenConfig,
        database: &DatabaseConfig,
        clock: Arc<dyn Clock>,
    ) -> anyhow::Result<Self> {
        let keys = Keys::of_config(&token.keys, database)?;
        let mut validation = Validation::new(keys.algorithm());
        validation.set_audience(&[&token.audience]);
        validation.set_issuer(&[&token.issuer]);
        validation.set_required_spec_claims(&["sub", "iss", "aud", "exp"]);
        // Against our own clock, which a test can move: see `verify`.
        validation.validate_exp = false;
        Ok(Self {
            keys,
            issuer: token.issuer.clone(),
            audience: token.audience.clone(),
            validation,
            longest_life: seconds(token.longest_life),
            clock,
        })
    }

    /// # Errors
    /// The token cannot be signed; with a key that was read, it can.
    pub fn issue(&self, holder: &Holder, time_to_live: Duration) -> anyhow::Result<AccessToken> {
        let now = self.clock.now();
        // Whole seconds are all that a token can say.
        let exp = now.timestamp().saturating_add(seconds(time_to_live));
        let claims = Claims {
            sub: holder.user.to_string(),
            sid: holder.session.to_string(),
            role: holder.role,
            jti: uuid::Uuid::new_v4().simple().to_string(),
            iss: self.issuer.clone(),
            aud: self.audience.clone(),
            iat: now.timestamp(),
            exp,
        };
        let mut header = Header::new(self.keys.algorithm());
        header.typ = Some(TYPE.to_owned());
        header.kid = Some(self.keys.signing_id().to_owned());
        let token = encode(&header, &claims, self.keys.signing())?;
        Ok(AccessToken {
            token: SecretString::from(token),
            expires_at: time(exp),
        })
    }

    /// # Errors
    /// The token was not signed by us, has been tampered with, is not for us, or has expired.
    pub fn verify(&self, token: &str) -> Result<Verified, TokenError> {
        let claims = self.claims(token).ok_or(TokenError::Invalid)?;
        let user = claims.sub.parse().map_err(|_| TokenError::Invalid)?;
        let session = claims.sid.parse().map_err(|_| TokenError::Invalid)?;
        let now = self.clock.now().timestamp();
        if claims.iat > now.saturating_add(LEEWAY) {
            return Err(TokenError::Invalid);
        }
        // How long a token lives may have been cut since: what ended in the meantime is remembered no longer than that.
        let exp = claims.exp.min(claims.iat.saturating_add(self.longest_life));
        if exp <= now {
            return Err(TokenError::Expired);
        }
        Ok(Verified {
            holder: Holder {
                user,
                session,
                role: claims.role,
            },
            expires_at: time(exp),
        })
    }

    fn claims(&self, token: &str) -> Option<Claims> {
        if token.len() > MAX_TOKEN_BYTES {
            return None;
        }
        let header = decode_header(token).ok()?;
        if header.typ.as_deref() != Some(TYPE) {
            return None;
        }
        let key = self.keys.find(header.kid.as_deref()?)?;
        Some(decode(token, key, &self.validation).ok()?.claims)
    }

    /// The same for the same text, and of no use to whoever would try out texts: it takes the key that signs.
    ///
    /// # Errors
    /// The text cannot be signed; with a key that was read, it can.
    pub fn pseudonym(&self, text: &str) -> anyhow::Result<String> {
        let mut pseudonym = digest(&self.keys.mac(text)?);
        pseudonym.truncate(PSEUDONYM_LENGTH);
        Ok(pseudonym)
    }

    /// The public keys, for services that verify our tokens themselves; none with a secret.
    ///
    /// # Errors
    /// A key cannot be written as one, which those that were read can.
    pub fn public_keys(&self) -> anyhow::Result<JwkSet> {
        self.keys.public()
    }
}

fn seconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_secs()).unwrap_or(i64::MAX)
}

fn time(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(seconds, 0).unwrap_or(DateTime::<Utc>::MAX_UTC)
}
