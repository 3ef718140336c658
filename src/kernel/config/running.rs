//! Settings of many instances: what they share, what one caller may take, and how they are watched.

use std::path::PathBuf;

use secrecy::SecretString;
use url::Url;

use super::parse::{self, ConfigError};
use super::settings::Reader;
use super::{RatesConfig, RedisConfig, TlsConfig};

pub(super) fn redis(reader: &Reader<'_>) -> Result<Option<RedisConfig>, ConfigError> {
    let Some(url) = reader.optional("REDIS_URL") else {
        return Ok(None);
    };
    // Without the address, which may hold a password.
    let sound = Url::parse(url).is_ok_and(|url| matches!(url.scheme(), "redis" | "rediss"));
    if !sound {
        let reason = "must be redis://HOST, redis://:PASSWORD@HOST/0 or rediss://… for TLS";
        return Err(ConfigError::bad("REDIS_URL", reason));
    }
    Ok(Some(RedisConfig {
        url: SecretString::from(url),
    }))
}

pub(super) fn rates(reader: &Reader<'_>) -> Result<RatesConfig, ConfigError> {
    let rate = |name: &str| parse::rate(name, reader.text(name));
    Ok(RatesConfig {
        api: rate("SOUK_RATE_LIMIT_API")?,
        staff: rate("SOUK_RATE_LIMIT_STAFF")?,
        payments: rate("SOUK_RATE_LIMIT_PAYMENTS")?,
    })
}

pub(super) fn tls(reader: &Reader<'_>) -> Result<Option<TlsConfig>, ConfigError> {
    let file = |name: &str| reader.optional(name).map(PathBuf::from);
    match (file("SOUK_TLS_CERTIFICATE"), file("SOUK_TLS_KEY")) {
        (Some(certificate), Some(key)) => Ok(Some(TlsConfig { certificate, key })),
        (None, None) => Ok(None),
        (Some(_), None) => Err(ConfigError::bad(
            "SOUK_TLS_KEY",
            "must be set with SOUK_TLS_CERTIFICATE",
        )),
        (None, Some(_)) => Err(ConfigError::bad(
            "SOUK_TLS_CERTIFICATE",
            "must be set with SOUK_TLS_KEY",
        )),
    }
}

pub(super) fn traces(reader: &Reader<'_>) -> Result<Option<Url>, ConfigError> {
    const NAME: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
    let Some(text) = reader.optional(NAME) else {
        return Ok(None);
    };
    match Url::parse(text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") => Ok(Some(url)),
        _ => Err(ConfigError::bad(
            NAME,
            "must be an address such as http://localhost:4318",
        )),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::kernel::config::{Config, Source};

    #[test]
    fn a_bad_setting_is_named() {
        for (name, value) in [
            ("REDIS_URL", "localhost:6379"),
            ("REDIS_URL", "http://localhost"),
            ("SOUK_RATE_LIMIT_API", "many"),
            ("SOUK_RATE_LIMIT_PAYMENTS", "10"),
            ("SOUK_TLS_KEY", "key.pem"),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector"),
        ] {
            let environment = [(name.to_owned(), value.to_owned())];
            let source = Source::read(environment, Path::new("/nonexistent")).unwrap();
            let error = Config::from_source(&source).unwrap_err().to_string();
            let named = name.trim_end_matches("KEY");
            assert!(error.starts_with(named), "{name}={value}: {error}");
        }
    }
}
