//! Settings of signing in.

use std::time::Duration;

use super::parse::{self, ConfigError};
use super::settings::Reader;
use super::{AccountsConfig, Environment, PasswordConfig};

/// A token that outlives this is not worth taking back.
const LONGEST_ACCESS: Duration = Duration::from_secs(60 * 60);

const KIB_PER_MIB: u32 = 1024;

pub(super) fn accounts(reader: &Reader<'_>, environment: Environment) -> Result<AccountsConfig, ConfigError> {
    let life = |name: &str| match reader.duration(name)? {
        // Whole seconds are all that a token can say.
        life if life < Duration::from_secs(1) => Err(ConfigError::bad(name, "must be at least 1s")),
        life => Ok(life),
    };
    let access_token_life = life("SOUK_ACCESS_TOKEN_LIFE")?;
    if environment == Environment::Production && access_token_life > LONGEST_ACCESS {
        return Err(ConfigError::bad(
            "SOUK_ACCESS_TOKEN_LIFE",
            "must be 1h at most in production",
        ));
    }
    let rate = |name: &str| parse::rate(name, reader.text(name));
    Ok(AccountsConfig {
        access_token_life,
        refresh_token_life: life("SOUK_REFRESH_TOKEN_LIFE")?,
        refresh_grace: reader.duration("SOUK_REFRESH_GRACE")?,
        attempts: rate("SOUK_RATE_LIMIT_AUTH")?,
        registrations: rate("SOUK_RATE_LIMIT_REGISTRATION")?,
        demo: environment == Environment::Development,
    })
}

pub(super) fn password(reader: &Reader<'_>, environment: Environment) -> Result<PasswordConfig, ConfigError> {
    let lanes: u32 = reader.number("SOUK_PASSWORD_LANES")?;
    let iterations: u32 = reader.number("SOUK_PASSWORD_ITERATIONS")?;
    let memory_kib = u32::try_from(reader.bytes("SOUK_PASSWORD_MEMORY")? / 1024).unwrap_or(u32::MAX);
    // Argon2 itself wants 8 KiB for each lane.
    if lanes > 64 || memory_kib < lanes.saturating_mul(8) || memory_kib > 4 * 1024 * KIB_PER_MIB {
        return Err(ConfigError::bad(
            "SOUK_PASSWORD_MEMORY",
            "must be between 8KiB for each of SOUK_PASSWORD_LANES (64 at most) and 4GiB",
        ));
    }
    // OWASP takes 46 MiB once, 19 twice, 12 three times, 9 four times and 7 five times for equally good.
    let work = memory_kib.saturating_mul(iterations);
    if environment == Environment::Production && (work < 35 * KIB_PER_MIB || memory_kib < 7 * KIB_PER_MIB) {
        return Err(ConfigError::bad(
            "SOUK_PASSWORD_MEMORY",
            "must be at least 7MiB in production, and at least 35MiB when multiplied with SOUK_PASSWORD_ITERATIONS",
        ));
    }
    Ok(PasswordConfig {
        memory_kib,
        iterations,
        lanes,
        threads: threads(reader)?,
        queue: queue(reader)?,
    })
}

fn threads(reader: &Reader<'_>) -> Result<usize, ConfigError> {
    if reader.optional("SOUK_PASSWORD_THREADS").is_some() {
        return reader.number("SOUK_PASSWORD_THREADS");
    }
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    Ok((cores / 2).max(1))
}

fn queue(reader: &Reader<'_>) -> Result<usize, ConfigError> {
    const MOST: usize = 100_000;
    let queue: usize = reader.number("SOUK_PASSWORD_QUEUE")?;
    if queue > MOST {
        return Err(ConfigError::bad(
            "SOUK_PASSWORD_QUEUE",
            format!("must be {MOST} at most"),
        ));
    }
    Ok(queue)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::kernel::config::{Config, Rate, Source};

    fn with(settings: &[(&str, &str)]) -> Result<Config, ConfigError> {
        let environment = settings
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Source::read(environment, Path::new("/nonexistent")).and_then(|source| Config::from_source(&source))
    }

    #[test]
    fn a_rate_is_so_many_in_so_long_or_off() {
        let attempts = |value| {
            with(&[("SOUK_RATE_LIMIT_AUTH", value)])
                .unwrap()
                .accounts
                .attempts
        };
        let per = Duration::from_secs(90);
        assert_eq!(attempts("7/90s"), Some(Rate { count: 7, per }));
        assert_eq!(attempts("off"), None);
    }

    #[test]
    fn a_bad_setting_is_named() {
        for (name, value) in [
            ("SOUK_ACCESS_TOKEN_LIFE", "0s"),
            ("SOUK_REFRESH_TOKEN_LIFE", "999ms"),
            ("SOUK_REFRESH_GRACE", "ten"),
            ("SOUK_RATE_LIMIT_AUTH", "20"),
            ("SOUK_RATE_LIMIT_AUTH", "0/15m"),
            ("SOUK_RATE_LIMIT_AUTH", "20/0s"),
            ("SOUK_RATE_LIMIT_REGISTRATION", "many"),
            ("SOUK_PASSWORD_MEMORY", "7KiB"),
            ("SOUK_PASSWORD_MEMORY", "8TiB"),
            ("SOUK_PASSWORD_LANES", "0"),
            ("SOUK_PASSWORD_THREADS", "0"),
            ("SOUK_PASSWORD_QUEUE", "1000000"),
        ] {
            let error = with(&[(name, value)]).unwrap_err();
            assert!(error.to_string().starts_with(name), "{name}={value}: {error}");
        }
    }

    #[test]
    fn production_takes_neither_cheap_hashes_nor_long_tokens_nor_the_demo() {
        let production = |more: &[(&str, &str)]| {
            let secret = ("SOUK_JWT_SECRET", "f2b7c0d94e6a18355d7fa1c3b8e09264");
            let settings = [("SOUK_ENV", "production"), secret];
            with(
                &settings
                    .into_iter()
                    .chain(more.iter().copied())
                    .collect::<Vec<_>>(),
            )
        };
        assert!(!production(&[]).unwrap().accounts.demo);
        assert!(with(&[]).unwrap().accounts.demo);
        for settings in [
            [
                ("SOUK_PASSWORD_MEMORY", "17MiB"),
                ("SOUK_PASSWORD_ITERATIONS", "2"),
            ],
            [
                ("SOUK_PASSWORD_ITERATIONS", "1"),
                ("SOUK_PASSWORD_MEMORY", "19MiB"),
            ],
            [
                ("SOUK_PASSWORD_MEMORY", "6MiB"),
                ("SOUK_PASSWORD_ITERATIONS", "9"),
            ],
            [("SOUK_ACCESS_TOKEN_LIFE", "2h"), ("SOUK_PASSWORD_LANES", "1")],
        ] {
            let error = production(&settings).unwrap_err();
            assert!(error.to_string().contains("production"), "{error}");
        }
        for (memory, iterations) in [("46MiB", "1"), ("12MiB", "3"), ("9MiB", "4"), ("7MiB", "5")] {
            let settings = [
                ("SOUK_PASSWORD_MEMORY", memory),
                ("SOUK_PASSWORD_ITERATIONS", iterations),
            ];
            assert!(production(&settings).is_ok(), "{memory}");
        }
    }
}
