//! Messages: which are Stripe's, and what they are about.

use bytes::Bytes;
use chrono::{DateTime, Duration, Utc};
use serde_json::{Value, json};
use souk::infra::gateways::stripe::Stripe as Client;
use souk::infra::gateways::{About, Event, Message, Names, PaymentGateway as _, Unverified};

use super::contract::config;
use super::{KEY, OLD_SECRET, SECRET, event, signature};

const NOW: i64 = 1_772_366_400;

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(NOW, 0).unwrap()
}

fn message(body: &str, header: &str) -> Message {
    Message {
        path: Vec::new(),
        headers: vec![
            (
                "content-type".to_owned(),
                "application/json; charset=utf-8".to_owned(),
            ),
            ("stripe-signature".to_owned(), header.to_owned()),
        ],
        body: Bytes::copy_from_slice(body.as_bytes()),
        sender: None,
        received_at: now(),
    }
}

fn client(key: &str) -> Client {
    Client::new(&config(key, "https://api.stripe.com")).unwrap()
}

fn intent() -> Value {
    json!({"id": "pi_1", "object": "payment_intent", "amount": 5_997, "metadata": {"payment_id": "payment-1", "order_id": "order-1"}})
}

/// As Stripe writes bodies: over several lines, which is part of what is signed.
fn body(kind: &str, object: &Value) -> String {
    serde_json::to_string_pretty(&event("evt_1", kind, object)).unwrap()
}

async fn verified(message: &Message) -> Result<Event, Unverified> {
    client(KEY).verify(message).await
}

async fn is_forged(message: &Message) -> bool {
    matches!(verified(message).await, Err(Unverified::Forged(_)))
}

fn names(ours: Option<&str>, theirs: Option<&str>) -> Names {
    Names {
        ours: ours.map(str::to_owned),
        theirs: theirs.map(str::to_owned),
    }
}

async fn about(kind: &str, object: Value) -> About {
    let body = body(kind, &object);
    let event = verified(&message(&body, &signature(&body, &[SECRET], NOW)))
        .await
        .unwrap();
    assert_eq!((event.id.as_str(), event.kind.as_str()), ("evt_1", kind));
    event.about
}

#[tokio::test]
async fn a_genuine_message_is_taken_each_time_that_it_comes() {
    let body = body("payment_intent.succeeded", &intent());
    let expected = Event {
        id: "evt_1".to_owned(),
        kind: "payment_intent.succeeded".to_owned(),
        about: About::Transaction {
            transaction: names(Some("payment-1"), Some("pi_1")),
        },
    };
    // Sent again it is signed anew, and has the same id.
    for time in [NOW, NOW - 300, NOW + 300] {
        let message = message(&body, &signature(&body, &[SECRET], time));
        assert_eq!(verified(&message).await, Ok(expected.clone()), "{time}");
    }
}

#[tokio::test]
async fn any_of_two_secrets_will_do_on_either_side() {
    let body = body("payment_intent.succeeded", &intent());
    for secrets in [
        &[SECRET][..],
        &[OLD_SECRET],
        &["whsec_new", SECRET],
        &[OLD_SECRET, "whsec_new"],
    ] {
        assert!(
            verified(&message(&body, &signature(&body, secrets, NOW)))
                .await
                .is_ok(),
            "{secrets:?}"
        );
    }
    for secrets in [
        &[][..],
        &["whsec_other"],
        &["", "simulated"],
        &["whsec_SIMULATED"],
    ] {
        assert!(
            is_forged(&message(&body, &signature(&body, secrets, NOW))).await,
            "{secrets:?}"
        );
    }
}

