//! What goes wrong on the way to Stripe and back: in the end it is right, and money is taken and given back once.

use std::time::Duration as Real;

use chrono::Duration;
use serde_json::{Value, json};
use souk::entity::payment::PaymentFlow;
use souk::infra::gateways::{Fault, PaymentGateway as _, Stage};

use super::contract::{alone, transaction};
use super::{Breaks, Till, error};
use crate::gateways::sim::Mishap;
use crate::payments::{code, events, guest_order, standing, stands, statuses, work};
use crate::support::Shop;

async fn later(till: &Till, pause: Duration) {
    till.shop.clock.advance(pause);
    work(&till.shop).await;
}

fn id(payload: &Value) -> Value {
    assert_eq!(payload["userErrors"], json!([]), "{payload}");
    payload["payment"]["id"].clone()
}

/// An order whose payment is promised, and the payment.
async fn promised(till: &Till) -> (souk::kernel::id::OrderId, Value) {
    let order = guest_order(&till.shop).await;
    let payment = id(&till.begin(order, "AUTHORIZE").await);
    till.buyer_pays();
    later(till, Duration::seconds(2)).await;
    assert_eq!(statuses(&till.shop, order).await, ["AUTHORIZED"]);
    (order, payment)
}

/// The same of one that has been paid.
async fn charged(till: &Till) -> (souk::kernel::id::OrderId, Value) {
    let order = guest_order(&till.shop).await;
    let payment = id(&till.begin(order, "CHARGE").await);
    till.buyer_pays();
    later(till, Duration::seconds(2)).await;
    (order, payment)
}

fn keys(till: &Till, path: &str) -> Vec<String> {
    let asked = till.sim.asked_at("POST", path);
    asked
        .iter()
        .map(|asked| asked.header("idempotency-key").to_owned())
        .collect()
}

