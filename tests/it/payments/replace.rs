//! Buyers who change their minds: a payment that waits for its buyer gives way to another one, unless it has been paid.

use serde_json::json;
use souk::infra::gateways::{Action, Stage};

use super::scripted::{Says, Scripted};
use super::*;

fn waits() -> Says {
    Says::Stage(Stage::RequiresAction(Action::Redirect {
        url: "https://bank.example/".to_owned(),
    }))
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
}
