//! What Daraja's codes mean: whether something was done, and what to tell whoever asked for it. Its own texts are not
//! passed on: they name accounts and phones.

use crate::infra::gateways::Reason;

/// What came of asking for something to be begun.
#[derive(Debug)]
pub(super) enum Ack {
    /// By this name it goes on.
    Accepted(String),
    /// It was not begun, and may be a little later.
    Busy(Reason),
    /// It was not begun.
    Refused(Reason),
    /// For the log.
    Unclear(String),
}

/// What is known of a prompt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Query {
    Pending,
    Paid,
    /// The phone was not reached, or its answer has not come back.
    Unreachable,
    Failed(Reason),
}

fn reason(code: &str, message: &str) -> Reason {
    Reason::new(code, message)
}

pub(super) fn no_response() -> Reason {
    reason(
        "no_response",
        "The phone could not be reached, or nobody answered. Have it at hand and try again.",
    )
}

/// What became of a prompt: "Result Codes" of M-Pesa Express. 4999 is (unconfirmed): seen while a prompt is open, in no document.
pub(super) fn query(code: &str) -> Query {
    let (name, message) = match code {
        "0" => return Query::Paid,
        "4999" => return Query::Pending,
        "1037" => return Query::Unreachable,
        "1" => (
            "insufficient_funds",
            "There is not enough money in the M-Pesa account.",
        ),
        "17" => (
            "limit_exceeded",
            "M-Pesa could not move the money, because of a limit. Try again later, or pay otherwise.",
        ),
        "26" => ("gateway_busy", "M-Pesa is busy. Try again in a minute."),
        "1001" => ("phone_busy", PHONE_BUSY),
        "1019" => ("expired", "The prompt was not answered in time. Try again."),
        "1025" | "9999" => (
            "prompt_not_sent",
            "M-Pesa could not show the prompt on the phone. Try again.",
        ),
        "1032" => ("cancelled_by_buyer", "The prompt was dismissed on the phone."),
        "2001" => ("wrong_pin", "The M-Pesa PIN was wrong. Try again."),
        other => return Query::Failed(unknown(other)),
    };
    Query::Failed(reason(name, message))
}

const PHONE_BUSY: &str =
    "Another M-Pesa transaction is open on this phone. Finish it, and try again in a minute or two.";

/// A code that has no name here.
pub(super) fn unknown(code: &str) -> Reason {
    reason(&raw(code), "M-Pesa did not make the payment.")
}

/// What became of a reversal: 0, or what is kept as it is. R000001 is (unconfirmed).
pub(super) fn reversal(code: &str) -> Option<Reason> {
    match code {
        "0" => None,
        "R000001" => Some(reason(
            "already_reversed",
            "M-Pesa says that this payment has been reversed before: see the M-Pesa portal.",
        )),
        other => Some(reason(&raw(other), "M-Pesa did not reverse the payment.")),
    }
}

/// Somebody else's text, as far as it can be part of a code.
fn raw(code: &str) -> String {
    let kept = code
        .chars()
        .filter(|character| character.is_ascii_alphanumeric() || matches!(character, '.' | '_'))
        .take(30);
    kept.fold("mpesa_".to_owned(), |mut text, character| {
        text.push(character.to_ascii_lowercase());
        text
    })
}

/// What an answer means that accepts something, by its `ResponseCode`.
pub(super) fn accepted(code: &str, reference: Option<String>) -> Ack {
    match (code, reference) {
        ("0", Some(reference)) => Ack::Accepted(reference),
        ("0", None) => Ack::Unclear("accepted, without a name".to_owned()),
        (other, _) => Ack::Refused(unknown(other)),
    }
}

/// What an answer means that is an error: by its status, its `errorCode` and its `errorMessage`. One code, 500.001.1001,
/// stands for a busy phone, for settings that are wrong, and for what is under way; only its text tells.
pub(super) fn error(status: u16, code: &str, message: &str) -> Ack {
    let says = |word: &str| message.to_ascii_lowercase().contains(word);
    let unavailable = || {
        reason(
            "gateway_unavailable",
            "M-Pesa is not available at the moment. Pay otherwise, or try again later.",
        )
    };
    match (status, code) {
        _ if is_about_token(status, code) => Ack::Refused(unavailable()),
        (429, _) => Ack::Busy(reason("gateway_busy", "M-Pesa is busy. Try again in a minute.")),
        (_, "500.001.1001") if says("lock subscriber") => Ack::Busy(reason("phone_busy", PHONE_BUSY)),
        (_, "500.001.1001") if says("credential") || says("merchant") => Ack::Refused(unavailable()),
        (400..=499, code) if code.starts_with("400.") && says("phone") => {
            Ack::Refused(reason("invalid_phone", "M-Pesa does not know this phone number."))
        }
        (400..=499, code) if code.starts_with("400.") => {
            Ack::Refused(reason("invalid_request", "M-Pesa did not take the request."))
        }
        (400 | 403 | 404 | 405 | 413 | 415 | 422, _) => Ack::Refused(unavailable()),
        _ => Ack::Unclear(format!("status {status}, {}", raw(code))),
    }
}

