//! Giving money back.

use serde_json::{Value, json};
use souk::infra::gateways::ReturnStage;

use super::scripted::{Says, Scripted, declined};
use super::*;

fn dollars(amount: &str) -> Value {
    json!({"amount": amount, "currencyCode": "USD"})
}

both! {
    async fn money_goes_back_in_parts_and_no_more_than_came(shop: &Shop) {
        let order = guest_order(shop).await;
        let payment = paid(shop, order, json!({"gateway": "TEST"})).await;
        let input = json!({"paymentId": payment, "amount": dollars("20"), "reason": " cracked ", "idempotencyKey": "a"});
        let first = staff(shop, "refundCreate", input.clone()).await;
        assert_eq!((&first["refund"]["status"], &first["refund"]["reason"], &first["refund"]["amount"]["amount"]), (&json!("SUCCEEDED"), &json!("cracked"), &json!("20.00")));
        assert_eq!((&first["payment"]["status"], &first["payment"]["refundedAmount"]["amount"]), (&json!("PARTIALLY_REFUNDED"), &json!("20.00")));
        assert_eq!(staff(shop, "refundCreate", input).await, first);
        let more = staff(shop, "refundCreate", json!({"paymentId": payment, "amount": dollars("39.98")})).await;
        assert_eq!((code(&more), &more["userErrors"][0]["params"], &more["userErrors"][0]["path"]),
            ("AMOUNT_EXCEEDS_REFUNDABLE", &json!({"refundable": "39.97"}), &json!(["input", "amount"])));
        assert_eq!((&more["refund"], &more["payment"]), (&Value::Null, &Value::Null));
        let rest = staff(shop, "refundCreate", json!({"paymentId": payment})).await;
        assert_eq!((&rest["payment"]["status"], &rest["refund"]["amount"]["amount"]), (&json!("REFUNDED"), &json!("39.97")));
        assert_eq!(rest["payment"]["refunds"].as_array().unwrap().len(), 2);
        assert_eq!(code(&staff(shop, "refundCreate", json!({"paymentId": payment})).await), "AMOUNT_EXCEEDS_REFUNDABLE");
        assert_eq!(standing(shop, order).await, stands("CONFIRMED", "REFUNDED", 5_997, 5_997));
        assert_eq!(events(shop, order).await[4..], ["REFUND_PENDING", "REFUNDED", "REFUND_PENDING", "REFUNDED"]);
        assert_eq!(shop.rows("SELECT action FROM audit_record").await, [["refundCreate"], ["refundCreate"]]);
        check_books(shop).await;
    }

    async fn what_has_not_come_does_not_go_back(shop: &Shop) {
        let order = guest_order(shop).await;
        let payment = paid(shop, order, json!({"gateway": "TEST", "flow": "AUTHORIZE"})).await;
        let refused = staff(shop, "refundCreate", json!({"paymentId": payment})).await;
        assert_eq!((code(&refused), &refused["userErrors"][0]["params"]), ("AMOUNT_EXCEEDS_REFUNDABLE", &json!({"refundable": "0.00"})));
        let long = staff(shop, "refundCreate", json!({"paymentId": payment, "reason": "x".repeat(256)})).await;
        assert_eq!(code(&long), "TOO_LONG");
        staff(shop, "paymentCapture", json!({"paymentId": payment, "amount": dollars("10")})).await;
        let refund = staff(shop, "refundCreate", json!({"paymentId": payment})).await;
        assert_eq!((&refund["refund"]["amount"]["amount"], &refund["payment"]["status"]), (&json!("10.00"), &json!("REFUNDED")));
        check_books(shop).await;
    }

    async fn what_is_on_its_way_counts_as_gone(shop: &Shop) {
        let (gateway, shop) = Scripted::beside(shop).await;
        let order = guest_order(&shop).await;
        gateway.will("create", Says::Captured);
        let payment = paid(&shop, order, json!({"gateway": "STRIPE"})).await;
        // It does not answer; then it says that it is at it; then that it has done it.
        let pending = staff(&shop, "refundCreate", json!({"paymentId": payment, "amount": dollars("40")})).await;
        assert_eq!((&pending["refund"]["status"], &pending["payment"]["refundedAmount"]["amount"]), (&json!("PENDING"), &json!("0.00")));
        let more = staff(&shop, "refundCreate", json!({"paymentId": payment, "amount": dollars("20")})).await;
        assert_eq!(&more["userErrors"][0]["params"], &json!({"refundable": "19.97"}));
        work(&shop).await;
        assert_eq!(gateway.count("refund"), 1, "not before its time");
        gateway.will("refund", Says::Return(ReturnStage::Pending));
        shop.clock.advance(chrono::Duration::seconds(2));
        work(&shop).await;
        gateway.will("retrieve_refund", Says::Return(ReturnStage::Succeeded));
        shop.clock.advance(chrono::Duration::seconds(5));
        work(&shop).await;
        let keys: Vec<_> = gateway.asked().into_iter().filter(|(what, _)| *what == "refund").map(|(_, key)| key).collect();
        let key = format!("pay_{}_refund_1", payment.as_str().unwrap());
        assert_eq!(keys, [key.clone(), key], "the same key each time");
        assert_eq!(standing(&shop, order).await, stands("CONFIRMED", "PARTIALLY_REFUNDED", 5_997, 4_000));
        assert_eq!(events(&shop, order).await[4..], ["REFUND_PENDING", "REFUNDED"]);
        shop.clock.advance(chrono::Duration::hours(1));
        work(&shop).await;
        assert_eq!(gateway.count("retrieve_refund"), 1);
        check_books(&shop).await;
        shop.close().await;
    }

    async fn a_refund_that_is_refused_can_be_tried_anew(shop: &Shop) {
        let (gateway, shop) = Scripted::beside(shop).await;
        let order = guest_order(&shop).await;
        gateway.will("create", Says::Captured);
        let payment = paid(&shop, order, json!({"gateway": "STRIPE"})).await;
        gateway.will("refund", Says::Refused).will("refund", Says::Return(ReturnStage::Failed(declined())));
        for key in ["a", "b"] {
            let input = json!({"paymentId": payment, "idempotencyKey": key});
            let failed = staff(&shop, "refundCreate", input.clone()).await;
            assert_eq!((code(&failed), &failed["refund"]["status"], &failed["payment"]["status"]), ("PAYMENT_DECLINED", &json!("FAILED"), &json!("CAPTURED")));
            assert_eq!(staff(&shop, "refundCreate", input).await["userErrors"], failed["userErrors"]);
        }
        gateway.will("refund", Says::Return(ReturnStage::Succeeded));
        assert_eq!(staff(&shop, "refundCreate", json!({"paymentId": payment})).await["payment"]["status"], "REFUNDED");
        assert_eq!(events(&shop, order).await[4..], ["REFUND_PENDING", "REFUND_FAILED", "REFUND_PENDING", "REFUND_FAILED", "REFUND_PENDING", "REFUNDED"]);
        let seqs: Vec<String> = gateway.asked().into_iter().filter(|(what, _)| *what == "refund").map(|(_, key)| key[key.len() - 2..].to_owned()).collect();
        assert_eq!(seqs, ["_1", "_2", "_3"], "another key after a definite failure");
        check_books(&shop).await;
        shop.close().await;
    }

    async fn a_refund_of_another_amount_is_looked_at(shop: &Shop) {
        let (gateway, shop) = Scripted::beside(shop).await;
        let order = guest_order(&shop).await;
        gateway.will("create", Says::Captured);
        let payment = paid(&shop, order, json!({"gateway": "STRIPE"})).await;
        let money = souk::kernel::money::Money::new(1, souk::kernel::money::Currency::USD);
        gateway.will("refund", Says::ReturnOf(money, ReturnStage::Succeeded));
        let review = staff(&shop, "refundCreate", json!({"paymentId": payment})).await;
        assert_eq!((&review["payment"]["status"], &review["refund"]["status"]), (&json!("REQUIRES_REVIEW"), &json!("PENDING")));
        assert_eq!(code(&staff(&shop, "refundCreate", json!({"paymentId": payment})).await), "AMOUNT_EXCEEDS_REFUNDABLE");
        assert_eq!(events(&shop, order).await[4..], ["REFUND_PENDING", "REVIEW_REQUIRED"]);
        check_books(&shop).await;
        shop.close().await;
    }
}
