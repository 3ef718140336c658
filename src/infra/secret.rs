//! Random secrets, and what is stored of them: only hashes.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac as _};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};

use crate::kernel::error::{Error, Result};

/// 256 random bits, as text.
///
/// # Errors
/// The system has no randomness to give.
pub fn random() -> Result<SecretString> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes)
        .map_err(|error| Error::internal(anyhow::anyhow!("no randomness: {error}")))?;
    Ok(SecretString::from(URL_SAFE_NO_PAD.encode(bytes)))
}

/// SHA-256 in hexadecimal: enough for what is random, too fast for what people think up.
pub fn digest(text: &str) -> String {
    format!("{:x}", Sha256::digest(text))
}

/// Whether two texts are equal, in a time that does not tell how much of them is.
pub fn equal(one: &str, other: &str) -> bool {
    // Of unequal length they are of unequal origin, which is no secret.
    one.len() == other.len()
        && std::hint::black_box(
            one.bytes()
                .zip(other.bytes())
                .fold(0, |difference, (one, other)| difference | (one ^ other)),
        ) == 0
}

/// A secret that takes two others to make.
///
/// # Errors
/// None that can happen: HMAC takes keys of any length.
pub fn derive(key: &str, secret: &SecretString) -> Result<SecretString> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).map_err(Error::internal)?;
    mac.update(secret.expose_secret().as_bytes());
    Ok(SecretString::from(
        URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_differ_and_are_long_enough() {
        let (one, other) = (random().unwrap(), random().unwrap());
        assert_ne!(one.expose_secret(), other.expose_secret());
        assert_eq!(URL_SAFE_NO_PAD.decode(one.expose_secret()).unwrap().len(), 32);
    }

    #[test]
    fn equal_is_equal_alone() {
        assert!(equal("abc", "abc") && equal("", ""));
        assert!(!equal("abc", "abd") && !equal("abc", "ab") && !equal("bbc", "abc"));
    }

    #[test]
    fn what_is_derived_depends_on_both() {
        let derived =
            |key: &str, secret: &str| derive(key, &secret.into()).unwrap().expose_secret().to_owned();
        assert_eq!(derived("a", "b"), derived("a", "b"));
        assert_ne!(derived("a", "b"), derived("a", "c"));
        assert_ne!(derived("a", "b"), derived("c", "b"));
        assert_eq!(
            digest(""),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
    }
}
