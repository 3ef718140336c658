//! Money as clients see it.

use async_graphql::{InputObject, SimpleObject};

use super::scalars::{CurrencyCode, Decimal};
use super::told::{Asked, Tell, Text};
use crate::kernel::error::{Error, Result};
use crate::kernel::money;

/// An amount of money.
#[derive(Clone, Copy, Debug, PartialEq, Eq, SimpleObject)]
#[graphql(cache_control(max_age = 60))]
pub struct Money {
    /// The exact amount, with all decimals of its currency: `"19.90"`, but `"1500"` for yen.
    pub amount: Decimal,
    /// The currency of the amount.
    pub currency_code: CurrencyCode,
}

/// The lowest and the highest of several amounts. They are equal when there is only one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, SimpleObject)]
#[graphql(cache_control(max_age = 60))]
pub struct MoneyRange {
    /// The lowest amount.
    pub min: Money,
    /// The highest amount.
    pub max: Money,
}

impl Tell for Money {
    fn tell(&self, field: &str, _: &Asked<'_>, text: &mut Text) -> Option<()> {
        match field {
            "amount" => text.decimal(self.amount.0),
            "currencyCode" => text.string(self.currency_code.0.code()),
            _ => None,
        }
    }
}

impl Tell for MoneyRange {
    fn tell(&self, field: &str, asked: &Asked<'_>, text: &mut Text) -> Option<()> {
        match field {
            "min" => text.object(asked, &self.min),
            "max" => text.object(asked, &self.max),
            _ => None,
        }
    }
}

/// An amount of money that you say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, InputObject)]
pub struct MoneyInput {
    /// The exact amount, with no more decimals than its currency has: `"19.9"`.
    pub amount: Decimal,
    /// The currency of the amount.
    pub currency_code: CurrencyCode,
}

impl MoneyInput {
    /// # Errors
    /// BadInput for an amount with more decimals than its currency has, or one that is too large.
    pub(crate) fn into_domain(self, argument: &str) -> Result<money::Money> {
        money::Money::from_decimal(self.amount.0, self.currency_code.0)
            .map_err(|error| Error::bad_input(&format!("{argument}.amount"), error.to_string()))
    }
}

impl From<money::Money> for Money {
    fn from(money: money::Money) -> Self {
        Self {
            amount: Decimal(money.to_decimal()),
            currency_code: CurrencyCode(money.currency),
        }
    }
}
