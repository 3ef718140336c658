//! Why a gateway refuses is in the log, by its names for programs; what it writes for people is not.

use std::sync::Arc;

use serde_json::{Value, json};
use souk::entity::payment::PaymentFlow;
use souk::infra::gateways::mpesa::Mpesa;
use souk::infra::gateways::paypal::Paypal;
use souk::infra::gateways::stripe::Stripe;
use souk::infra::gateways::{Fault, PaymentGateway, Refund, Transaction};
use souk::kernel::clock::{Clock, ManualClock};
use souk::kernel::config::{MpesaConfig, MpesaReversal, PaypalConfig, StripeConfig};
use souk::kernel::money::Money;

use super::log::Log;
use super::sim::{Answer, Asked, Plays, Sim};

/// Gives out tokens, and else says the same to everybody.
struct Refuses {
    token: Answer,
    answer: Answer,
}

impl Plays for Refuses {
    fn answer(&mut self, asked: &Asked) -> Answer {
        if asked.path.contains("oauth") {
            self.token.clone()
        } else {
            self.answer.clone()
        }
    }
}

async fn refusing(status: u16, body: &Value) -> Sim<Refuses> {
    let token = json!({"access_token": "secret-token", "expires_in": 3_599});
    Sim::start(Refuses {
        token: Answer::json(200, &token),
        answer: Answer::json(status, body),
    })
    .await
}

fn clock() -> Arc<dyn Clock> {
    Arc::new(ManualClock::at("2026-03-01T12:00:00Z".parse().unwrap()))
}

fn transaction(currency: &str) -> Transaction {
    Transaction {
        id: "payment_1".to_owned(),
        reference: Some("theirs_1".to_owned()),
        receipt: Some("receipt_1".to_owned()),
        secret: "secret-word".into(),
        flow: PaymentFlow::Charge,
        money: Money::new(1_400, currency.parse().unwrap()),
        order: "order_1".to_owned(),
        order_number: "123456789".to_owned(),
        return_url: "https://shop.example/payments/return/x/secret-word".to_owned(),
        phone: Some("254712345678".into()),
        test_outcome: None,
        begun_at: "2026-03-01T12:00:00Z".parse().unwrap(),
    }
}

fn stripe<P: Plays>(sim: &Sim<P>) -> Stripe {
    Stripe::new(&StripeConfig {
        secret_key: "sk_test_secret".into(),
        publishable_key: "pk_test_secret".into(),
        webhook_secret: "whsec_secret".into(),
        webhook_previous_secret: None,
        api_base: sim.base().parse().unwrap(),
    })
    .unwrap()
}

fn paypal<P: Plays>(sim: &Sim<P>) -> Paypal {
    let config = PaypalConfig {
        client_id: "secret-id".into(),
        client_secret: "secret-secret".into(),
        webhook_id: "secret-webhook".into(),
        by_certificate: false,
        api_base: sim.base().parse().unwrap(),
    };
    Paypal::new(&config, &clock()).unwrap()
}

fn mpesa<P: Plays>(sim: &Sim<P>) -> Mpesa {
    let config = MpesaConfig {
        consumer_key: "secret-key".into(),
        consumer_secret: "secret-secret".into(),
        shortcode: "174379".to_owned(),
        till: None,
        passkey: "secret-passkey".into(),
        callback_secret: "secret-callback-secret-callback-secret".into(),
        callback_previous_secret: None,
        callers: Vec::new(),
        reversal: Some(MpesaReversal {
            initiator: "secret-initiator".into(),
            credential: "secret-credential".into(),
        }),
        api_base: sim.base().parse().unwrap(),
    };
    Mpesa::new(&config, &"https://shop.example/".parse().unwrap(), &clock()).unwrap()
}

/// What is logged while money is asked for in vain: the lines that say why. What is not for the log is in none.
async fn why_not_created(gateway: &dyn PaymentGateway, currency: &str) -> Vec<String> {
    let (log, logging) = Log::begin();
    let told = gateway.create("secret-idempotency", &transaction(currency)).await;
    assert!(
        matches!(told, Err(Fault::Refused(_) | Fault::Unknown(_))),
        "{told:?}"
    );
    drop(logging);
    lines(&log)
}

fn lines(log: &Log) -> Vec<String> {
    let text = log.text();
    for hidden in ["secret", "712345678", "buyer@", "Jane", "Bearer", "Basic", "4242"] {
        assert!(!text.contains(hidden), "{hidden}: {text}");
    }
    let lines = text.lines().filter(|line| line.contains("a gateway refused"));
    lines
        .inspect(|line| assert!(line.contains("WARN"), "{line}"))
        .map(str::to_owned)
        .collect()
}

#[track_caller]
fn says(lines: &[String], words: &[&str]) {
    let [line] = lines else {
        panic!("it is said once: {lines:?}")
    };
    for word in words {
        assert!(line.contains(word), "{word}: {line}");
    }
}

