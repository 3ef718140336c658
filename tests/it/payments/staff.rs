//! Capturing and voiding, and what is paid by hand.

use serde_json::{Value, json};

use super::*;

fn dollars(amount: &str) -> Value {
    json!({"amount": amount, "currencyCode": "USD"})
}

both! {
    async fn what_is_promised_is_taken_once(shop: &Shop) {
        let order = guest_order(shop).await;
        let payment = paid(shop, order, json!({"gateway": "TEST", "flow": "AUTHORIZE"})).await;
        let input = json!({"paymentId": payment, "idempotencyKey": "a"});
        let captured = staff(shop, "paymentCapture", input.clone()).await;
        assert_eq!((&captured["payment"]["status"], &captured["payment"]["capturedAmount"]["amount"]), (&json!("CAPTURED"), &json!("59.97")));
        assert_eq!(captured["payment"]["authorizedAmount"]["amount"], "0.00");
        assert_eq!(staff(shop, "paymentCapture", input).await, captured);
        // What is so already stays so.
        assert_eq!(staff(shop, "paymentCapture", json!({"paymentId": payment})).await, captured);
        assert_eq!(staff(shop, "paymentCapture", json!({"paymentId": payment, "amount": dollars("59.970")})).await, captured);
        let more = staff(shop, "paymentCapture", json!({"paymentId": payment, "amount": dollars("1")})).await;
        assert_eq!((code(&more), &more["userErrors"][0]["params"]), ("AMOUNT_EXCEEDS_CAPTURABLE", &json!({"capturable": "0.00"})));
        assert_eq!(events(shop, order).await[3..], ["CONFIRMED", "PAYMENT_CAPTURED"]);
        assert_eq!(standing(shop, order).await, stands("CONFIRMED", "PAID", 5_997, 0));
        let records = shop.rows("SELECT actor, action, subject FROM audit_record").await;
        assert_eq!(records, [[tester(), "paymentCapture".to_owned(), payment.as_str().unwrap().to_owned()]]);
        check_books(shop).await;
    }

    async fn what_is_not_taken_is_released(shop: &Shop) {
        let order = guest_order(shop).await;
        let payment = paid(shop, order, json!({"gateway": "TEST", "flow": "AUTHORIZE"})).await;
        for (amount, expected) in [
            (dollars("59.98"), "AMOUNT_EXCEEDS_CAPTURABLE"),
            (dollars("0"), "OUT_OF_RANGE"),
            (dollars("-1"), "OUT_OF_RANGE"),
            (dollars("1.001"), "INVALID"),
            (json!({"amount": "1", "currencyCode": "EUR"}), "CURRENCY_MISMATCH"),
        ] {
            let refused = staff(shop, "paymentCapture", json!({"paymentId": payment, "amount": amount})).await;
            assert_eq!((code(&refused), &refused["userErrors"][0]["path"], &refused["payment"]), (expected, &json!(["input", "amount"]), &Value::Null));
        }
        let captured = staff(shop, "paymentCapture", json!({"paymentId": payment, "amount": dollars("20")})).await;
        let amounts = ["amount", "authorizedAmount", "capturedAmount"].map(|name| captured["payment"][name]["amount"].clone());
        assert_eq!((amounts, &captured["payment"]["status"]), (["59.97", "0.00", "20.00"].map(Value::from), &json!("CAPTURED")));
        assert_eq!(standing(shop, order).await, stands("CONFIRMED", "PARTIALLY_PAID", 2_000, 0));
        check_books(shop).await;
    }

    async fn a_bank_transfer_is_awaited_and_seen(shop: &Shop) {
        let order = guest_order(shop).await;
        let payment = paid(shop, order, json!({"gateway": "MANUAL"})).await;
        assert_eq!(statuses(shop, order).await, ["PROCESSING"]);
        let hold = "SELECT hold_expires_at FROM shop_order WHERE hold_expires_at IS NOT NULL";
        let rows = shop_order::Entity::find_by_id(order).one(shop.db().fresh()).await.unwrap().unwrap();
        assert_eq!(rows.hold_expires_at, Some(shop.now() + chrono::Duration::days(7)), "{hold}");
        let txn = shop.db().begin().await.unwrap();
        assert!(!souk::domain::payments::stop::unknown_in_txn(&txn, &system(shop), order).await.unwrap(), "nobody can be asked about it");
        txn.commit().await.unwrap();
        shop.clock.advance(chrono::Duration::days(2));
        work(shop).await;
        assert_eq!(statuses(shop, order).await, ["PROCESSING"]);
        let part = staff(shop, "paymentCapture", json!({"paymentId": payment, "amount": dollars("20")})).await;
        assert_eq!((code(&part), &part["userErrors"][0]["path"]), ("INVALID", &json!(["input", "amount"])));
        let captured = staff(shop, "paymentCapture", json!({"paymentId": payment})).await;
        assert_eq!(captured["payment"]["status"], "CAPTURED");
        assert_eq!(standing(shop, order).await, stands("CONFIRMED", "PAID", 5_997, 0));
        assert_eq!(events(shop, order).await, ["PLACED", "PAYMENT_PENDING", "PAYMENT_CAPTURED", "CONFIRMED"]);
        check_books(shop).await;
    }

    async fn a_bank_transfer_that_does_not_come_is_given_up(shop: &Shop) {
        let order = guest_order(shop).await;
        let payment = paid(shop, order, json!({"gateway": "MANUAL", "flow": "CHARGE"})).await;
        let voided = staff(shop, "paymentVoid", json!({"paymentId": payment, "idempotencyKey": "a"})).await;
        assert_eq!((&voided["payment"]["status"], &voided["userErrors"]), (&json!("VOIDED"), &json!([])));
        for key in ["a", "b"] {
            assert_eq!(staff(shop, "paymentVoid", json!({"paymentId": payment, "idempotencyKey": key})).await, voided);
        }
        let row = shop_order::Entity::find_by_id(order).one(shop.db().fresh()).await.unwrap().unwrap();
        assert_eq!(row.hold_expires_at, Some(shop.now() + ctx_hold(shop)), "the long hold was for the transfer");
        assert_eq!(code(&staff(shop, "paymentCapture", json!({"paymentId": payment})).await), "TRANSITION_INVALID");
        paid(shop, order, json!({"gateway": "TEST"})).await;
        assert_eq!(events(shop, order).await, ["PLACED", "PAYMENT_PENDING", "PAYMENT_VOIDED", "PAYMENT_PENDING", "PAYMENT_CAPTURED", "CONFIRMED"]);
        let actions: Vec<Vec<String>> = shop.rows("SELECT action FROM audit_record").await;
        assert_eq!(actions, [["paymentVoid"]]);
        check_books(shop).await;
    }

    async fn cash_on_delivery_confirms_at_once_and_completes_when_it_is_there(shop: &Shop) {
        let order = guest_order(shop).await;
        let payment = paid(shop, order, json!({"gateway": "MANUAL", "flow": "AUTHORIZE"})).await;
        assert_eq!(standing(shop, order).await, stands("CONFIRMED", "AUTHORIZED", 0, 0));
        shop.execute("UPDATE shop_order SET fulfillment_status = 'DELIVERED'").await.unwrap();
        staff(shop, "paymentCapture", json!({"paymentId": payment})).await;
        assert_eq!(standing(shop, order).await, stands("COMPLETED", "PAID", 5_997, 0));
        assert_eq!(events(shop, order).await[3..], ["CONFIRMED", "PAYMENT_CAPTURED", "COMPLETED"]);
        check_books(shop).await;
    }

    async fn a_promise_that_confirmed_an_order_is_kept(shop: &Shop) {
        let order = guest_order(shop).await;
        let payment = paid(shop, order, json!({"gateway": "TEST", "flow": "AUTHORIZE"})).await;
        let refused = staff(shop, "paymentVoid", json!({"paymentId": payment})).await;
        assert_eq!((code(&refused), &refused["userErrors"][0]["params"]), ("TRANSITION_INVALID", &json!({"status": "AUTHORIZED", "allowed": ["CANCEL", "FULFILL", "CAPTURE"]})));
        staff(shop, "paymentCapture", json!({"paymentId": payment})).await;
        assert_eq!(code(&staff(shop, "paymentVoid", json!({"paymentId": payment})).await), "TRANSITION_INVALID");
        assert_eq!(standing(shop, order).await, stands("CONFIRMED", "PAID", 5_997, 0));
    }

    async fn what_a_buyer_was_sent_away_for_can_be_given_up(shop: &Shop) {
        let order = guest_order(shop).await;
        let payment = paid(shop, order, json!({"gateway": "TEST", "testOutcome": "REQUIRE_ACTION"})).await;
        assert_eq!(code(&staff(shop, "paymentCapture", json!({"paymentId": payment})).await), "TRANSITION_INVALID");
        assert_eq!(staff(shop, "paymentVoid", json!({"paymentId": payment})).await["payment"]["status"], "VOIDED");
        let unknown = guest_order(shop).await;
        let payment = paid(shop, unknown, json!({"gateway": "TEST", "testOutcome": "TIMEOUT_THEN_SUCCEED"})).await;
        assert_eq!(code(&staff(shop, "paymentVoid", json!({"paymentId": payment})).await), "TRANSITION_INVALID", "it may have been paid");
        assert_eq!(code(&staff(shop, "paymentCapture", json!({"paymentId": payment})).await), "TRANSITION_INVALID");
    }

    async fn these_are_for_staff(shop: &Shop) {
        let order = guest_order(shop).await;
        let payment = paid(shop, order, json!({"gateway": "TEST", "flow": "AUTHORIZE"})).await;
        for field in ["paymentCapture", "paymentVoid", "refundCreate"] {
            let document = format!("mutation($id: ID!) {{ {field}(input: {{paymentId: $id, idempotencyKey: \"a\"}}) {{ userErrors {{ code }} }} }}");
            for (caller, expected) in [(As::Anonymous, "UNAUTHENTICATED"), (As::Customer, "FORBIDDEN")] {
                let refused = shop.graphql(caller, &document, json!({"id": payment})).await;
                assert_eq!(refused["errors"][0]["extensions"]["code"], expected, "{field}");
            }
            let nothing = json!({"id": souk::kernel::id::PaymentId::new().to_string()});
            let refused = shop.data(As::Staff, &document, nothing).await;
            assert_eq!(code(&refused[field]), "NOT_FOUND");
        }
        assert_eq!(statuses(shop, order).await, ["AUTHORIZED"]);
    }
}

fn ctx_hold(shop: &Shop) -> chrono::Duration {
    chrono::Duration::from_std(shop.config.orders.hold).unwrap()
}
