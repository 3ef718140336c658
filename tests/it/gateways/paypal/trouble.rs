//! Whatever breaks, money is taken exactly once, and the shop knows in the end.

use std::time::Duration;

use serde_json::json;
use souk::entity::payment::PaymentFlow::{Authorize, Charge};
use souk::entity::shop_order::OrderStatus;
use souk::infra::gateways::{Fault, PaymentGateway as _, Refund, ReturnStage, Stage};
use souk::kernel::money::{Currency, Money};

use super::direct::Direct;
use super::play::problem;
use super::*;
use crate::gateways::sim::{Answer, Mishap};
use crate::payments::{end, events, standing, stands};

/// As often as we ask at once.
const TRIES: usize = 3;

fn server_error(status: u16) -> Mishap {
    Mishap::Answers(problem(status, "INTERNAL_SERVER_ERROR", "INTERNAL_SERVICE_ERROR"))
}

fn page(status: u16) -> Mishap {
    Mishap::Answers(Answer {
        status,
        headers: vec![("content-type", "text/html".to_owned())],
        body: "<html>We are sorry</html>".to_owned(),
    })
}

both! {
    async fn what_goes_wrong_once_is_tried_again_at_once(shop: &Shop) {
        let world = World::beside(shop).await;
        for mishap in [Mishap::LosesAnswer, Mishap::LosesRequest, server_error(503), page(429), Mishap::Dawdles(Duration::from_millis(700))] {
            world.sim.mishap("/v2/checkout/orders", mishap.clone());
            let (order, payment) = world.begin("CHARGE").await;
            assert_eq!(payment["status"], "REQUIRES_ACTION", "{mishap:?}");
            world.sim.mishap("/capture", mishap.clone());
            world.approved().await;
            assert_eq!(standing(&world.shop, order).await, stands("CONFIRMED", "PAID", 5_997, 0), "{mishap:?}");
        }
        world.check_money("299.85", "0");
        assert_eq!(world.sim.with(|paypal| paypal.orders.len()), 5);
        world.finish().await;
    }

    async fn answers_that_are_lost_for_good_are_asked_after(shop: &Shop) {
        let world = World::beside(shop).await;
        for _ in 0..TRIES {
            world.sim.mishap("/v2/checkout/orders", Mishap::LosesAnswer);
        }
        let (order, payment) = world.begin("CHARGE").await;
        assert_eq!(payment["status"], "PROCESSING");
        world.later(2).await;
        assert_eq!(world.status(order).await, "REQUIRES_ACTION");
        assert_eq!(world.sim.with(|paypal| paypal.orders.len()), 1, "the same key is the same order");
        for _ in 0..TRIES {
            world.sim.mishap("/capture", Mishap::LosesAnswer);
        }
        world.sim.with(PayPal::approve);
        world.later(15).await;
        assert_eq!(world.status(order).await, "PROCESSING");
        world.check_money("59.97", "0");
        world.later(15).await;
        assert_eq!(standing(&world.shop, order).await, stands("CONFIRMED", "PAID", 5_997, 0));
        world.check_money("59.97", "0");
        assert_eq!(events(&world.shop, order).await, ["PLACED", "PAYMENT_PENDING", "PAYMENT_CAPTURED", "CONFIRMED"]);
        world.finish().await;
    }

    async fn paypal_is_away_for_an_hour_after_it_took_the_money(shop: &Shop) {
        let world = World::beside(shop).await;
        let (order, _) = world.begin("CHARGE").await;
        world.sim.mishap("/capture", Mishap::LosesAnswer).mishap("/capture", page(502)).mishap("/capture", page(502));
        world.approved().await;
        assert_eq!(world.status(order).await, "PROCESSING");
        world.sim.be_away(true);
        world.later(1_800).await;
        world.later(1_800).await;
        assert_eq!(world.status(order).await, "PROCESSING");
        world.sim.be_away(false);
        world.later(900).await;
        assert_eq!(standing(&world.shop, order).await, stands("CONFIRMED", "PAID", 5_997, 0));
        world.check_money("59.97", "0");
        world.finish().await;
    }

    async fn a_key_that_paypal_has_forgotten_takes_nothing_twice(shop: &Shop) {
        let world = World::beside(shop).await;
        let (order, _) = world.begin("CHARGE").await;
        world.sim.mishap("/capture", Mishap::LosesAnswer).mishap("/capture", page(502)).mishap("/capture", page(502));
        world.approved().await;
        world.sim.with(PayPal::forget_keys);
        world.later(60).await;
        assert_eq!(standing(&world.shop, order).await, stands("CONFIRMED", "PAID", 5_997, 0));
        world.check_money("59.97", "0");
        let payment = json!(world.payment().await.id.to_string());
        world.sim.mishap("/refund", Mishap::LosesAnswer).mishap("/refund", page(502)).mishap("/refund", page(502));
        let back = world.staff("refundCreate", json!({"paymentId": payment})).await;
        assert_eq!(back["refund"]["status"], "PENDING", "{back}");
        world.sim.with(PayPal::forget_keys);
        world.later(60).await;
        assert_eq!(standing(&world.shop, order).await.3, 5_997);
        world.check_money("59.97", "59.97");
        world.finish().await;
    }

    async fn captures_voids_and_refunds_survive_lost_answers(shop: &Shop) {
        let world = World::beside(shop).await;
        let (first, payment) = world.paid("AUTHORIZE").await;
        for _ in 0..TRIES {
            world.sim.mishap("/capture", Mishap::LosesAnswer).mishap("/refund", Mishap::LosesAnswer).mishap("/void", Mishap::LosesAnswer);
        }
        world.staff("paymentCapture", json!({"paymentId": payment, "amount": dollars("20")})).await;
        world.later(10).await;
        assert_eq!(world.status(first).await, "CAPTURED");
        let back = world.staff("refundCreate", json!({"paymentId": payment, "amount": dollars("5")})).await;
        assert_eq!(back["refund"]["status"], "PENDING", "{back}");
        world.later(10).await;
        assert_eq!(world.status(first).await, "PARTIALLY_REFUNDED");
        let (second, _) = world.paid("AUTHORIZE").await;
        end(&world.shop, second, OrderStatus::Cancelled).await;
        world.later(60).await;
        assert_eq!(world.status(second).await, "VOIDED");
        world.check_money("20", "5");
        assert_eq!(world.sim.with(|paypal| paypal.orders.iter().map(|order| (order.captures.len(), order.refunds.len())).collect::<Vec<_>>()), [(1, 1), (0, 0)]);
        world.finish().await;
    }

    async fn a_cancelled_order_whose_capture_is_in_doubt_gives_the_money_back(shop: &Shop) {
        let world = World::beside(shop).await;
        let (order, _) = world.begin("CHARGE").await;
        world.sim.mishap("/capture", Mishap::LosesAnswer).mishap("/capture", page(502)).mishap("/capture", page(502));
        world.approved().await;
        end(&world.shop, order, OrderStatus::Cancelled).await;
        for _ in 0..4 {
            world.later(300).await;
        }
        world.check_money("59.97", "59.97");
        assert_eq!(standing(&world.shop, order).await, stands("CANCELLED", "REFUNDED", 5_997, 5_997));
        world.finish().await;
    }

    async fn another_payments_order_is_not_taken_for_ours(shop: &Shop) {
        let world = World::beside(shop).await;
        let (order, _) = world.begin("CHARGE").await;
        world.sim.with(|paypal| paypal.last().request["purchase_units"][0]["custom_id"] = json!("payment_of_another_shop"));
        world.approved().await;
        assert_eq!(world.status(order).await, "REQUIRES_REVIEW");
        assert_eq!(world.payment().await.failure_code.as_deref(), Some("not_ours"));
        world.check_money("0", "0");
        world.finish().await;
    }

    async fn minimal_answers_are_completed_by_a_look(shop: &Shop) {
        let world = World::beside(shop).await;
        world.sim.with(|paypal| paypal.is_terse = true);
        let (order, payment) = world.begin("CHARGE").await;
        assert_eq!(payment["status"], "REQUIRES_ACTION");
        world.approved().await;
        assert_eq!(standing(&world.shop, order).await, stands("CONFIRMED", "PAID", 5_997, 0));
        world.check_money("59.97", "0");
        world.finish().await;
    }

    async fn a_decline_that_leaves_the_approval_is_tried_again_with_pauses(shop: &Shop) {
        let world = World::beside(shop).await;
        world.sim.with(|paypal| (paypal.refuses, paypal.keeps_approval) = (Some("INSTRUMENT_DECLINED"), true));
        let (order, _) = world.paid("CHARGE").await;
        assert_eq!(world.status(order).await, "REQUIRES_ACTION");
        assert_eq!(world.sim.asked_at("POST", "/capture").len(), 1);
        world.later(60).await;
        assert_eq!(standing(&world.shop, order).await, stands("CONFIRMED", "PAID", 5_997, 0));
        world.check_money("59.97", "0");
        world.finish().await;
    }
}

