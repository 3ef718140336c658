//! Bad input of payments.

use serde_json::{Value, json};

use super::case::Expected::{Refused, WrongType};
use super::case::{MISSING, Operation, Row, row};
use super::mutations::{ids, inputs, long, optional};
use crate::payments::{guest_order, paid};
use crate::support::Shop;

pub(super) fn operations() -> Vec<Operation> {
    vec![
        Operation {
            field: "Mutation.paymentCreate",
            answered_at: &["paymentCreate"],
            document: "mutation($input: PaymentCreateInput!, $guestToken: String) { paymentCreate(input: $input, guestToken: $guestToken) { payment { id } userErrors { code path message params retryable } } }",
            variables: json!({"input": {"orderId": "@order", "gateway": "TEST", "flow": "CHARGE", "returnUrl": "https://shop.example/",
                "phone": "254712345678", "testOutcome": "SUCCEED", "idempotencyKey": "pay"}, "guestToken": "of no use to staff"}),
            rows: [inputs(), create()].into_iter().flatten().collect(),
        },
        Operation {
            field: "Mutation.paymentCapture",
            answered_at: &["paymentCapture"],
            document: "mutation($input: PaymentCaptureInput!) { paymentCapture(input: $input) { payment { id } userErrors { code path message params retryable } } }",
            variables: json!({"input": {"paymentId": "@promised", "amount": {"amount": "5", "currencyCode": "USD"}, "idempotencyKey": "capture"}}),
            rows: [
                inputs(),
                ids("input.paymentId", "@order", "@noPayment"),
                amounts("AMOUNT_EXCEEDS_CAPTURABLE"),
                keys(),
            ]
            .into_iter()
            .flatten()
            .collect(),
        },
        Operation {
            field: "Mutation.paymentVoid",
            answered_at: &["paymentVoid"],
            document: "mutation($input: PaymentVoidInput!) { paymentVoid(input: $input) { payment { id } userErrors { code path message params retryable } } }",
            variables: json!({"input": {"paymentId": "@awaited", "idempotencyKey": "void"}}),
            rows: [
                inputs(),
                ids("input.paymentId", "@order", "@noPayment"),
                vec![row("input.paymentId", "@taken", Refused("TRANSITION_INVALID"))],
                keys(),
            ]
            .into_iter()
            .flatten()
            .collect(),
        },
        Operation {
            field: "Mutation.refundCreate",
            answered_at: &["refundCreate"],
            document: "mutation($input: RefundCreateInput!) { refundCreate(input: $input) { refund { id } payment { id } userErrors { code path message params retryable } } }",
            variables: json!({"input": {"paymentId": "@taken", "amount": {"amount": "5", "currencyCode": "USD"}, "reason": "cracked", "idempotencyKey": "refund"}}),
            rows: [
                inputs(),
                ids("input.paymentId", "@order", "@noPayment"),
                amounts("AMOUNT_EXCEEDS_REFUNDABLE"),
                optional("input.reason"),
                keys(),
            ]
            .into_iter()
            .flatten()
            .collect(),
        },
    ]
}

/// The names that these rows use, and what they stand for.
pub(super) async fn furnish(shop: &Shop) -> Vec<(&'static str, String)> {
    let pay = |input: Value| async move {
        let order = guest_order(shop).await;
        paid(shop, order, input).await.as_str().unwrap().to_owned()
    };
    vec![
        ("@order", guest_order(shop).await.to_string()),
        ("@noOrder", souk::kernel::id::OrderId::new().to_string()),
        ("@noPayment", souk::kernel::id::PaymentId::new().to_string()),
        ("@taken", pay(json!({"gateway": "TEST"})).await),
        (
            "@promised",
            pay(json!({"gateway": "TEST", "flow": "AUTHORIZE"})).await,
        ),
        ("@awaited", pay(json!({"gateway": "MANUAL"})).await),
    ]
}

fn create() -> Vec<Row> {
    let mut rows = ids("input.orderId", "@taken", "@noOrder");
    rows.extend(optional("input.phone"));
    rows.extend(keys());
    for path in ["input.gateway", "input.flow", "input.testOutcome"] {
        rows.extend([
            row(path, "BARTER", WrongType),
            row(path, "test", WrongType),
            row(path, 1, WrongType),
            row(path, json!(["TEST"]), WrongType),
        ]);
    }
    rows.extend([
        row("input.gateway", MISSING, WrongType),
        row("input.gateway", Value::Null, WrongType),
        row("input.gateway", "STRIPE", Refused("GATEWAY_NOT_CONFIGURED"))
            .beside(json!({"input": untold("STRIPE")})),
        row("input.testOutcome", "SUCCEED", Refused("INVALID")).beside(json!({"input": untold("MANUAL")})),
        row("input.returnUrl", "", WrongType),
        row("input.returnUrl", "/thanks", WrongType),
        row("input.returnUrl", "javascript:alert(1)", WrongType),
        row("input.returnUrl", 5, WrongType),
        row("guestToken", 5, WrongType),
        row("guestToken", json!({}), WrongType),
    ]);
    rows
}

/// For a gateway that cannot be told what to do.
fn untold(gateway: &str) -> Value {
    json!({"orderId": "@order", "gateway": gateway, "idempotencyKey": "pay"})
}

fn amounts(beyond: &'static str) -> Vec<Row> {
    let (amount, currency) = ("input.amount.amount", "input.amount.currencyCode");
    let whole = "input.amount";
    let dollars = |amount: &str| json!({"amount": amount, "currencyCode": "USD"});
    vec![
        row(whole, "5", WrongType),
        row(whole, json!([]), WrongType),
        row(whole, dollars("59.98"), Refused(beyond)),
        row(whole, dollars("79228162514264337593543950335"), Refused(beyond)),
        row(whole, dollars("0"), Refused("OUT_OF_RANGE")),
        row(whole, dollars("-0.01"), Refused("OUT_OF_RANGE")),
        row(whole, dollars("0.001"), Refused("INVALID")),
        row(
            whole,
            json!({"amount": "1", "currencyCode": "EUR"}),
            Refused("CURRENCY_MISMATCH"),
        ),
        row(amount, MISSING, WrongType),
        row(amount, Value::Null, WrongType),
        row(amount, 1.5, WrongType),
        row(amount, "five", WrongType),
        row(currency, MISSING, WrongType),
        row(currency, Value::Null, WrongType),
        row(currency, "usd", WrongType),
        row(currency, 840, WrongType),
    ]
}

pub(super) fn keys() -> Vec<Row> {
    let key = "input.idempotencyKey";
    vec![
        row(key, MISSING, WrongType),
        row(key, Value::Null, WrongType),
        row(key, 5, WrongType),
        row(key, "", Refused("REQUIRED")),
        row(key, long(), Refused("TOO_LONG")),
        row(key, "a\u{0}b", Refused("INVALID")),
        row(key, "used", Refused("IDEMPOTENCY_KEY_REUSED")),
    ]
}
