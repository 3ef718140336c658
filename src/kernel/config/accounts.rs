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
    Ok(AccountsConfig {
        access_token_life,
        refresh_token_life: life("SOUK_REFRESH_TOKEN_LIFE")?,
        refresh_grace: reader.duration("SOUK_REFRESH_GRACE")?,
        attempts: parse::rate("SOUK_RATE_LIMIT_AUTH", reader.text("SOUK_RATE_LIMIT_AUTH"))?,
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
