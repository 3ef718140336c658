//! What our client asks for, header by header and field by field, and which stage it makes of which status.

use souk::entity::payment::PaymentFlow;
use souk::infra::gateways::stripe::Stripe as Client;
use souk::infra::gateways::{
    Action, Fault, PaymentGateway as _, Reason, Refund, Return, ReturnStage, Stage, State, Transaction,
};
use souk::kernel::config::StripeConfig;
use souk::kernel::money::{Currency, Money};

use super::play::VERSION;
use super::{KEY, OLD_SECRET, SECRET, Stripe, fee_of};
use crate::gateways::sim::{Asked, Sim};

pub(super) fn config(key: &str, base: &str) -> StripeConfig {
    StripeConfig {
        secret_key: key.into(),
        publishable_key: "pk_test_simulated".into(),
        webhook_secret: SECRET.into(),
        webhook_previous_secret: Some(OLD_SECRET.into()),
        api_base: base.parse().unwrap(),
    }
}

/// A gateway and a client of it, without a shop.
pub(super) async fn alone() -> (Sim<Stripe>, Client) {
    let sim = Sim::start(Stripe::default()).await;
    let client = Client::new(&config(KEY, &sim.base())).unwrap();
    (sim, client)
}

pub(super) fn dollars(minor: i64) -> Money {
    Money::new(minor, Currency::USD)
}

pub(super) fn transaction(flow: PaymentFlow) -> Transaction {
    Transaction {
        id: "payment-1".to_owned(),
        reference: None,
        receipt: None,
        secret: "secret".into(),
        flow,
        money: dollars(5_997),
        order: "order-1".to_owned(),
        order_number: "123456789".to_owned(),
        return_url: "https://shop.example/payments/return/payment-1/secret".to_owned(),
        phone: None,
        test_outcome: None,
        begun_at: "2026-03-01T12:00:00Z".parse().unwrap(),
    }
}

fn refund(reference: Option<&str>) -> Refund {
    Refund {
        id: "refund-1".to_owned(),
        reference: reference.map(str::to_owned),
        money: dollars(1_000),
    }
}

/// The same one as soon as its gateway has told what it calls it.
pub(super) fn named(transaction: &Transaction, state: &State) -> Transaction {
    Transaction {
        reference: state.reference.clone(),
        ..transaction.clone()
    }
}

fn names(asked: &Asked) -> Vec<String> {
    let mut names: Vec<_> = asked.headers.keys().map(ToString::to_string).collect();
    names.sort();
    names
}

/// A POST as the documents demand it, with this key.
fn check_post(asked: &Asked, path: &str, key: &str, form: &[(&str, &str)]) {
    assert_eq!((asked.method.as_str(), asked.path.as_str()), ("POST", path));
    let expected = [
        "accept",
        "authorization",
        "content-length",
        "content-type",
        "host",
        "idempotency-key",
        "stripe-version",
        "user-agent",
    ];
    assert_eq!(names(asked), expected);
    assert_eq!(asked.header("authorization"), format!("Bearer {KEY}"));
    assert_eq!(asked.header("content-type"), "application/x-www-form-urlencoded");
    assert_eq!(asked.header("idempotency-key"), key);
    assert_eq!(asked.header("stripe-version"), VERSION);
    let sent = asked.form();
    let sent: Vec<_> = sent
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    assert_eq!(sent, form);
}

fn check_get(asked: &Asked, path: &str) {
    assert_eq!((asked.method.as_str(), asked.path.as_str()), ("GET", path));
    assert_eq!(
        names(asked),
        ["accept", "authorization", "host", "stripe-version", "user-agent"]
    );
    assert_eq!(asked.header("stripe-version"), VERSION);
}

