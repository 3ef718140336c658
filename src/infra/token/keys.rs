//! The keys of access tokens. All are of one algorithm, and each is found by its id alone: what a token says about
//! itself never chooses how it is checked.

use jsonwebtoken::jwk::{Jwk, JwkSet, PublicKeyUse, ThumbprintHash};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, crypto};
use secrecy::{ExposeSecret as _, SecretString};

use ed25519_dalek::VerifyingKey;
use ed25519_dalek::pkcs8::EncodePrivateKey as _;

use super::kept;
use crate::kernel::config::{DatabaseConfig, KeyConfig};

/// Of the id of a secret: 72 bits.
const SECRET_ID_LENGTH: usize = 12;

/// Verifies the tokens that name it.
#[derive(Clone)]
struct Key {
    id: String,
    verifying: DecodingKey,
}

/// What signs, and everything that verifies: the current key, and one of before or after it.
#[derive(Clone)]
pub(super) struct Keys {
    algorithm: Algorithm,
    signing: EncodingKey,
    current: Key,
    other: Option<Key>,
}

impl Keys {
    /// # Errors
    /// The secret that development keeps cannot be read or written.
    pub(super) fn of_config(config: &KeyConfig, database: &DatabaseConfig) -> anyhow::Result<Self> {
        match config {
            KeyConfig::Secret {
                current: Some(current),
                previous,
            } => Self::of_secret(current, previous.as_ref()),
            KeyConfig::Secret {
                current: None,
                previous,
            } => Self::of_secret(&kept::secret(database)?, previous.as_ref()),
            KeyConfig::Pair { current, previous } => Ok(Self {
                algorithm: Algorithm::EdDSA,
                signing: EncodingKey::from_ed_der(current.to_pkcs8_der()?.as_bytes()),
                current: Key::of_public(&current.verifying_key())?,
                other: previous.as_ref().map(Key::of_public).transpose()?,
            }),
        }
    }

    fn of_secret(current: &SecretString, previous: Option<&SecretString>) -> anyhow::Result<Self> {
        Ok(Self {
            algorithm: Algorithm::HS256,
            signing: EncodingKey::from_secret(current.expose_secret().as_bytes()),
            current: Key::of_secret(current)?,
            other: previous.map(Key::of_secret).transpose()?,
        })
    }

    pub(super) fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    pub(super) fn signing(&self) -> &EncodingKey {
        &self.signing
    }

    pub(super) fn signing_id(&self) -> &str {
        &self.current.id
    }

    /// Of a text, made with the key that signs. No token has this beginning, which has spaces.
    pub(super) fn mac(&self, text: &str) -> anyhow::Result<String> {
        let text = format!("not a token: {text}");
        Ok(crypto::sign(text.as_bytes(), &self.signing, self.algorithm)?)
    }

    pub(super) fn find(&self, id: &str) -> Option<&DecodingKey> {
        self.all().find(|key| key.id == id).map(|key| &key.verifying)
    }

    /// What others may have, to verify our tokens: nothing of a secret.
    ///
    /// # Errors
    /// A key cannot be written as one, which those that were read can.
    pub(super) fn public(&self) -> anyhow::Result<JwkSet> {
        let mut keys = Vec::new();
        if self.algorithm == Algorithm::EdDSA {
            for key in self.all() {
                let mut public = Jwk::from_decoding_key(&key.verifying, Some(self.algorithm))?;
                public.common.key_id = Some(key.id.clone());
                public.common.public_key_use = Some(PublicKeyUse::Signature);
                keys.push(public);
            }
            keys.dedup();
        }
        Ok(JwkSet { keys })
    }

    fn all(&self) -> impl Iterator<Item = &Key> {
        std::iter::once(&self.current).chain(&self.other)
    }
}

impl Key {
    /// Everyone may see the id, so it is made by a function of the secret that yields nothing about it.
    fn of_secret(secret: &SecretString) -> anyhow::Result<Self> {
        let secret = secret.expose_secret().as_bytes();
        // No token is signed by this text, which has no dots.
        let mut id = crypto::sign(
            b"the id of this secret",
            &EncodingKey::from_secret(secret),
            Algorithm::HS256,
        )?;
        id.truncate(SECRET_ID_LENGTH);
        Ok(Self {
            id,
            verifying: DecodingKey::from_secret(secret),
        })
    }

    /// By the thumbprint of RFC 7638, which others can compute too.
    fn of_public(key: &VerifyingKey) -> anyhow::Result<Self> {
        let verifying = DecodingKey::from_ed_der(key.as_bytes());
        let id = Jwk::from_decoding_key(&verifying, None)?.thumbprint(ThumbprintHash::SHA256)?;
        Ok(Self { id, verifying })
    }
}
