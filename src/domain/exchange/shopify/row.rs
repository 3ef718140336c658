//! Cells to values: what a price, a number of pieces, a status may look like.

use std::borrow::Cow;

use rust_decimal::Decimal;
use url::Url;

use crate::domain::catalog::validate::{MAX_PRICE, MAX_TAGS, MAX_TEXT, MAX_URL, is_slug};
use crate::entity::product::ProductStatus;
use crate::kernel::money::{Currency, Money};
use crate::kernel::text::slugify;

/// The longest alternative text of a picture, in characters.
pub(super) const MAX_ALT: usize = 1_000;

/// What of a bad cell is repeated in a message.
fn shown(text: &str) -> String {
    let short: String = text.chars().take(40).collect();
    if short.len() < text.len() {
        format!("{short:?}…")
    } else {
        format!("{short:?}")
    }
}

/// An amount in minor units, such as 1990 for `19.90`.
pub(super) fn price(text: &str, currency: Currency) -> Result<i64, String> {
    if text.starts_with('-') && text.len() > 1 {
        return Err(format!("{} is below zero", shown(text)));
    }
    let digits = text.chars().any(|c| c.is_ascii_digit());
    if !digits || !text.chars().all(|c| c.is_ascii_digit() || c == '.') {
        return Err(format!("{} is not a price such as 19.90", shown(text)));
    }
    let amount: Decimal = text
        .parse()
        .map_err(|_| format!("{} is not a price such as 19.90", shown(text)))?;
    let money = Money::from_decimal(amount, currency).map_err(|error| format!("{} {error}", shown(text)))?;
    if money.minor > MAX_PRICE {
        let most = Money::new(MAX_PRICE, currency).to_decimal();
        return Err(format!("{} is more than {most}", shown(text)));
    }
    Ok(money.minor)
}

/// A number of pieces, as large or small as it may be. Spreadsheets write `5` as `5.0`.
pub(super) fn quantity(text: &str) -> Result<i64, String> {
    let wrong = || format!("{} is not a whole number", shown(text));
    let whole = match text.split_once('.') {
        Some((whole, decimals)) if !decimals.is_empty() && decimals.bytes().all(|b| b == b'0') => whole,
        Some(_) => return Err(wrong()),
        None => text,
    };
    let (sign, digits) = match whole.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, whole),
    };
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(wrong());
    }
    Ok(digits.parse::<i64>().unwrap_or(i64::MAX) * sign)
}

pub(super) fn status(text: &str) -> Result<ProductStatus, String> {
    match text.to_lowercase().as_str() {
        "active" => Ok(ProductStatus::Active),
        "draft" => Ok(ProductStatus::Draft),
        "archived" => Ok(ProductStatus::Archived),
        _ => Err(format!("{} is not active, draft or archived", shown(text))),
    }
}

pub(super) fn yes_or_no(text: &str) -> Result<bool, String> {
    match text.to_lowercase().as_str() {
        "true" | "yes" | "1" => Ok(true),
        "false" | "no" | "0" => Ok(false),
        _ => Err(format!("{} is neither true nor false", shown(text))),
    }
}

/// A text of at most so many characters.
pub(super) fn limited(text: &str, max: usize) -> Result<String, String> {
    if text.len() > max && text.chars().count() > max {
        return Err(format!("is longer than {max} characters"));
    }
    Ok(text.to_owned())
}

/// A handle becomes part of addresses. What cannot be is made so as Shopify does it, `Blue Tee` to
/// `blue-tee`; left as it is where nothing remains. A quote in it is damage, and not of another product.
pub(super) fn handle(text: &str) -> Cow<'_, str> {
    if is_slug(text) {
        return Cow::Borrowed(text);
    }
    match slugify(&text.replace('"', ""), MAX_TEXT) {
        slug if slug.is_empty() => Cow::Borrowed(text),
        slug => Cow::Owned(slug),
    }
}

