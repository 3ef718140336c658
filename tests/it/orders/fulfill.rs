//! Sending orders, and their arrival.

use serde_json::{Value, json};

use super::{deliver, fulfill, mug};
use crate::support::{As, Shop};

both! {
    async fn an_order_is_sent_arrives_and_is_completed(shop: &Shop) {
        let mug = mug(shop, 5).await;
        let order = shop.paid(&[(&mug, 2)]).await;
        let sent = fulfill(shop, json!({"orderId": order.id, "idempotencyKey": "f", "carrier": "DHL",
            "trackingNumber": "JD01", "trackingUrl": "https://dhl.example/JD01"})).await;
        assert_eq!(sent["userErrors"], json!([]));
        let parcel = &sent["fulfillment"];
        assert_eq!(parcel["lines"], json!([{"quantity": 2, "orderLine": {"id": order.first_line}}]));
        assert_eq!((&parcel["status"], &parcel["trackingNumber"], &parcel["carrier"], &parcel["trackingUrl"]),
            (&json!("SHIPPED"), &json!("JD01"), &json!("DHL"), &json!("https://dhl.example/JD01")));
        assert_eq!(sent["order"]["availableActions"], json!(["MARK_DELIVERED", "REFUND"]));
        assert_eq!(shop.stock(&mug).await, (3, 0), "what is sent is gone");
        let arrived = deliver(shop, &parcel["id"]).await;
        assert_eq!(arrived["fulfillment"]["status"], "DELIVERED");
        assert_ne!(arrived["fulfillment"]["deliveredAt"], Value::Null);
        assert_eq!(shop.standing(&order.id).await, ["COMPLETED", "PAID", "DELIVERED"]);
        let history = shop.history(&order.id).await;
        assert_eq!(history[history.len() - 4..], ["CONFIRMED", "FULFILLED", "DELIVERED", "COMPLETED"]);
        // Once more changes nothing.
        assert_eq!(deliver(shop, &parcel["id"]).await["userErrors"], json!([]));
        assert_eq!(shop.history(&order.id).await.len(), history.len());
        shop.balance().await;
    }

    async fn parcels_hold_what_is_left_and_no_more(shop: &Shop) {
        let mug = mug(shop, 9).await;
        let order = shop.paid(&[(&mug, 5)]).await;
        let send = |quantity: i32, key: &str| {
            let input = json!({"orderId": order.id, "idempotencyKey": key, "lines": [{"orderLineId": order.first_line, "quantity": quantity}]});
            async move { fulfill(shop, input).await }
        };
        let first = send(2, "a").await;
        assert_eq!(first["order"]["fulfillmentStatus"], "PARTIALLY_FULFILLED");
        assert_eq!(send(2, "a").await, first, "the same parcel");
        let refused = send(4, "b").await;
        assert_eq!(refused["userErrors"], json!([{"code": "OUT_OF_RANGE", "path": ["input", "lines", "0", "quantity"], "params": {"left": 3}}]));
        assert_eq!(send(0, "c").await["userErrors"][0]["code"], "OUT_OF_RANGE");
        assert_eq!(send(3, "a").await["userErrors"][0]["code"], "IDEMPOTENCY_KEY_REUSED");
        let second = send(3, "d").await;
        assert_eq!(second["order"]["fulfillmentStatus"], "FULFILLED");
        assert_eq!(send(1, "e").await["userErrors"][0]["code"], "TRANSITION_INVALID");
        assert_eq!(shop.stock(&mug).await, (4, 0));
        deliver(shop, &second["fulfillment"]["id"]).await;
        assert_eq!(shop.standing(&order.id).await[2], "FULFILLED", "one of two parcels");
        deliver(shop, &first["fulfillment"]["id"]).await;
        assert_eq!(shop.standing(&order.id).await, ["COMPLETED", "PAID", "DELIVERED"]);
        shop.balance().await;
    }

    async fn only_what_is_confirmed_is_sent(shop: &Shop) {
        let mug = mug(shop, 9).await;
        let order = shop.ordered(&[(&mug, 1)]).await;
        let refused = fulfill(shop, json!({"orderId": order.id, "idempotencyKey": "a"})).await;
        assert_eq!(refused["userErrors"][0]["code"], "TRANSITION_INVALID");
        assert_eq!(refused["userErrors"][0]["params"]["allowed"], json!(["PAY", "CANCEL"]));
        let other = shop.paid(&[(&mug, 1)]).await;
        let lines = json!([{"orderLineId": order.first_line, "quantity": 1}]);
        let foreign = fulfill(shop, json!({"orderId": other.id, "lines": lines, "idempotencyKey": "b"})).await;
        assert_eq!(foreign["userErrors"], json!([{"code": "NOT_FOUND", "path": ["input", "lines", "0", "orderLineId"], "params": null}]));
        for caller in [As::Anonymous, As::Customer] {
            let document = "mutation($input: FulfillmentCreateInput!) { fulfillmentCreate(input: $input) { order { id } } }";
            let answer = shop.graphql(caller, document, json!({"input": {"orderId": other.id, "idempotencyKey": "c"}})).await;
            assert_eq!(answer["data"], Value::Null);
        }
    }
}
