//! Amounts that staff enter: in the payment's currency, and no more than there is.

use rust_decimal::Decimal;
use serde_json::json;

use crate::kernel::error::{Error, ErrorCode, Refusal, Result};
use crate::kernel::money::{Currency, Money, MoneyError};

/// An amount as it was entered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Amount {
    pub amount: Decimal,
    pub currency: Currency,
}

impl Amount {
    /// The same for the same amount, however it is written.
    pub(super) fn canonical(self) -> (String, &'static str) {
        (self.amount.normalize().to_string(), self.currency.code())
    }

    /// In minor units of `currency`.
    ///
    /// # Errors
    /// CURRENCY_MISMATCH, OUT_OF_RANGE when it is not above zero, INVALID when it is too precise.
    pub(super) fn minor(self, currency: Currency) -> Result<i64> {
        let refuse = |code, message: String| Err(Error::refused(code, "amount", message));
        if self.currency != currency {
            let message = format!("the payment is in {currency}");
            return refuse(ErrorCode::CurrencyMismatch, message);
        }
        match Money::from_decimal(self.amount, currency) {
            Ok(money) if money.minor > 0 => Ok(money.minor),
            Ok(_) => refuse(ErrorCode::OutOfRange, "must be above zero".to_owned()),
            // More than there is, whatever there is.
            Err(MoneyError::TooLarge) => Ok(i64::MAX),
            Err(error) => refuse(ErrorCode::Invalid, error.to_string()),
        }
    }
}

/// What is asked for: all that there is, or a part of it.
///
/// # Errors
/// `code`, when there is less or nothing; `params` say how much, under `name`.
pub(super) fn within(amount: Option<Amount>, available: Money, code: ErrorCode, name: &str) -> Result<i64> {
    let asked = match amount {
        Some(amount) => amount.minor(available.currency)?,
        None => available.minor,
    };
    if asked > 0 && asked <= available.minor {
        return Ok(asked);
    }
    let text = available.to_decimal().to_string();
    let message = format!("{text} {} is all that there is", available.currency);
    let refusal = Refusal::new(code, "amount", message);
    Err(refusal.with_params(json!({ name: text })).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dollars(text: &str) -> Option<Amount> {
        Some(Amount {
            amount: text.parse().unwrap(),
            currency: Currency::USD,
        })
    }

    fn outcome(amount: Option<Amount>, available: i64) -> Result<i64, ErrorCode> {
        let available = Money::new(available, Currency::USD);
        let code = ErrorCode::AmountExceedsRefundable;
        within(amount, available, code, "refundable").map_err(|error| match error {
            Error::Refused(refusals) => refusals[0].code,
            other => panic!("{other:?}"),
        })
    }

    #[test]
    fn no_more_than_there_is() {
        assert_eq!(outcome(None, 500), Ok(500));
        assert_eq!(outcome(dollars("5.00"), 500), Ok(500));
        assert_eq!(outcome(dollars("0.01"), 500), Ok(1));
        for (amount, available, code) in [
            (None, 0, ErrorCode::AmountExceedsRefundable),
            (dollars("5.01"), 500, ErrorCode::AmountExceedsRefundable),
            (
                dollars("92233720368547758.08"),
                500,
                ErrorCode::AmountExceedsRefundable,
            ),
            (dollars("0"), 500, ErrorCode::OutOfRange),
            (dollars("-1"), 500, ErrorCode::OutOfRange),
            (dollars("1.001"), 500, ErrorCode::Invalid),
        ] {
            assert_eq!(outcome(amount, available), Err(code), "{amount:?}");
        }
        let yen = Some(Amount {
            currency: "JPY".parse().unwrap(),
            ..dollars("1").unwrap()
        });
        assert_eq!(outcome(yen, 500), Err(ErrorCode::CurrencyMismatch));
    }

    #[test]
    fn the_same_amount_is_the_same_input() {
        let canonical = |amount| dollars(amount).map(Amount::canonical);
        assert_eq!(canonical("5"), canonical("5.00"));
        assert_ne!(canonical("5"), canonical("5.01"));
    }
}
