//! Taking orders back.

use serde_json::{Value, json};
use souk::kernel::actor::Role;

use super::{cancel, fulfill, mug};
use crate::support::{As, Shop};

const CANCEL: &str = "mutation($input: OrderCancelInput!) { orderCancel(input: $input) {
    order { status paymentStatus cancelReason availableActions } userErrors { code path params } } }";

both! {
    async fn a_customer_takes_an_order_back_and_its_stock_is_free(shop: &Shop) {
        shop.add_user("ann", Role::Customer).await;
        let mug = mug(shop, 5).await;
        let ann = shop.token_of("ann", Role::Customer);
        let cart = shop.cart_of(Some(&ann), &[(&mug, 2)]).await;
        let placed = shop.place(Some(&ann), &cart, "k").await;
        let input = json!({"orderId": placed["order"]["id"], "reason": "changed my mind"});
        let done = shop.graphql_with(Some(&ann), CANCEL, json!({"input": input})).await;
        assert_eq!(done["data"]["orderCancel"], json!({"userErrors": [], "order": {"status": "CANCELLED",
            "paymentStatus": "UNPAID", "cancelReason": "changed my mind", "availableActions": []}}));
        assert_eq!(shop.stock(&mug).await, (5, 0));
        // Once more changes nothing.
        let again = shop.graphql_with(Some(&ann), CANCEL, json!({"input": input})).await;
        assert_eq!(again["data"]["orderCancel"]["userErrors"], json!([]));
        assert_eq!(shop.history(placed["order"]["id"].as_str().unwrap()).await, ["PLACED", "CANCELLED"]);
        shop.balance().await;
    }

    async fn strangers_and_guests_cancel_nothing(shop: &Shop) {
        shop.add_user("tester", Role::Customer).await;
        let mug = mug(shop, 5).await;
        let order = shop.ordered(&[(&mug, 2)]).await;
        let anonymous = cancel(shop, As::Anonymous, &order.id).await;
        assert_eq!(anonymous["errors"][0]["extensions"]["code"], "UNAUTHENTICATED");
        let stranger = cancel(shop, As::Customer, &order.id).await;
        assert_eq!(stranger["data"]["orderCancel"]["userErrors"][0]["code"], "NOT_FOUND");
        assert_eq!(shop.standing(&order.id).await[0], "PENDING_PAYMENT");
    }

    async fn what_was_paid_goes_back(shop: &Shop) {
        let mug = mug(shop, 5).await;
        let order = shop.paid(&[(&mug, 2)]).await;
        assert_eq!(shop.standing(&order.id).await, ["CONFIRMED", "PAID", "UNFULFILLED"]);
        let done = cancel(shop, As::Staff, &order.id).await;
        assert_eq!(done["data"]["orderCancel"]["userErrors"], json!([]));
        assert_eq!(shop.standing(&order.id).await, ["CANCELLED", "REFUNDED", "UNFULFILLED"]);
        let history = shop.history(&order.id).await;
        assert_eq!(history[history.len() - 3..], ["CANCELLED", "REFUND_PENDING", "REFUNDED"]);
        assert_eq!(shop.stock(&mug).await, (5, 0));
        shop.balance().await;
    }

    async fn what_was_sent_is_not_taken_back(shop: &Shop) {
        let mug = mug(shop, 5).await;
        let order = shop.paid(&[(&mug, 2)]).await;
        let lines = json!([{"orderLineId": order.first_line, "quantity": 1}]);
        fulfill(shop, json!({"orderId": order.id, "lines": lines, "idempotencyKey": "f"})).await;
        let refused = cancel(shop, As::Staff, &order.id).await;
        let error = &refused["data"]["orderCancel"]["userErrors"][0];
        assert_eq!((&error["code"], &error["path"]), (&json!("TRANSITION_INVALID"), &json!(["input", "orderId"])));
        assert_eq!(error["params"], json!({"status": "CONFIRMED", "paymentStatus": "PAID",
            "fulfillmentStatus": "PARTIALLY_FULFILLED", "allowed": ["FULFILL", "MARK_DELIVERED", "REFUND"]}));
        shop.balance().await;
    }

    async fn staff_who_cancel_are_recorded(shop: &Shop) {
        let mug = mug(shop, 5).await;
        let order = shop.ordered(&[(&mug, 2)]).await;
        cancel(shop, As::Staff, &order.id).await;
        let log = shop.data(As::Admin, "{ auditLog(first: 1) { nodes { action subjectId before after } } }", json!({})).await;
        assert_eq!(log["auditLog"]["nodes"], json!([{"action": "orderCancel", "subjectId": order.id,
            "before": {"status": "PENDING_PAYMENT"}, "after": {"status": "CANCELLED", "reason": "changed my mind"}}]));
        let none: Value = shop.graphql(As::Staff, CANCEL, json!({"input": {"orderId": order.id, "reason": " "}})).await;
        assert_eq!(none["data"]["orderCancel"]["userErrors"][0]["code"], "REQUIRED");
    }
}
