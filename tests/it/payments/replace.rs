//! Buyers who change their minds: a payment that waits for its buyer gives way to another one, unless it has been paid.

use serde_json::json;
use souk::infra::gateways::{ReturnStage, Stage};

use super::scripted::{Says, Scripted, waits};
use super::*;

/// What has been written down to be asked of gateways: of which kind, the how many-th, and what came of it.
async fn operations(shop: &Shop) -> Vec<Vec<String>> {
    let sql = "SELECT kind, CAST(seq AS text), status FROM payment_operation ORDER BY kind, seq, status";
    shop.rows(sql).await
}

async fn available(shop: &Shop, order: OrderId) -> Vec<String> {
    let document =
        "query($id: ID!, $token: String) { order(by: {id: $id}, guestToken: $token) { availableActions } }";
    let variables = json!({"id": order.to_string(), "token": token(order)});
    let data = shop.data(As::Anonymous, document, variables).await;
    serde_json::from_value(data["order"]["availableActions"].clone()).unwrap()
}

both! {
    async fn what_waits_for_its_buyer_gives_way(shop: &Shop) {
        let order = guest_order(shop).await;
        let first = json!({"gateway": "TEST", "testOutcome": "REQUIRE_ACTION", "idempotencyKey": "first"});
        let left = paid(shop, order, first.clone()).await;
        paid(shop, order, json!({"gateway": "MANUAL"})).await;
        assert_eq!(statuses(shop, order).await, ["VOIDED", "PROCESSING"]);
        let paid_now = paid(shop, order, json!({"gateway": "TEST"})).await;
        assert_eq!(statuses(shop, order).await, ["VOIDED", "VOIDED", "CAPTURED"]);
        assert_eq!(events(shop, order).await, ["PLACED", "PAYMENT_PENDING", "PAYMENT_VOIDED", "PAYMENT_PENDING", "PAYMENT_VOIDED",
            "PAYMENT_PENDING", "PAYMENT_CAPTURED", "CONFIRMED"]);
        // The same request again is answered as it was, and begins nothing.
        let again = pay(shop, order, first).await;
        assert_eq!((&again["payment"]["id"], &again["payment"]["status"]), (&left, &json!("VOIDED")));
        assert_ne!(left, paid_now);
        assert_eq!(statuses(shop, order).await.len(), 3);
        check_books(shop).await;
    }

    async fn what_has_been_paid_meanwhile_counts(shop: &Shop) {
        let (gateway, shop) = Scripted::beside(shop).await;
        let order = guest_order(&shop).await;
        gateway.will("create", waits()).will("void", Says::Captured);
        paid(&shop, order, json!({"gateway": "STRIPE"})).await;
        let second = pay(&shop, order, json!({"gateway": "STRIPE"})).await;
        assert_eq!(code(&second), "ALREADY_PAID");
        assert_eq!(gateway.count("create"), 1);
        assert_eq!(standing(&shop, order).await, stands("CONFIRMED", "PAID", 5_997, 0));
        check_books(&shop).await;
        shop.close().await;
    }

    async fn what_may_have_been_paid_stands_in_the_way(shop: &Shop) {
        let (gateway, shop) = Scripted::beside(shop).await;
        let order = guest_order(&shop).await;
        gateway.will("create", waits());
        let first = paid(&shop, order, json!({"gateway": "STRIPE"})).await;
        let second = pay(&shop, order, json!({"gateway": "STRIPE", "idempotencyKey": "second"})).await;
        assert_eq!((code(&second), &second["userErrors"][0]["params"]["paymentId"]), ("TRANSITION_INVALID", &first));
        assert_eq!((gateway.count("create"), gateway.count("void")), (1, 1));
        // As soon as it is known that it was given up, the same request goes through.
        gateway.will("void", Says::Stage(Stage::Voided)).will("create", Says::Captured);
        shop.clock.advance(chrono::Duration::seconds(2));
        work(&shop).await;
        paid(&shop, order, json!({"gateway": "STRIPE", "idempotencyKey": "second"})).await;
        assert_eq!(statuses(&shop, order).await, ["VOIDED", "CAPTURED"]);
        check_books(&shop).await;
        shop.close().await;
    }

    async fn who_asks_again_has_the_gateway_asked(shop: &Shop) {
        let (gateway, shop) = Scripted::beside(shop).await;
        let order = guest_order(&shop).await;
        gateway.will("create", waits()).will("retrieve", Says::Captured);
        let input = json!({"gateway": "STRIPE", "idempotencyKey": "a"});
        assert_eq!(pay(&shop, order, input.clone()).await["payment"]["status"], "REQUIRES_ACTION");
        assert_eq!(pay(&shop, order, input.clone()).await["payment"]["status"], "CAPTURED");
        pay(&shop, order, input).await;
        assert_eq!(gateway.count("retrieve"), 1, "what is known is not asked again");
        shop.close().await;
    }

    async fn who_asks_again_and_again_does_not(shop: &Shop) {
        let (gateway, shop) = Scripted::beside(shop).await;
        let order = guest_order(&shop).await;
        gateway.will("create", waits());
        let input = json!({"gateway": "STRIPE", "idempotencyKey": "a"});
        for _ in 0..5 {
            pay(&shop, order, input.clone()).await;
        }
        assert_eq!(gateway.count("retrieve"), 1);
        shop.close().await;
    }

    async fn who_asks_for_another_payment_again_has_it_given_up_once(shop: &Shop) {
        let (gateway, shop) = Scripted::beside(shop).await;
        let order = guest_order(&shop).await;
        gateway.will("create", waits());
        let first = paid(&shop, order, json!({"gateway": "STRIPE"})).await;
        // It does not answer to being asked to give it up, and is not asked again before its time.
        for key in ["second", "third", "fourth"] {
            let refused = pay(&shop, order, json!({"gateway": "STRIPE", "idempotencyKey": key})).await;
            assert_eq!((code(&refused), &refused["userErrors"][0]["params"]["paymentId"]), ("TRANSITION_INVALID", &first));
        }
        assert_eq!(operations(&shop).await, [["CREATE", "1", "SUCCEEDED"], ["VOID", "1", "PENDING"]]);
        assert_eq!((gateway.count("create"), gateway.count("void")), (1, 1));
        shop.close().await;
    }

    /// Its buyer agrees in the moment in which it is given up.
    async fn what_is_being_given_up_is_not_completed(shop: &Shop) {
        for cancelled in [false, true] {
            let (gateway, beside) = Scripted::beside(shop).await;
            let order = guest_order(&beside).await;
            gateway.will("create", waits());
            paid(&beside, order, json!({"gateway": "STRIPE"})).await;
            if cancelled {
                end(&beside, order, OrderStatus::Cancelled).await;
            } else {
                assert_eq!(code(&pay(&beside, order, json!({"gateway": "STRIPE"})).await), "TRANSITION_INVALID");
            }
            gateway.will("retrieve", Says::Stage(Stage::Ready));
            look(&beside, order).await;
            assert_eq!((gateway.count("retrieve"), gateway.count("complete")), (1, 0));
            gateway.will("void", Says::Stage(Stage::Voided));
            after(&beside, 60).await;
            assert_eq!(statuses(&beside, order).await, ["VOIDED"]);
            assert_eq!((gateway.count("void"), gateway.count("complete")), (2, 0));
            let id = literal(&beside, order.0);
            let sql = format!("SELECT kind, CAST(seq AS text) FROM payment_operation WHERE payment_id IN
                (SELECT id FROM payment WHERE order_id = {id}) ORDER BY kind, seq");
            assert_eq!(beside.rows(&sql).await, [["CREATE", "1"], ["VOID", "1"]], "cancelled: {cancelled}");
            check_books(&beside).await;
            beside.close().await;
        }
    }

    async fn an_order_whose_double_payment_went_back_can_be_paid(shop: &Shop) {
        let (gateway, shop) = Scripted::beside(shop).await;
        let order = guest_order(&shop).await;
        gateway.will("create", waits()).will("void", Says::Stage(Stage::Voided)).will("create", waits());
        paid(&shop, order, json!({"gateway": "STRIPE"})).await;
        shop.clock.advance(chrono::Duration::seconds(1));
        paid(&shop, order, json!({"gateway": "STRIPE"})).await;
        // The first one has been paid after all.
        shop.execute("UPDATE payment SET look_at = created_at WHERE status = 'VOIDED'").await.unwrap();
        gateway.will("retrieve", Says::Captured).will("refund", Says::Return(ReturnStage::Succeeded));
        work(&shop).await;
        assert_eq!(statuses(&shop, order).await, ["REFUNDED", "REQUIRES_ACTION"]);
        assert_eq!(standing(&shop, order).await, stands("PENDING_PAYMENT", "REFUNDED", 5_997, 5_997));
        assert!(available(&shop, order).await.contains(&"PAY".to_owned()));
        gateway.will("void", Says::Stage(Stage::Voided)).will("create", Says::Captured);
        shop.clock.advance(chrono::Duration::seconds(1));
        paid(&shop, order, json!({"gateway": "STRIPE"})).await;
        assert_eq!(statuses(&shop, order).await, ["REFUNDED", "VOIDED", "CAPTURED"]);
        let (status, _, taken, back) = standing(&shop, order).await;
        assert_eq!((status.as_str(), taken, back), ("CONFIRMED", 11_994, 5_997));
        // Now it is paid.
        assert_eq!(code(&pay(&shop, order, json!({"gateway": "STRIPE"})).await), "ALREADY_PAID");
        assert!(!available(&shop, order).await.contains(&"PAY".to_owned()));
        check_books(&shop).await;
        shop.close().await;
    }
}
