//! Whether webhooks are PayPal's, and what they are about.

use chrono::TimeDelta;
use serde_json::{Value, json};
use souk::entity::payment::PaymentFlow::{Authorize, Charge};
use souk::infra::gateways::{About, Names, PaymentGateway as _, Unverified};
use souk::kernel::clock::Clock as _;

use super::direct::{Direct, OURS};
use super::play::{CERTIFICATE, Note, crc32};
use crate::gateways::sim::{Answer, Mishap};

async fn verified(direct: &Direct, note: &Note) -> Result<souk::infra::gateways::Event, Unverified> {
    direct.gateway.verify(&note.arriving(direct.clock.now())).await
}

fn is_forged(told: &Result<souk::infra::gateways::Event, Unverified>) -> bool {
    matches!(told, Err(Unverified::Forged(_)))
}

fn is_undecided(told: &Result<souk::infra::gateways::Event, Unverified>) -> bool {
    matches!(told, Err(Unverified::Undecided(_)))
}

fn asked(direct: &Direct) -> usize {
    direct.sim.asked_at("POST", "verify-webhook-signature").len()
}

async fn captured() -> (Direct, Note) {
    let direct = Direct::start().await;
    direct.completed(Charge).await;
    let event = direct
        .sim
        .with(|paypal| paypal.event("PAYMENT.CAPTURE.COMPLETED"));
    let note = Note::new(&event, direct.clock.now());
    (direct, note)
}

#[test]
fn the_simulator_counts_as_zip_does() {
    assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
}

#[tokio::test]
async fn each_kind_of_event_names_its_payment() {
    let direct = Direct::start().await;
    let (transaction, _) = direct.completed(Authorize).await;
    let part = souk::kernel::money::Money::new(2_000, souk::kernel::money::Currency::USD);
    direct
        .gateway
        .capture("capture", &transaction, part)
        .await
        .unwrap();
    let by_hand = direct
        .sim
        .with(|paypal| paypal.refund_by_hand(rust_decimal::Decimal::ONE));
    let ours = Names {
        ours: Some(OURS.to_owned()),
        theirs: transaction.reference.clone(),
    };
    let unlinked = Names {
        theirs: None,
        ..ours.clone()
    };
    let refund = About::Refund {
        transaction: unlinked.clone(),
        refund: Names {
            ours: None,
            theirs: Some(by_hand.id),
        },
    };
    let about = |transaction: &Names| About::Transaction {
        transaction: transaction.clone(),
    };
    let dispute = || About::Dispute {
        transaction: unlinked.clone(),
    };
    let nothing = || About::Nothing {
        why: "we do nothing about such events".to_owned(),
    };
    for (kind, expected) in [
        ("CHECKOUT.ORDER.APPROVED", about(&ours)),
        ("CHECKOUT.ORDER.COMPLETED", about(&ours)),
        ("CHECKOUT.PAYMENT-APPROVAL.REVERSED", about(&ours)),
        ("PAYMENT.AUTHORIZATION.CREATED", about(&ours)),
        ("PAYMENT.AUTHORIZATION.VOIDED", about(&ours)),
        ("PAYMENT.CAPTURE.COMPLETED", about(&ours)),
        ("PAYMENT.CAPTURE.PENDING", about(&ours)),
        ("PAYMENT.CAPTURE.DENIED", about(&ours)),
        ("PAYMENT.CAPTURE.DECLINED", about(&ours)),
        ("PAYMENT.CAPTURE.REVERSED", about(&ours)),
        ("PAYMENT.CAPTURE.REFUNDED", refund.clone()),
        ("PAYMENT.REFUND.FAILED", refund),
        ("CUSTOMER.DISPUTE.CREATED", dispute()),
        ("CUSTOMER.DISPUTE.RESOLVED", dispute()),
        ("BILLING.PLAN.ACTIVATED", nothing()),
        ("SOMETHING.NEW", nothing()),
    ] {
        let event = direct.sim.with(|paypal| paypal.event(kind));
        let note = Note::new(&event, direct.clock.now());
        let told = verified(&direct, &note).await.unwrap();
        assert_eq!(
            (Value::from(told.id), told.kind.as_str()),
            (event["id"].clone(), kind)
        );
        assert_eq!(told.about, expected, "{kind}");
    }
    direct.finish();
}