#[tokio::test]
async fn a_message_that_was_not_sent_so_is_not_taken() {
    let body = body("payment_intent.succeeded", &intent());
    let header = signature(&body, &[SECRET], NOW);
    let signed = header.split(",v0").next().unwrap().to_owned();
    let hex = signed.split("v1=").nth(1).unwrap().to_owned();
    assert!(verified(&message(&body, &signed)).await.is_ok());
    for wrong in [
        body[..body.len() - 1].to_owned(),
        format!("{body}\n"),
        body.replace("5997", "1"),
        // The same to whoever parses it, and not what was signed.
        serde_json::to_string(&serde_json::from_str::<Value>(&body).unwrap()).unwrap(),
        body.replace('\n', "\r\n"),
        String::new(),
    ] {
        assert!(is_forged(&message(&wrong, &header)).await, "{wrong}");
    }
    for wrong in [
        String::new(),
        "nonsense".to_owned(),
        format!("t={NOW}"),
        format!("t={NOW},v1="),
        format!("v1={hex}"),
        format!("t=,v1={hex}"),
        format!("t={},v1={hex}", NOW + 1),
        format!("t={NOW},t={NOW},v1={hex}"),
        // Of another scheme, a part, or written otherwise.
        format!("t={NOW},v0={hex}"),
        format!("t={NOW},v2={hex}"),
        format!("t={NOW},v1={}", &hex[..32]),
        format!("t={NOW},v1={}", hex.to_uppercase()),
        format!("t={NOW},v1={}", "0".repeat(64)),
    ] {
        assert!(is_forged(&message(&body, &wrong)).await, "{wrong}");
    }
    let mut twice = message(&body, &header);
    twice
        .headers
        .push(("stripe-signature".to_owned(), header.clone()));
    assert!(is_forged(&twice).await);
    let mut none = message(&body, &header);
    none.headers.clear();
    assert!(is_forged(&none).await);
}

#[tokio::test]
async fn what_else_stands_beside_a_signature_does_no_harm() {
    let body = body("payment_intent.succeeded", &intent());
    let header = signature(&body, &[SECRET], NOW);
    for more in [
        format!("{header},nonsense"),
        format!("nonsense,{header}"),
        format!(",{header},"),
        format!("v2=abc, {header} ,=,v1"),
        header.replace(",v1", ",\t,v1"),
    ] {
        assert!(verified(&message(&body, &more)).await.is_ok(), "{more}");
    }
}

#[tokio::test]
async fn a_message_of_another_time_is_not_taken() {
    let body = body("payment_intent.succeeded", &intent());
    for time in [NOW - 301, NOW + 301, 0, i64::MAX, i64::MIN] {
        assert!(
            is_forged(&message(&body, &signature(&body, &[SECRET], time))).await,
            "{time}"
        );
    }
    let header = signature(&body, &[SECRET], NOW);
    let mut late = message(&body, &header);
    late.received_at = now() + Duration::seconds(301);
    assert!(is_forged(&late).await, "it is replayed");
}

#[tokio::test]
async fn what_is_signed_and_no_event_is_not_taken() {
    for body in [
        "",
        "[]",
        "{}",
        "null",
        "{\"id\": \"evt_1\"}",
        "{\"id\": 1, \"type\": \"x\"}",
        "\u{0}",
    ] {
        assert!(
            is_forged(&message(body, &signature(body, &[SECRET], NOW))).await,
            "{body}"
        );
    }
}

