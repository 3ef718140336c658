//! What we ask PayPal, header by header and field by field. The simulator refuses besides what its documents do not know.

use serde_json::{Value, json};
use souk::entity::payment::PaymentFlow::{Authorize, Charge};
use souk::infra::gateways::{Action, Fault, PaymentGateway as _, Refund, ReturnStage, Stage, charged};
use souk::kernel::money::{Currency, Money};

use super::direct::{Direct, OURS};
use super::play::PayPal;
use crate::gateways::sim::Asked;

/// A request's method, path, headers that are not HTTP's own, and body.
fn shape(asked: &Asked) -> (String, Vec<(String, String)>, Value) {
    let http = ["host", "user-agent", "accept", "content-length"];
    let mut headers: Vec<_> = asked
        .headers
        .iter()
        .filter(|(name, _)| !http.contains(&name.as_str()))
        .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
        .collect();
    headers.sort();
    let body = if asked.body.is_empty() {
        Value::Null
    } else {
        asked.json()
    };
    (format!("{} {}", asked.method, asked.path), headers, body)
}

fn header(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

/// What a POST with this key has.
fn keyed(key: &str) -> Vec<(String, String)> {
    vec![
        header("authorization", "Bearer A21AAF1"),
        header("content-type", "application/json"),
        header("paypal-request-id", key),
        header("prefer", "return=representation"),
    ]
}

fn bare() -> Vec<(String, String)> {
    vec![header("authorization", "Bearer A21AAF1")]
}

fn last(direct: &Direct) -> (String, Vec<(String, String)>, Value) {
    shape(direct.sim.asked().last().unwrap())
}

fn refund(minor: i64) -> Refund {
    Refund {
        id: "refund_01m7zc995aej9aewmea6d0kg6m".to_owned(),
        reference: None,
        money: Money::new(minor, Currency::USD),
    }
}

#[tokio::test]
async fn a_token_is_asked_for_and_then_an_order() {
    let direct = Direct::start().await;
    let transaction = direct.transaction(Charge, 5_997, "USD");
    let state = direct
        .gateway
        .create("pay_1_create_1", &transaction)
        .await
        .unwrap();
    let asked = direct.sim.asked();
    let [token, order] = asked.as_slice() else {
        panic!("{asked:?}")
    };
    assert_eq!(token.path, "/v1/oauth2/token");
    assert_eq!(
        token.header("authorization"),
        "Basic YS1jbGllbnQ6aXRzLXNlY3JldA=="
    );
    assert_eq!(token.header("content-type"), "application/x-www-form-urlencoded");
    assert_eq!(&token.body[..], b"grant_type=client_credentials");
    let body = json!({
        "intent": "CAPTURE",
        "purchase_units": [{
            "reference_id": OURS,
            "custom_id": OURS,
            "invoice_id": OURS,
            "description": "Order 123456789",
            "amount": {"currency_code": "USD", "value": "59.97"},
        }],
        "payment_source": {"paypal": {"experience_context": {
            "return_url": "https://shop.example/payments/return/x/y",
            "cancel_url": "https://shop.example/payments/return/x/y",
            "user_action": "PAY_NOW",
            "shipping_preference": "NO_SHIPPING",
            "payment_method_preference": "IMMEDIATE_PAYMENT_REQUIRED",
        }}},
    });
    let expected = (
        "POST /v2/checkout/orders".to_owned(),
        keyed("pay_1_create_1"),
        body,
    );
    assert_eq!(shape(order), expected);
    let (reference, url) = direct
        .sim
        .with(|paypal| (paypal.last().id.clone(), paypal.last().page()));
    assert_eq!(state.reference, Some(reference));
    assert_eq!(state.stage, Stage::RequiresAction(Action::Redirect { url }));
    assert_eq!(
        (state.money, state.doubt, state.receipt, state.fee),
        (transaction.money, None, None, None)
    );
    direct.finish();
}

#[tokio::test]
async fn an_order_is_looked_at_and_captured() {
    let direct = Direct::start().await;
    let transaction = direct.approved(Charge).await;
    let id = transaction.reference.clone().unwrap();
    let state = direct.gateway.retrieve(&transaction).await.unwrap().unwrap();
    assert_eq!(state.stage, Stage::Ready);
    assert_eq!(
        last(&direct),
        (format!("GET /v2/checkout/orders/{id}"), bare(), Value::Null)
    );
    let state = direct
        .gateway
        .complete("pay_1_complete_1", &transaction)
        .await
        .unwrap();
    let path = format!("POST /v2/checkout/orders/{id}/capture");
    assert_eq!(last(&direct), (path, keyed("pay_1_complete_1"), json!({})));
    assert_eq!(state.stage, Stage::Captured(transaction.money));
    assert_eq!(state.fee, Some(Money::new(204, Currency::USD)));
    assert_eq!(
        (state.refunded, state.doubt),
        (Some(Money::new(0, Currency::USD)), None)
    );
    direct.finish();
}

#[tokio::test]
async fn an_order_is_authorized_and_the_authorization_captured_in_part() {
    let direct = Direct::start().await;
    let (transaction, state) = direct.completed(Authorize).await;
    let id = transaction.reference.clone().unwrap();
    let path = format!("POST /v2/checkout/orders/{id}/authorize");
    assert_eq!(last(&direct), (path, keyed("pay_1_complete_1"), json!({})));
    assert_eq!((state.stage, state.receipt), (Stage::Authorized, None));
    let authorization = direct
        .sim
        .with(|paypal| paypal.last().authorizations[0].id.clone());
    let part = Money::new(2_000, Currency::USD);
    let state = direct
        .gateway
        .capture("pay_1_capture_1", &transaction, part)
        .await
        .unwrap();
    let body = json!({"amount": {"currency_code": "USD", "value": "20.00"}, "invoice_id": OURS, "final_capture": true});
    let path = format!("POST /v2/payments/authorizations/{authorization}/capture");
    assert_eq!(last(&direct), (path, keyed("pay_1_capture_1"), body));
    let capture = direct.sim.with(|paypal| paypal.last().captures[0].id.clone());
    assert_eq!(
        (state.stage, state.receipt),
        (Stage::Captured(part), Some(capture))
    );
    assert_eq!(
        (state.money, state.fee),
        (transaction.money, Some(Money::new(88, Currency::USD)))
    );
    // Asked again, it finds out and takes nothing more.
    let again = direct
        .gateway
        .capture("pay_1_capture_1", &transaction, part)
        .await
        .unwrap();
    assert_eq!(again.stage, Stage::Captured(part));
    direct.finish();
}

#[tokio::test]
async fn an_authorization_is_voided() {
    let direct = Direct::start().await;
    let (transaction, _) = direct.completed(Authorize).await;
    let authorization = direct
        .sim
        .with(|paypal| paypal.last().authorizations[0].id.clone());
    let state = direct.gateway.void("pay_1_void_1", &transaction).await.unwrap();
    let path = format!("POST /v2/payments/authorizations/{authorization}/void");
    assert_eq!(last(&direct), (path, keyed("pay_1_void_1"), json!({})));
    assert_eq!(state.stage, Stage::Voided);
    let again = direct.gateway.void("pay_1_void_2", &transaction).await.unwrap();
    assert_eq!(again.stage, Stage::Voided);
    direct.finish();
}

#[tokio::test]
async fn an_order_is_given_up_after_a_look_alone() {
    let direct = Direct::start().await;
    let unmade = direct.transaction(Charge, 5_997, "USD");
    assert_eq!(
        direct.gateway.void("pay_1_void_1", &unmade).await.unwrap().stage,
        Stage::Voided
    );
    assert_eq!(direct.sim.asked().len(), 0);
    let transaction = direct.approved(Charge).await;
    let state = direct.gateway.void("pay_1_void_1", &transaction).await.unwrap();
    assert_eq!(state.stage, Stage::Voided);
    assert!(last(&direct).0.starts_with("GET "));
    direct.sim.with(PayPal::forget_keys);
    let (taken, _) = direct.completed(Charge).await;
    let state = direct.gateway.void("pay_1_void_1", &taken).await.unwrap();
    assert_eq!(
        state.stage,
        Stage::Captured(taken.money),
        "what was taken is told as it stands"
    );
    direct.finish();
}

#[tokio::test]
async fn money_is_sent_back_and_looked_after() {
    let direct = Direct::start().await;
    direct.sim.with(|paypal| paypal.refunds_become = "PENDING");
    let (mut transaction, _) = direct.completed(Charge).await;
    let capture = transaction.receipt.clone().unwrap();
    let mut asked = refund(1_000);
    let told = direct
        .gateway
        .refund("pay_1_refund_1", &transaction, &asked)
        .await
        .unwrap();
    let body = json!({"amount": {"currency_code": "USD", "value": "10.00"}, "custom_id": OURS, "invoice_id": asked.id});
    let path = format!("POST /v2/payments/captures/{capture}/refund");
    assert_eq!(last(&direct), (path, keyed("pay_1_refund_1"), body));
    let id = direct.sim.with(|paypal| paypal.last().refunds[0].id.clone());
    assert_eq!(
        (told.reference, told.money, told.stage),
        (Some(id.clone()), asked.money, ReturnStage::Pending)
    );
    let state = direct.gateway.retrieve(&transaction).await.unwrap().unwrap();
    assert_eq!(
        state.refunded,
        Some(asked.money),
        "what is on its way counts as gone"
    );
    // Without a name it is found by its invoice.
    let found = direct
        .gateway
        .retrieve_refund(&transaction, &asked)
        .await
        .unwrap();
    assert_eq!(found.reference, Some(id.clone()));
    asked.reference = Some(id.clone());
    direct
        .sim
        .with(|paypal| paypal.last().refunds[0].status = "COMPLETED");
    let told = direct
        .gateway
        .retrieve_refund(&transaction, &asked)
        .await
        .unwrap();
    assert_eq!(
        last(&direct),
        (format!("GET /v2/payments/refunds/{id}"), bare(), Value::Null)
    );
    assert_eq!(told.stage, ReturnStage::Succeeded);
    let state = direct.gateway.retrieve(&transaction).await.unwrap().unwrap();
    assert_eq!(state.refunded, Some(asked.money));
    // Where the capture's name is not known, the order has it.
    transaction.receipt = None;
    let other = Refund {
        id: "refund_2".to_owned(),
        ..refund(4_997)
    };
    direct
        .gateway
        .refund("pay_1_refund_2", &transaction, &other)
        .await
        .unwrap();
    let state = direct.gateway.retrieve(&transaction).await.unwrap().unwrap();
    assert_eq!(state.refunded, Some(transaction.money));
    direct.finish();
}

#[tokio::test]
async fn a_token_serves_all_until_it_is_old_or_refused() {
    let direct = Direct::start().await;
    let transaction = direct.approved(Charge).await;
    let looks = (0..20).map(|_| direct.gateway.retrieve(&transaction));
    for state in futures_util::future::join_all(looks).await {
        assert_eq!(state.unwrap().unwrap().stage, Stage::Ready);
    }
    assert_eq!(direct.sim.with(|paypal| paypal.tokens), 1);
    direct.sim.with(PayPal::revoke_token);
    direct.gateway.retrieve(&transaction).await.unwrap();
    assert_eq!(direct.sim.with(|paypal| paypal.tokens), 2);
    direct.clock.advance(chrono::TimeDelta::seconds(32_400 - 60 - 1));
    let _ = direct.gateway.retrieve(&transaction).await;
    assert_eq!(direct.sim.with(|paypal| paypal.tokens), 2);
    direct.clock.advance(chrono::TimeDelta::seconds(1));
    let _ = direct.gateway.retrieve(&transaction).await;
    assert_eq!(
        direct.sim.with(|paypal| paypal.tokens),
        3,
        "it is not used in its last minute"
    );
    direct.finish();
}

#[tokio::test]
async fn amounts_are_exact_and_whole_where_paypal_has_no_decimals() {
    let direct = Direct::start().await;
    for (minor, code, value) in [
        (5, "USD", "0.05"),
        (100, "EUR", "1.00"),
        (123_456_789_012, "GBP", "1234567890.12"),
        (1_500, "JPY", "1500"),
        (150_000, "HUF", "1500"),
        (30_000, "TWD", "300"),
    ] {
        let transaction = direct.transaction(Charge, minor, code);
        let state = direct
            .gateway
            .create(&format!("key_{code}"), &transaction)
            .await
            .unwrap();
        assert_eq!(
            last(&direct).2["purchase_units"][0]["amount"],
            json!({"currency_code": code, "value": value})
        );
        assert_eq!(state.money, transaction.money);
    }
    let half = direct.transaction(Charge, 150_050, "HUF");
    let refused = direct.gateway.create("key", &half).await;
    assert!(matches!(refused, Err(Fault::Refused(_))), "{refused:?}");
    let forint = charged(&direct.gateway, half.money).unwrap();
    assert_eq!(forint.minor, 150_100, "what is to be paid is rounded up");
    direct.finish();
}

#[tokio::test]
async fn only_currencies_of_paypals_are_taken() {
    let direct = Direct::start().await;
    let takes = |code: &str| direct.gateway.takes(code.parse().unwrap());
    for code in ["USD", "EUR", "JPY", "HUF", "TWD", "THB", "MXN"] {
        assert!(takes(code), "{code}");
    }
    for code in ["KES", "MAD", "KWD", "INR", "CLP", "RUB"] {
        assert!(!takes(code), "{code}");
    }
}

#[tokio::test]
async fn secrets_are_not_shown() {
    let direct = Direct::start().await;
    direct.approved(Charge).await;
    let shown = format!("{:?}", direct.gateway);
    for secret in [
        "its-secret",
        "YS1jbGllbnQ6aXRzLXNlY3JldA",
        "A21AAF1",
        "8PT597110X687430LKGECATA",
    ] {
        assert!(!shown.contains(secret), "{secret} in {shown}");
    }
}

#[tokio::test]
async fn the_simulator_refuses_what_the_documents_do_not_know() {
    let direct = Direct::start().await;
    direct.approved(Charge).await;
    let address = format!("{}/v2/checkout/orders", direct.sim.base());
    let good = direct
        .sim
        .asked()
        .iter()
        .find(|asked| asked.path == "/v2/checkout/orders")
        .unwrap()
        .json();
    let mut misspelt = good.clone();
    misspelt["purchase_units"][0]["customId"] = json!("x");
    let mut lacking = good.clone();
    lacking["purchase_units"][0]
        .as_object_mut()
        .unwrap()
        .remove("amount");
    let http = reqwest::Client::new();
    let post = |body: &Value, key: Option<&str>| {
        let request = http
            .post(&address)
            .bearer_auth("A21AAF1")
            .header("prefer", "return=representation");
        let request = key
            .into_iter()
            .fold(request, |request, key| request.header("paypal-request-id", key));
        request.json(body).send()
    };
    for (body, key) in [(&misspelt, Some("a")), (&lacking, Some("b")), (&good, None)] {
        assert_eq!(post(body, key).await.unwrap().status(), 400);
    }
    assert_eq!(post(&good, Some("c")).await.unwrap().status(), 201);
    assert_eq!(post(&good, Some("c")).await.unwrap().status(), 200);
    assert_eq!(direct.sim.with(|paypal| paypal.violations.len()), 3);
    assert_eq!(direct.sim.with(|paypal| paypal.orders.len()), 2);
}