#[tokio::test]
async fn a_refund_of_ours_is_named_by_its_invoice() {
    let direct = Direct::start().await;
    let (transaction, _) = direct.completed(Charge).await;
    let refund = souk::infra::gateways::Refund {
        id: "refund_1".to_owned(),
        reference: None,
        money: transaction.money,
    };
    let told = direct
        .gateway
        .refund("refund", &transaction, &refund)
        .await
        .unwrap();
    let event = direct.sim.with(|paypal| paypal.event("PAYMENT.CAPTURE.REFUNDED"));
    let event = verified(&direct, &Note::new(&event, direct.clock.now()))
        .await
        .unwrap();
    let named = Names {
        ours: Some("refund_1".to_owned()),
        theirs: told.reference,
    };
    assert!(matches!(event.about, About::Refund { refund, .. } if refund == named));
    direct.finish();
}

#[tokio::test]
async fn what_paypal_has_not_signed_is_forged() {
    let (direct, note) = captured().await;
    assert!(verified(&direct, &note).await.is_ok());
    let value: Value = serde_json::from_str(&note.body).unwrap();
    let body = |body: String| Note { body, ..note.clone() };
    let other = note.body.replace("59.97", "99.97");
    assert_ne!(other, note.body);
    for (what, forged) in [
        ("changed", body(other)),
        (
            "written anew",
            body(serde_json::to_string_pretty(&value).unwrap()),
        ),
        (
            "another time",
            note.clone()
                .with("paypal-transmission-time", "2026-03-01T12:00:01Z"),
        ),
        (
            "another transmission",
            note.clone().with("paypal-transmission-id", "69cd13f0"),
        ),
        (
            "another signature",
            note.clone().with("paypal-transmission-sig", "AAAA"),
        ),
        ("no base64", note.clone().with("paypal-transmission-sig", "?")),
        (
            "another shop's webhook",
            Note::of("1JE4291016473214C", &value, direct.clock.now()),
        ),
    ] {
        let told = verified(&direct, &forged).await;
        assert!(is_forged(&told), "{what}: {told:?}");
    }
    direct.finish();
}

#[tokio::test]
async fn what_can_be_seen_at_once_is_not_asked_about() {
    let (direct, note) = captured().await;
    let body = |body: &str| Note {
        body: body.to_owned(),
        ..note.clone()
    };
    let certificate = |address: &str| note.clone().with("paypal-cert-url", address);
    let mut notes = vec![
        body(&note.body[..note.body.len() / 2]),
        body(""),
        body("null"),
        body("{}"),
        body("{\"id\": \"\", \"event_type\": \"X\", \"resource\": {}}"),
        body("\u{feff}{}"),
        note.clone().with("paypal-auth-algo", "SHA1withRSA"),
        note.clone().with("paypal-auth-algo", "none"),
        note.clone().with("paypal-transmission-time", "yesterday"),
        note.clone()
            .with("paypal-transmission-time", "2026-02-24T12:00:00Z"),
        certificate("https://evilpaypal.com/v1/notifications/certs/CERT-1"),
        certificate("https://paypal.com.evil.example/certs/CERT-1"),
        certificate("https://evil.example/?.paypal.com"),
        certificate("https://evil.example/#.paypal.com"),
        certificate("https://api.paypal.com@evil.example/certs"),
        certificate("https://user@api.paypal.com/certs"),
        certificate("https://api.paypal.com:8443/certs"),
        certificate("http://api.paypal.com/certs"),
        certificate("https://127.0.0.1/.paypal.com"),
        certificate("file:///etc/api.paypal.com"),
        certificate("api.paypal.com"),
    ];
    for (name, _) in note
        .headers
        .iter()
        .filter(|(name, _)| name.starts_with("paypal-"))
    {
        let mut lacking = note.clone();
        lacking.headers.retain(|(own, _)| own != name);
        let mut twice = note.clone();
        twice.headers.push((name.clone(), "x".to_owned()));
        notes.extend([lacking, twice, note.clone().with(name, "")]);
    }
    for note in notes {
        let told = verified(&direct, &note).await;
        assert!(is_forged(&told), "{note:?}: {told:?}");
    }
    assert_eq!(asked(&direct), 0);
    direct.finish();
}

