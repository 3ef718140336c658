//! Many at once.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use serde_json::json;
use souk::infra::gateways::{ReturnStage, Stage};

use super::scripted::{Says, Scripted};
use super::*;

both! {
    async fn fifty_refunds_at_once_give_back_no_more_than_came(shop: &Shop) {
        let order = guest_order(shop).await;
        let payment = paid(shop, order, json!({"gateway": "TEST"})).await;
        let beside = shop.beside(&[]).await;
        let instances = [shop, &beside];
        let input = json!({"paymentId": payment, "amount": {"amount": "5.00", "currencyCode": "USD"}});
        let input = &input;
        let answers = join_all((0..50).map(|i| async move { staff(instances[i % 2], "refundCreate", input.clone()).await })).await;
        let done = answers.iter().filter(|answer| answer["userErrors"] == json!([])).count();
        let refused = answers.iter().filter(|answer| code(answer) == "AMOUNT_EXCEEDS_REFUNDABLE").count();
        assert_eq!((done, refused), (11, 39));
        assert_eq!(standing(shop, order).await, stands("CONFIRMED", "PARTIALLY_REFUNDED", 5_997, 5_500));
        check_books(shop).await;
        beside.close().await;
    }

    async fn fifty_clients_with_one_key_make_one_payment(shop: &Shop) {
        let order = guest_order(shop).await;
        let beside = shop.beside(&[]).await;
        let instances = [shop, &beside];
        let answers = join_all((0..50).map(|i| async move {
            pay(instances[i % 2], order, json!({"gateway": "TEST", "idempotencyKey": "key"})).await
        })).await;
        let ids: BTreeSet<String> = answers.iter().map(|answer| answer["payment"]["id"].to_string()).collect();
        assert_eq!((ids.len(), payments(shop).await.len()), (1, 1));
        assert!(answers.iter().all(|answer| answer["userErrors"] == json!([])));
        assert_eq!(events(shop, order).await, ["PLACED", "PAYMENT_PENDING", "PAYMENT_CAPTURED", "CONFIRMED"]);
        check_books(shop).await;
        beside.close().await;
    }

    async fn of_many_payments_at_once_one_is_made(shop: &Shop) {
        let order = guest_order(shop).await;
        let beside = shop.beside(&[]).await;
        let instances = [shop, &beside];
        let answers = join_all((0..20).map(|i| async move { pay(instances[i % 2], order, json!({"gateway": "TEST"})).await })).await;
        let made = answers.iter().filter(|answer| answer["userErrors"] == json!([])).count();
        let refused = answers.iter().filter(|answer| matches!(code(answer), "TRANSITION_INVALID" | "ALREADY_PAID")).count();
        assert_eq!((made, refused), (1, 19));
        assert_eq!(statuses(shop, order).await, ["CAPTURED"]);
        assert_eq!(standing(shop, order).await, stands("CONFIRMED", "PAID", 5_997, 0));
        check_books(shop).await;
        beside.close().await;
    }

    async fn captures_and_voids_at_once_end_in_one_of_both(shop: &Shop) {
        let order = guest_order(shop).await;
        let payment = paid(shop, order, json!({"gateway": "MANUAL"})).await;
        let payment = &payment;
        join_all((0..20).map(|i| async move {
            let field = if i % 2 == 0 { "paymentCapture" } else { "paymentVoid" };
            staff(shop, field, json!({"paymentId": payment})).await
        })).await;
        let status = statuses(shop, order).await.remove(0);
        assert!(status == "CAPTURED" || status == "VOIDED", "{status}");
        let events = events(shop, order).await;
        let ends = events.iter().filter(|event| matches!(event.as_str(), "PAYMENT_CAPTURED" | "PAYMENT_VOIDED")).count();
        assert_eq!(ends, 1, "{events:?}");
        check_books(shop).await;
    }

    async fn workers_at_once_do_a_thing_once(shop: &Shop) {
        let (gateway, shop) = Scripted::beside(shop).await;
        let mut orders = Vec::new();
        for _ in 0..10 {
            let order = guest_order(&shop).await;
            gateway.will("create", Says::Stage(Stage::Processing));
            paid(&shop, order, json!({"gateway": "STRIPE"})).await;
            orders.push(order);
        }
        for _ in 0..10 {
            gateway.will("retrieve", Says::Captured);
        }
        shop.clock.advance(chrono::Duration::seconds(2));
        join_all((0..5).map(|_| work(&shop))).await;
        assert_eq!(gateway.count("retrieve"), 10);
        for order in &orders {
            assert_eq!(events(&shop, *order).await, ["PLACED", "PAYMENT_PENDING", "PAYMENT_CAPTURED", "CONFIRMED"]);
            gateway.will("refund", Says::Return(ReturnStage::Pending)).will("retrieve_refund", Says::Return(ReturnStage::Succeeded));
            end(&shop, *order, OrderStatus::Cancelled).await;
        }
        shop.clock.advance(chrono::Duration::seconds(2));
        join_all((0..5).map(|_| work(&shop))).await;
        assert_eq!((gateway.count("refund"), gateway.count("retrieve_refund")), (10, 10));
        for order in orders {
            assert_eq!(standing(&shop, order).await, stands("CANCELLED", "REFUNDED", 5_997, 5_997));
        }
        check_books(&shop).await;
        shop.close().await;
    }
}
