//! Money: whole minor units with their currency. No floats, no bare integers.

use std::cell::Cell;
use std::fmt;
use std::str::FromStr;

use rust_decimal::Decimal;

/// A currency of ISO 4217 that things can be priced in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Currency(iso_currency::Currency);

impl Currency {
    pub const USD: Self = Self(iso_currency::Currency::USD);

    /// The three letters, e.g. `USD`.
    pub fn code(self) -> &'static str {
        self.0.code()
    }

    /// How many decimals its minor unit has: 2 for USD, 0 for JPY, 3 for KWD.
    pub fn exponent(self) -> u32 {
        u32::from(self.0.exponent().unwrap_or(0))
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

thread_local! {
    /// The last one that was read here.
    static LAST: Cell<Option<Currency>> = const { Cell::new(None) };
}

impl FromStr for Currency {
    type Err = MoneyError;

    /// Upper case only, as ISO 4217 writes them. Codes without a minor unit (gold, testing) are refused.
    fn from_str(text: &str) -> Result<Self, MoneyError> {
        // A shop has hardly more than one, and each row says which: looking through all of them was a thirtieth of a page.
        if let Some(last) = LAST.get().filter(|last| last.code() == text) {
            return Ok(last);
        }
        let currency = iso_currency::Currency::from_code(text)
            .filter(|currency| currency.exponent().is_some())
            .map(Self)
            .ok_or_else(|| MoneyError::UnknownCurrency(text.chars().take(20).collect()))?;
        LAST.set(Some(currency));
        Ok(currency)
    }
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    #[error("{0:?} is not a currency code of ISO 4217, such as USD")]
    UnknownCurrency(String),
    #[error("has more than the {exponent} decimals of {currency}")]
    TooPrecise { currency: Currency, exponent: u32 },
    #[error("is beyond what can be counted")]
    TooLarge,
}

/// An amount in minor units (cents) of a currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Money {
    pub minor: i64,
    pub currency: Currency,
}

impl Money {
    pub fn new(minor: i64, currency: Currency) -> Self {
        Self { minor, currency }
    }

    /// The exact amount; refused, never rounded, when the currency has fewer decimals.
    pub fn from_decimal(amount: Decimal, currency: Currency) -> Result<Self, MoneyError> {
        let exponent = currency.exponent();
        let amount = amount.normalize();
        if amount.scale() > exponent {
            return Err(MoneyError::TooPrecise { currency, exponent });
        }
        let factor = Decimal::from(10_i64.checked_pow(exponent).ok_or(MoneyError::TooLarge)?);
        let minor = amount.checked_mul(factor).ok_or(MoneyError::TooLarge)?;
        let minor = i64::try_from(minor).map_err(|_| MoneyError::TooLarge)?;
        Ok(Self { minor, currency })
    }

    /// With all decimals of the currency: `19.90`, `1500` for yen.
    pub fn to_decimal(self) -> Decimal {
        Decimal::new(self.minor, self.currency.exponent())
    }

    pub fn checked_add(self, other: Self) -> Option<Self> {
        if self.currency != other.currency {
            return None;
        }
        Some(Self {
            minor: self.minor.checked_add(other.minor)?,
            ..self
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn money(text: &str, code: &str) -> Result<Money, MoneyError> {
        Money::from_decimal(text.parse().unwrap(), code.parse().unwrap())
    }

    #[test]
    fn decimals_follow_the_currency() {
        assert_eq!(money("19.99", "USD").unwrap().minor, 1999);
        assert_eq!(money("19.9", "USD").unwrap().to_decimal().to_string(), "19.90");
        assert_eq!(money("1500", "JPY").unwrap().minor, 1500);
        assert_eq!(money("1500.00", "JPY").unwrap().to_decimal().to_string(), "1500");
        assert_eq!(money("1.234", "KWD").unwrap().minor, 1234);
    }

    #[test]
    fn nothing_is_rounded_in_silence() {
        assert!(matches!(
            money("19.999", "USD"),
            Err(MoneyError::TooPrecise { .. })
        ));
        assert!(matches!(money("0.5", "JPY"), Err(MoneyError::TooPrecise { .. })));
        assert_eq!(money("92233720368547758.08", "USD"), Err(MoneyError::TooLarge));
        assert_eq!(money("92233720368547758.07", "USD").unwrap().minor, i64::MAX);
    }

    #[test]
    fn codes_without_money_behind_them_are_refused() {
        for code in ["usd", "US", "XXX", "XAU", "", "ZZZ"] {
            assert!(Currency::from_str(code).is_err(), "{code}");
        }
    }

    proptest! {
        #[test]
        fn an_amount_survives_the_trip_to_decimal_and_back(minor: i64, code in prop::sample::select(vec!["USD", "JPY", "KWD"])) {
            let money = Money::new(minor, code.parse().unwrap());
            prop_assert_eq!(Money::from_decimal(money.to_decimal(), money.currency), Ok(money));
        }
    }
}
