//! Carts: what lies in them, who may use them, and what becomes of them.

mod filling;
mod forgetting;
mod owners;
mod races;
mod taking_along;
mod today;

use serde_json::{Value, json};
use souk::kernel::actor::Role;
use souk::kernel::id::ProductId;

use crate::support::{As, GoodsBuilder, Shop};

const FIELDS: &str = "fragment Fields on Cart {
    id totalQuantity currencyCode updatedAt subtotal { amount currencyCode } warnings { code message lineId }
    lines { id quantity unitPrice { amount currencyCode } lineTotal { amount } variant { id product { name } } } }";

/// Adds a product; the ids of its variants.
async fn stock_all(shop: &Shop, goods: GoodsBuilder) -> Vec<String> {
    let id: ProductId = shop.add(goods).await;
    let query = format!("{{ product(by: {{id: \"{id}\"}}) {{ variants(first: 2048) {{ id }} }} }}");
    let data = shop.data(As::Staff, &query, json!({})).await;
    let variants = data["product"]["variants"].as_array().unwrap();
    variants.iter().map(|variant| text(&variant["id"])).collect()
}

/// Adds a product with one variant; the variant's id.
async fn stock(shop: &Shop, goods: GoodsBuilder) -> String {
    stock_all(shop, goods).await.remove(0)
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value}")).to_owned()
}

/// Somebody with an account, signed in.
async fn customer(shop: &Shop, name: &str) -> String {
    shop.add_user(name, Role::Customer).await;
    shop.token_of(name, Role::Customer)
}

/// Sends a mutation of carts; its payload.
async fn send(shop: &Shop, who: Option<&str>, mutation: &str, input: Value) -> Value {
    let mut kind = mutation.to_owned();
    kind[..1].make_ascii_uppercase();
    let document = format!(
        "mutation($input: {kind}Input!) {{ {mutation}(input: $input) {{ cart {{ ...Fields }} userErrors {{ code path params retryable }} }} }} {FIELDS}"
    );
    let mut answer = shop.graphql_with(who, &document, json!({ "input": input })).await;
    assert_eq!(answer["errors"], Value::Null, "{answer}");
    answer["data"][mutation].take()
}

fn lines(lines: &[(&str, i64)]) -> Value {
    lines
        .iter()
        .map(|(variant, quantity)| json!({"variantId": variant, "quantity": quantity}))
        .collect()
}

/// The cart of a payload without refusals.
fn done(mut payload: Value) -> Value {
    assert_eq!(payload["userErrors"], json!([]), "{payload}");
    payload["cart"].take()
}

/// The refusals of a payload that has nothing else: their codes, places and facts.
fn refusals(payload: &Value) -> Vec<(String, String, Value)> {
    assert_eq!(payload["cart"], Value::Null, "{payload}");
    let errors = payload["userErrors"].as_array().unwrap();
    let place = |path: &Value| -> Vec<String> { path.as_array().unwrap().iter().map(text).collect() };
    let told = errors.iter().map(|error| {
        let place = place(&error["path"]).join(".");
        (text(&error["code"]), place, error["params"].clone())
    });
    told.collect()
}

/// Codes and places alone.
fn places(payload: &Value) -> Vec<(String, String)> {
    let told = refusals(payload).into_iter();
    told.map(|(code, place, _)| (code, place)).collect()
}

fn at(code: &str, place: &str) -> (String, String) {
    (code.to_owned(), format!("input.{place}"))
}

async fn create(shop: &Shop, who: Option<&str>, with: &[(&str, i64)]) -> Value {
    done(send(shop, who, "cartCreate", json!({"lines": lines(with)})).await)
}

async fn try_add(shop: &Shop, who: Option<&str>, cart: &Value, with: &[(&str, i64)]) -> Value {
    let input = json!({"cartId": cart["id"], "lines": lines(with)});
    send(shop, who, "cartLinesAdd", input).await
}

