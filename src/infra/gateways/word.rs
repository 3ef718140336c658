//! What a gateway says of a refusal that can be in a log: its names for programs. Its texts cannot, for they quote people,
//! telephones and accounts.

const LONGEST: usize = 80;

/// Such a name, e.g. `card_declined`, `500.001.1001` or `payment_method_data[type]`; a mark instead of anything else.
pub(super) fn word(text: &str) -> &str {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-[]".contains(&byte);
    // So many digits may be a telephone's or a card's.
    let is_number = text.len() > 8 && text.bytes().all(|byte| byte.is_ascii_digit());
    if (1..=LONGEST).contains(&text.len()) && text.bytes().all(is_plain) && !is_number {
        text
    } else {
        "?"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_shown_and_texts_are_not() {
        for name in [
            "INSTRUMENT_DECLINED",
            "500.001.1001",
            "90957fca61718",
            "card[number]",
        ] {
            assert_eq!(word(name), name);
        }
        for text in [
            "",
            "no money",
            "buyer@example.com",
            "+254712345678",
            "254712345678",
            "4000000000000002",
            "a\nb",
            "é",
            &"x".repeat(81),
        ] {
            assert_eq!(word(text), "?");
        }
    }
}
