//! In which currencies Stripe takes money, and how it counts them (docs.stripe.com/currencies).

use crate::kernel::money::Currency;

/// Without decimals. UGX is one that has to be sent as if it had two: which of the two is meant is not guessed.
const WHOLE: &[&str] = &[
    "BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF", "UGX", "VND", "VUV", "XAF", "XOF",
    "XPF",
];

/// With three decimals, of which the last must be 0 (unconfirmed).
const THREE: &[&str] = &["BHD", "JOD", "KWD", "OMR", "TND"];

/// With two decimals (unconfirmed). HUF and TWD are paid out in whole ones alone, but taken like the others. ISK stands here and has
/// no decimals in ISO 4217: it is not taken.
const TWO: &[&str] = &[
    "AED", "AFN", "ALL", "AMD", "AOA", "ARS", "AUD", "AWG", "AZN", "BAM", "BBD", "BDT", "BGN", "BMD", "BND",
    "BOB", "BRL", "BSD", "BWP", "BYN", "BZD", "CAD", "CDF", "CHF", "CNY", "COP", "CRC", "CVE", "CZK", "DKK",
    "DOP", "DZD", "EGP", "ETB", "EUR", "FJD", "FKP", "GBP", "GEL", "GIP", "GMD", "GTQ", "GYD", "HKD", "HNL",
    "HTG", "HUF", "IDR", "ILS", "INR", "ISK", "JMD", "KES", "KGS", "KHR", "KYD", "KZT", "LAK", "LBP", "LKR",
    "LRD", "LSL", "MAD", "MDL", "MKD", "MMK", "MNT", "MOP", "MUR", "MVR", "MWK", "MXN", "MYR", "MZN", "NAD",
    "NGN", "NIO", "NOK", "NPR", "NZD", "PAB", "PEN", "PGK", "PHP", "PKR", "PLN", "QAR", "RON", "RSD", "RUB",
    "SAR", "SBD", "SCR", "SEK", "SGD", "SHP", "SLE", "SOS", "SRD", "SZL", "THB", "TJS", "TOP", "TRY", "TTD",
    "TWD", "TZS", "UAH", "USD", "UYU", "UZS", "WST", "XCD", "YER", "ZAR", "ZMW",
];

/// How many decimals Stripe counts in; None where it does not take the currency.
fn decimals(currency: Currency) -> Option<u32> {
    let within = |list: &[&str]| list.contains(&currency.code());
    match currency.code() {
        "UGX" => Some(2),
        _ if within(WHOLE) => Some(0),
        _ if within(TWO) => Some(2),
        _ if within(THREE) => Some(3),
        _ => None,
    }
}

/// Whether Stripe means by an amount what ISO 4217 means by it. Where it does not, a hundredfold is soon taken.
pub(super) fn counts_alike(currency: Currency) -> bool {
    decimals(currency) == Some(currency.exponent())
}

pub(super) fn takes(currency: Currency) -> bool {
    counts_alike(currency)
}

pub(super) fn unit(currency: Currency) -> i64 {
    if THREE.contains(&currency.code()) { 10 } else { 1 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(code: &str) -> Currency {
        code.parse().unwrap()
    }

    #[test]
    fn what_is_counted_otherwise_than_by_iso_4217_is_not_taken() {
        for code in ["ISK", "UGX", "MGA", "IQD", "LYD", "CLF", "IRR", "KPW"] {
            assert!(!takes(named(code)), "{code}");
        }
        for code in [
            "USD", "EUR", "KES", "JPY", "KRW", "XPF", "KWD", "TND", "HUF", "TWD",
        ] {
            assert!(takes(named(code)), "{code}");
        }
    }

    #[test]
    fn every_listed_currency_is_one() {
        let refused: Vec<_> = WHOLE
            .iter()
            .chain(TWO)
            .chain(THREE)
            .filter(|code| !takes(named(code)))
            .collect();
        assert_eq!(refused, [&"MGA", &"UGX", &"ISK"]);
    }

    #[test]
    fn the_third_decimal_is_nought() {
        assert_eq!(
            (unit(named("KWD")), unit(named("USD")), unit(named("JPY"))),
            (10, 1, 1)
        );
    }
}
