//! What people are shown of a telephone's number, or of another word that is not for everybody.

/// Hides all but the first four and the last three characters, and of what is shorter than a telephone's number at least
/// half. What is hidden already stays as it is.
pub fn masked(text: &str) -> String {
    let length = text.chars().count();
    let (first, last) = if length < 12 {
        (length / 4, length / 4)
    } else {
        (4, 3)
    };
    let shown = length - last;
    let hide = |(place, own)| {
        if (first..shown).contains(&place) {
            '•'
        } else {
            own
        }
    };
    text.chars().enumerate().map(hide).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn most_of_a_word_is_hidden() {
        for (word, shown) in [
            ("254712345678", "2547•••••678"),
            ("+254712345678", "+254••••••678"),
            ("0712345678", "07••••••78"),
            ("1234567", "1•••••7"),
            ("١٢٣٤", "١••٤"),
            ("123", "•••"),
            ("1", "•"),
            ("", ""),
        ] {
            assert_eq!(masked(word), shown);
        }
    }

    #[test]
    fn at_least_half_of_a_short_word_is_hidden_and_what_is_masked_stays_so() {
        for length in 0..40 {
            let word = "7".repeat(length);
            let once = masked(&word);
            assert_eq!(masked(&once), once);
            let shown = once.matches('7').count();
            assert!(shown <= (length / 2).max(7), "{once}");
            assert!(length >= 12 || shown * 2 <= length, "{once}");
        }
    }
}