#[tokio::test]
async fn each_request_is_what_the_documents_demand() {
    let (sim, client) = alone().await;
    let begun = transaction(PaymentFlow::Authorize);
    let made = client.create("key-create", &begun).await.unwrap();
    let id = made.reference.clone().unwrap();
    let known = named(&begun, &made);
    sim.with(|stripe| stripe.pay(&id));
    client.retrieve(&known).await.unwrap();
    client
        .capture("key-capture", &known, dollars(4_000))
        .await
        .unwrap();
    let back = client.refund("key-refund", &known, &refund(None)).await.unwrap();
    let name = back.reference.clone().unwrap();
    assert_eq!(
        client
            .retrieve_refund(&known, &refund(Some(&name)))
            .await
            .unwrap(),
        back
    );
    assert_eq!(client.retrieve_refund(&known, &refund(None)).await.unwrap(), back);
    let other = client
        .create("key-other", &transaction(PaymentFlow::Charge))
        .await
        .unwrap();
    let other_id = other.reference.clone().unwrap();
    client.void("key-void", &named(&begun, &other)).await.unwrap();

    let asked = sim.asked();
    let create = |capture_method| {
        [
            ("amount", "5997"),
            ("currency", "usd"),
            ("automatic_payment_methods[enabled]", "true"),
            ("capture_method", capture_method),
            ("description", "Order 123456789"),
            ("metadata[payment_id]", "payment-1"),
            ("metadata[order_id]", "order-1"),
        ]
    };
    let expand = ("expand[0]", "latest_charge.balance_transaction");
    check_post(&asked[0], "/v1/payment_intents", "key-create", &create("manual"));
    check_get(
        &asked[1],
        &format!("/v1/payment_intents/{id}?expand%5B0%5D=latest_charge.balance_transaction"),
    );
    let path = format!("/v1/payment_intents/{id}/capture");
    check_post(
        &asked[2],
        &path,
        "key-capture",
        &[("amount_to_capture", "4000"), expand],
    );
    let list = format!("/v1/refunds?payment_intent={id}&limit=100");
    check_get(&asked[3], &list);
    let form = [
        ("payment_intent", id.as_str()),
        ("amount", "1000"),
        ("metadata[refund_id]", "refund-1"),
        ("metadata[payment_id]", "payment-1"),
    ];
    check_post(&asked[4], "/v1/refunds", "key-refund", &form);
    check_get(&asked[5], &format!("/v1/refunds/{name}"));
    check_get(&asked[6], &list);
    check_post(
        &asked[7],
        "/v1/payment_intents",
        "key-other",
        &create("automatic"),
    );
    let path = format!("/v1/payment_intents/{other_id}/cancel");
    check_post(
        &asked[8],
        &path,
        "key-void",
        &[("cancellation_reason", "requested_by_customer"), expand],
    );
    assert_eq!(asked.len(), 9);
    assert_eq!(sim.with(|stripe| stripe.complaints.clone()), Vec::<String>::new());
}

#[tokio::test]
async fn each_status_is_a_stage() {
    let (sim, client) = alone().await;
    let begun = transaction(PaymentFlow::Charge);
    let made = client.create("key", &begun).await.unwrap();
    let id = made.reference.clone().unwrap();
    let secret = sim.with(|stripe| stripe.intents[&id].client_secret());
    let action = Stage::RequiresAction(Action::ClientSecret {
        client_secret: secret,
        publishable_key: "pk_test_simulated".to_owned(),
    });
    let expected = State {
        reference: Some(id.clone()),
        ..State::new(dollars(5_997), action.clone())
    };
    assert_eq!(made, expected);
    let known = named(&begun, &made);
    for (status, stage) in [
        ("requires_payment_method", action.clone()),
        ("requires_confirmation", action.clone()),
        ("requires_action", action),
        ("processing", Stage::Processing),
        ("a_word_of_next_year", Stage::Processing),
        ("requires_capture", Stage::Authorized),
    ] {
        sim.with(|stripe| stripe.becomes(&id, status));
        assert_eq!(
            client.retrieve(&known).await.unwrap().unwrap().stage,
            stage,
            "{status}"
        );
    }
    for (reason, stage) in [
        (None, Stage::Voided),
        (Some("requested_by_customer"), Stage::Voided),
        (Some("a_word_of_next_year"), Stage::Voided),
        (Some("abandoned"), Stage::Expired),
        (Some("automatic"), Stage::Expired),
    ] {
        sim.with(|stripe| stripe.intents.get_mut(&id).unwrap().cancel(reason));
        assert_eq!(
            client.retrieve(&known).await.unwrap().unwrap().stage,
            stage,
            "{reason:?}"
        );
    }
    sim.with(|stripe| stripe.pay(&id));
    let paid = client.retrieve(&known).await.unwrap().unwrap();
    let expected = State {
        reference: Some(id.clone()),
        receipt: Some(format!("ch_{}", &id[3..])),
        fee: Some(dollars(fee_of(5_997))),
        refunded: Some(dollars(0)),
        ..State::new(dollars(5_997), Stage::Captured(dollars(5_997)))
    };
    assert_eq!(paid, expected);
    assert_eq!(
        client.retrieve(&begun).await,
        Ok(None),
        "without its name it is not known"
    );
    let stranger = Transaction {
        reference: Some("pi_3Stranger".to_owned()),
        ..begun
    };
    assert_eq!(client.retrieve(&stranger).await, Ok(None));
}