#[tokio::test]
async fn what_cannot_be_read_or_is_new_is_left_open() {
    let direct = Direct::start().await;
    let transaction = direct.approved(Charge).await;
    let odd = json!({"id": transaction.reference, "status": "APPROVED"});
    for mishap in [
        page(200),
        page(404),
        page(422),
        Mishap::Answers(Answer::json(200, &odd)),
        Mishap::Answers(Answer::json(400, &json!({"error": "x"}))),
    ] {
        direct.sim.mishap("/v2/checkout/orders", mishap.clone());
        let told = direct.gateway.retrieve(&transaction).await;
        assert!(matches!(told, Err(Fault::Unknown(_))), "{mishap:?}: {told:?}");
    }
    direct.sim.with(|paypal| paypal.last().status = "SOMETHING_NEW");
    let told = direct.gateway.retrieve(&transaction).await.unwrap().unwrap();
    assert_eq!(told.stage, Stage::Processing);
    direct.sim.with(PayPal::forget_keys);
    let (transaction, _) = direct.completed(Authorize).await;
    direct
        .sim
        .with(|paypal| paypal.last().authorizations[0].status = "SOMETHING_NEW");
    let told = direct.gateway.retrieve(&transaction).await.unwrap().unwrap();
    assert_eq!(told.stage, Stage::Processing);
    direct.finish();
}

