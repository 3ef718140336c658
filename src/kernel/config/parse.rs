//! Values out of text, with errors that name the setting.

use std::fmt::Display;
use std::net::IpAddr;
use std::str::FromStr;
use std::time::Duration;

use ipnet::IpNet;

use super::Rate;

/// A setting that cannot be used, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    #[error("{name}: {reason}")]
    Bad { name: String, reason: String },
    #[error("{name} is not a setting{}; `souk serve --help` lists all", .meant.as_ref().map(|m| format!(", did you mean {m}?")).unwrap_or_default())]
    Unknown { name: String, meant: Option<String> },
}

impl ConfigError {
    pub fn bad(name: &str, reason: impl Display) -> Self {
        Self::Bad {
            name: name.to_owned(),
            reason: reason.to_string(),
        }
    }
}

pub(super) fn value<T>(name: &str, text: &str, expected: &str) -> Result<T, ConfigError>
where
    T: FromStr,
{
    text.trim()
        .parse()
        .map_err(|_| ConfigError::bad(name, format!("{text:?} is not {expected}")))
}

/// `true` or `false`, and their usual spellings.
pub(super) fn switch(name: &str, text: &str) -> Result<bool, ConfigError> {
    match text.trim().to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Ok(true),
        "false" | "0" | "no" | "off" => Ok(false),
        _ => Err(ConfigError::bad(
            name,
            format!("{text:?} is neither true nor false"),
        )),
    }
}

/// A whole number with a unit: `500ms`, `30s`, `15m`, `2h`, `7d`.
pub fn duration(name: &str, text: &str) -> Result<Duration, ConfigError> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let millis = match unit {
        "ms" => Some(1),
        "s" => Some(1_000),
        "m" => Some(60_000),
        "h" => Some(3_600_000),
        "d" => Some(86_400_000),
        _ => None,
    };
    number
        .parse::<u64>()
        .ok()
        .zip(millis)
        .and_then(|(number, millis)| number.checked_mul(millis))
        .map(Duration::from_millis)
        .ok_or_else(|| {
            ConfigError::bad(
                name,
                format!("{text:?} is not a duration such as 500ms, 30s, 15m, 2h or 7d"),
            )
        })
}

/// So many in so long, such as `20/15m`; None for `off`.
pub(super) fn rate(name: &str, text: &str) -> Result<Option<Rate>, ConfigError> {
    let text = text.trim();
    if text.eq_ignore_ascii_case("off") {
        return Ok(None);
    }
    let bad = || ConfigError::bad(name, format!("{text:?} is neither off nor a rate such as 20/15m"));
    let (count, per) = text.split_once('/').ok_or_else(bad)?;
    let count: u32 = count.trim().parse().map_err(|_| bad())?;
    let per = duration(name, per).map_err(|_| bad())?;
    if count == 0 || per.is_zero() {
        return Err(bad());
    }
    Ok(Some(Rate { count, per }))
}

/// A number of bytes: `65536`, `64KiB`, `1MiB`.
pub(super) fn bytes(name: &str, text: &str) -> Result<u64, ConfigError> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let factor = match unit {
        "" | "B" => Some(1),
        "KiB" => Some(1 << 10),
        "MiB" => Some(1 << 20),
        "GiB" => Some(1 << 30),
        _ => None,
    };
    number
        .parse::<u64>()
        .ok()
        .zip(factor)
        .and_then(|(number, factor): (u64, u64)| number.checked_mul(factor))
        .ok_or_else(|| {
            ConfigError::bad(
                name,
                format!("{text:?} is not a size such as 65536, 64KiB or 1MiB"),
            )
        })
}
/// Comma-separated addresses and networks.
pub(super) fn networks(name: &str, text: &str) -> Result<Vec<IpNet>, ConfigError> {
    let networks = text
        .split(',')
        .map(str::trim)
        .filter(|network| !network.is_empty());
    networks
        .map(|text| {
            let address = || text.parse::<IpAddr>().map(IpNet::from);
            text.parse::<IpNet>().or_else(|_| address()).map_err(|_| {
                let reason = format!("{text:?} is neither an address nor a network such as 10.0.0.0/8");
                ConfigError::bad(name, reason)
            })
        })
        .collect()
}
