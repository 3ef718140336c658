//! What buyers do: fill a cart, place an order, pay it.

use serde_json::{Value, json};
use souk::kernel::id::{OrderId, ProductId};

use super::{As, Shop};

const CART: &str = "mutation($input: CartCreateInput!) { cartCreate(input: $input) { cart { id } userErrors { code path } } }";
pub(crate) const PLACE: &str = "mutation($input: OrderPlaceInput!) { orderPlace(input: $input) { guestToken
    order { id number status paymentStatus fulfillmentStatus email availableActions total { amount currencyCode }
        lines { id productName quantity unitPrice { amount } lineTotal { amount } } }
    userErrors { code path params message retryable } } }";
pub(crate) const PAY: &str = "mutation($input: PaymentCreateInput!, $token: String) { paymentCreate(input: $input, guestToken: $token) {
    payment { id status capturedAmount { amount } authorizedAmount { amount } } userErrors { code path message } } }";

/// Where everything goes.
pub(crate) fn address() -> Value {
    json!({"name": "Ann Lee", "line1": "1 High Street", "city": "Leeds", "countryCode": "GB"})
}

/// An order that a guest has placed.
#[derive(Clone, Debug)]
pub(crate) struct GuestOrder {
    pub(crate) id: String,
    pub(crate) token: String,
    pub(crate) first_line: String,
}

impl GuestOrder {
    pub(crate) fn order_id(&self) -> OrderId {
        self.id.parse().unwrap()
    }
}

impl Shop {
    /// The ids of a product's variants.
    pub(crate) async fn variants_of(&self, product: ProductId) -> Vec<String> {
        let query = format!("{{ product(by: {{id: \"{product}\"}}) {{ variants {{ id }} }} }}");
        let data = self.data(As::Staff, &query, json!({})).await;
        let variants = data["product"]["variants"].as_array().unwrap();
        let id = |variant: &Value| variant["id"].as_str().unwrap().to_owned();
        variants.iter().map(id).collect()
    }

    /// A guest's cart with so many of each variant.
    pub(crate) async fn cart(&self, lines: &[(&str, i32)]) -> String {
        self.cart_of(None, lines).await
    }

    /// The cart of whoever has this token.
    pub(crate) async fn cart_of(&self, token: Option<&str>, lines: &[(&str, i32)]) -> String {
        let lines = lines
            .iter()
            .map(|(variant, quantity)| json!({"variantId": variant, "quantity": quantity}));
        let input = json!({"lines": lines.collect::<Vec<_>>()});
        let answer = self.graphql_with(token, CART, json!({ "input": input })).await;
        let cart = answer["data"]["cartCreate"]["cart"]["id"].as_str();
        cart.unwrap_or_else(|| panic!("{answer}")).to_owned()
    }

    /// What `orderPlace` answers.
    pub(crate) async fn place(&self, token: Option<&str>, cart: &str, key: &str) -> Value {
        let mut input = json!({"cartId": cart, "shippingAddress": address(), "idempotencyKey": key});
        if token.is_none() {
            input["email"] = json!("ann@example.com");
        }
        let mut answer = self.graphql_with(token, PLACE, json!({ "input": input })).await;
        assert_eq!(answer["errors"], Value::Null, "{answer}");
        answer["data"]["orderPlace"].take()
    }

    /// An order that a guest has placed for so many of each variant.
    pub(crate) async fn ordered(&self, lines: &[(&str, i32)]) -> GuestOrder {
        let cart = self.cart(lines).await;
        let placed = self.place(None, &cart, "an order").await;
        let text = |value: &Value| value.as_str().unwrap_or_else(|| panic!("{placed}")).to_owned();
        GuestOrder {
            id: text(&placed["order"]["id"]),
            token: text(&placed["guestToken"]),
            first_line: text(&placed["order"]["lines"][0]["id"]),
        }
    }

    /// What `paymentCreate` of the TEST gateway answers.
    pub(crate) async fn pay(&self, order: &GuestOrder, outcome: &str, key: &str) -> Value {
        let input =
            json!({"orderId": order.id, "gateway": "TEST", "testOutcome": outcome, "idempotencyKey": key});
        let variables = json!({"input": input, "token": order.token});
        let mut answer = self.graphql(As::Anonymous, PAY, variables).await;
        assert_eq!(answer["errors"], Value::Null, "{answer}");
        answer["data"]["paymentCreate"].take()
    }

    /// An order that a guest has placed and paid.
    pub(crate) async fn paid(&self, lines: &[(&str, i32)]) -> GuestOrder {
        let order = self.ordered(lines).await;
        let payment = self.pay(&order, "SUCCEED", "a payment").await;
        assert_eq!(payment["payment"]["status"], "CAPTURED", "{payment}");
        order
    }

    /// Where an order stands on its three axes.
    pub(crate) async fn standing(&self, order: &str) -> [String; 3] {
        let query = "query($id: ID!) { order(by: {id: $id}) { status paymentStatus fulfillmentStatus } }";
        let data = self.data(As::Staff, query, json!({ "id": order })).await;
        ["status", "paymentStatus", "fulfillmentStatus"]
            .map(|field| data["order"][field].as_str().unwrap().to_owned())
    }

    /// What happened to an order, by the types of its events.
    pub(crate) async fn history(&self, order: &str) -> Vec<String> {
        let query = "query($id: ID!) { order(by: {id: $id}) { events(first: 100) { nodes { type } } } }";
        let data = self.data(As::Staff, query, json!({ "id": order })).await;
        let events = data["order"]["events"]["nodes"].as_array().unwrap();
        let kind = |event: &Value| event["type"].as_str().unwrap().to_owned();
        events.iter().map(kind).collect()
    }

    /// Where to go on behind all that has happened to an order.
    pub(crate) async fn cursor_of_last_event(&self, order: &str) -> String {
        let query = "query($id: ID!) { order(by: {id: $id}) { events(last: 1) { nodes { cursor } } } }";
        let data = self.data(As::Staff, query, json!({ "id": order })).await;
        data["order"]["events"]["nodes"][0]["cursor"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    /// On hand and reserved of a variant.
    pub(crate) async fn stock(&self, variant: &str) -> (i64, i64) {
        let query =
            "query($id: ID!) { node(id: $id) { ... on ProductVariant { inventory { onHand reserved } } } }";
        let data = self.data(As::Staff, query, json!({ "id": variant })).await;
        let number = |name: &str| data["node"]["inventory"][name].as_i64().unwrap();
        (number("onHand"), number("reserved"))
    }
}