#[tokio::test]
async fn credentials_that_are_refused_say_nothing_about_a_payment() {
    let direct = Direct::start().await;
    let transaction = direct.approved(Charge).await;
    let unauthorized = || {
        Mishap::Answers(Answer::json(
            401,
            &json!({"error": "invalid_client", "name": "INVALID"}),
        ))
    };
    direct.sim.with(PayPal::revoke_token);
    direct.sim.mishap("/v1/oauth2/token", unauthorized());
    let told = direct.gateway.complete("key", &transaction).await;
    assert!(matches!(told, Err(Fault::Unknown(_))), "{told:?}");
    // Twice in a row: it is not asked for ever.
    direct
        .sim
        .mishap("/capture", unauthorized())
        .mishap("/capture", unauthorized());
    let told = direct.gateway.complete("key", &transaction).await;
    assert!(matches!(told, Err(Fault::Unknown(_))), "{told:?}");
    let told = direct.gateway.complete("key", &transaction).await.unwrap();
    assert_eq!(told.stage, Stage::Captured(transaction.money));
    direct.finish();
}

#[tokio::test]
async fn an_order_that_is_not_found_is_over_only_when_it_is_old() {
    let direct = Direct::start().await;
    let transaction = direct.approved(Charge).await;
    direct.sim.mishap(
        "/v2/checkout/orders/",
        Mishap::Answers(problem(404, "RESOURCE_NOT_FOUND", "INVALID_RESOURCE_ID")),
    );
    let told = direct.gateway.retrieve(&transaction).await;
    assert!(
        matches!(told, Err(Fault::Unknown(_))),
        "it may not have got around: {told:?}"
    );
    direct.clock.advance(chrono::TimeDelta::hours(6));
    for told in [
        direct.gateway.retrieve(&transaction).await.map(Option::unwrap),
        direct.gateway.complete("key", &transaction).await,
        direct.gateway.void("key", &transaction).await,
    ] {
        assert_eq!(told.unwrap().stage, Stage::Expired);
    }
    // What has taken money is not over because somebody does not find it.
    let paid = souk::infra::gateways::Transaction {
        receipt: Some("5O1".to_owned()),
        ..transaction
    };
    let told = direct.gateway.retrieve(&paid).await;
    assert!(matches!(told, Err(Fault::Unknown(_))), "{told:?}");
    direct.finish();
}

#[tokio::test]
async fn refusals_are_told_without_paypals_own_words() {
    let direct = Direct::start().await;
    let transaction = direct.transaction(Charge, 5_997, "SEK");
    let Err(Fault::Refused(reason)) = direct.gateway.create("key", &transaction).await else {
        panic!("it is refused")
    };
    assert_eq!(reason.code, "currency_not_supported");
    assert!(!reason.message.contains("5O19"), "{reason:?}");
    let (paid, _) = direct.completed(Charge).await;
    let more = Refund {
        id: "refund_1".to_owned(),
        reference: None,
        money: Money::new(5_998, Currency::USD),
    };
    let Err(Fault::Refused(reason)) = direct.gateway.refund("key", &paid, &more).await else {
        panic!("it is refused")
    };
    assert_eq!(reason.code, "refund_amount_exceeded");
    direct
        .sim
        .with(|paypal| paypal.refund_by_hand(Decimal::new(5_997, 2)));
    let told = direct.gateway.retrieve(&paid).await.unwrap().unwrap();
    assert_eq!(
        told.refunded,
        Some(paid.money),
        "what has gone back without us is seen"
    );
    direct.sim.with(|paypal| {
        paypal.last().refunds[0].status = "SOMETHING_NEW";
    });
    let asked = Refund {
        reference: Some(direct.sim.with(|paypal| paypal.last().refunds[0].id.clone())),
        ..more
    };
    let told = direct.gateway.retrieve_refund(&paid, &asked).await;
    assert!(matches!(told, Err(Fault::Unknown(_))), "{told:?}");
    direct
        .sim
        .with(|paypal| paypal.last().refunds[0].status = "FAILED");
    let told = direct.gateway.retrieve_refund(&paid, &asked).await.unwrap();
    assert!(matches!(told.stage, ReturnStage::Failed(_)));
    direct.finish();
}