both! {
    async fn a_request_or_an_answer_may_be_lost(shop: &Shop) {
        let till = Till::open(shop).await;
        let order = guest_order(&till.shop).await;
        till.sim.mishap("/payment_intents", Mishap::LosesRequest).mishap("/payment_intents", Mishap::LosesAnswer);
        let payment = id(&till.begin(order, "AUTHORIZE").await);
        assert_eq!(statuses(&till.shop, order).await, ["REQUIRES_ACTION"]);
        let expected = format!("pay_{}_create_1", payment.as_str().unwrap());
        assert_eq!(keys(&till, "/payment_intents"), [expected.clone(), expected.clone(), expected]);
        assert_eq!(till.sim.with(|stripe| stripe.intents.len()), 1);
        till.buyer_pays();
        till.sim.mishap("/payment_intents", Mishap::LosesAnswer);
        later(&till, Duration::seconds(2)).await;
        till.sim.mishap("/capture", Mishap::LosesAnswer);
        assert_eq!(till.staff("paymentCapture", &payment, None).await["payment"]["status"], "CAPTURED");
        till.sim.mishap("/refunds", Mishap::LosesRequest).mishap("/refunds", Mishap::LosesAnswer);
        assert_eq!(till.staff("refundCreate", &payment, Some("10")).await["refund"]["status"], "SUCCEEDED");
        assert_eq!(till.money(), (5_997, 1_000));
        till.close().await;
    }

    async fn money_was_taken_and_nobody_said_so(shop: &Shop) {
        let till = Till::open(shop).await;
        let (order, payment) = promised(&till).await;
        for _ in 0..3 {
            till.sim.mishap("/capture", Mishap::LosesAnswer);
        }
        let open = till.staff("paymentCapture", &payment, Some("40")).await;
        assert_eq!((&open["payment"]["status"], &open["userErrors"]), (&json!("AUTHORIZED"), &json!([])));
        assert_eq!(till.money(), (4_000, 0));
        later(&till, Duration::seconds(2)).await;
        assert_eq!(standing(&till.shop, order).await, stands("CONFIRMED", "PARTIALLY_PAID", 4_000, 0));
        assert_eq!((keys(&till, "/capture").len(), till.money()), (4, (4_000, 0)));
        till.close().await;
    }

    async fn money_went_back_and_nobody_said_so_for_days(shop: &Shop) {
        let till = Till::open(shop).await;
        let (order, payment) = charged(&till).await;
        // The list that is looked at first is answered; what is asked for then is done, and three answers are lost.
        till.sim.mishap("/v1/refunds", Mishap::Dawdles(Real::from_millis(1)));
        for _ in 0..3 {
            till.sim.mishap("/v1/refunds", Mishap::LosesAnswer);
        }
        let open = till.staff("refundCreate", &payment, Some("20")).await;
        assert_eq!((&open["refund"]["status"], till.money()), (&json!("PENDING"), (5_997, 2_000)));
        till.sim.be_away(true);
        later(&till, Duration::days(2)).await;
        till.sim.be_away(false);
        till.sim.with(|stripe| stripe.forget_keys());
        later(&till, Duration::hours(1)).await;
        assert_eq!(standing(&till.shop, order).await, stands("CONFIRMED", "PARTIALLY_REFUNDED", 5_997, 2_000));
        assert_eq!(till.money(), (5_997, 2_000));
        till.close().await;
    }

    async fn a_failure_that_is_stored_is_not_for_good(shop: &Shop) {
        let till = Till::open(shop).await;
        for breaks in [Breaks::Before, Breaks::After] {
            let order = guest_order(&till.shop).await;
            till.sim.with(|stripe| stripe.break_next("/payment_intents", breaks));
            let payment = id(&till.begin(order, "AUTHORIZE").await);
            assert_eq!(statuses(&till.shop, order).await, ["REQUIRES_ACTION"], "{breaks:?}");
            till.buyer_pays();
            later(&till, Duration::seconds(2)).await;
            till.sim.with(|stripe| stripe.break_next("/capture", breaks));
            assert_eq!(till.staff("paymentCapture", &payment, None).await["payment"]["status"], "CAPTURED", "{breaks:?}");
            let other = guest_order(&till.shop).await;
            let payment = id(&till.begin(other, "AUTHORIZE").await);
            till.sim.with(|stripe| stripe.break_next("/cancel", breaks));
            assert_eq!(till.staff("paymentVoid", &payment, None).await["payment"]["status"], "VOIDED", "{breaks:?}");
        }
        assert_eq!(till.money(), (2 * 5_997, 0));
        till.close().await;
    }

    async fn a_refund_that_broke_is_looked_for_and_not_asked_for_by_another_key(shop: &Shop) {
        let till = Till::open(shop).await;
        let (_, payment) = charged(&till).await;
        till.sim.with(|stripe| stripe.break_next("/refunds", Breaks::After));
        assert_eq!(till.staff("refundCreate", &payment, Some("10")).await["refund"]["status"], "PENDING");
        later(&till, Duration::seconds(2)).await;
        assert_eq!(till.money(), (5_997, 1_000));
        till.sim.with(|stripe| stripe.break_next("/refunds", Breaks::Before));
        assert_eq!(till.staff("refundCreate", &payment, Some("20")).await["refund"]["status"], "PENDING");
        later(&till, Duration::seconds(2)).await;
        assert_eq!(till.money(), (5_997, 1_000), "Stripe stands by what it has stored");
        till.sim.with(|stripe| stripe.forget_keys());
        later(&till, Duration::days(1)).await;
        assert_eq!(till.money(), (5_997, 3_000));
        let mut keys = keys(&till, "/refunds");
        keys.dedup();
        assert_eq!(keys.len(), 2);
        till.close().await;
    }

    async fn a_busy_gateway_is_asked_again_when_it_wants(shop: &Shop) {
        let till = Till::open(shop).await;
        let order = guest_order(&till.shop).await;
        let busy = error(429, "invalid_request_error", Some("rate_limit"), "Too many requests");
        let locked = error(409, "idempotency_error", Some("idempotency_key_in_use"), "Another request is at it");
        till.sim.mishap("/payment_intents", Mishap::Answers(busy.with("retry-after", "1")));
        till.sim.mishap("/payment_intents", Mishap::Answers(locked.with("stripe-should-retry", "true")));
        let start = std::time::Instant::now();
        id(&till.begin(order, "CHARGE").await);
        assert!(start.elapsed() >= Real::from_secs(1), "it wanted to be left alone for a second");
        assert_eq!(statuses(&till.shop, order).await, ["REQUIRES_ACTION"]);
        // One that says that asking again is of no use is not asked again now, but later.
        let broken = error(500, "api_error", None, "oops").with("stripe-should-retry", "false");
        till.sim.mishap("/payment_intents", Mishap::Answers(broken));
        till.buyer_pays();
        let before = till.asked("GET", "/payment_intents");
        later(&till, Duration::seconds(2)).await;
        assert_eq!((till.asked("GET", "/payment_intents"), statuses(&till.shop, order).await), (before + 1, vec!["REQUIRES_ACTION".to_owned()]));
        later(&till, Duration::seconds(5)).await;
        assert_eq!(standing(&till.shop, order).await, stands("CONFIRMED", "PAID", 5_997, 0));
        till.close().await;
    }

    async fn a_gateway_that_is_away_for_an_hour_is_waited_for(shop: &Shop) {
        let till = Till::open(shop).await;
        let (order, payment) = promised(&till).await;
        till.sim.be_away(true);
        let second = guest_order(&till.shop).await;
        id(&till.begin(second, "CHARGE").await);
        assert_eq!(statuses(&till.shop, second).await, ["PROCESSING"]);
        assert_eq!(till.staff("paymentCapture", &payment, None).await["payment"]["status"], "AUTHORIZED");
        for _ in 0..4 {
            later(&till, Duration::minutes(15)).await;
        }
        assert_eq!(statuses(&till.shop, second).await, ["PROCESSING"]);
        till.sim.be_away(false);
        later(&till, Duration::minutes(15)).await;
        assert_eq!(standing(&till.shop, order).await, stands("CONFIRMED", "PAID", 5_997, 0));
        assert_eq!(statuses(&till.shop, second).await, ["REQUIRES_ACTION"]);
        till.buyer_pays();
        later(&till, Duration::minutes(15)).await;
        assert_eq!(standing(&till.shop, second).await, stands("CONFIRMED", "PAID", 5_997, 0));
        assert_eq!((till.sim.with(|stripe| stripe.intents.len()), till.money()), (2, (2 * 5_997, 0)));
        till.close().await;
    }

    async fn a_key_that_is_no_good_for_a_while_costs_no_refund(shop: &Shop) {
        let till = Till::open(shop).await;
        let (order, payment) = charged(&till).await;
        let expired = || error(401, "invalid_request_error", Some("api_key_expired"), "Expired API Key provided: sk_test_***");
        till.sim.mishap("/refunds", Mishap::Answers(expired()));
        assert_eq!(till.staff("refundCreate", &payment, Some("10")).await["refund"]["status"], "PENDING");
        later(&till, Duration::seconds(2)).await;
        assert_eq!(standing(&till.shop, order).await, stands("CONFIRMED", "PARTIALLY_REFUNDED", 5_997, 1_000));
        let other = guest_order(&till.shop).await;
        till.sim.mishap("/payment_intents", Mishap::Answers(expired()));
        let refused = till.begin(other, "CHARGE").await;
        assert_eq!((code(&refused), &refused["payment"]["failureCode"]), ("PAYMENT_DECLINED", &json!("gateway_refused")));
        assert_eq!(events(&till.shop, other).await, ["PLACED", "PAYMENT_PENDING", "PAYMENT_FAILED"]);
        till.close().await;
    }

    async fn a_refund_that_stripe_refuses_has_failed(shop: &Shop) {
        let till = Till::open(shop).await;
        let (order, payment) = charged(&till).await;
        let intent = till.last();
        till.sim.with(|stripe| stripe.refund_at_dashboard(&intent, 5_997));
        let refused = till.staff("refundCreate", &payment, Some("10")).await;
        assert_eq!((code(&refused), &refused["refund"]["status"]), ("PAYMENT_DECLINED", &json!("FAILED")));
        assert_eq!((statuses(&till.shop, order).await, till.money()), (vec!["CAPTURED".to_owned()], (5_997, 5_997)));
        till.close().await;
    }
}

