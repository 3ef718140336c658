//! What people have to look at, and how it ends.

use serde_json::json;
use souk::entity::shop_order::OrderStatus;
use souk::infra::gateways::Stage;
use souk::kernel::money::{Currency, Money};

use super::scripted::{Says, Scripted};
use super::*;

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
}
