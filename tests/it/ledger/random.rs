//! Whatever happens to payments, in whatever order: the ledger agrees with them after each step, and in the end with the
//! gateway as well.

use std::sync::Arc;

use chrono::Duration;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};
use souk::domain::checkout::expire::expire_due;
use souk::domain::payments::drive::drive_due;
use souk::infra::gateways::{Reason, ReturnStage};
use souk::kernel::money::Money;

use super::reconcile::differences;
use super::wild::{How, Wild};
use super::{staff, thing};
use crate::support::books::ledger;
use crate::support::buyer::{GuestOrder, PAY};
use crate::support::{As, Shop};

#[derive(Clone, Debug)]
enum Step {
    Place(i32),
    Pay(usize, &'static str, How),
    Capture(usize, i64),
    Void(usize),
    Refund(usize, i64, ReturnStage),
    Cancel(usize),
    /// At the gateway, without us.
    Buyer(usize),
    Elsewhere(usize, i64),
    Fee(usize, i64),
    Settle(usize, bool),
    Lose,
    Work,
    Wait(i64),
}

fn failed() -> ReturnStage {
    ReturnStage::Failed(Reason::new("no", "No."))
}

fn step() -> impl Strategy<Value = Step> {
    let which = || 0..6_usize;
    let how = prop::sample::select(vec![How::Takes, How::Takes, How::Asks, How::Declines]);
    let flow = prop::sample::select(vec!["CHARGE", "AUTHORIZE"]);
    let returned = prop::sample::select(vec![ReturnStage::Succeeded, ReturnStage::Pending, failed()]);
    prop_oneof![
        3 => (1..4).prop_map(Step::Place),
        7 => (which(), flow, how).prop_map(|(i, flow, how)| Step::Pay(i, flow, how)),
        2 => (which(), 1..70_i64).prop_map(|(i, amount)| Step::Capture(i, amount)),
        1 => which().prop_map(Step::Void),
        5 => (which(), 1..40_i64, returned).prop_map(|(i, amount, stage)| Step::Refund(i, amount, stage)),
        2 => which().prop_map(Step::Cancel),
        2 => which().prop_map(Step::Buyer),
        2 => (which(), 1..30_i64).prop_map(|(i, amount)| Step::Elsewhere(i, amount)),
        3 => (which(), 1..99_i64).prop_map(|(i, fee)| Step::Fee(i, fee)),
        2 => (which(), any::<bool>()).prop_map(|(i, well)| Step::Settle(i, well)),
        2 => Just(Step::Lose),
        3 => Just(Step::Work),
        1 => (1..20_i64).prop_map(Step::Wait),
    ]
}

/// The worker's turn, as it comes when a gateway has sent word of everything.
async fn work(shop: &Shop) {
    shop.execute("UPDATE payment SET look_at = created_at WHERE captured > 0")
        .await
        .unwrap();
    for _ in 0..3 {
        drive_due(&shop.system()).await.unwrap();
    }
}

async fn payments(shop: &Shop) -> Vec<Value> {
    let query = "{ orders(first: 100) { nodes { payments { id } } } }";
    let data = shop.data(As::Staff, query, json!({})).await;
    let orders = data["orders"]["nodes"].as_array().unwrap();
    let all = orders
        .iter()
        .flat_map(|order| order["payments"].as_array().unwrap());
    all.map(|payment| payment["id"].clone()).collect()
}

async fn take(
    shop: &Shop,
    gateway: &Arc<Wild>,
    thing: &str,
    orders: &mut Vec<GuestOrder>,
    number: usize,
    step: Step,
) {
    let key = format!("step {number}");
    // The newest: those of long ago are over.
    let order = |i: usize| orders.iter().rev().nth(i % orders.len().max(1)).cloned();
    let dollars = |amount: i64| json!({"amount": amount.to_string(), "currencyCode": "USD"});
    let payment = async |i: usize| {
        let all = payments(shop).await;
        all.get(i % all.len().max(1)).cloned()
    };
    match step {
        Step::Place(quantity) => orders.push(shop.ordered(&[(thing, quantity)]).await),
        Step::Pay(i, flow, how) => {
            let Some(order) = order(i) else { return };
            gateway.mind().how = how;
            let input =
                json!({"orderId": order.id, "gateway": "STRIPE", "flow": flow, "idempotencyKey": key});
            let variables = json!({"input": input, "token": order.token});
            shop.data(As::Anonymous, PAY, variables).await;
        }
        Step::Capture(i, amount) => {
            let Some(payment) = payment(i).await else { return };
            let input = json!({"paymentId": payment, "amount": dollars(amount), "idempotencyKey": key});
            staff(shop, "paymentCapture", input).await;
        }
        Step::Void(i) => {
            let Some(payment) = payment(i).await else { return };
            staff(
                shop,
                "paymentVoid",
                json!({"paymentId": payment, "idempotencyKey": key}),
            )
            .await;
        }
        Step::Refund(i, amount, stage) => {
            let Some(payment) = payment(i).await else { return };
            gateway.mind().next_refund = stage;
            let input = json!({"paymentId": payment, "amount": dollars(amount), "idempotencyKey": key});
            staff(shop, "refundCreate", input).await;
        }
        Step::Cancel(i) => {
            let Some(order) = order(i) else { return };
            staff(
                shop,
                "orderCancel",
                json!({"orderId": order.id, "reason": "test"}),
            )
            .await;
        }
        Step::Buyer(i) => gateway.change(i, |kept| kept.buyer()),
        Step::Elsewhere(i, amount) => {
            gateway.change(i, |kept| {
                kept.elsewhere += (amount * 100).min(kept.taken() - kept.gone())
            });
        }
        // It pays out in another currency.
        Step::Fee(i, fee) => gateway.change(i, |kept| {
            if kept.taken() > 0 && kept.fee.is_none() {
                kept.fee = Some(Money::new(fee, "EUR".parse().unwrap()));
            }
        }),
        Step::Settle(i, well) => gateway.change(i, |kept| kept.settle(well)),
        Step::Lose => gateway.mind().loses = true,
        Step::Work => work(shop).await,
        Step::Wait(minutes) => {
            shop.clock.advance(Duration::minutes(minutes));
            expire_due(&shop.system()).await.unwrap();
        }
    }
}

both! {
    async fn the_ledger_agrees_after_every_step(shop: &Shop) {
        let (gateway, shop) = Wild::beside(shop).await;
        let thing = thing(&shop).await;
        let mut runner = TestRunner::deterministic();
        let strategy = prop::collection::vec(step(), 80);
        let mut orders = Vec::new();
        for run in 0..3 {
            let steps = strategy.new_tree(&mut runner).unwrap().current();
            for (number, step) in steps.into_iter().enumerate() {
                take(&shop, &gateway, &thing, &mut orders, run * 100 + number, step).await;
                ledger(shop.db()).await;
            }
        }
        for _ in 0..20 {
            gateway.mind().loses = false;
            for kept in gateway.mind().kept.values_mut() {
                kept.settle(true);
            }
            shop.clock.advance(Duration::hours(1));
            expire_due(&shop.system()).await.unwrap();
            work(&shop).await;
            ledger(shop.db()).await;
        }
        assert_eq!(differences(&shop).await, Vec::<String>::new());
        // That much has happened, or the test is about nothing.
        let kinds = shop.rows("SELECT DISTINCT kind FROM ledger_transfer ORDER BY kind").await;
        assert_eq!(kinds.concat(), ["CAPTURE", "FEE", "REFUND", "SALE", "SALE_UNDONE"]);
        let moved = "SELECT DISTINCT debit FROM ledger_transfer WHERE kind = 'REFUND' ORDER BY debit";
        assert_eq!(shop.rows(moved).await.concat(), ["receivable", "refunds", "rounding"]);
        assert_eq!(gateway.mind().kept.values().filter(|kept| kept.gone() > kept.taken()).count(), 0);
        shop.close().await;
    }
}