/// Whether the token was not taken, and so the request neither. Daraja has called that 404.001.03, and 401.003.01 (unconfirmed).
pub(super) fn is_about_token(status: u16, code: &str) -> bool {
    status == 401 || code == "401" || code.starts_with("401.") || code == "404.001.03"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(query: &Query) -> &str {
        match query {
            Query::Failed(reason) => &reason.code,
            Query::Pending => "pending",
            Query::Paid => "paid",
            Query::Unreachable => "unreachable",
        }
    }

    #[test]
    fn each_code_has_its_meaning() {
        let codes = [
            ("0", "paid"),
            ("4999", "pending"),
            ("1037", "unreachable"),
            ("1", "insufficient_funds"),
            ("17", "limit_exceeded"),
            ("26", "gateway_busy"),
            ("1001", "phone_busy"),
            ("1019", "expired"),
            ("1025", "prompt_not_sent"),
            ("9999", "prompt_not_sent"),
            ("1032", "cancelled_by_buyer"),
            ("2001", "wrong_pin"),
            ("SFC_IC0003", "mpesa_sfc_ic0003"),
            ("00", "mpesa_00"),
            ("", "mpesa_"),
        ];
        for (code, meaning) in codes {
            assert_eq!(name(&query(code)), meaning, "{code}");
        }
        assert_eq!(reversal("0"), None);
        assert_eq!(reversal("21").unwrap().code, "mpesa_21");
        assert_eq!(reversal("R000001").unwrap().code, "already_reversed");
    }

    #[test]
    fn a_token_is_renewed_when_it_is_the_token() {
        for (status, code, is) in [
            (401, "", true),
            (401, "400.002.02", true),
            (400, "401.003.01", true),
            (500, "401.002.01", true),
            (404, "404.001.03", true),
            (200, "401", true),
            (404, "404.001.01", false),
            (400, "400.401.01", false),
            (500, "4011", false),
            (403, "", false),
        ] {
            assert_eq!(is_about_token(status, code), is, "{status} {code}");
        }
    }

    #[test]
    fn errors_are_refusals_only_where_nothing_was_done() {
        let answer = |status, code, message| match error(status, code, message) {
            Ack::Accepted(_) => "accepted".to_owned(),
            Ack::Busy(reason) => format!("busy {}", reason.code),
            Ack::Refused(reason) => format!("refused {}", reason.code),
            Ack::Unclear(_) => "unclear".to_owned(),
        };
        let cases = [
            (
                400,
                "400.002.02",
                "Bad Request - Invalid Amount",
                "refused invalid_request",
            ),
            (
                400,
                "400.002.02",
                "Bad Request - Invalid PhoneNumber",
                "refused invalid_phone",
            ),
            (400, "", "", "refused gateway_unavailable"),
            (401, "", "", "refused gateway_unavailable"),
            (
                500,
                "401.003.01",
                "Error Occurred - Invalid Access Token",
                "refused gateway_unavailable",
            ),
            (
                404,
                "404.001.03",
                "Invalid Access Token",
                "refused gateway_unavailable",
            ),
            (403, "", "", "refused gateway_unavailable"),
            (429, "", "", "busy gateway_busy"),
            (
                500,
                "500.001.1001",
                "Unable to lock subscriber, a transaction is already in process for the current subscriber",
                "busy phone_busy",
            ),
            (
                500,
                "500.001.1001",
                "[MerchantValidate] - Wrong credentials",
                "refused gateway_unavailable",
            ),
            (
                500,
                "500.001.1001",
                "Merchant does not exist",
                "refused gateway_unavailable",
            ),
            (
                500,
                "500.001.1001",
                "The transaction is being processed",
                "unclear",
            ),
            (500, "500.003.02", "System is busy", "unclear"),
            (503, "", "", "unclear"),
            (408, "", "", "unclear"),
            (409, "", "", "unclear"),
            (302, "", "", "unclear"),
        ];
        for (status, code, message, meaning) in cases {
            assert_eq!(
                answer(status, code, message),
                meaning,
                "{status} {code} {message}"
            );
        }
    }
}
