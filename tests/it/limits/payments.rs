//! How many payments somebody may begin.

use serde_json::{Value, json};

use souk::kernel::id::OrderId;

use crate::payments::{guest_order, token};
use crate::support::{As, Shop};

/// The whole answer, as a payment that is throttled has no payload.
async fn pay(shop: &Shop, order: OrderId, mut input: Value) -> Value {
    input["orderId"] = json!(order.to_string());
    let document = "mutation($input: PaymentCreateInput!, $token: String) { paymentCreate(input: $input, guestToken: $token) { payment { id } userErrors { code } } }";
    shop.graphql(
        As::Anonymous,
        document,
        json!({"input": input, "token": token(order)}),
    )
    .await
}

both! {
    async fn who_begins_too_many_payments_waits(shop: &Shop) {
        let shop = shop.beside(&[("SOUK_RATE_LIMIT_PAYMENTS", "2/1h")]).await;
        let order = guest_order(&shop).await;
        let declined = |key: &str| json!({"gateway": "TEST", "testOutcome": "DECLINE", "idempotencyKey": key});
        let code = |answer: &Value| answer["errors"][0]["extensions"]["code"].clone();
        // What is refused does not count.
        let refused = pay(&shop, order, json!({"gateway": "STRIPE", "idempotencyKey": "x"})).await;
        assert_eq!(refused["data"]["paymentCreate"]["userErrors"][0]["code"], "GATEWAY_NOT_CONFIGURED");
        for key in ["a", "b"] {
            assert_eq!(code(&pay(&shop, order, declined(key)).await), Value::Null);
        }
        let answer = pay(&shop, order, declined("c")).await;
        assert_eq!((code(&answer), &answer["errors"][0]["extensions"]["retryAfter"]), (json!("THROTTLED"), &json!(1_800)));
        // What was begun before may be asked for, however often.
        for key in ["a", "b", "a"] {
            assert_eq!(code(&pay(&shop, order, declined(key)).await), Value::Null);
        }
        assert_eq!(shop.rows("SELECT status FROM payment").await.len(), 2);
        shop.clock.advance(chrono::Duration::minutes(31));
        assert_eq!(code(&pay(&shop, order, declined("c")).await), Value::Null);
        shop.close().await;
    }
}
