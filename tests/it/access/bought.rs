//! What people have bought: orders in every state that a field or a mutation needs.

use serde_json::{Value, json};
use souk::infra::gateways::{Action, Stage};
use souk::kernel::id::{FulfillmentId, OrderEventId, OrderId, OrderLineId, PaymentId, RefundId};
use souk::kernel::page::{Cursor, SortKey};

use crate::payments::scripted::{Says, Scripted};
use crate::support::Shop;
use crate::support::buyer::PAY;

/// Somebody's orders, each with what belongs to it.
#[derive(Clone, Debug)]
pub(super) struct Bought(Vec<(&'static str, String)>);

impl Bought {
    /// What stands for their ids in a document, the longer of two names first that begin alike.
    pub(super) fn names(&self) -> Vec<(&'static str, String)> {
        self.0.clone()
    }

    /// The same of things that do not exist.
    pub(super) fn nothing() -> Vec<(&'static str, String)> {
        let payment = || PaymentId::new().to_string();
        let mut names = vec![
            ("@OrderLine", OrderLineId::new().to_string()),
            ("@OrderEvent", OrderEventId::new().to_string()),
            ("@Order", OrderId::new().to_string()),
            ("@Cancelled", OrderId::new().to_string()),
            ("@Fulfillment", FulfillmentId::new().to_string()),
            ("@Refund", RefundId::new().to_string()),
            ("@number", "100000000".to_owned()),
            ("@cursor", first_cursor(OrderId::new())),
            ("@NewOrder", OrderId::new().to_string()),
            ("@NewPaidOrder", OrderId::new().to_string()),
            ("@NewParcel", FulfillmentId::new().to_string()),
        ];
        let payments = [
            "@Payment",
            "@Declined",
            "@Redirect",
            "@Secret",
            "@Prompt",
            "@NewOpen",
            "@NewPromised",
            "@NewTaken",
        ];
        names.extend(payments.map(|name| (name, payment())));
        names
    }
}

/// Somebody who buys one thing, again and again.
pub(super) struct Buyer<'a> {
    pub(super) shop: &'a Shop,
    pub(super) access: &'a str,
    pub(super) staff: &'a str,
    pub(super) variant: &'a str,
}

impl Buyer<'_> {
    /// Places an order for three; what `orderPlace` answers.
    pub(super) async fn order(&self) -> Value {
        let cart = self.shop.cart_of(Some(self.access), &[(self.variant, 3)]).await;
        let placed = self.shop.place(Some(self.access), &cart, &cart).await;
        assert_eq!(placed["userErrors"], json!([]), "{placed}");
        placed
    }

    async fn order_id(&self) -> String {
        text(&self.order().await["order"]["id"])
    }

    /// Pays for a new order; the payment.
    async fn pay(&self, shop: &Shop, order: &str, how: Value) -> String {
        let mut input = json!({"orderId": order, "gateway": "TEST", "idempotencyKey": order});
        input
            .as_object_mut()
            .unwrap()
            .extend(how.as_object().unwrap().clone());
        let answer = shop
            .graphql_with(Some(self.access), PAY, json!({ "input": input }))
            .await;
        text(&answer["data"]["paymentCreate"]["payment"]["id"])
    }

    async fn payment(&self, how: Value) -> String {
        let order = self.order_id().await;
        self.pay(self.shop, &order, how).await
    }

    /// As staff, who must not be refused.
    async fn staff(&self, document: &str, input: Value) -> Value {
        let answer = self
            .shop
            .graphql_with(Some(self.staff), document, json!({ "input": input }))
            .await;
        let payload = answer["data"].as_object().and_then(|data| data.values().next());
        let payload = payload.unwrap_or_else(|| panic!("{answer}"));
        assert_eq!(payload["userErrors"], json!([]), "{answer}");
        payload.clone()
    }

    async fn parcel(&self, order: &str, key: &str) -> String {
        let send = "mutation($input: FulfillmentCreateInput!) { fulfillmentCreate(input: $input) { fulfillment { id } userErrors { code } } }";
        let read = "query($id: ID!) { order(by: {id: $id}) { lines { id } } }";
        let data = self
            .shop
            .graphql_with(Some(self.staff), read, json!({ "id": order }))
            .await;
        let line = &data["data"]["order"]["lines"][0]["id"];
        let input = json!({"orderId": order, "lines": [{"orderLineId": line, "quantity": 1}], "idempotencyKey": key,
            "carrier": "DHL", "trackingNumber": "JD01", "trackingUrl": "https://dhl.example/JD01"});
        text(&self.staff(send, input).await["fulfillment"]["id"])
    }

    /// A payment whose buyer has to do this.
    async fn acting(&self, action: Action) -> String {
        let (gateway, offering) = Scripted::beside(self.shop).await;
        gateway.will("create", Says::Stage(Stage::RequiresAction(action)));
        let order = self.order_id().await;
        let payment = self.pay(&offering, &order, json!({"gateway": "STRIPE"})).await;
        offering.close().await;
        payment
    }

    /// Something of every kind that there is.
    pub(super) async fn all(&self) -> Bought {
        let placed = self.order().await;
        let order = text(&placed["order"]["id"]);
        let payment = self
            .pay(self.shop, &order, json!({"testOutcome": "SUCCEED"}))
            .await;
        let parcel = self.parcel(&order, &order).await;
        let deliver = "mutation($input: FulfillmentDeliverInput!) { fulfillmentDeliver(input: $input) { userErrors { code } } }";
        self.staff(deliver, json!({ "fulfillmentId": parcel })).await;
        let refund = "mutation($input: RefundCreateInput!) { refundCreate(input: $input) { refund { id } userErrors { code } } }";
        let part = json!({"amount": "1", "currencyCode": "USD"});
        let refund = self
            .staff(
                refund,
                json!({"paymentId": payment, "amount": part, "reason": "cracked", "idempotencyKey": payment}),
            )
            .await;
        let read = "query($id: ID!) { order(by: {id: $id}) { events(first: 1) { nodes { id cursor } } } }";
        let events = self
            .shop
            .graphql_with(Some(self.access), read, json!({ "id": order }))
            .await;
        let event = &events["data"]["order"]["events"]["nodes"][0];
        let cancelled = self.order_id().await;
        let cancel =
            "mutation($input: OrderCancelInput!) { orderCancel(input: $input) { userErrors { code } } }";
        self.staff(cancel, json!({"orderId": cancelled, "reason": "a mistake"}))
            .await;
        let secret = Action::ClientSecret {
            client_secret: "a secret".to_owned(),
            publishable_key: "a key".to_owned(),
        };
        let prompt = Action::PhonePrompt {
            phone: "*78".to_owned(),
            expires_at: self.shop.now(),
        };
        Bought(vec![
            ("@OrderLine", text(&placed["order"]["lines"][0]["id"])),
            ("@OrderEvent", text(&event["id"])),
            ("@Order", order),
            ("@Cancelled", cancelled),
            ("@Fulfillment", parcel),
            ("@Refund", text(&refund["refund"]["id"])),
            ("@number", text(&placed["order"]["number"])),
            ("@cursor", text(&event["cursor"])),
            ("@Payment", payment),
            ("@Declined", self.payment(json!({"testOutcome": "DECLINE"})).await),
            (
                "@Redirect",
                self.payment(json!({"testOutcome": "REQUIRE_ACTION"})).await,
            ),
            ("@Secret", self.acting(secret).await),
            ("@Prompt", self.acting(prompt).await),
        ])
    }

    /// Those of the things that mutations use up that the document names, made for it alone.
    pub(super) async fn new_for(&self, document: &str) -> Vec<(&'static str, String)> {
        let mut made = Vec::new();
        if document.contains("@NewOrder") {
            made.push(("@NewOrder", self.order_id().await));
        }
        if document.contains("@NewPaidOrder") || document.contains("@NewParcel") {
            let order = self.order_id().await;
            self.pay(self.shop, &order, json!({})).await;
            if document.contains("@NewParcel") {
                made.push(("@NewParcel", self.parcel(&order, &order).await));
            }
            made.push(("@NewPaidOrder", order));
        }
        for (name, how) in [
            ("@NewOpen", json!({"testOutcome": "REQUIRE_ACTION"})),
            ("@NewPromised", json!({"flow": "AUTHORIZE"})),
            ("@NewTaken", json!({})),
        ] {
            if document.contains(name) {
                made.push((name, self.payment(how).await));
            }
        }
        made
    }
}

/// Where an order's first event is.
pub(super) fn first_cursor(order: OrderId) -> String {
    let cursor = Cursor {
        sort: "ORDER_EVENT".to_owned(),
        key: SortKey::Int(1),
        id: order.0,
    };
    cursor.encode()
}

fn text(value: &Value) -> String {
    value
        .as_str()
        .unwrap_or_else(|| panic!("{value} is no text"))
        .to_owned()
}
