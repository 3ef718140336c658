//! Money that goes back at the gateway, without us: by somebody's hand there, and back again when the bank does not take it.

use serde_json::json;
use souk::infra::gateways::{ReturnStage, Stage};

use super::scripted::{Says, Scripted, declined, waits};
use super::*;

/// A payment that was taken: its order, and its id.
async fn taken(shop: &Shop, gateway: &Scripted) -> (OrderId, serde_json::Value) {
    let order = guest_order(shop).await;
    gateway.will("create", Says::Captured);
    (order, paid(shop, order, json!({"gateway": "STRIPE"})).await)
}

/// It is looked at, and this much has gone back.
async fn gone(shop: &Shop, gateway: &Scripted, order: OrderId, minor: i64) {
    gateway.will("retrieve", Says::Refunded(minor));
    look(shop, order).await;
}

/// The refunds that there are, the first one first.
async fn refunds(shop: &Shop) -> Vec<Vec<String>> {
    let sql = "SELECT CAST(amount AS text), status FROM refund ORDER BY created_at, id";
    shop.rows(sql).await
}

both! {
    async fn what_has_gone_back_before_it_is_heard_of_pays_for_nothing(shop: &Shop) {
        for (ended, status) in [(None, "PENDING_PAYMENT"), (Some(OrderStatus::Cancelled), "CANCELLED"), (Some(OrderStatus::Expired), "EXPIRED")] {
            let (gateway, shop) = Scripted::beside(shop).await;
            let order = guest_order(&shop).await;
            paid(&shop, order, json!({"gateway": "STRIPE"})).await;
            if let Some(ended) = ended {
                end(&shop, order, ended).await;
            }
            let before = held(&shop, order).await;
            gateway.will("retrieve", Says::Refunded(5_997));
            after(&shop, 60).await;
            assert_eq!(standing(&shop, order).await, stands(status, "REFUNDED", 5_997, 5_997));
            assert_eq!(statuses(&shop, order).await, ["REFUNDED"]);
            assert_eq!(held(&shop, order).await, before);
            let told = events(&shop, order).await;
            let money: Vec<_> = told.iter().filter(|kind| ["PAYMENT_CAPTURED", "REFUND_PENDING", "REFUNDED", "REFUND_FAILED"].contains(&kind.as_str())).collect();
            assert_eq!(money, ["PAYMENT_CAPTURED", "REFUNDED"], "{told:?}");
            // Nothing is sent after it, however often it is told.
            gone(&shop, &gateway, order, 5_997).await;
            after(&shop, 100_000).await;
            assert_eq!((events(&shop, order).await, gateway.count("refund")), (told, 0));
            check_books(&shop).await;
            shop.close().await;
        }
    }

    async fn what_has_gone_back_while_its_buyer_was_away_pays_for_nothing(shop: &Shop) {
        let (gateway, shop) = Scripted::beside(shop).await;
        let order = guest_order(&shop).await;
        gateway.will("create", waits());
        paid(&shop, order, json!({"gateway": "STRIPE"})).await;
        gone(&shop, &gateway, order, 5_997).await;
        assert_eq!(standing(&shop, order).await, stands("PENDING_PAYMENT", "REFUNDED", 5_997, 5_997));
        assert_eq!(events(&shop, order).await[2..], ["PAYMENT_CAPTURED", "REFUNDED"]);
        assert_eq!(gateway.count("refund"), 0);
        check_books(&shop).await;
        shop.close().await;
    }

    async fn what_somebody_sent_back_there_may_come_again(shop: &Shop) {
        let (gateway, shop) = Scripted::beside(shop).await;
        let (order, payment) = taken(&shop, &gateway).await;
        gone(&shop, &gateway, order, 5_997).await;
        assert_eq!(standing(&shop, order).await, stands("CONFIRMED", "REFUNDED", 5_997, 5_997));
        gone(&shop, &gateway, order, 0).await;
        assert_eq!(standing(&shop, order).await, stands("CONFIRMED", "PAID", 5_997, 0));
        assert_eq!(statuses(&shop, order).await, ["REQUIRES_REVIEW"]);
        assert_eq!(refunds(&shop).await, [["5997", "FAILED"]]);
        assert_eq!(events(&shop, order).await[4..], ["REFUNDED", "REFUND_FAILED", "REVIEW_REQUIRED"]);
        check_books(&shop).await;
        // It is told once, and people send it back by themselves.
        gone(&shop, &gateway, order, 0).await;
        assert_eq!(events(&shop, order).await.len(), 7);
        gateway.will("refund", Says::Return(ReturnStage::Succeeded));
        let again = staff(&shop, "refundCreate", json!({"paymentId": payment})).await;
        assert_eq!((&again["userErrors"], &again["refund"]["status"], &again["payment"]["status"]), (&json!([]), &json!("SUCCEEDED"), &json!("REFUNDED")));
        assert_eq!(standing(&shop, order).await, stands("CONFIRMED", "REFUNDED", 5_997, 5_997));
        check_books(&shop).await;
        shop.close().await;
    }

    async fn of_what_was_sent_back_there_a_part_may_come_again(shop: &Shop) {
        let (gateway, shop) = Scripted::beside(shop).await;
        let (order, payment) = taken(&shop, &gateway).await;
        for minor in [2_000, 5_997, 2_000] {
            shop.clock.advance(chrono::Duration::seconds(1));
            gone(&shop, &gateway, order, minor).await;
        }
        assert_eq!(standing(&shop, order).await.3, 2_000);
        assert_eq!(statuses(&shop, order).await, ["REQUIRES_REVIEW"]);
        assert_eq!(refunds(&shop).await, [["2000", "SUCCEEDED"], ["3997", "FAILED"]]);
        assert_eq!(events(&shop, order).await[4..], ["REFUNDED", "REFUNDED", "REFUND_FAILED", "REVIEW_REQUIRED"]);
        let more = json!({"paymentId": payment, "amount": {"amount": "39.98", "currencyCode": "USD"}});
        assert_eq!(staff(&shop, "refundCreate", more).await["userErrors"][0]["params"], json!({"refundable": "39.97"}));
        check_books(&shop).await;
        shop.close().await;
    }

    /// Two were made there before anybody looked, and one of them fails.
    async fn of_what_was_found_gone_at_once_a_part_may_come_again(shop: &Shop) {
        let (gateway, shop) = Scripted::beside(shop).await;
        let (order, _) = taken(&shop, &gateway).await;
        for minor in [5_997, 2_000] {
            shop.clock.advance(chrono::Duration::seconds(1));
            gone(&shop, &gateway, order, minor).await;
        }
        assert_eq!(statuses(&shop, order).await, ["REQUIRES_REVIEW"]);
        assert_eq!(events(&shop, order).await.last().unwrap(), "REVIEW_REQUIRED");
        check_books(&shop).await;
        shop.close().await;
    }

    /// The second payment of an order, which somebody has given back already.
    async fn a_double_payment_that_has_gone_back_is_not_sent_back_again(shop: &Shop) {
        let (gateway, shop) = Scripted::beside(shop).await;
        let order = guest_order(&shop).await;
        gateway.will("create", waits()).will("void", Says::Stage(Stage::Voided)).will("create", Says::Captured);
        paid(&shop, order, json!({"gateway": "STRIPE"})).await;
        shop.clock.advance(chrono::Duration::seconds(1));
        paid(&shop, order, json!({"gateway": "STRIPE"})).await;
        shop.execute("UPDATE payment SET look_at = created_at WHERE status = 'VOIDED'").await.unwrap();
        gateway.will("retrieve", Says::Refunded(2_000)).will("refund", Says::Return(ReturnStage::Succeeded));
        work(&shop).await;
        assert_eq!(statuses(&shop, order).await, ["REFUNDED", "CAPTURED"]);
        assert_eq!(refunds(&shop).await, [["2000", "SUCCEEDED"], ["3997", "SUCCEEDED"]]);
        let told = events(&shop, order).await;
        assert_eq!(told[6..], ["PAYMENT_CAPTURED", "REFUNDED", "REVIEW_REQUIRED", "REFUND_PENDING", "REFUNDED"], "{told:?}");
        check_books(&shop).await;
        shop.close().await;
    }

    /// A gateway may count what it has sent back a little later than it says that it has.
    async fn what_we_sent_back_does_not_come_again_because_it_is_not_counted_yet(shop: &Shop) {
        let (gateway, shop) = Scripted::beside(shop).await;
        let (order, payment) = taken(&shop, &gateway).await;
        gateway.will("refund", Says::Return(ReturnStage::Succeeded));
        let part = json!({"paymentId": payment, "amount": {"amount": "20", "currencyCode": "USD"}});
        assert_eq!(staff(&shop, "refundCreate", part).await["refund"]["status"], "SUCCEEDED");
        shop.clock.advance(chrono::Duration::seconds(1));
        gone(&shop, &gateway, order, 0).await;
        assert_eq!(standing(&shop, order).await, stands("CONFIRMED", "PARTIALLY_REFUNDED", 5_997, 2_000));
        assert_eq!(events(&shop, order).await[4..], ["REFUND_PENDING", "REFUNDED"]);
        check_books(&shop).await;
        shop.close().await;
    }

    /// What the gateway counted was our own refund, which has failed since. It looked like somebody else's.
    async fn what_was_counted_for_gone_and_is_not_can_go_back(shop: &Shop) {
        let (gateway, shop) = Scripted::beside(shop).await;
        let (order, payment) = taken(&shop, &gateway).await;
        gateway.will("refund", Says::Return(ReturnStage::Pending)).will("retrieve_refund", Says::Return(ReturnStage::Failed(declined())));
        staff(&shop, "refundCreate", json!({"paymentId": payment})).await;
        after(&shop, 60).await;
        for minor in [5_997, 0] {
            gone(&shop, &gateway, order, minor).await;
        }
        assert_eq!(standing(&shop, order).await, stands("CONFIRMED", "PAID", 5_997, 0));
        gateway.will("refund", Says::Return(ReturnStage::Succeeded));
        assert_eq!(staff(&shop, "refundCreate", json!({"paymentId": payment})).await["refund"]["status"], "SUCCEEDED");
        check_books(&shop).await;
        shop.close().await;
    }

    async fn a_refund_that_is_refused_because_it_was_made_elsewhere_finds_that(shop: &Shop) {
        for told_before in [false, true] {
            let (gateway, shop) = Scripted::beside(shop).await;
            let (order, payment) = taken(&shop, &gateway).await;
            if told_before {
                // Ours is on its way for all we know, so what has gone is taken for it.
                staff(&shop, "refundCreate", json!({"paymentId": payment})).await;
                gone(&shop, &gateway, order, 5_997).await;
                assert_eq!(standing(&shop, order).await.3, 0);
                gateway.will("refund", Says::Refused).will("retrieve", Says::Refunded(5_997));
                after(&shop, 60).await;
            } else {
                gateway.will("refund", Says::Refused).will("retrieve", Says::Refunded(5_997));
                let refused = staff(&shop, "refundCreate", json!({"paymentId": payment})).await;
                assert_eq!(code(&refused), "PAYMENT_DECLINED");
                work(&shop).await;
            }
            assert_eq!(standing(&shop, order).await, stands("CONFIRMED", "REFUNDED", 5_997, 5_997));
            assert_eq!(statuses(&shop, order).await, ["REFUNDED"]);
            assert_eq!(events(&shop, order).await[4..], ["REFUND_PENDING", "REFUND_FAILED", "REFUNDED"]);
            let looks = gateway.count("retrieve");
            after(&shop, 100_000).await;
            assert_eq!((gateway.count("retrieve"), gateway.count("refund")), (looks, if told_before { 2 } else { 1 }));
            check_books(&shop).await;
            shop.close().await;
        }
    }
}