/// The address of a picture on the web, as a browser sends it: other scripts and spaces percent-encoded.
pub(super) fn image_url(text: &str) -> Result<String, String> {
    match Url::parse(text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => {
            limited(url.as_str(), MAX_URL).map_err(|reason| format!("{reason}, as a browser sends it"))
        }
        _ => Err(format!(
            "{} is not an address such as https://cdn.example/a.jpg",
            shown(text)
        )),
    }
}

/// `red, blue ,red` as `["red", "blue"]`.
pub(super) fn tags(text: &str) -> Result<Vec<String>, String> {
    let mut tags: Vec<String> = Vec::new();
    for tag in text.split(',').map(str::trim).filter(|tag| !tag.is_empty()) {
        let tag = limited(tag, MAX_TEXT).map_err(|reason| format!("{}: {reason}", shown(tag)))?;
        if tags.contains(&tag) {
            continue;
        }
        if tags.len() == MAX_TAGS {
            return Err(format!("has more than {MAX_TAGS} tags"));
        }
        tags.push(tag);
    }
    Ok(tags)
}

/// `A > B > C` as the names of categories, from the top.
pub(super) fn category_path(text: &str) -> Vec<String> {
    text.split('>')
        .map(str::trim)
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn currency(code: &str) -> Currency {
        code.parse().unwrap()
    }

    #[test]
    fn prices_are_exact_or_refused() {
        for (text, code, expected) in [
            ("19.99", "USD", Some(1999)),
            ("0", "USD", Some(0)),
            ("0.00", "USD", Some(0)),
            ("25", "USD", Some(2500)),
            (".5", "USD", Some(50)),
            ("69.9000", "USD", Some(6990)),
            ("19.00", "JPY", Some(19)),
            ("19.50", "JPY", None),
            ("1.234", "KWD", Some(1234)),
            ("19.999", "USD", None),
            ("10000000000.00", "USD", Some(MAX_PRICE)),
            ("10000000000.01", "USD", None),
            ("92233720368547758.07", "USD", None),
            ("92233720368547758.08", "USD", None),
            ("99999999999999999999999999999999", "USD", None),
            ("", "USD", None),
            (".", "USD", None),
            ("-1", "USD", None),
            ("abc", "USD", None),
            ("$5", "USD", None),
            ("1,50", "USD", None),
            ("1.2.3", "USD", None),
            ("1e3", "USD", None),
            ("１", "USD", None),
        ] {
            assert_eq!(price(text, currency(code)).ok(), expected, "{text} {code}");
        }
    }

    #[test]
    fn pieces_are_whole() {
        for (text, expected) in [
            ("5", Some(5)),
            ("-3", Some(-3)),
            ("5.0", Some(5)),
            ("007", Some(7)),
            ("99999999999999999999", Some(i64::MAX)),
            ("-99999999999999999999", Some(-i64::MAX)),
            ("5.5", None),
            ("5.", None),
            ("", None),
            ("-", None),
            ("many", None),
            ("1e3", None),
        ] {
            assert_eq!(quantity(text).ok(), expected, "{text}");
        }
    }

    #[test]
    fn pictures_have_web_addresses() {
        assert!(image_url("https://cdn.example/a b.jpg?v=1").is_ok());
        for text in [
            "javascript:alert(1)",
            "a.jpg",
            "//cdn.example/a.jpg",
            "ftp://x/a",
            "https://",
            "data:image/png;base64,AA",
        ] {
            assert!(image_url(text).is_err(), "{text}");
        }
    }

    #[test]
    fn tags_keep_their_order_without_repetition() {
        assert_eq!(tags(" red,blue ,, red").unwrap(), ["red", "blue"]);
        assert!(tags(&"x".repeat(256)).is_err());
    }

    proptest! {
        #[test]
        fn every_amount_survives_its_text(minor in 0..=MAX_PRICE, code in prop::sample::select(vec!["USD", "JPY", "KWD"])) {
            let currency = currency(code);
            let text = Money::new(minor, currency).to_decimal().to_string();
            prop_assert_eq!(price(&text, currency), Ok(minor));
        }

        #[test]
        fn no_cell_upsets_the_parser(text in any::<String>()) {
            let _ = (price(&text, currency("USD")), quantity(&text), image_url(&text), tags(&text), status(&text));
        }
    }
}