#[tokio::test]
async fn what_is_released_has_not_gone_back_and_what_was_refunded_elsewhere_has() {
    let (sim, client) = alone().await;
    let begun = transaction(PaymentFlow::Authorize);
    let made = client.create("key", &begun).await.unwrap();
    let (id, known) = (made.reference.clone().unwrap(), named(&begun, &made));
    sim.with(|stripe| stripe.pay(&id));
    let captured = client.capture("capture", &known, dollars(4_000)).await.unwrap();
    assert_eq!(
        (captured.stage, captured.refunded),
        (Stage::Captured(dollars(4_000)), Some(dollars(0)))
    );
    assert_eq!(captured.fee, Some(dollars(fee_of(4_000))));
    client.refund("refund", &known, &refund(None)).await.unwrap();
    assert_eq!(
        client.retrieve(&known).await.unwrap().unwrap().refunded,
        Some(dollars(1_000))
    );
    sim.with(|stripe| stripe.settle("failed", None));
    assert_eq!(
        client.retrieve(&known).await.unwrap().unwrap().refunded,
        Some(dollars(0))
    );
}

#[tokio::test]
async fn a_refund_stands_as_stripe_says() {
    let (sim, client) = alone().await;
    let begun = transaction(PaymentFlow::Charge);
    let made = client.create("key", &begun).await.unwrap();
    let (id, known) = (made.reference.clone().unwrap(), named(&begun, &made));
    sim.with(|stripe| stripe.pay(&id));
    let asked = refund(
        client
            .refund("refund", &known, &refund(None))
            .await
            .unwrap()
            .reference
            .as_deref(),
    );
    for (status, stage) in [
        ("pending", ReturnStage::Pending),
        ("requires_action", ReturnStage::Pending),
        ("a_word_of_next_year", ReturnStage::Pending),
        ("succeeded", ReturnStage::Succeeded),
    ] {
        sim.with(|stripe| stripe.settle(status, None));
        let expected = Return {
            reference: asked.reference.clone(),
            money: dollars(1_000),
            stage,
        };
        assert_eq!(
            client.retrieve_refund(&known, &asked).await,
            Ok(expected),
            "{status}"
        );
    }
    for (status, why, code) in [
        ("failed", Some("lost_or_stolen_card"), "lost_or_stolen_card"),
        ("failed", Some("a_word_of_next_year"), "refund_failed"),
        ("canceled", None, "refund_failed"),
    ] {
        sim.with(|stripe| stripe.settle(status, why));
        let told = client.retrieve_refund(&known, &asked).await.unwrap();
        assert!(
            matches!(told.stage, ReturnStage::Failed(Reason { code: own, .. }) if own == code),
            "{status}"
        );
    }
    let other = Refund {
        id: "refund-2".to_owned(),
        ..asked
    };
    assert!(
        matches!(
            client.retrieve_refund(&known, &other).await,
            Err(Fault::Unknown(_))
        ),
        "it is another one's"
    );
}