#[tokio::test]
async fn an_answer_that_takes_too_long_is_asked_for_again() {
    let (sim, client) = alone().await;
    sim.mishap("/payment_intents", Mishap::Dawdles(Real::from_secs(9)));
    let made = client
        .create("key", &transaction(PaymentFlow::Charge))
        .await
        .unwrap();
    assert!(matches!(made.stage, Stage::RequiresAction(_)));
    assert_eq!(
        (sim.asked().len(), sim.with(|stripe| stripe.intents.len())),
        (2, 1)
    );
}

#[tokio::test]
async fn a_key_whose_request_was_another_is_spent() {
    let (sim, client) = alone().await;
    let begun = transaction(PaymentFlow::Charge);
    client.create("key", &begun).await.unwrap();
    let mut renumbered = begun.clone();
    renumbered.order_number = "987654321".to_owned();
    let made = client.create("key", &renumbered).await.unwrap();
    assert!(matches!(made.stage, Stage::RequiresAction(_)));
    let keys: Vec<_> = sim
        .asked()
        .iter()
        .map(|asked| asked.header("idempotency-key").to_owned())
        .collect();
    assert!(keys[2].starts_with("key_") && keys[2].len() > 20, "{keys:?}");
}

#[tokio::test]
async fn nobody_there_is_not_a_no() {
    let (sim, client) = alone().await;
    drop(sim);
    let begun = transaction(PaymentFlow::Charge);
    assert!(matches!(
        client.create("key", &begun).await,
        Err(Fault::Unknown(_))
    ));
    assert!(
        matches!(
            client.capture("key", &begun, begun.money).await,
            Err(Fault::Unknown(_))
        ),
        "it has no name yet"
    );
}
