//! Orders that end while they are paid, and money that comes too late.

use serde_json::json;
use souk::infra::gateways::{Action, ReturnStage, Stage};

use super::scripted::{Says, Scripted, declined};
use super::*;

fn none_held() -> (String, String) {
    ("0".to_owned(), "0".to_owned())
}

/// An order whose payment the gateway has not said anything about, ended in this way.
async fn ended(shop: &Shop, status: OrderStatus) -> OrderId {
    let order = guest_order(shop).await;
    paid(shop, order, json!({"gateway": "STRIPE"})).await;
    end(shop, order, status).await;
    order
}

async fn later(shop: &Shop) {
    shop.clock.advance(chrono::Duration::seconds(60));
    work(shop).await;
}

both! {
    async fn what_was_taken_goes_back_when_an_order_is_cancelled(shop: &Shop) {
        let order = guest_order(shop).await;
        let payment = paid(shop, order, json!({"gateway": "TEST"})).await;
        let part = json!({"paymentId": payment, "amount": {"amount": "9.97", "currencyCode": "USD"}});
        staff(shop, "refundCreate", part).await;
        end(shop, order, OrderStatus::Cancelled).await;
        assert_eq!(standing(shop, order).await, stands("CANCELLED", "REFUNDED", 5_997, 5_997));
        assert_eq!(events(shop, order).await[6..], ["CANCELLED", "REFUND_PENDING", "REFUNDED"]);
        work(shop).await;
        check_books(shop).await;
    }

    async fn what_was_promised_is_released_when_an_order_is_cancelled(shop: &Shop) {
        for input in [
            json!({"gateway": "TEST", "flow": "AUTHORIZE"}),
            json!({"gateway": "MANUAL", "flow": "AUTHORIZE"}),
            json!({"gateway": "MANUAL", "flow": "CHARGE"}),
            json!({"gateway": "TEST", "testOutcome": "REQUIRE_ACTION"}),
        ] {
            let order = guest_order(shop).await;
            let payment = paid(shop, order, input.clone()).await;
            end(shop, order, OrderStatus::Cancelled).await;
            assert_eq!(statuses(shop, order).await, ["VOIDED"], "{input}");
            assert_eq!(standing(shop, order).await, stands("CANCELLED", "UNPAID", 0, 0));
            assert_eq!(events(shop, order).await.last().unwrap(), "PAYMENT_VOIDED");
            assert_eq!(code(&staff(shop, "paymentCapture", json!({"paymentId": payment})).await), "TRANSITION_INVALID");
            assert_eq!(staff(shop, "paymentVoid", json!({"paymentId": payment})).await["userErrors"], json!([]));
        }
        check_books(shop).await;
    }

    async fn a_late_success_takes_an_expired_order_up_again(shop: &Shop) {
        let (gateway, shop) = Scripted::beside(shop).await;
        let order = ended(&shop, OrderStatus::Expired).await;
        assert_eq!(held(&shop, order).await, none_held());
        gateway.will("retrieve", Says::Captured);
        later(&shop).await;
        assert_eq!(standing(&shop, order).await, stands("CONFIRMED", "PAID", 5_997, 0));
        assert_eq!(held(&shop, order).await, ("3".to_owned(), "3".to_owned()));
        assert_eq!(events(&shop, order).await, ["PLACED", "PAYMENT_PENDING", "EXPIRED", "PAYMENT_CAPTURED", "CONFIRMED"]);
        later(&shop).await;
        assert_eq!((gateway.count("void"), gateway.count("refund")), (0, 0));
        check_books(&shop).await;
        shop.close().await;
    }

    async fn a_late_success_goes_back_when_the_goods_are_gone(shop: &Shop) {
        let (gateway, shop) = Scripted::beside(shop).await;
        let order = ended(&shop, OrderStatus::Expired).await;
        sell_out(&shop, order).await;
        gateway.will("retrieve", Says::Captured).will("refund", Says::Return(ReturnStage::Succeeded));
        later(&shop).await;
        assert_eq!(standing(&shop, order).await, stands("EXPIRED", "REFUNDED", 5_997, 5_997));
        assert_eq!(held(&shop, order).await, none_held());
        assert_eq!(events(&shop, order).await, ["PLACED", "PAYMENT_PENDING", "EXPIRED", "PAYMENT_CAPTURED", "REVIEW_REQUIRED", "REFUND_PENDING", "REFUNDED"]);
        assert_eq!(statuses(&shop, order).await, ["REFUNDED"]);
        check_books(&shop).await;
        shop.close().await;
    }

    /// It was given up when the order ended: nothing is sent for a promise that we release ourselves.
    async fn a_late_promise_is_released_whether_or_not_the_goods_are_there(shop: &Shop) {
        let (gateway, shop) = Scripted::beside(shop).await;
        for goods_are_gone in [false, true] {
            let order = ended(&shop, OrderStatus::Expired).await;
            if goods_are_gone {
                sell_out(&shop, order).await;
            }
            let before = gateway.count("void");
            gateway.will("retrieve", Says::Stage(Stage::Authorized)).will("void", Says::Stage(Stage::Voided));
            later(&shop).await;
            assert_eq!(standing(&shop, order).await, stands("EXPIRED", "UNPAID", 0, 0));
            assert_eq!(events(&shop, order).await[3..], ["PAYMENT_AUTHORIZED", "PAYMENT_VOIDED"]);
            assert_eq!(gateway.count("void") - before, 1);
            check_books(&shop).await;
        }
        shop.close().await;
    }

    async fn a_late_success_of_a_cancelled_order_goes_back(shop: &Shop) {
        let (gateway, shop) = Scripted::beside(shop).await;
        let order = ended(&shop, OrderStatus::Cancelled).await;
        gateway.will("retrieve", Says::Captured).will("refund", Says::Return(ReturnStage::Succeeded));
        later(&shop).await;
        assert_eq!(standing(&shop, order).await, stands("CANCELLED", "REFUNDED", 5_997, 5_997));
        assert_eq!(events(&shop, order).await[2..], ["CANCELLED", "PAYMENT_CAPTURED", "REVIEW_REQUIRED", "REFUND_PENDING", "REFUNDED"]);
        assert_eq!(held(&shop, order).await, none_held());
        later(&shop).await;
        assert_eq!((gateway.count("refund"), gateway.count("void")), (1, 0));
        check_books(&shop).await;
        shop.close().await;
    }

    async fn what_was_never_made_is_not_made_for_an_order_that_has_ended(shop: &Shop) {
        let (gateway, shop) = Scripted::beside(shop).await;
        let order = ended(&shop, OrderStatus::Cancelled).await;
        gateway.will("retrieve", Says::Nothing);
        later(&shop).await;
        assert_eq!((statuses(&shop, order).await, gateway.count("create")), (vec!["VOIDED".to_owned()], 1));
        assert_eq!(events(&shop, order).await[2..], ["CANCELLED", "PAYMENT_VOIDED"]);
        check_books(&shop).await;
        shop.close().await;
    }

    async fn a_payment_that_cannot_be_released_since_it_was_taken_goes_back(shop: &Shop) {
        let (gateway, shop) = Scripted::beside(shop).await;
        let order = guest_order(&shop).await;
        let redirect = Action::Redirect { url: "https://bank.example/".to_owned() };
        gateway.will("create", Says::Stage(Stage::RequiresAction(redirect)));
        paid(&shop, order, json!({"gateway": "STRIPE"})).await;
        gateway.will("void", Says::Refused).will("retrieve", Says::Captured).will("refund", Says::Return(ReturnStage::Succeeded));
        end(&shop, order, OrderStatus::Cancelled).await;
        later(&shop).await;
        assert_eq!(standing(&shop, order).await, stands("CANCELLED", "REFUNDED", 5_997, 5_997));
        check_books(&shop).await;
        shop.close().await;
    }

    async fn a_payment_that_succeeds_after_it_has_failed_counts_unless_another_has(shop: &Shop) {
        for other in [false, true] {
            let (gateway, shop) = Scripted::beside(shop).await;
            let order = guest_order(&shop).await;
            gateway.will("create", Says::Stage(Stage::Declined(declined())));
            assert_eq!(code(&pay(&shop, order, json!({"gateway": "STRIPE"})).await), "PAYMENT_DECLINED");
            if other {
                gateway.will("create", Says::Captured);
                shop.clock.advance(chrono::Duration::seconds(1));
                paid(&shop, order, json!({"gateway": "STRIPE"})).await;
            }
            // Its webhook, or somebody, has us look again.
            shop.execute("UPDATE payment SET look_at = created_at WHERE status = 'FAILED'").await.unwrap();
            gateway.will("retrieve", Says::Captured).will("refund", Says::Return(ReturnStage::Succeeded));
            work(&shop).await;
            if other {
                assert_eq!(statuses(&shop, order).await, ["REFUNDED", "CAPTURED"]);
                assert_eq!(standing(&shop, order).await, stands("CONFIRMED", "PARTIALLY_REFUNDED", 11_994, 5_997));
                assert_eq!(events(&shop, order).await[6..], ["PAYMENT_CAPTURED", "REVIEW_REQUIRED", "REFUND_PENDING", "REFUNDED"]);
            } else {
                assert_eq!(statuses(&shop, order).await, ["CAPTURED"]);
                assert_eq!(standing(&shop, order).await, stands("CONFIRMED", "PAID", 5_997, 0));
            }
            check_books(&shop).await;
            shop.close().await;
        }
    }
}
