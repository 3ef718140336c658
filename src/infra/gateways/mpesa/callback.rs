//! What callbacks say. Their values come as numbers or as texts, and some not at all.

use serde::Deserialize;
use serde_json::Value;

use super::codes;
use crate::infra::gateways::Reason;
use crate::kernel::money::{Currency, Money};

/// A callback of M-Pesa Express.
#[derive(Debug)]
pub(super) struct Callback {
    /// The CheckoutRequestID.
    pub(super) id: String,
    pub(super) outcome: Outcome,
}

#[derive(Debug)]
pub(super) enum Outcome {
    Paid(Paid),
    Failed,
}

#[derive(Debug)]
pub(super) struct Paid {
    pub(super) receipt: Option<String>,
    pub(super) amount: Option<Money>,
}

/// The result of a reversal.
#[derive(Debug)]
pub(super) struct Result {
    /// The OriginatorConversationID.
    pub(super) id: Option<String>,
    pub(super) amount: Option<Money>,
    pub(super) failed: Option<Reason>,
}

#[derive(Deserialize)]
struct Stk {
    #[serde(rename = "Body")]
    body: StkBody,
}

#[derive(Deserialize)]
struct StkBody {
    #[serde(rename = "stkCallback")]
    callback: StkCallback,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct StkCallback {
    #[serde(rename = "CheckoutRequestID")]
    checkout_request_id: String,
    result_code: Value,
    callback_metadata: Option<Value>,
}

#[derive(Deserialize)]
struct Reversal {
    #[serde(rename = "Result")]
    result: ReversalResult,
}

/// `ResultType` says how it was sent, not what came of it.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ReversalResult {
    result_code: Value,
    #[serde(rename = "OriginatorConversationID")]
    originator_conversation_id: Option<String>,
    result_parameters: Option<Value>,
}

/// None when it is no such callback.
pub(super) fn of_payment(body: &[u8]) -> Option<Callback> {
    let callback = serde_json::from_slice::<Stk>(body).ok()?.body.callback;
    let outcome = if text(&callback.result_code)? == "0" {
        let items = callback.callback_metadata.unwrap_or_default();
        let find = |name| find(items.get("Item"), "Name", name);
        Outcome::Paid(Paid {
            receipt: find("MpesaReceiptNumber").and_then(text),
            amount: find("Amount").and_then(amount),
        })
    } else {
        Outcome::Failed
    };
    let id = Some(callback.checkout_request_id).filter(|id| !id.is_empty())?;
    Some(Callback { id, outcome })
}

/// None when it is no such result.
pub(super) fn of_refund(body: &[u8]) -> Option<Result> {
    let result = serde_json::from_slice::<Reversal>(body).ok()?.result;
    let failed = codes::reversal(&text(&result.result_code)?);
    let parameters = result.result_parameters.unwrap_or_default();
    Some(Result {
        id: result.originator_conversation_id,
        amount: find(parameters.get("ResultParameter"), "Key", "Amount").and_then(amount),
        failed,
    })
}

/// A number's or a text's text.
pub(super) fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.trim().is_empty() => Some(text.trim().to_owned()),
        Value::Number(number) => Some(number.to_string()),
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// The `Value` of the item that is called this. One alone may stand without its list.
fn find<'a>(items: Option<&'a Value>, key: &str, name: &str) -> Option<&'a Value> {
    let items = match items? {
        Value::Array(items) => items.as_slice(),
        one => std::slice::from_ref(one),
    };
    let item = items
        .iter()
        .find(|item| item.get(key).and_then(Value::as_str) == Some(name))?;
    item.get("Value")
}

/// Shillings, with or without decimals.
fn amount(value: &Value) -> Option<Money> {
    let currency: Currency = "KES".parse().ok()?;
    Money::from_decimal(text(value)?.parse().ok()?, currency).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn told(body: &Value) -> Option<Callback> {
        of_payment(body.to_string().as_bytes())
    }

    fn callback(code: &Value, items: &Value) -> Value {
        json!({"Body": {"stkCallback": {"CheckoutRequestID": "ws_CO_1", "ResultCode": code, "New": [],
            "CallbackMetadata": {"Item": items}}}})
    }

    #[test]
    fn values_are_numbers_or_texts_or_not_there() {
        let cases = [
            (
                json!(1300),
                json!("SJK7RT61SV"),
                Some(130_000),
                Some("SJK7RT61SV"),
            ),
            (
                json!(1300.0),
                json!(" SJK7RT61SV "),
                Some(130_000),
                Some("SJK7RT61SV"),
            ),
            (json!("1300.50"), json!(71), Some(130_050), Some("71")),
            (json!(null), json!(""), None, None),
            (json!("much"), json!({}), None, None),
        ];
        for (amount, receipt, minor, text) in cases {
            let items = json!([{"Name": "Balance"}, {"Name": "Amount", "Value": amount}, {"Name": "MpesaReceiptNumber", "Value": receipt}]);
            for code in [json!(0), json!("0")] {
                let Some(Outcome::Paid(paid)) = told(&callback(&code, &items)).map(|told| told.outcome)
                else {
                    panic!("{items}");
                };
                assert_eq!(paid.amount.map(|money| money.minor), minor);
                assert_eq!(paid.receipt.as_deref(), text);
            }
        }
    }

    #[test]
    fn what_has_no_result_is_no_callback() {
        assert!(told(&json!({"Body": {"stkCallback": {"CheckoutRequestID": "a"}}})).is_none());
        assert!(told(&callback(&json!(null), &json!([]))).is_none());
        assert!(told(&json!({"Result": {"ResultCode": 0}})).is_none());
        assert!(of_refund(json!({"Result": {}}).to_string().as_bytes()).is_none());
        let failed = json!({"Body": {"stkCallback": {"CheckoutRequestID": "a", "ResultCode": "SFC_IC0003"}}});
        assert!(matches!(told(&failed).unwrap().outcome, Outcome::Failed));
    }

    #[test]
    fn a_reversal_counts_by_its_code_alone() {
        let told = |code: Value, parameters: Value| {
            let body = json!({"Result": {"ResultType": 0, "ResultCode": code, "OriginatorConversationID": "a",
                "ResultParameters": {"ResultParameter": parameters}}});
            of_refund(body.to_string().as_bytes()).unwrap()
        };
        let done = told(
            json!(0),
            json!([{"Key": "Charge", "Value": 0}, {"Key": "Amount", "Value": "14.00"}]),
        );
        assert_eq!((done.failed, done.amount.unwrap().minor), (None, 1_400));
        let one = told(json!("0"), json!({"Key": "Amount", "Value": 14}));
        assert_eq!((one.failed, one.amount.unwrap().minor), (None, 1_400));
        let failed = told(json!("R000002"), json!(null));
        assert_eq!(
            (failed.failed.unwrap().code, failed.amount),
            ("mpesa_r000002".to_owned(), None)
        );
    }
}
