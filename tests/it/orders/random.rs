//! Whatever is done to orders, in whatever order: the books balance after each step, and what may be done is what was said.

use chrono::Duration;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};
use souk::domain::checkout::expire::expire_due;

use super::{cancel, deliver, fulfill, mug};
use crate::support::buyer::GuestOrder;
use crate::support::{As, Shop};

#[derive(Clone, Copy, Debug)]
enum Step {
    Place(i32),
    Pay(usize, &'static str),
    Cancel(usize),
    Fulfill(usize, i32),
    Deliver(usize),
    Refund(usize),
    Wait(i64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (1..4).prop_map(Step::Place),
        4 => (0..8_usize, prop::sample::select(vec!["SUCCEED", "DECLINE", "SUCCEED"])).prop_map(|(i, outcome)| Step::Pay(i, outcome)),
        1 => (0..8_usize).prop_map(Step::Cancel),
        3 => (0..8_usize, 1..4).prop_map(|(i, quantity)| Step::Fulfill(i, quantity)),
        3 => (0..8_usize).prop_map(Step::Deliver),
        1 => (0..8_usize).prop_map(Step::Refund),
        1 => (1..10_i64).prop_map(Step::Wait),
    ]
}

/// What staff may do to it, or a mutation is refused.
async fn allowed(shop: &Shop, order: &str) -> Vec<String> {
    let query = "query($id: ID!) { order(by: {id: $id}) { availableActions } }";
    let data = shop.data(As::Staff, query, json!({ "id": order })).await;
    let actions = data["order"]["availableActions"].as_array().unwrap();
    actions
        .iter()
        .map(|action| action.as_str().unwrap().to_owned())
        .collect()
}

fn codes(payload: &Value) -> Vec<&str> {
    let errors = payload["userErrors"].as_array().unwrap();
    errors
        .iter()
        .map(|error| error["code"].as_str().unwrap())
        .collect()
}

/// The refusal that a mutation must make, or must not make, by what was said before.
fn check(payload: &Value, allowed: &[String], action: &str, also: &[&str]) {
    let codes = codes(payload);
    if allowed.iter().any(|allowed| allowed == action) {
        assert!(
            codes.iter().all(|code| also.contains(code)),
            "{action} is allowed: {payload}"
        );
    } else {
        assert!(!codes.is_empty(), "{action} is not allowed: {payload}");
    }
}

async fn take(shop: &Shop, mug: &str, orders: &mut Vec<GuestOrder>, number: usize, step: Step) {
    let key = format!("step {number}");
    let pick = |i: usize| orders.get(i % orders.len().max(1)).cloned();
    match step {
        Step::Place(quantity) => {
            if let Some(order) = try_order(shop, mug, quantity).await {
                orders.push(order);
            }
        }
        Step::Pay(i, outcome) => {
            let Some(order) = pick(i) else { return };
            let allowed = allowed(shop, &order.id).await;
            let paid = shop.pay(&order, outcome, &key).await;
            check(&paid, &allowed, "PAY", &["PAYMENT_DECLINED"]);
        }
        Step::Cancel(i) => {
            let Some(order) = pick(i) else { return };
            let allowed = allowed(shop, &order.id).await;
            let was = shop.standing(&order.id).await[0].clone();
            let answer = cancel(shop, As::Staff, &order.id).await;
            if was != "CANCELLED" {
                check(&answer["data"]["orderCancel"], &allowed, "CANCEL", &[]);
            }
        }
        Step::Fulfill(i, quantity) => {
            let Some(order) = pick(i) else { return };
            let allowed = allowed(shop, &order.id).await;
            let lines = json!([{"orderLineId": order.first_line, "quantity": quantity}]);
            let sent = fulfill(
                shop,
                json!({"orderId": order.id, "lines": lines, "idempotencyKey": key}),
            )
            .await;
            check(&sent, &allowed, "FULFILL", &["OUT_OF_RANGE"]);
        }
        Step::Deliver(i) => {
            let Some(order) = pick(i) else { return };
            let query = "query($id: ID!) { order(by: {id: $id}) { fulfillments { id } } }";
            let data = shop.data(As::Staff, query, json!({ "id": order.id })).await;
            for parcel in data["order"]["fulfillments"].as_array().unwrap() {
                assert_eq!(codes(&deliver(shop, &parcel["id"]).await), Vec::<&str>::new());
            }
        }
        Step::Refund(i) => {
            let Some(order) = pick(i) else { return };
            refund(shop, &order, &key).await;
        }
        Step::Wait(minutes) => {
            shop.clock.advance(Duration::minutes(minutes));
            expire_due(&shop.system()).await.unwrap();
        }
    }
}

async fn try_order(shop: &Shop, mug: &str, quantity: i32) -> Option<GuestOrder> {
    let (on_hand, reserved) = shop.stock(mug).await;
    if on_hand - reserved < i64::from(quantity) {
        return None;
    }
    Some(shop.ordered(&[(mug, quantity)]).await)
}

async fn refund(shop: &Shop, order: &GuestOrder, key: &str) {
    let allowed = allowed(shop, &order.id).await;
    let query = "query($id: ID!) { order(by: {id: $id}) { payments { id status } } }";
    let data = shop.data(As::Staff, query, json!({ "id": order.id })).await;
    for payment in data["order"]["payments"].as_array().unwrap() {
        let document =
            "mutation($input: RefundCreateInput!) { refundCreate(input: $input) { userErrors { code } } }";
        let amount = json!({"amount": "1.00", "currencyCode": "USD"});
        let key = format!("{key} {}", payment["id"]);
        let input = json!({"paymentId": payment["id"], "amount": amount, "idempotencyKey": key});
        let answer = shop.data(As::Staff, document, json!({ "input": input })).await;
        if payment["status"] != "FAILED" {
            check(&answer["refundCreate"], &allowed, "REFUND", &[]);
        }
    }
}

both! {
    async fn the_books_balance_after_every_step(shop: &Shop) {
        let mug = mug(shop, 25).await;
        // The same steps on both databases, others with each change of the strategy.
        let mut runner = TestRunner::deterministic();
        let strategy = prop::collection::vec(step(), 40);
        for run in 0..3 {
            let steps = strategy.new_tree(&mut runner).unwrap().current();
            let mut orders = Vec::new();
            for (number, step) in steps.into_iter().enumerate() {
                take(shop, &mug, &mut orders, run * 100 + number, step).await;
                shop.balance().await;
            }
        }
    }
}
