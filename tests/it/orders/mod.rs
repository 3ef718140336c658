//! Orders, from placing to delivery, as buyers and staff see them.

mod cancel;
mod crash;
mod expire;
mod fulfill;
mod list;
mod place;
mod processes;
mod races;
mod random;
mod replay;
mod together;
mod walkthrough;

use serde_json::{Value, json};

use crate::support::{As, Shop, product, variant};

/// A product with one counted variant, at 12.00 each; the variant's id.
async fn mug(shop: &Shop, on_hand: i64) -> String {
    // One test may want several, and no two products have one address.
    let slug = format!("mug-{}", uuid::Uuid::new_v4());
    let id = shop
        .add(
            product("Mug")
                .slug(&slug)
                .price(1_200)
                .variants(["Size"], vec![variant(["S"]).price(1_200).stock(on_hand)]),
        )
        .await;
    shop.variants_of(id).await.remove(0)
}

async fn cancel(shop: &Shop, caller: As, order: &str) -> Value {
    let document = "mutation($input: OrderCancelInput!) { orderCancel(input: $input) {
        order { status cancelReason } userErrors { code path params } } }";
    let input = json!({"orderId": order, "reason": "changed my mind"});
    shop.graphql(caller, document, json!({ "input": input })).await
}

async fn fulfill(shop: &Shop, input: Value) -> Value {
    let document = "mutation($input: FulfillmentCreateInput!) { fulfillmentCreate(input: $input) {
        fulfillment { id status trackingNumber trackingUrl carrier deliveredAt lines { quantity orderLine { id } } }
        order { status paymentStatus fulfillmentStatus availableActions } userErrors { code path params } } }";
    shop.data(As::Staff, document, json!({ "input": input })).await["fulfillmentCreate"].take()
}

async fn deliver(shop: &Shop, fulfillment: &Value) -> Value {
    let document = "mutation($input: FulfillmentDeliverInput!) { fulfillmentDeliver(input: $input) {
        fulfillment { status deliveredAt } order { status fulfillmentStatus } userErrors { code path params } } }";
    let input = json!({ "fulfillmentId": fulfillment });
    shop.data(As::Staff, document, json!({ "input": input })).await["fulfillmentDeliver"].take()
}
