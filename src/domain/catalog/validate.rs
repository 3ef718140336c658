//! Checking input: every field is looked at and all that is wrong is told at once, each with its path.

use rust_decimal::Decimal;
use url::Url;

pub use crate::kernel::check::{Checker, MAX_TEXT};
use crate::kernel::error::ErrorCode;
use crate::kernel::money::{Currency, Money, MoneyError};

/// The longest address of an image.
pub const MAX_URL: usize = 2048;
pub const MAX_TAGS: usize = 250;
pub const MAX_IMAGES: usize = 250;
/// The highest price in minor units. 250 lines of 10,000 such things still add up without overflow.
pub const MAX_PRICE: i64 = 1_000_000_000_000;

impl Checker {
    /// The part of a web address: lower-case letters and digits of any script, `-` and `_`.
    pub fn slug(&mut self, path: &str, slug: &str) -> String {
        let before = self.count();
        let text = self.text(path, slug);
        // One reason is enough: a control character is not allowed either way.
        if self.count() == before && !is_slug(&text) {
            self.refuse(
                ErrorCode::Invalid,
                path,
                "may have lower-case letters, digits, - and _ only",
            );
        }
        text
    }

    /// Distinct labels, in their order.
    pub fn tags(&mut self, path: &str, tags: &[String]) -> Vec<String> {
        if tags.len() > MAX_TAGS {
            self.refuse(
                ErrorCode::TooLong,
                path,
                format!("has {} tags, {MAX_TAGS} at most are allowed", tags.len()),
            );
            return Vec::new();
        }
        let mut distinct: Vec<String> = Vec::with_capacity(tags.len());
        for (i, tag) in tags.iter().enumerate() {
            let tag = self.text(&format!("{path}.{i}"), tag);
            if !distinct.contains(&tag) {
                distinct.push(tag);
            }
        }
        distinct
    }

    /// Distinct addresses, in their order.
    pub fn image_urls(&mut self, path: &str, urls: &[Url]) -> Vec<String> {
        if urls.len() > MAX_IMAGES {
            self.refuse(
                ErrorCode::TooLong,
                path,
                format!("has {} images, {MAX_IMAGES} at most are allowed", urls.len()),
            );
            return Vec::new();
        }
        let mut distinct: Vec<String> = Vec::with_capacity(urls.len());
        for (i, url) in urls.iter().enumerate() {
            let url = self.bounded(&format!("{path}.{i}"), url.as_str(), 1, MAX_URL);
            if !distinct.contains(&url) {
                distinct.push(url);
            }
        }
        distinct
    }

    /// A price in minor units.
    pub fn price(&mut self, path: &str, amount: Decimal, currency: Currency) -> i64 {
        if amount.is_sign_negative() && !amount.is_zero() {
            self.refuse(ErrorCode::OutOfRange, path, "must not be negative");
            return 0;
        }
        match Money::from_decimal(amount, currency) {
            Ok(money) if money.minor <= MAX_PRICE => money.minor,
            Ok(_) | Err(MoneyError::TooLarge) => {
                let max = Money::new(MAX_PRICE, currency).to_decimal();
                self.refuse(ErrorCode::OutOfRange, path, format!("must be {max} at most"));
                0
            }
            Err(error) => {
                self.refuse(ErrorCode::Invalid, path, error.to_string());
                0
            }
        }
    }
}

/// Whether the text has only what a slug may have.
pub fn is_slug(text: &str) -> bool {
    let is_mark = |c: char| !c.is_ascii() && unicode_normalization::char::is_combining_mark(c);
    text.chars()
        .all(|c| (c.is_alphanumeric() && c.to_lowercase().eq([c])) || matches!(c, '-' | '_') || is_mark(c))
}
