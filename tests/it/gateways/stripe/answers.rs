//! What our client makes of answers that are not as they should be: refusals, doubts, and what cannot be read.

use serde_json::json;
use souk::entity::payment::PaymentFlow;
use souk::infra::gateways::stripe::Stripe as Client;
use souk::infra::gateways::{Fault, PaymentGateway as _};

use super::contract::{alone, config, named, transaction};
use super::{KEY, OLD_SECRET, SECRET, error};
use crate::gateways::sim::{Answer, Mishap};

#[tokio::test]
async fn what_cannot_be_ours_is_doubted() {
    let (sim, client) = alone().await;
    let begun = transaction(PaymentFlow::Charge);
    let made = client.create("key", &begun).await.unwrap();
    let (id, known) = (made.reference.clone().unwrap(), named(&begun, &made));
    assert_eq!(made.doubt, None);
    let doubt = async |change: &dyn Fn(&mut super::objects::Intent)| {
        let before = sim.with(|stripe| stripe.intents[&id].clone());
        sim.with(|stripe| change(stripe.intents.get_mut(&id).unwrap()));
        let state = client.retrieve(&known).await.unwrap().unwrap();
        sim.with(|stripe| stripe.intents.insert(id.clone(), before));
        state.doubt.unwrap_or_default()
    };
    assert_eq!(doubt(&|_| {}).await, "");
    assert_eq!(doubt(&|intent| intent.livemode = true).await, "livemode is true");
    let another = |intent: &mut super::objects::Intent| {
        intent
            .metadata
            .insert("payment_id".to_owned(), "payment-2".to_owned());
    };
    assert_eq!(doubt(&another).await, "the intent was made for another payment");
    let renamed = |intent: &mut super::objects::Intent| intent.id = "pi_3Other".to_owned();
    assert_eq!(
        doubt(&renamed).await,
        "another intent was answered than was asked for"
    );
    let live = Client::new(&config("rk_live_1", &sim.base())).unwrap();
    let of_test = Answer::json(200, &sim.with(|stripe| stripe.intents[&id].json(&[], &[])));
    sim.mishap(&id, Mishap::Answers(of_test));
    assert_eq!(
        live.retrieve(&known).await.unwrap().unwrap().doubt.as_deref(),
        Some("livemode is false")
    );
    let part = json!({"id": id, "amount": 5_997, "currency": "usd", "status": "requires_capture", "livemode": false, "amount_capturable": 5_000});
    sim.mishap(&id, Mishap::Answers(Answer::json(200, &part)));
    assert_eq!(
        client.retrieve(&known).await.unwrap().unwrap().doubt.as_deref(),
        Some("only a part is promised")
    );
}

#[tokio::test]
async fn a_no_is_told_in_words_of_ours_and_what_is_not_one_is_left_open() {
    let (sim, client) = alone().await;
    let begun = transaction(PaymentFlow::Charge);
    let refused = async |answer: Answer| {
        sim.mishap(
            "/v1/payment_intents",
            Mishap::Answers(answer.with("stripe-should-retry", "false")),
        );
        client.create("key", &begun).await.map(|state| state.stage)
    };
    for (answer, code) in [
        (
            error(
                400,
                "invalid_request_error",
                Some("amount_too_small"),
                "at least 50",
            ),
            "amount_too_small",
        ),
        (
            error(400, "invalid_request_error", None, "Unknown acct_123"),
            "gateway_refused",
        ),
        (
            error(
                401,
                "invalid_request_error",
                None,
                "Invalid API Key provided: sk_test_***",
            ),
            "gateway_refused",
        ),
        (
            error(403, "invalid_request_error", None, "rk_test_*** may not"),
            "gateway_refused",
        ),
        (
            error(402, "card_error", Some("card_declined"), "declined by ch_1"),
            "card_declined",
        ),
        (
            error(402, "card_error", Some("expired_card"), "expired"),
            "expired_card",
        ),
        (
            error(402, "card_error", Some("a_word_of_next_year"), "?"),
            "card_declined",
        ),
    ] {
        let Err(Fault::Refused(reason)) = refused(answer.clone()).await else {
            panic!("{answer:?}")
        };
        assert_eq!(reason.code, code);
        assert!(
            !reason.message.is_empty() && !reason.message.contains('_'),
            "{reason:?}"
        );
    }
    for answer in [
        error(409, "invalid_request_error", Some("lock_timeout"), "busy"),
        error(429, "invalid_request_error", Some("rate_limit"), "slow down"),
        error(400, "invalid_request_error", Some("rate_limit"), "slow down"),
        error(500, "api_error", None, "oops"),
        Answer {
            status: 502,
            headers: vec![],
            body: "<html>Bad gateway</html>".to_owned(),
        },
        Answer {
            status: 301,
            headers: vec![("location", "http://elsewhere".to_owned())],
            body: String::new(),
        },
        Answer {
            status: 400,
            headers: vec![],
            body: "<html>a proxy's</html>".to_owned(),
        },
        Answer {
            status: 200,
            headers: vec![],
            body: "{\"id\": \"pi_1\", \"client_secret\": \"pi_1_secret".to_owned(),
        },
        Answer::json(200, &json!({"id": "pi_1", "object": "payment_intent"})),
        Answer::json(
            200,
            &json!({"id": "pi_1", "amount": 5_997, "currency": "??", "status": "processing", "livemode": false}),
        ),
        Answer::json(
            200,
            &json!({"id": "pi_1", "amount": 5_997, "currency": "usd", "status": "succeeded", "livemode": false}),
        ),
    ] {
        let Err(Fault::Unknown(why)) = refused(answer.clone()).await else {
            panic!("{answer:?}")
        };
        assert!(!why.contains("secret"), "{why}");
    }
}

#[tokio::test]
async fn nothing_shows_a_secret() {
    let (_sim, client) = alone().await;
    let made = client
        .create("key", &transaction(PaymentFlow::Charge))
        .await
        .unwrap();
    let shown = format!("{client:?} {made:?}");
    for secret in [KEY, SECRET, OLD_SECRET, "_secret_"] {
        assert!(!shown.contains(secret), "{secret} in {shown}");
    }
}

#[test]
fn it_takes_what_it_counts_as_we_do() {
    let client = Client::new(&config(KEY, "https://api.stripe.com")).unwrap();
    for (code, taken, unit) in [
        ("USD", true, 1),
        ("KES", true, 1),
        ("JPY", true, 1),
        ("KWD", true, 10),
        ("ISK", false, 1),
        ("UGX", false, 1),
        ("MGA", false, 1),
    ] {
        let currency = code.parse().unwrap();
        assert_eq!(
            (client.takes(currency), client.unit(currency)),
            (taken, unit),
            "{code}"
        );
    }
}
