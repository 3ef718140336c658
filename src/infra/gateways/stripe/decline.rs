//! Why Stripe says no, in words for buyers and staff. Stripe's own words may name objects, and what a thief should not
//! learn (docs.stripe.com/declines/codes).

use super::wire::Error;
use crate::infra::gateways::Reason;

/// By `decline_code`, which is the bank's, or else by `code`.
pub(super) fn reason(error: &Error) -> Reason {
    let code = error.decline_code.as_deref().or(error.code.as_deref());
    let (code, message) = match code.unwrap_or_default() {
        code @ ("insufficient_funds" | "withdrawal_count_limit_exceeded" | "card_velocity_exceeded") => (
            code,
            "There is not enough money for this, or its limit is reached.",
        ),
        code @ ("expired_card" | "invalid_expiry_month" | "invalid_expiry_year") => {
            (code, "The card has expired, or its date is wrong.")
        }
        code @ ("incorrect_cvc" | "invalid_cvc") => (code, "The card's security code is wrong."),
        code @ ("incorrect_number" | "invalid_number" | "invalid_account") => {
            (code, "The card's number is wrong.")
        }
        code @ ("incorrect_zip" | "incorrect_address") => (code, "The address is not the card's."),
        code @ ("incorrect_pin" | "invalid_pin" | "pin_try_exceeded") => (code, "The PIN was wrong."),
        code @ ("authentication_required"
        | "payment_intent_authentication_failure"
        | "authentication_not_handled"
        | "card_decline_rate_limit_exceeded") => (
            code,
            "Your bank has not confirmed that it is you. Please try again.",
        ),
        code @ ("card_not_supported"
        | "currency_not_supported"
        | "transaction_not_allowed"
        | "not_permitted"
        | "service_not_allowed") => (code, "This card cannot be used for this. Please use another one."),
        code @ ("processing_error"
        | "issuer_not_available"
        | "reenter_transaction"
        | "try_again_later"
        | "approve_with_id"
        | "payment_intent_payment_attempt_expired") => (
            code,
            "The bank could not be reached, or had trouble. Please try again.",
        ),
        code @ ("amount_too_small" | "amount_too_large") => (code, "This amount cannot be paid in this way."),
        code @ ("charge_already_refunded" | "charge_disputed") => {
            (code, "There is nothing left of the payment to give back.")
        }
        code @ ("balance_insufficient" | "insufficient_balance") => {
            (code, "The shop's balance at Stripe is too small for now.")
        }
        // A thief is told no more than anybody.
        "lost_card"
        | "stolen_card"
        | "pickup_card"
        | "restricted_card"
        | "fraudulent"
        | "merchant_blacklist"
        | "security_violation"
        | "stop_payment_order"
        | "highest_risk_level"
        | "generic_decline"
        | "do_not_honor"
        | "call_issuer"
        | "no_action_taken"
        | "do_not_try_again"
        | "revocation_of_all_authorizations"
        | "revocation_of_authorization"
        | "card_declined" => ("card_declined", "The card was declined."),
        _ if error.kind == "card_error" => ("card_declined", "The card was declined."),
        _ => return unavailable(),
    };
    Reason::new(code, message)
}

/// Stripe does not understand us, or does not let us.
pub(super) fn unavailable() -> Reason {
    Reason::new("gateway_refused", "This is not possible by Stripe at the moment.")
}

pub(super) fn not_refundable() -> Reason {
    Reason::new("not_refundable", "The payment is not one that can be given back.")
}

/// Why money could not go back, by `failure_reason` of a refund.
pub(super) fn not_returned(failure: Option<&str>) -> Reason {
    let (code, message) = match failure.unwrap_or_default() {
        code @ ("lost_or_stolen_card" | "expired_or_canceled_card") => {
            (code, "The card that was paid with takes no money any more.")
        }
        code @ "charge_for_pending_refund_disputed" => {
            (code, "The buyer's bank has asked for the money back itself.")
        }
        code @ "insufficient_funds" => (code, "The shop's balance at Stripe was too small."),
        code @ "declined" => (code, "The buyer's bank does not take the money back."),
        code @ "merchant_request" => (code, "Somebody has cancelled it at Stripe."),
        _ => ("refund_failed", "Stripe could not send the money back."),
    };
    Reason::new(code, message)
}
