//! What gateways say of payments that are over for us, or say again.

use serde_json::json;
use souk::infra::gateways::{ReturnStage, Stage};

use super::scripted::{Says, Scripted, declined, waits};
use super::*;

/// A payment whose completing was asked for, may have been heard, and was given up because its order was cancelled.
async fn given_up_while_it_is_completed(shop: &Shop, gateway: &Scripted) -> OrderId {
    let order = guest_order(shop).await;
    gateway
        .will("create", waits())
        .will("retrieve", Says::Stage(Stage::Ready));
    paid(shop, order, json!({"gateway": "STRIPE"})).await;
    look(shop, order).await;
    assert_eq!(gateway.count("complete"), 1);
    gateway.will("void", Says::Stage(Stage::Voided));
    end(shop, order, OrderStatus::Cancelled).await;
    after(shop, 60).await;
    assert_eq!(statuses(shop, order).await, ["VOIDED"]);
    assert_eq!(
        (gateway.count("complete"), gateway.count("void")),
        (1, 1),
        "nobody wants it any more"
    );
    order
}

both! {
    async fn what_was_completed_when_it_was_given_up_goes_back(shop: &Shop) {
        let (gateway, shop) = Scripted::beside(shop).await;
        let order = given_up_while_it_is_completed(&shop, &gateway).await;
        gateway.will("retrieve", Says::Captured).will("refund", Says::Return(ReturnStage::Succeeded));
        after(&shop, 899).await;
        assert_eq!(gateway.count("retrieve"), 1, "what is under way there has its time");
        after(&shop, 1).await;
        assert_eq!(standing(&shop, order).await, stands("CANCELLED", "REFUNDED", 5_997, 5_997));
        let told = events(&shop, order).await;
        assert_eq!(told[2..], ["CANCELLED", "PAYMENT_VOIDED", "PAYMENT_CAPTURED", "REVIEW_REQUIRED", "REFUND_PENDING", "REFUNDED"], "{told:?}");
        after(&shop, 100_000).await;
        assert_eq!((gateway.count("complete"), gateway.count("retrieve"), gateway.count("refund")), (1, 2, 1));
        check_books(&shop).await;
        shop.close().await;
    }

    async fn what_was_not_completed_is_looked_at_once_more_and_forgotten(shop: &Shop) {
        let (gateway, shop) = Scripted::beside(shop).await;
        let order = given_up_while_it_is_completed(&shop, &gateway).await;
        let told = events(&shop, order).await;
        gateway.will("retrieve", Says::Stage(Stage::Ready));
        for _ in 0..20 {
            after(&shop, 3_600).await;
        }
        assert_eq!((statuses(&shop, order).await, events(&shop, order).await), (vec!["VOIDED".to_owned()], told));
        assert_eq!((gateway.count("complete"), gateway.count("retrieve"), gateway.count("void")), (1, 2, 1));
        check_books(&shop).await;
        shop.close().await;
    }

    async fn what_was_given_up_before_it_was_completed_is_forgotten_at_once(shop: &Shop) {
        let (gateway, shop) = Scripted::beside(shop).await;
        let order = guest_order(&shop).await;
        gateway.will("create", waits()).will("void", Says::Stage(Stage::Voided));
        paid(&shop, order, json!({"gateway": "STRIPE"})).await;
        end(&shop, order, OrderStatus::Cancelled).await;
        for _ in 0..20 {
            after(&shop, 3_600).await;
        }
        assert_eq!((statuses(&shop, order).await, gateway.count("retrieve")), (vec!["VOIDED".to_owned()], 0));
        shop.close().await;
    }

    async fn a_promise_that_comes_after_the_end_is_released(shop: &Shop) {
        for (stage, status) in [(Stage::Voided, "VOIDED"), (Stage::Declined(declined()), "FAILED"), (Stage::Expired, "EXPIRED")] {
            let (gateway, shop) = Scripted::beside(shop).await;
            let order = guest_order(&shop).await;
            gateway.will("create", waits()).will("retrieve", Says::Stage(stage));
            paid(&shop, order, json!({"gateway": "STRIPE", "flow": "AUTHORIZE"})).await;
            look(&shop, order).await;
            let before = (statuses(&shop, order).await, standing(&shop, order).await);
            assert_eq!((before.0[0].as_str(), gateway.count("void")), (status, 0));
            gateway.will("retrieve", Says::Stage(Stage::Authorized)).will("void", Says::Stage(Stage::Voided));
            look(&shop, order).await;
            after(&shop, 3_600).await;
            assert_eq!(gateway.count("void"), 1, "{status}");
            assert_eq!((statuses(&shop, order).await, standing(&shop, order).await), before);
            assert!(!events(&shop, order).await.contains(&"CONFIRMED".to_owned()));
            check_books(&shop).await;
            shop.close().await;
        }
    }

    async fn a_promise_that_comes_after_it_was_given_up_is_released_again(shop: &Shop) {
        let (gateway, shop) = Scripted::beside(shop).await;
        let order = guest_order(&shop).await;
        gateway.will("create", waits()).will("void", Says::Stage(Stage::Voided));
        paid(&shop, order, json!({"gateway": "STRIPE", "flow": "AUTHORIZE"})).await;
        end(&shop, order, OrderStatus::Cancelled).await;
        let told = events(&shop, order).await;
        // Nothing comes of the first try.
        gateway.will("retrieve", Says::Stage(Stage::Authorized));
        look(&shop, order).await;
        assert_eq!((statuses(&shop, order).await, gateway.count("void")), (vec!["VOIDED".to_owned()], 2));
        gateway.will("void", Says::Stage(Stage::Voided));
        after(&shop, 60).await;
        after(&shop, 100_000).await;
        assert_eq!(gateway.count("void"), 3);
        let keys: Vec<_> = gateway.asked().into_iter().filter(|(what, _)| *what == "void").map(|(_, key)| key).collect();
        assert_ne!(keys[0], keys[1], "what was asked before is not asked again");
        assert_eq!(keys[1], keys[2]);
        assert_eq!((standing(&shop, order).await, events(&shop, order).await), (stands("CANCELLED", "UNPAID", 0, 0), told));
        check_books(&shop).await;
        shop.close().await;
    }

    async fn what_is_said_again_is_told_once(shop: &Shop) {
        let (gateway, shop) = Scripted::beside(shop).await;
        for (flow, stage, kind) in [
            ("AUTHORIZE", Stage::Authorized, "PAYMENT_AUTHORIZED"),
            ("CHARGE", Stage::Declined(declined()), "PAYMENT_FAILED"),
            ("CHARGE", Stage::Voided, "PAYMENT_VOIDED"),
            ("CHARGE", Stage::Expired, "PAYMENT_FAILED"),
        ] {
            let order = guest_order(&shop).await;
            gateway.will("create", waits());
            paid(&shop, order, json!({"gateway": "STRIPE", "flow": flow})).await;
            for _ in 0..3 {
                gateway.will("retrieve", Says::Stage(stage.clone()));
                look(&shop, order).await;
            }
            let told = events(&shop, order).await;
            assert_eq!(told.iter().filter(|told| *told == kind).count(), 1, "{told:?}");
            assert_eq!(told.iter().filter(|told| *told == "CONFIRMED").count(), usize::from(flow == "AUTHORIZE"));
        }
        assert_eq!(gateway.count("retrieve"), 12);
        check_books(&shop).await;
        shop.close().await;
    }
}