#[tokio::test]
async fn the_event_is_shown_to_paypal_byte_by_byte() {
    let (direct, _) = captured().await;
    // Odd spaces, escapes, numbers and an order of fields that no writer of ours would choose.
    let event = "{ \"resource\":{\"custom_id\":\"payment\\u005f1\",\"n\":1.0e2, \"a\":[ ]},\n\t\"event_type\":\"PAYMENT.CAPTURE.COMPLETED\" ,\"id\":\"WH-1\",\"x\":\"\\/\" }";
    let note = Note::raw(event, direct.clock.now());
    let told = verified(&direct, &note).await.unwrap();
    assert!(
        matches!(told.about, About::Transaction { transaction } if transaction.ours.as_deref() == Some("payment_1"))
    );
    let question = direct.sim.asked_at("POST", "verify-webhook-signature").remove(0);
    let text = String::from_utf8(question.body.to_vec()).unwrap();
    assert!(text.ends_with(&format!("\"webhook_event\":{event}}}")), "{text}");
    let body = question.json();
    for (field, header) in [
        ("auth_algo", "paypal-auth-algo"),
        ("cert_url", "paypal-cert-url"),
        ("transmission_id", "paypal-transmission-id"),
        ("transmission_sig", "paypal-transmission-sig"),
        ("transmission_time", "paypal-transmission-time"),
    ] {
        let value = note.headers.iter().find(|(name, _)| name == header).unwrap();
        assert_eq!(body[field], value.1);
    }
    assert_eq!(
        (&body["webhook_id"], &body["cert_url"]),
        (&json!(super::WEBHOOK_ID), &json!(CERTIFICATE))
    );
    direct.finish();
}

#[tokio::test]
async fn the_same_again_is_the_same_event() {
    let (direct, note) = captured().await;
    let first = verified(&direct, &note).await.unwrap();
    direct.clock.advance(TimeDelta::days(3));
    assert_eq!(verified(&direct, &note).await.unwrap(), first);
    direct.clock.advance(TimeDelta::days(2));
    assert!(
        is_forged(&verified(&direct, &note).await),
        "PayPal has given up by now"
    );
    direct.finish();
}

#[tokio::test]
async fn what_paypal_does_not_say_is_not_decided() {
    let (direct, note) = captured().await;
    let answer = |status, body: Value| Mishap::Answers(Answer::json(status, &body));
    for mishap in [
        answer(200, json!({})),
        answer(200, json!({"verification_status": "PERHAPS"})),
        answer(400, json!({"name": "VALIDATION_ERROR", "details": []})),
        answer(204, Value::Null),
    ] {
        direct.sim.mishap("verify-webhook-signature", mishap.clone());
        let told = verified(&direct, &note).await;
        assert!(is_undecided(&told), "{mishap:?}: {told:?}");
    }
    direct.sim.be_away(true);
    assert!(is_undecided(&verified(&direct, &note).await));
    direct.sim.be_away(false);
    assert!(verified(&direct, &note).await.is_ok());
    direct.finish();
}

/// As it arrives from this address.
async fn verified_from(
    direct: &Direct,
    note: &Note,
    sender: &str,
) -> Result<souk::infra::gateways::Event, Unverified> {
    let mut message = note.arriving(direct.clock.now());
    message.sender = Some(sender.parse().unwrap());
    direct.gateway.verify(&message).await
}

#[tokio::test]
async fn what_comes_at_once_waits_for_its_turn() {
    let (direct, note) = captured().await;
    let all = futures_util::future::join_all((0..12).map(|_| verified(&direct, &note))).await;
    assert!(all.iter().all(Result::is_ok), "{all:?}");
    assert_eq!(asked(&direct), 12);
    direct.finish();
}

#[tokio::test]
async fn whoever_sends_many_does_not_shut_paypal_out() {
    let (direct, note) = captured().await;
    for _ in 0..2 {
        let slow = Mishap::Dawdles(std::time::Duration::from_mins(1));
        direct.sim.mishap("verify-webhook-signature", slow);
    }
    let strangers =
        futures_util::future::join_all((0..40).map(|_| verified_from(&direct, &note, "192.0.2.1")));
    let paypal = async {
        while asked(&direct) < 2 {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        for _ in 0..10 {
            let told = verified_from(&direct, &note, "198.51.100.1").await;
            assert!(told.is_ok(), "{told:?}");
        }
        asked(&direct)
    };
    tokio::select! {
        told = strangers => panic!("the stranger is done first: {told:?}"),
        count = paypal => assert_eq!(count, 12, "two of the stranger's are being asked about"),
    }
    direct.finish();
}