async fn add(shop: &Shop, who: Option<&str>, cart: &Value, with: &[(&str, i64)]) -> Value {
    done(try_add(shop, who, cart, with).await)
}

/// Sets the quantities of lines by their ids.
async fn try_set(shop: &Shop, who: Option<&str>, cart: &Value, with: &[(&str, i64)]) -> Value {
    let lines: Value = with
        .iter()
        .map(|(line, quantity)| json!({"lineId": line, "quantity": quantity}))
        .collect();
    let input = json!({"cartId": cart["id"], "lines": lines});
    send(shop, who, "cartLinesUpdate", input).await
}

async fn set(shop: &Shop, who: Option<&str>, cart: &Value, with: &[(&str, i64)]) -> Value {
    done(try_set(shop, who, cart, with).await)
}

/// A cart by its id.
async fn read(shop: &Shop, who: Option<&str>, id: &Value) -> Value {
    let query = format!("query($id: ID!) {{ cart(id: $id) {{ ...Fields }} }} {FIELDS}");
    let mut answer = shop.graphql_with(who, &query, json!({ "id": id })).await;
    assert_eq!(answer["errors"], Value::Null, "{answer}");
    answer["data"]["cart"].take()
}

/// The own cart of somebody who is signed in.
async fn own(shop: &Shop, who: &str) -> Value {
    let query = format!("{{ me {{ cart {{ ...Fields }} }} }} {FIELDS}");
    let mut answer = shop.graphql_with(Some(who), &query, json!({})).await;
    assert_eq!(answer["errors"], Value::Null, "{answer}");
    answer["data"]["me"]["cart"].take()
}

/// What is in a cart: names and quantities, in their order.
fn contents(cart: &Value) -> Vec<(String, i64)> {
    let lines = cart["lines"].as_array().unwrap_or_else(|| panic!("{cart}"));
    let line = |line: &Value| {
        (
            text(&line["variant"]["product"]["name"]),
            line["quantity"].as_i64().unwrap(),
        )
    };
    lines.iter().map(line).collect()
}

fn has(contents: &[(&str, i64)]) -> Vec<(String, i64)> {
    let pair = |(name, quantity): &(&str, i64)| ((*name).to_owned(), *quantity);
    contents.iter().map(pair).collect()
}

/// The codes of a cart's warnings.
fn warned(cart: &Value) -> Vec<String> {
    let warnings = cart["warnings"].as_array().unwrap();
    warnings.iter().map(|warning| text(&warning["code"])).collect()
}

fn line_id(cart: &Value, index: usize) -> String {
    text(&cart["lines"][index]["id"])
}

/// What staff do to a product: a field and its new value.
async fn change_product(shop: &Shop, slug: &str, change: Value) {
    let id = format!("{{ product(by: {{slug: \"{slug}\"}}) {{ id }} }}");
    let mut input = change;
    input["productId"] = shop.data(As::Staff, &id, json!({})).await["product"]["id"].take();
    let update =
        "mutation($input: ProductUpdateInput!) { productUpdate(input: $input) { userErrors { code } } }";
    let data = shop.data(As::Staff, update, json!({ "input": input })).await;
    assert_eq!(data["productUpdate"]["userErrors"], json!([]));
}

async fn change_price(shop: &Shop, variant: &str, price: &str) {
    let update = "mutation($input: ProductVariantUpdateInput!) { productVariantUpdate(input: $input) { userErrors { code } } }";
    let input = json!({"input": {"variantId": variant, "price": price}});
    let data = shop.data(As::Staff, update, input).await;
    assert_eq!(data["productVariantUpdate"]["userErrors"], json!([]));
}

/// How many rows a table has.
async fn rows(shop: &Shop, table: &str) -> usize {
    shop.rows(&format!("SELECT CAST(COUNT(*) AS text) FROM {table}"))
        .await[0][0]
        .parse()
        .unwrap()
}
