//! Answers that are kept: never other ones than would be given without.

mod hits;
mod lean;
mod random;
mod shared;

use serde_json::{Value, json};

use crate::support::{As, Shop};

/// What changes a product's name by its id.
pub(crate) async fn rename(shop: &Shop, product: &str, name: &str) {
    let input = json!({"productId": product, "name": name});
    update(shop, input).await;
}

/// Changes a product as staff.
pub(crate) async fn update(shop: &Shop, input: Value) {
    let document =
        "mutation($input: ProductUpdateInput!) { productUpdate(input: $input) { userErrors { code path } } }";
    let answer = shop.data(As::Staff, document, json!({ "input": input })).await;
    assert_eq!(answer["productUpdate"]["userErrors"], json!([]), "{input}");
}
