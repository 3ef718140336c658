//! A checkout at Souk: a guest's cart, made beforehand; then `orderPlace` and `paymentCreate` with TEST.

use anyhow::Context as _;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::client::Client;

const PATH: &str = "/graphql";
const VARIANTS: &str = include_str!("../../documents/variants.graphql");
const CART: &str = include_str!("../../documents/w4-cart.graphql");
const PLACE: &str = include_str!("../../documents/w4-place.graphql");
const PAY: &str = include_str!("../../documents/w4-pay.graphql");

/// What paying needs of the answer to placing: read by its shape, so that the generator does not take longer than the
/// server.
#[derive(Deserialize)]
struct Placed<'a> {
    #[serde(borrow)]
    data: PlacedData<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PlacedData<'a> {
    #[serde(borrow)]
    order_place: Order<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Order<'a> {
    #[serde(borrow)]
    order: Id<'a>,
    guest_token: &'a str,
}

#[derive(Deserialize)]
struct Id<'a> {
    id: &'a str,
}

/// The ids of variants that can be bought, as many at most.
pub(super) async fn variants(client: &mut Client, most: usize) -> anyhow::Result<Vec<String>> {
    let (mut found, mut after) = (Vec::new(), Value::Null);
    while found.len() < most {
        let body = json!({"query": VARIANTS, "variables": {"after": after}}).to_string();
        let answer: Value = serde_json::from_slice(client.post(PATH, &body).await?)?;
        let page = answer.pointer("/data/products").context(answer.to_string())?;
        let nodes = page.get("nodes").and_then(Value::as_array).context("no nodes")?;
        let ids = nodes
            .iter()
            .filter_map(|node| node.get("variants").and_then(Value::as_array))
            .flatten()
            .filter_map(|variant| variant.get("id").and_then(Value::as_str));
        found.extend(ids.map(str::to_owned));
        if page.pointer("/pageInfo/hasNextPage") != Some(&Value::Bool(true)) {
            break;
        }
        after = page.pointer("/pageInfo/endCursor").cloned().unwrap_or_default();
    }
    found.truncate(most);
    Ok(found)
}

/// Makes a cart; the body that orders it.
pub(super) async fn fill_cart(client: &mut Client, lines: &[String]) -> anyhow::Result<String> {
    let lines: Vec<Value> = lines
        .iter()
        .map(|variant| json!({"variantId": variant, "quantity": 1}))
        .collect();
    let body = json!({"query": CART, "variables": {"input": {"lines": lines}}}).to_string();
    let answer: Value = serde_json::from_slice(client.post(PATH, &body).await?)?;
    let cart = answer
        .pointer("/data/cartCreate/cart/id")
        .with_context(|| answer.to_string())?;
    let input = json!({
        "cartId": cart,
        "email": "ann@example.com",
        "shippingAddress": {"name": "Ann", "line1": "High Street", "city": "Leeds", "countryCode": "GB"},
        "idempotencyKey": Uuid::new_v4().to_string(),
    });
    Ok(json!({"query": PLACE, "variables": {"input": input}}).to_string())
}

pub(super) async fn check_out(client: &mut Client, place: &str) -> anyhow::Result<()> {
    let answer = client.post(PATH, place).await?;
    let placed: Placed<'_> =
        serde_json::from_slice(answer).with_context(|| String::from_utf8_lossy(answer).into_owned())?;
    let placed = placed.data.order_place;
    let input = json!({
        "orderId": placed.order.id,
        "gateway": "TEST",
        "testOutcome": "SUCCEED",
        "idempotencyKey": Uuid::new_v4().to_string(),
    });
    let variables = json!({"input": input, "token": placed.guest_token});
    let body = json!({"query": PAY, "variables": variables}).to_string();
    let paid = client.post(PATH, &body).await?;
    let captured = paid.windows(CAPTURED.len()).any(|window| window == CAPTURED);
    anyhow::ensure!(captured, "not paid: {}", String::from_utf8_lossy(paid));
    Ok(())
}

const CAPTURED: &[u8] = br#""status":"CAPTURED""#;
