//! Telephone numbers as Daraja knows them.

const WANTED: &str =
    "M-Pesa asks for the money on a Kenyan mobile number, such as 0712 345 678 or +254 712 345 678";

/// `254` and nine digits that begin with 7 or 1.
pub(super) fn normalised(given: Option<&str>) -> Result<String, String> {
    let digits: String = given
        .unwrap_or_default()
        .chars()
        .filter(|character| !matches!(character, ' ' | '-' | '.' | '(' | ')'))
        .collect();
    let local = ["+254", "254", "0"]
        .iter()
        .find_map(|prefix| digits.strip_prefix(prefix))
        .filter(|local| {
            local.len() == 9
                && local.starts_with(['7', '1'])
                && local.bytes().all(|byte| byte.is_ascii_digit())
        });
    local
        .map(|local| format!("254{local}"))
        .ok_or_else(|| WANTED.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_taken_as_people_write_them() {
        for given in [
            "0712345678",
            "0712 345 678",
            "0712-345-678",
            "254712345678",
            "+254712345678",
            "+254 712 345678",
            " 0712345678 ",
            "(0712) 345-678",
            "0712.345.678",
            "+254 (712) 345 678",
            "(+254)712.345.678",
        ] {
            assert_eq!(normalised(Some(given)).unwrap(), "254712345678", "{given}");
        }
        assert_eq!(normalised(Some("0110 345 678")).unwrap(), "254110345678");
    }

    #[test]
    fn what_is_no_kenyan_mobile_is_refused_without_repeating_it() {
        for given in [
            "",
            "712345678",
            "071234567",
            "07123456789",
            "0212345678",
            "+255712345678",
            "254812345678",
            "++254712345678",
            "0712345x78",
            "٠٧١٢٣٤٥٦٧٨",
            "+2540712345678",
        ] {
            assert_eq!(normalised(Some(given)), Err(WANTED.to_owned()), "{given}");
        }
        assert!(normalised(None).is_err());
    }
}
