//! Countries, by their two letters.

use std::str::FromStr;

/// A country or territory of ISO 3166-1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Country(rust_iso3166::CountryCode);

/// A text that is no country.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is not a country code of ISO 3166-1, such as US")]
pub struct UnknownCountry;

impl Country {
    /// The two letters, e.g. `US`.
    pub fn code(self) -> &'static str {
        self.0.alpha2
    }
}

impl FromStr for Country {
    type Err = UnknownCountry;

    /// Upper case only, as ISO 3166 writes them.
    fn from_str(text: &str) -> Result<Self, UnknownCountry> {
        rust_iso3166::from_alpha2(text).map(Self).ok_or(UnknownCountry)
    }
}