#[tokio::test]
async fn an_event_says_what_it_is_about() {
    let transaction = About::Transaction {
        transaction: names(Some("payment-1"), Some("pi_1")),
    };
    for what in [
        "succeeded",
        "payment_failed",
        "canceled",
        "processing",
        "requires_action",
        "amount_capturable_updated",
        "partially_funded",
        "created",
    ] {
        assert_eq!(
            about(&format!("payment_intent.{what}"), intent()).await,
            transaction,
            "{what}"
        );
    }
    let charge = json!({"id": "ch_1", "payment_intent": "pi_1", "metadata": {"payment_id": "payment-1"}});
    for what in ["refunded", "captured", "expired", "succeeded", "updated"] {
        assert_eq!(
            about(&format!("charge.{what}"), charge.clone()).await,
            transaction,
            "{what}"
        );
    }
    let refund = json!({"id": "re_1", "payment_intent": "pi_1", "metadata": {"payment_id": "payment-1", "refund_id": "refund-1"}});
    let expected = About::Refund {
        transaction: names(Some("payment-1"), Some("pi_1")),
        refund: names(Some("refund-1"), Some("re_1")),
    };
    for kind in [
        "refund.created",
        "refund.updated",
        "refund.failed",
        "charge.refund.updated",
    ] {
        assert_eq!(about(kind, refund.clone()).await, expected, "{kind}");
    }
    // Of the dashboard's, and of a rest that was released.
    let elsewhere =
        json!({"id": "re_2", "payment_intent": {"id": "pi_1", "object": "payment_intent"}, "metadata": null});
    let expected = About::Refund {
        transaction: names(None, Some("pi_1")),
        refund: names(None, Some("re_2")),
    };
    assert_eq!(about("refund.created", elsewhere).await, expected);
    let dispute = json!({"id": "dp_1", "charge": "ch_1", "payment_intent": "pi_1", "metadata": {}});
    for what in [
        "created",
        "updated",
        "closed",
        "funds_withdrawn",
        "funds_reinstated",
    ] {
        let expected = About::Dispute {
            transaction: names(None, Some("pi_1")),
        };
        assert_eq!(
            about(&format!("charge.dispute.{what}"), dispute.clone()).await,
            expected,
            "{what}"
        );
    }
    // Another shop's, on the same account: it has no name of ours, and theirs is not known to us.
    let stranger = json!({"id": "pi_9", "metadata": {"cart": "7"}});
    let expected = About::Transaction {
        transaction: names(None, Some("pi_9")),
    };
    assert_eq!(about("payment_intent.succeeded", stranger).await, expected);
}

#[tokio::test]
async fn what_we_do_not_deal_with_is_genuine_all_the_same() {
    let is_nothing =
        async |kind: &str, object: Value| matches!(about(kind, object).await, About::Nothing { .. });
    for kind in [
        "customer.created",
        "payout.paid",
        "invoice.paid",
        "a_word_of_next_year",
        "payment_intents.succeeded",
        "",
    ] {
        assert!(is_nothing(kind, intent()).await, "{kind}");
    }
    assert!(
        is_nothing(
            "charge.succeeded",
            json!({"id": "ch_1", "payment_intent": null, "metadata": {}})
        )
        .await
    );
    assert!(is_nothing("payment_intent.succeeded", json!("pi_1")).await);
}

#[tokio::test]
async fn an_event_of_the_other_mode_is_nothing_to_us() {
    for (key, livemode, ours) in [
        (KEY, json!(false), true),
        (KEY, json!(true), false),
        ("rk_test_1", json!(false), true),
        ("sk_live_1", json!(false), false),
        ("sk_live_1", json!(true), true),
        ("rk_live_1", json!(true), true),
        ("rk_live_1", json!(false), false),
        ("sk_live_1", Value::Null, false),
    ] {
        let mut event = event("evt_1", "payment_intent.succeeded", &intent());
        event["livemode"] = livemode.clone();
        let body = event.to_string();
        let told = client(key)
            .verify(&message(&body, &signature(&body, &[SECRET], NOW)))
            .await
            .unwrap();
        assert_eq!(
            matches!(told.about, About::Transaction { .. }),
            ours,
            "{key} {livemode}"
        );
    }
    let mut event = event("evt_1", "payment_intent.succeeded", &intent());
    event["account"] = json!("acct_1");
    let body = event.to_string();
    let told = verified(&message(&body, &signature(&body, &[SECRET], NOW)))
        .await
        .unwrap();
    assert!(
        matches!(told.about, About::Nothing { .. }),
        "it happened in another account"
    );
}
