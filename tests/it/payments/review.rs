//! What people have to look at, and how it ends.

use serde_json::json;
use souk::entity::shop_order::OrderStatus;
use souk::infra::gateways::Stage;
use souk::kernel::money::{Currency, Money};

use super::scripted::{Says, Scripted};
use super::*;
use crate::support::books::balance;

both! {
    async fn what_was_looked_at_is_given_up_when_nothing_is_kept(shop: &Shop) {
        let (gateway, shop) = Scripted::beside(shop).await;
        let order = guest_order(&shop).await;
        let other = Money::new(5_996, Currency::USD);
        gateway.will("create", Says::About(other, Stage::Captured(other)));
        let payment = pay(&shop, order, json!({"gateway": "STRIPE"})).await["payment"]["id"].take();
        // The gateway still has the money.
        gateway.will("void", Says::About(other, Stage::Captured(other)));
        let refused = staff(&shop, "paymentVoid", json!({"paymentId": payment})).await;
        assert_eq!((code(&refused), &refused["payment"]["status"]), ("PAYMENT_DECLINED", &json!("REQUIRES_REVIEW")));
        assert_eq!(code(&pay(&shop, order, json!({"gateway": "STRIPE"})).await), "TRANSITION_INVALID");
        // Somebody has given it back there.
        gateway.will("void", Says::RefundedAll(other));
        let given_up = staff(&shop, "paymentVoid", json!({"paymentId": payment})).await;
        assert_eq!((&given_up["userErrors"], &given_up["payment"]["status"]), (&json!([]), &json!("VOIDED")));
        gateway.will("create", Says::Captured);
        paid(&shop, order, json!({"gateway": "STRIPE"})).await;
        assert_eq!(standing(&shop, order).await, stands("CONFIRMED", "PAID", 5_997, 0));
        assert_eq!(events(&shop, order).await, ["PLACED", "PAYMENT_PENDING", "REVIEW_REQUIRED", "PAYMENT_VOIDED",
            "PAYMENT_PENDING", "PAYMENT_CAPTURED", "CONFIRMED"]);
        check_books(&shop).await;
        shop.close().await;
    }

    async fn a_transfer_that_arrives_late_takes_the_goods_if_they_are_there(shop: &Shop) {
        for (goods, status, refunded) in [(true, "CONFIRMED", 0), (false, "EXPIRED", 5_997)] {
            let order = guest_order(shop).await;
            let payment = paid(shop, order, json!({"gateway": "MANUAL"})).await;
            let part = json!({"paymentId": payment, "amount": {"amount": "1", "currencyCode": "USD"}});
            end(shop, order, OrderStatus::Expired).await;
            assert_eq!(statuses(shop, order).await, ["VOIDED"]);
            if !goods {
                sell_out(shop, order).await;
                shop.execute("UPDATE inventory_level SET reserved = on_hand").await.unwrap();
            }
            assert_eq!(code(&staff(shop, "paymentCapture", part).await), "INVALID");
            let arrived = staff(shop, "paymentCapture", json!({"paymentId": payment})).await;
            assert_eq!(arrived["userErrors"], json!([]), "{arrived}");
            work(shop).await;
            if !goods {
                // Nobody sends money back by hand unless he is told to, and says that he has.
                assert_eq!(standing(shop, order).await.3, 0);
                assert_eq!(events(shop, order).await.last().unwrap(), "REVIEW_REQUIRED");
                staff(shop, "refundCreate", json!({"paymentId": payment})).await;
            }
            assert_eq!((standing(shop, order).await.0, standing(shop, order).await.3), (status.to_owned(), refunded));
        }
        // Of an order that somebody cancelled, nothing more is booked.
        let order = guest_order(shop).await;
        let payment = paid(shop, order, json!({"gateway": "MANUAL"})).await;
        end(shop, order, OrderStatus::Cancelled).await;
        assert_eq!(code(&staff(shop, "paymentCapture", json!({"paymentId": payment})).await), "TRANSITION_INVALID");
    }

    /// Nobody pays a transfer back by himself: it is for people to do, and to say that they did.
    async fn a_transfer_whose_order_is_cancelled_is_paid_back_by_people(shop: &Shop) {
        let order = customer_order(shop).await;
        let input = json!({"gateway": "MANUAL", "orderId": order.to_string()});
        let payment = send(shop, As::Customer, "paymentCreate", input, None).await["payment"]["id"].take();
        let arrived = staff(shop, "paymentCapture", json!({"paymentId": payment})).await;
        assert_eq!(arrived["userErrors"], json!([]));
        let cancel = "mutation($input: OrderCancelInput!) { orderCancel(input: $input) { userErrors { code } } }";
        let input = json!({"orderId": order.to_string(), "reason": "no more"});
        let cancelled = shop.data(As::Customer, cancel, json!({"input": input})).await;
        assert_eq!(cancelled["orderCancel"]["userErrors"], json!([]));
        work(shop).await;
        assert_eq!(standing(shop, order).await, stands("CANCELLED", "PAID", 5_997, 0));
        assert_eq!(shop.rows("SELECT status FROM refund").await, [["FAILED"]]);
        let told = events(shop, order).await;
        assert!(told.contains(&"REVIEW_REQUIRED".to_owned()) && !told.contains(&"REFUNDED".to_owned()), "{told:?}");
        after(shop, 100_000).await;
        assert_eq!(events(shop, order).await, told, "people are told once");
        balance(shop.db()).await;
        let booked = staff(shop, "refundCreate", json!({"paymentId": payment})).await;
        assert_eq!((&booked["userErrors"], &booked["refund"]["status"], &booked["payment"]["status"]), (&json!([]), &json!("SUCCEEDED"), &json!("REFUNDED")));
        assert_eq!(standing(shop, order).await, stands("CANCELLED", "REFUNDED", 5_997, 5_997));
        assert_eq!(events(shop, order).await.last().unwrap(), "REFUNDED");
        balance(shop.db()).await;
        check_books(shop).await;
    }

    async fn more_than_was_taken_by_us_is_looked_at(shop: &Shop) {
        let (gateway, shop) = Scripted::beside(shop).await;
        let order = guest_order(&shop).await;
        gateway.will("create", Says::Stage(Stage::Authorized));
        paid(&shop, order, json!({"gateway": "STRIPE", "flow": "AUTHORIZE"})).await;
        let whole = Money::new(5_997, Currency::USD);
        let taken = |minor| Says::About(whole, Stage::Captured(Money::new(minor, Currency::USD)));
        for (minor, status) in [(2_000, "CAPTURED"), (2_000, "CAPTURED"), (1_000, "CAPTURED"), (5_997, "REQUIRES_REVIEW"), (5_997, "REQUIRES_REVIEW")] {
            gateway.will("retrieve", taken(minor));
            look(&shop, order).await;
            assert_eq!(statuses(&shop, order).await, [status], "{minor}");
        }
        assert_eq!(gateway.count("retrieve"), 5);
        let told = events(&shop, order).await;
        assert_eq!(told[4..], ["PAYMENT_CAPTURED", "REVIEW_REQUIRED"], "{told:?}");
        check_books(&shop).await;
        shop.close().await;
    }

    async fn what_was_looked_at_and_given_up_stays_so(shop: &Shop) {
        let (gateway, shop) = Scripted::beside(shop).await;
        let order = guest_order(&shop).await;
        let other = Money::new(5_996, Currency::USD);
        gateway.will("create", Says::About(other, Stage::Captured(other))).will("void", Says::RefundedAll(other));
        let payment = pay(&shop, order, json!({"gateway": "STRIPE"})).await["payment"]["id"].take();
        staff(&shop, "paymentVoid", json!({"paymentId": payment})).await;
        let before = (events(&shop, order).await, standing(&shop, order).await);
        // The message of the refund that somebody made there comes afterwards.
        gateway.will("retrieve", Says::RefundedAll(other)).will("retrieve", Says::RefundedAll(other));
        for _ in 0..2 {
            look(&shop, order).await;
        }
        assert_eq!((statuses(&shop, order).await, gateway.count("retrieve")), (vec!["VOIDED".to_owned()], 2));
        assert_eq!((events(&shop, order).await, standing(&shop, order).await), before);
        gateway.will("create", Says::Captured);
        paid(&shop, order, json!({"gateway": "STRIPE"})).await;
        assert_eq!(standing(&shop, order).await, stands("CONFIRMED", "PAID", 5_997, 0));
        check_books(&shop).await;
        shop.close().await;
    }
}
