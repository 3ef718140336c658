//! What is not known is not failed: lost answers, crashes, gateways that are away, and words that come twice, late, or wrong.

use std::time::Duration;

use sea_orm::EntityTrait as _;
use serde_json::json;
use souk::entity::payment_operation;
use souk::infra::gateways::{Action, Stage};
use souk::kernel::money::{Currency, Money};

use super::scripted::{Says, Scripted, declined};
use super::*;

fn seconds(count: i64) -> chrono::Duration {
    chrono::Duration::seconds(count)
}

async fn operations(shop: &Shop) -> Vec<payment_operation::Model> {
    payment_operation::Entity::find()
        .all(shop.db().fresh())
        .await
        .unwrap()
}

async fn is_unknown(shop: &Shop, order: OrderId) -> bool {
    let txn = shop.db().begin().await.unwrap();
    let unknown = souk::domain::payments::stop::unknown_in_txn(&txn, &system(shop), order)
        .await
        .unwrap();
    txn.commit().await.unwrap();
    unknown
}

both! {
    async fn a_lost_answer_is_asked_after(shop: &Shop) {
        let order = guest_order(shop).await;
        let input = json!({"gateway": "TEST", "testOutcome": "TIMEOUT_THEN_SUCCEED", "idempotencyKey": "a"});
        let first = pay(shop, order, input.clone()).await;
        assert_eq!((&first["payment"]["status"], &first["userErrors"]), (&json!("PROCESSING"), &json!([])));
        assert!(is_unknown(shop, order).await);
        assert_eq!(code(&pay(shop, order, json!({"gateway": "TEST"})).await), "TRANSITION_INVALID", "it is not charged twice");
        work(shop).await;
        assert_eq!(statuses(shop, order).await, ["PROCESSING"]);
        shop.clock.advance(seconds(2));
        work(shop).await;
        assert_eq!(standing(shop, order).await, stands("CONFIRMED", "PAID", 5_997, 0));
        assert!(!is_unknown(shop, order).await);
        assert_eq!(pay(shop, order, input).await["payment"]["status"], "CAPTURED");
        assert_eq!(events(shop, order).await, ["PLACED", "PAYMENT_PENDING", "PAYMENT_CAPTURED", "CONFIRMED"]);
        check_books(shop).await;
    }

    async fn a_crash_before_or_after_the_call_is_made_up_for(shop: &Shop) {
        let (gateway, shop) = Scripted::beside(shop).await;
        // The gateway may or may not have heard of the first try; the process does not live to know.
        for (heard, calls) in [(Says::Nothing, 2), (Says::Captured, 3)] {
            let order = guest_order(&shop).await;
            gateway.will("create", Says::Silent);
            let begun = tokio::time::timeout(Duration::from_millis(300), pay(&shop, order, json!({"gateway": "STRIPE"})));
            assert!(begun.await.is_err());
            assert_eq!(statuses(&shop, order).await, ["PROCESSING"]);
            assert!(is_unknown(&shop, order).await);
            gateway.will("retrieve", heard).will("create", Says::Captured);
            // Whoever tries has a minute for it.
            shop.clock.advance(seconds(59));
            work(&shop).await;
            assert_eq!(statuses(&shop, order).await, ["PROCESSING"]);
            shop.clock.advance(seconds(1));
            work(&shop).await;
            assert_eq!(standing(&shop, order).await, stands("CONFIRMED", "PAID", 5_997, 0));
            assert_eq!(events(&shop, order).await, ["PLACED", "PAYMENT_PENDING", "PAYMENT_CAPTURED", "CONFIRMED"]);
            assert_eq!(gateway.count("create"), calls);
        }
        let keys: Vec<_> = gateway.asked().into_iter().filter(|(what, _)| *what == "create").map(|(_, key)| key).collect();
        assert_eq!(keys[0], keys[1], "the same key each time");
        check_books(&shop).await;
        shop.close().await;
    }

    async fn a_gateway_that_is_away_is_asked_with_growing_pauses(shop: &Shop) {
        let (gateway, shop) = Scripted::beside(shop).await;
        let order = guest_order(&shop).await;
        paid(&shop, order, json!({"gateway": "STRIPE"})).await;
        for _ in 0..60 {
            shop.clock.advance(chrono::Duration::minutes(1));
            work(&shop).await;
        }
        let tries = gateway.asked().len();
        assert!((6..=10).contains(&tries), "{tries} tries in an hour");
        assert_eq!(statuses(&shop, order).await, ["PROCESSING"]);
        gateway.will("retrieve", Says::Captured);
        shop.clock.advance(chrono::Duration::minutes(15));
        work(&shop).await;
        assert_eq!(standing(&shop, order).await, stands("CONFIRMED", "PAID", 5_997, 0));
        check_books(&shop).await;
        shop.close().await;
    }

    async fn what_is_under_way_is_looked_at_until_it_is_over(shop: &Shop) {
        let (gateway, shop) = Scripted::beside(shop).await;
        let order = guest_order(&shop).await;
        gateway.will("create", Says::Stage(Stage::Processing));
        paid(&shop, order, json!({"gateway": "STRIPE"})).await;
        work(&shop).await;
        assert_eq!(gateway.count("retrieve"), 0);
        let redirect = Action::Redirect { url: "https://bank.example/".to_owned() };
        gateway.will("retrieve", Says::Stage(Stage::RequiresAction(redirect.clone())))
            .will("retrieve", Says::Stage(Stage::RequiresAction(redirect)))
            .will("retrieve", Says::Stage(Stage::Processing))
            .will("retrieve", Says::Stage(Stage::Declined(declined())));
        for (pause, status, looks) in [(2, "REQUIRES_ACTION", 1), (5, "REQUIRES_ACTION", 2), (15, "PROCESSING", 3), (60, "FAILED", 4), (900, "FAILED", 4)] {
            shop.clock.advance(seconds(pause));
            work(&shop).await;
            assert_eq!((statuses(&shop, order).await, gateway.count("retrieve")), (vec![status.to_owned()], looks), "{pause}");
        }
        assert_eq!(events(&shop, order).await, ["PLACED", "PAYMENT_PENDING", "PAYMENT_FAILED"]);
        shop.close().await;
    }

    async fn the_same_word_twice_or_too_late_says_nothing(shop: &Shop) {
        let (gateway, shop) = Scripted::beside(shop).await;
        let order = guest_order(&shop).await;
        gateway.will("create", Says::Stage(Stage::Authorized));
        let payment = paid(&shop, order, json!({"gateway": "STRIPE", "flow": "AUTHORIZE"})).await;
        gateway.will("capture", Says::Captured);
        staff(&shop, "paymentCapture", json!({"paymentId": payment, "amount": {"amount": "50", "currencyCode": "USD"}})).await;
        let before = (events(&shop, order).await, standing(&shop, order).await);
        let partly = Money::new(5_000, Currency::USD);
        for stage in [Stage::Captured(partly), Stage::Captured(partly), Stage::Authorized, Stage::Processing, Stage::Voided, Stage::Declined(declined())] {
            gateway.will("retrieve", Says::Stage(stage.clone()));
            let now = shop.now() - seconds(1);
            let mut row = payments(&shop).await.remove(0);
            row.look_at = Some(now);
            let txn = shop.db().begin().await.unwrap();
            payment::Entity::update(sea_orm::ActiveModelTrait::reset_all(payment::ActiveModel::from(row))).exec(&txn).await.unwrap();
            txn.commit().await.unwrap();
            work(&shop).await;
            assert_eq!((events(&shop, order).await, standing(&shop, order).await), before, "{stage:?}");
            assert_eq!(statuses(&shop, order).await, ["CAPTURED"]);
        }
        assert_eq!(gateway.count("retrieve"), 6);
        check_books(&shop).await;
        shop.close().await;
    }

    async fn another_amount_or_currency_is_looked_at(shop: &Shop) {
        let (gateway, shop) = Scripted::beside(shop).await;
        let (usd, eur) = (Currency::USD, "EUR".parse().unwrap());
        let whole = Money::new(5_997, usd);
        for (money, stage) in [
            (Money::new(5_996, usd), Stage::Captured(Money::new(5_996, usd))),
            (Money::new(5_997, eur), Stage::Captured(Money::new(5_997, eur))),
            (whole, Stage::Captured(Money::new(5_996, usd))),
            (whole, Stage::Captured(Money::new(5_998, usd))),
            (whole, Stage::Captured(Money::new(0, usd))),
            (whole, Stage::Captured(Money::new(5_997, eur))),
            (Money::new(1, usd), Stage::Authorized),
        ] {
            let order = guest_order(&shop).await;
            gateway.will("create", Says::About(money, stage.clone()));
            let payload = pay(&shop, order, json!({"gateway": "STRIPE"})).await;
            assert_eq!((&payload["payment"]["status"], &payload["payment"]["failureCode"]), (&json!("REQUIRES_REVIEW"), &json!("amount_mismatch")), "{stage:?}");
            assert_eq!(standing(&shop, order).await, stands("PENDING_PAYMENT", "UNPAID", 0, 0));
            assert_eq!(events(&shop, order).await, ["PLACED", "PAYMENT_PENDING", "REVIEW_REQUIRED"]);
            // Nobody pays twice while people look at it.
            assert_eq!(code(&pay(&shop, order, json!({"gateway": "STRIPE"})).await), "TRANSITION_INVALID");
        }
        check_books(&shop).await;
        shop.close().await;
    }

    async fn a_capture_that_is_left_open_is_done_later_and_once(shop: &Shop) {
        let (gateway, shop) = Scripted::beside(shop).await;
        let order = guest_order(&shop).await;
        gateway.will("create", Says::Stage(Stage::Authorized));
        let payment = paid(&shop, order, json!({"gateway": "STRIPE", "flow": "AUTHORIZE"})).await;
        let open = staff(&shop, "paymentCapture", json!({"paymentId": payment})).await;
        assert_eq!((&open["payment"]["status"], &open["userErrors"]), (&json!("AUTHORIZED"), &json!([])));
        // The same again is under way; anything else must wait.
        assert_eq!(staff(&shop, "paymentCapture", json!({"paymentId": payment})).await["userErrors"], json!([]));
        let other = json!({"paymentId": payment, "amount": {"amount": "1", "currencyCode": "USD"}});
        assert_eq!(code(&staff(&shop, "paymentCapture", other).await), "AMOUNT_EXCEEDS_CAPTURABLE");
        assert_eq!(code(&staff(&shop, "paymentVoid", json!({"paymentId": payment})).await), "TRANSITION_INVALID");
        gateway.will("capture", Says::Captured);
        shop.clock.advance(seconds(2));
        work(&shop).await;
        assert_eq!(gateway.count("capture"), 2);
        assert_eq!(standing(&shop, order).await, stands("CONFIRMED", "PAID", 5_997, 0));
        assert_eq!(events(&shop, order).await[3..], ["CONFIRMED", "PAYMENT_CAPTURED"]);
        check_books(&shop).await;
        shop.close().await;
    }

    async fn a_capture_that_is_refused_says_so_and_looks_why(shop: &Shop) {
        let (gateway, shop) = Scripted::beside(shop).await;
        let order = guest_order(&shop).await;
        gateway.will("create", Says::Stage(Stage::Authorized));
        let payment = paid(&shop, order, json!({"gateway": "STRIPE", "flow": "AUTHORIZE"})).await;
        gateway.will("capture", Says::Refused).will("retrieve", Says::Stage(Stage::Expired));
        let input = json!({"paymentId": payment, "idempotencyKey": "a"});
        let refused = staff(&shop, "paymentCapture", input.clone()).await;
        assert_eq!((code(&refused), &refused["payment"]["status"]), ("PAYMENT_DECLINED", &json!("AUTHORIZED")));
        work(&shop).await;
        assert_eq!(statuses(&shop, order).await, ["EXPIRED"]);
        assert_eq!(standing(&shop, order).await, stands("CONFIRMED", "UNPAID", 0, 0));
        assert_eq!(events(&shop, order).await[3..], ["CONFIRMED", "PAYMENT_FAILED", "REVIEW_REQUIRED"]);
        assert_eq!(code(&staff(&shop, "paymentCapture", input).await), "PAYMENT_DECLINED");
        assert_eq!(gateway.count("capture"), 1);
        shop.close().await;
    }

    async fn what_a_gateway_refuses_to_make_has_failed(shop: &Shop) {
        let (gateway, shop) = Scripted::beside(shop).await;
        let order = guest_order(&shop).await;
        gateway.will("create", Says::Refused);
        let refused = pay(&shop, order, json!({"gateway": "STRIPE"})).await;
        assert_eq!((code(&refused), &refused["payment"]["failureCode"]), ("PAYMENT_DECLINED", &json!("no_way")));
        assert!(operations(&shop).await.iter().all(|operation| operation.attempt_at.is_none()));
        shop.close().await;
    }
}
