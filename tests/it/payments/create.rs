//! Beginning to pay an order.

use serde_json::{Value, json};
use souk::kernel::actor::Role;
use souk::kernel::id::OrderId;

use super::*;

both! {
    async fn a_payment_that_succeeds_confirms_the_order(shop: &Shop) {
        let order = guest_order(shop).await;
        let payload = pay(shop, order, json!({"gateway": "TEST"})).await;
        let payment = &payload["payment"];
        assert_eq!(payload["userErrors"], json!([]));
        assert_eq!((&payment["status"], &payment["gateway"]), (&json!("CAPTURED"), &json!("TEST")));
        assert_eq!(payment["amount"], json!({"amount": "59.97", "currencyCode": "USD"}));
        let amounts = ["authorizedAmount", "capturedAmount", "refundedAmount"].map(|name| payment[name]["amount"].clone());
        assert_eq!(amounts, ["0.00", "59.97", "0.00"]);
        assert_eq!((&payment["action"], &payment["failureCode"], &payment["refunds"]), (&Value::Null, &Value::Null, &json!([])));
        assert_eq!(standing(shop, order).await, stands("CONFIRMED", "PAID", 5_997, 0));
        assert_eq!(events(shop, order).await, ["PLACED", "PAYMENT_PENDING", "PAYMENT_CAPTURED", "CONFIRMED"]);
        assert_eq!(held(shop, order).await, ("3".to_owned(), "3".to_owned()));
        work(shop).await;
        check_books(shop).await;
    }

    async fn a_payment_that_is_promised_confirms_the_order_too(shop: &Shop) {
        let order = guest_order(shop).await;
        let payload = pay(shop, order, json!({"gateway": "TEST", "flow": "AUTHORIZE", "testOutcome": "SUCCEED"})).await;
        assert_eq!((&payload["payment"]["status"], &payload["payment"]["authorizedAmount"]["amount"]), (&json!("AUTHORIZED"), &json!("59.97")));
        assert_eq!(standing(shop, order).await, stands("CONFIRMED", "AUTHORIZED", 0, 0));
        assert_eq!(events(shop, order).await, ["PLACED", "PAYMENT_PENDING", "PAYMENT_AUTHORIZED", "CONFIRMED"]);
        check_books(shop).await;
    }

    async fn a_payment_that_is_declined_leaves_the_order_to_be_paid(shop: &Shop) {
        let order = guest_order(shop).await;
        let input = json!({"gateway": "TEST", "testOutcome": "DECLINE", "idempotencyKey": "a"});
        let declined = pay(shop, order, input.clone()).await;
        assert_eq!(declined["userErrors"], json!([{"code": "PAYMENT_DECLINED", "path": ["input"],
            "params": {"failureCode": "card_declined"}, "retryable": false}]));
        assert_eq!((&declined["payment"]["status"], &declined["payment"]["failureCode"]), (&json!("FAILED"), &json!("card_declined")));
        assert_eq!(declined["payment"]["failureMessage"], "The card was declined.");
        assert_eq!(standing(shop, order).await, stands("PENDING_PAYMENT", "UNPAID", 0, 0));
        // The same key is the same answer; another one is another try.
        assert_eq!(pay(shop, order, input).await, declined);
        assert_eq!(pay(shop, order, json!({"gateway": "TEST"})).await["payment"]["status"], "CAPTURED");
        assert_eq!(statuses(shop, order).await, ["FAILED", "CAPTURED"]);
        assert_eq!(events(shop, order).await, ["PLACED", "PAYMENT_PENDING", "PAYMENT_FAILED", "PAYMENT_PENDING", "PAYMENT_CAPTURED", "CONFIRMED"]);
        check_books(shop).await;
    }

    async fn an_order_is_paid_once(shop: &Shop) {
        let order = guest_order(shop).await;
        paid(shop, order, json!({"gateway": "TEST"})).await;
        let again = pay(shop, order, json!({"gateway": "TEST"})).await;
        assert_eq!((code(&again), &again["userErrors"][0]["path"], &again["payment"]), ("ALREADY_PAID", &json!(["input", "orderId"]), &Value::Null));
        let promised = guest_order(shop).await;
        paid(shop, promised, json!({"gateway": "TEST", "flow": "AUTHORIZE"})).await;
        assert_eq!(code(&pay(shop, promised, json!({"gateway": "TEST"})).await), "TRANSITION_INVALID");
        let under_way = guest_order(shop).await;
        let first = paid(shop, under_way, json!({"gateway": "TEST", "testOutcome": "TIMEOUT_THEN_SUCCEED"})).await;
        let again = pay(shop, under_way, json!({"gateway": "TEST"})).await;
        assert_eq!((code(&again), &again["userErrors"][0]["params"]), ("TRANSITION_INVALID", &json!({"paymentId": first, "allowed": []})));
        let gone = guest_order(shop).await;
        end(shop, gone, OrderStatus::Cancelled).await;
        assert_eq!(code(&pay(shop, gone, json!({"gateway": "TEST"})).await), "TRANSITION_INVALID");
        assert_eq!(payments(shop).await.len(), 3);
        check_books(shop).await;
    }

    async fn only_who_sees_an_order_pays_it(shop: &Shop) {
        let guests = guest_order(shop).await;
        let customers = customer_order(shop).await;
        let create = |caller: As, order: OrderId, guest_token: Option<&'static str>| async move {
            send(shop, caller, "paymentCreate", json!({"orderId": order.to_string(), "gateway": "TEST", "testOutcome": "DECLINE"}), guest_token).await
        };
        for (caller, order, guest_token) in [
            (As::Anonymous, guests, None),
            (As::Anonymous, guests, Some("")),
            (As::Anonymous, guests, Some("another guest's token")),
            (As::Anonymous, customers, None),
            (As::Anonymous, customers, Some("seed")),
            (As::Customer, guests, None),
            (As::Anonymous, OrderId::new(), None),
        ] {
            let refused = create(caller, order, guest_token).await;
            assert_eq!((code(&refused), &refused["userErrors"][0]["path"]), ("NOT_FOUND", &json!(["input", "orderId"])), "{caller:?}");
        }
        let stranger = shop.token_of("stranger", Role::Customer);
        let document = "mutation($id: ID!) { paymentCreate(input: {orderId: $id, gateway: TEST, idempotencyKey: \"a\"}) { userErrors { code } } }";
        let refused = shop.graphql_with(Some(&stranger), document, json!({"id": customers.to_string()})).await;
        assert_eq!(code(&refused["data"]["paymentCreate"]), "NOT_FOUND", "{refused}");
        assert!(payments(shop).await.is_empty());
        assert_eq!(shop.rows("SELECT key FROM idempotency_key").await.len(), 0);
        assert_eq!(code(&create(As::Customer, customers, None).await), "PAYMENT_DECLINED");
        assert_eq!(code(&create(As::Staff, guests, None).await), "PAYMENT_DECLINED");
        assert_eq!(code(&pay(shop, guests, json!({"gateway": "TEST", "testOutcome": "DECLINE"})).await), "PAYMENT_DECLINED");
    }

    async fn only_what_the_shop_offers_is_taken(shop: &Shop) {
        let order = guest_order(shop).await;
        for (input, expected, place) in [
            (json!({"gateway": "STRIPE"}), "GATEWAY_NOT_CONFIGURED", "gateway"),
            (json!({"gateway": "PAYPAL"}), "GATEWAY_NOT_CONFIGURED", "gateway"),
            (json!({"gateway": "MPESA", "phone": "254712345678"}), "GATEWAY_NOT_CONFIGURED", "gateway"),
            (json!({"gateway": "MANUAL", "testOutcome": "SUCCEED"}), "INVALID", "testOutcome"),
            (json!({"gateway": "TEST", "phone": "1".repeat(256)}), "TOO_LONG", "phone"),
            (json!({"gateway": "TEST", "idempotencyKey": ""}), "REQUIRED", "idempotencyKey"),
        ] {
            let refused = pay(shop, order, input.clone()).await;
            assert_eq!((code(&refused), &refused["userErrors"][0]["path"]), (expected, &json!(["input", place])), "{input}");
        }
        let offered = "{ shop { paymentGateways { name displayName currencies flows } } }";
        let all = shop.data(As::Anonymous, offered, json!({})).await["shop"]["paymentGateways"].take();
        assert_eq!(all, json!([
            {"name": "MANUAL", "displayName": "Bank transfer or cash on delivery", "currencies": ["USD"], "flows": ["CHARGE", "AUTHORIZE"]},
            {"name": "TEST", "displayName": "Test (takes no money)", "currencies": ["USD"], "flows": ["CHARGE", "AUTHORIZE"]}]));
        let poor = shop.beside(&[("SOUK_MANUAL_PAYMENTS", "false")]).await;
        assert_eq!(code(&pay(&poor, order, json!({"gateway": "MANUAL"})).await), "GATEWAY_NOT_CONFIGURED");
        let (_, scripted) = scripted::Scripted::beside(shop).await;
        shop.execute("UPDATE shop_order SET currency = 'EUR'").await.unwrap();
        assert_eq!(code(&pay(&scripted, order, json!({"gateway": "STRIPE"})).await), "CURRENCY_MISMATCH");
        scripted.close().await;
        poor.close().await;
        assert!(payments(shop).await.is_empty());
    }

    async fn a_key_belongs_to_one_input_of_one_guest(shop: &Shop) {
        let (order, other) = (guest_order(shop).await, guest_order(shop).await);
        let input = |outcome: &str| json!({"gateway": "TEST", "testOutcome": outcome, "idempotencyKey": "key"});
        let first = pay(shop, order, input("SUCCEED")).await;
        assert_eq!(pay(shop, order, input("SUCCEED")).await, first);
        assert_eq!(code(&pay(shop, order, input("DECLINE")).await), "IDEMPOTENCY_KEY_REUSED");
        // Strangers may come upon the same key.
        assert_eq!(pay(shop, other, input("DECLINE")).await["payment"]["status"], "FAILED");
        assert_eq!(payments(shop).await.len(), 2);
        // What has become of the payment since is in the answer.
        staff(shop, "refundCreate", json!({"paymentId": first["payment"]["id"]})).await;
        assert_eq!(pay(shop, order, input("SUCCEED")).await["payment"]["status"], "REFUNDED");
    }

    async fn production_has_no_test_gateway(shop: &Shop) {
        let order = guest_order(shop).await;
        let production = shop.beside(&[("SOUK_ENV", "production"), ("SOUK_PUBLIC_URL", "https://shop.example")]).await;
        assert_eq!(code(&pay(&production, order, json!({"gateway": "TEST"})).await), "GATEWAY_NOT_CONFIGURED");
        assert_eq!(production.get("/test-gateway/x", &[]).await.json()["errors"][0]["message"], "There is nothing at this address. The API is at /graphql.");
        production.close().await;
    }

    async fn a_payment_is_seen_with_its_order(shop: &Shop) {
        let guests = guest_order(shop).await;
        let hidden = paid(shop, guests, json!({"gateway": "TEST"})).await;
        let customers = customer_order(shop).await;
        let input = json!({"orderId": customers.to_string(), "gateway": "TEST"});
        let own = send(shop, As::Customer, "paymentCreate", input, None).await["payment"]["id"].take();
        let refund = staff(shop, "refundCreate", json!({"paymentId": own, "amount": {"amount": "1", "currencyCode": "USD"}, "reason": "cracked"})).await;
        let refund = &refund["refund"]["id"];
        let node = "query($id: ID!) { node(id: $id) { ... on Payment { id refunds { reason } } ... on Refund { id amount { amount } } } }";
        let seen = json!({"id": own, "refunds": [{"reason": "cracked"}]});
        for (caller, id, expected) in [
            (As::Customer, &own, seen.clone()),
            (As::Staff, &own, seen),
            (As::Anonymous, &own, Value::Null),
            (As::Customer, refund, json!({"id": refund, "amount": {"amount": "1.00"}})),
            (As::Anonymous, refund, Value::Null),
            (As::Customer, &hidden, Value::Null),
            (As::Anonymous, &hidden, Value::Null),
        ] {
            let data = shop.data(caller, node, json!({"id": id})).await;
            assert_eq!(data["node"], expected, "{caller:?} {id}");
        }
    }
}