#[tokio::test]
async fn stripe_names_type_code_field_and_what_the_bank_said() {
    let error = json!({"error": {
        "type": "card_error", "code": "card_declined", "decline_code": "insufficient_funds", "param": "payment_method_data[type]",
        "message": "Jane's card 4242 4242 was declined (buyer@example.com)", "doc_url": "https://stripe.com/secret",
        "payment_method": {"billing_details": {"email": "buyer@example.com"}},
    }});
    let sim = refusing(402, &error).await;
    let said = why_not_created(&stripe(&sim), "USD").await;
    let words = [
        "gateway=\"stripe\"",
        "operation=\"create\"",
        "status=402",
        "kind=\"card_error\"",
        "code=\"card_declined\"",
        "decline_code=\"insufficient_funds\"",
        "param=\"payment_method_data[type]\"",
    ];
    says(&said, &words);
    // Where it is no name it is not shown.
    let error = json!({"error": {"type": "invalid_request_error", "code": "buyer@example.com", "param": "Jane 4242 4242"}});
    let sim = refusing(400, &error).await;
    let said = why_not_created(&stripe(&sim), "USD").await;
    says(
        &said,
        &["kind=\"invalid_request_error\"", "code=\"?\"", "param=\"?\""],
    );
    let sim = refusing(401, &json!("secret")).await;
    says(&why_not_created(&stripe(&sim), "USD").await, &["status=401"]);
}

#[tokio::test]
async fn paypal_names_its_issues_and_what_it_finds_them_by() {
    let body = json!({
        "name": "UNPROCESSABLE_ENTITY", "debug_id": "90957fca61718", "message": "Jane cannot pay (buyer@example.com)",
        "details": [
            {"issue": "CURRENCY_NOT_SUPPORTED", "field": "/a", "value": "buyer@example.com", "description": "Jane"},
            {"issue": "PAYEE_ACCOUNT_RESTRICTED"}, {"description": "Jane"}, {"issue": "buyer@example.com"},
        ],
    });
    let sim = refusing(422, &body).await;
    let said = why_not_created(&paypal(&sim), "USD").await;
    let words = [
        "gateway=\"paypal\"",
        "operation=\"create\"",
        "status=422",
        "name=\"UNPROCESSABLE_ENTITY\"",
        "issues=\"CURRENCY_NOT_SUPPORTED PAYEE_ACCOUNT_RESTRICTED ?\"",
        "debug_id=\"90957fca61718\"",
    ];
    says(&said, &words);
    let sim = refusing(200, &json!({})).await;
    let refused = json!({"error": "invalid_client", "error_description": "Client secret-id of Jane"});
    sim.with(|refuses| refuses.token = Answer::json(401, &refused));
    let said = why_not_created(&paypal(&sim), "USD").await;
    says(
        &said,
        &["operation=\"token\"", "status=401", "name=\"invalid_client\""],
    );
}

#[tokio::test]
async fn daraja_names_its_code() {
    let error =
        |code: &str, message: &str| json!({"requestId": "1", "errorCode": code, "errorMessage": message});
    let sim = refusing(
        500,
        &error("500.001.1001", "[MerchantValidate] - Wrong credentials of Jane"),
    )
    .await;
    let said = why_not_created(&mpesa(&sim), "KES").await;
    let words = [
        "gateway=\"mpesa\"",
        "operation=\"create\"",
        "status=500",
        "code=\"500.001.1001\"",
    ];
    says(&said, &words);
    let refund = Refund {
        id: "refund_1".to_owned(),
        reference: None,
        money: Money::new(1_400, "KES".parse().unwrap()),
    };
    let sim = refusing(200, &json!({"ResponseCode": "21", "ResponseDescription": "Jane"})).await;
    let (log, logging) = Log::begin();
    let told = mpesa(&sim).refund("key", &transaction("KES"), &refund).await;
    assert!(matches!(told, Err(Fault::Refused(_))), "{told:?}");
    drop(logging);
    says(
        &lines(&log),
        &["operation=\"refund\"", "status=200", "code=\"21\""],
    );
    let sim = refusing(200, &json!({})).await;
    sim.with(|refuses| {
        refuses.token = Answer::json(400, &error("400.008.01", "Invalid secret-key"));
    });
    let said = why_not_created(&mpesa(&sim), "KES").await;
    says(
        &said,
        &["operation=\"token\"", "status=400", "code=\"400.008.01\""],
    );
}

#[tokio::test]
async fn a_prompt_that_is_still_open_is_no_refusal() {
    let body = json!({"errorCode": "500.001.1001", "errorMessage": "The transaction is being processed"});
    let sim = refusing(500, &body).await;
    let (log, logging) = Log::begin();
    let told = mpesa(&sim).retrieve(&transaction("KES")).await;
    assert!(told.is_ok(), "{told:?}");
    drop(logging);
    assert_eq!(lines(&log), Vec::<String>::new());
}

#[tokio::test]
async fn a_token_is_renewed_once_whatever_daraja_calls_it() {
    for (status, code) in [(400, "401.003.01"), (401, "401.002.01"), (404, "404.001.03")] {
        let body = json!({"errorCode": code, "errorMessage": "Error Occurred - Invalid Access Token"});
        let sim = refusing(status, &body).await;
        says(
            &why_not_created(&mpesa(&sim), "KES").await,
            &[&format!("code=\"{code}\"")],
        );
        let count = |method, path| sim.asked_at(method, path).len();
        assert_eq!(
            (count("GET", "oauth"), count("POST", "stkpush")),
            (2, 2),
            "{code}"
        );
    }
}
