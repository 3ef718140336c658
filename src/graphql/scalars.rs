//! Scalars of the contract that async-graphql does not bring.
//!
//! Each says what is valid, so that a bad value is found before anything runs.

use async_graphql::{InputValueError, InputValueResult, Scalar, ScalarType, Value};

use crate::kernel::{country, money};

/// Longer texts are no amounts: 28 digits are all that can be exact.
const MAX_DECIMAL: usize = 40;
const MAX_URL: usize = 2048;

/// An exact number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decimal(pub rust_decimal::Decimal);

/// An exact decimal number as a string, such as `"19.99"`. Whole numbers may be sent without quotes;
/// numbers with a fraction may not, because JSON would make them floating-point numbers.
#[Scalar(name = "Decimal")]
impl ScalarType for Decimal {
    fn parse(value: Value) -> InputValueResult<Self> {
        let text = match &value {
            Value::String(text) => text.clone(),
            Value::Number(number) if number.is_i64() || number.is_u64() => number.to_string(),
            Value::Number(_) => {
                return Err(InputValueError::custom(
                    "send a decimal as a string, e.g. \"19.99\", to keep it exact",
                ));
            }
            _ => return Err(InputValueError::expected_type(value)),
        };
        let plain = !text.is_empty()
            && text.len() <= MAX_DECIMAL
            && text
                .strip_prefix('-')
                .unwrap_or(&text)
                .starts_with(|c: char| c.is_ascii_digit())
            && text.chars().all(|c| c.is_ascii_digit() || matches!(c, '-' | '.'))
            && !text.ends_with('.');
        let number = if plain {
            rust_decimal::Decimal::from_str_exact(&text).ok()
        } else {
            None
        };
        number
            .map(Self)
            .ok_or_else(|| InputValueError::custom("is not an exact decimal such as \"19.99\""))
    }

    fn is_valid(value: &Value) -> bool {
        Self::parse(value.clone()).is_ok()
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.to_string())
    }
}

/// A moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DateTime(pub chrono::DateTime<chrono::Utc>);

/// A moment in UTC, as RFC 3339 writes it, with microseconds where there are any: `2026-11-21T09:30:00Z`.
#[Scalar(
    name = "DateTime",
    specified_by_url = "https://datatracker.ietf.org/doc/html/rfc3339"
)]
impl ScalarType for DateTime {
    fn parse(value: Value) -> InputValueResult<Self> {
        let Value::String(text) = &value else {
            return Err(InputValueError::expected_type(value));
        };
        let moment = chrono::DateTime::parse_from_rfc3339(text);
        let moment =
            moment.map_err(|_| InputValueError::custom("is not a moment such as 2026-11-21T09:30:00Z"))?;
        Ok(Self(moment.to_utc()))
    }

    fn is_valid(value: &Value) -> bool {
        Self::parse(value.clone()).is_ok()
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true))
    }
}

/// A day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Date(pub chrono::NaiveDate);

/// A day of the calendar, as ISO 8601 writes it: `2026-11-21`.
#[Scalar(
    name = "Date",
    specified_by_url = "https://www.rfc-editor.org/rfc/rfc3339#section-5.6"
)]
impl ScalarType for Date {
    fn parse(value: Value) -> InputValueResult<Self> {
        let Value::String(text) = &value else {
            return Err(InputValueError::expected_type(value));
        };
        // As it is written, and no other way: four digits of a year are all that both databases sort alike.
        let day = text.parse::<chrono::NaiveDate>().ok();
        day.filter(|day| day.to_string() == *text && text.len() == "2026-11-21".len())
            .map(Self)
            .ok_or_else(|| InputValueError::custom("is not a day such as 2026-11-21"))
    }

    fn is_valid(value: &Value) -> bool {
        Self::parse(value.clone()).is_ok()
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.to_string())
    }
}

/// A web address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url(pub url::Url);

/// An absolute `http` or `https` address of at most 2,048 characters.
#[Scalar(name = "URL", specified_by_url = "https://url.spec.whatwg.org/")]
impl ScalarType for Url {
    fn parse(value: Value) -> InputValueResult<Self> {
        let Value::String(text) = &value else {
            return Err(InputValueError::expected_type(value));
        };
        let url = Some(text)
            .filter(|text| text.len() <= MAX_URL)
            .and_then(|text| url::Url::parse(text).ok());
        url.filter(|url| matches!(url.scheme(), "http" | "https") && url.as_str().len() <= MAX_URL)
            .map(Self)
            .ok_or_else(|| {
                InputValueError::custom("is not an http or https address of at most 2048 characters")
            })
    }

    fn is_valid(value: &Value) -> bool {
        Self::parse(value.clone()).is_ok()
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.to_string())
    }
}

/// A currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CurrencyCode(pub money::Currency);

/// A currency by its three letters of ISO 4217, such as `USD`.
#[Scalar(
    name = "CurrencyCode",
    specified_by_url = "https://www.iso.org/iso-4217-currency-codes.html"
)]
impl ScalarType for CurrencyCode {
    fn parse(value: Value) -> InputValueResult<Self> {
        match &value {
            Value::String(text) => Ok(Self(text.parse()?)),
            _ => Err(InputValueError::expected_type(value)),
        }
    }

    fn is_valid(value: &Value) -> bool {
        Self::parse(value.clone()).is_ok()
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.code().to_owned())
    }
}

/// A country.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CountryCode(pub country::Country);

/// A country or territory by its two letters of ISO 3166-1, such as `US`.
#[Scalar(
    name = "CountryCode",
    specified_by_url = "https://www.iso.org/iso-3166-country-codes.html"
)]
impl ScalarType for CountryCode {
    fn parse(value: Value) -> InputValueResult<Self> {
        match &value {
            Value::String(text) => Ok(Self(text.parse()?)),
            _ => Err(InputValueError::expected_type(value)),
        }
    }

    fn is_valid(value: &Value) -> bool {
        Self::parse(value.clone()).is_ok()
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.code().to_owned())
    }
}
