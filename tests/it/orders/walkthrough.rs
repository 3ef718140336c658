//! From an empty shop to a delivered order, through the binary alone, as a newcomer would: a file is imported, a guest buys,
//! staff send, and somebody watches.

use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use reqwest::Client;
use serde_json::{Value, json};
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::http::HeaderValue;

use crate::support::buyer::{PAY, PLACE, address};
use crate::support::process::{Process, client, free_port, souk};
use crate::support::{Kind, TestDatabase};

const FILE: &str = "Handle,Title,Option1 Name,Option1 Value,Variant Inventory Tracker,Variant Inventory Qty,Variant Price,Status\n\
    tea,Mint Tea,Title,Default Title,shopify,5,4.90,active\n";

struct Api {
    client: Client,
    address: String,
    staff: String,
}

impl Api {
    /// What the one mutation or query in the document answers.
    async fn ask(&self, staff: bool, document: &str, variables: Value) -> Value {
        let body = json!({ "query": document, "variables": variables }).to_string();
        let mut request = self
            .client
            .post(format!("http://{}/graphql", self.address))
            .header("content-type", "application/json")
            .body(body);
        if staff {
            request = request.bearer_auth(&self.staff);
        }
        let text = request.send().await.unwrap().text().await.unwrap();
        let mut answer: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(answer["errors"], Value::Null, "{answer}");
        let mut data = answer["data"].take();
        let first = data.as_object_mut().unwrap().values_mut().next().unwrap().take();
        assert!(
            first["userErrors"].as_array().is_none_or(Vec::is_empty),
            "{first}"
        );
        first
    }

    /// Everything that happens from now on, by the types of its events.
    async fn watch(&self) -> tokio::sync::mpsc::UnboundedReceiver<String> {
        let mut request = format!("ws://{}/graphql/ws", self.address)
            .into_client_request()
            .unwrap();
        request.headers_mut().insert(
            "sec-websocket-protocol",
            HeaderValue::from_static("graphql-transport-ws"),
        );
        let (mut socket, _) = connect_async(request).await.unwrap();
        let payload = json!({"authorization": format!("Bearer {}", self.staff)});
        let init = json!({"type": "connection_init", "payload": payload});
        let query = json!({"query": "subscription { shopOrderEvents { type } }"});
        let subscribe = json!({"type": "subscribe", "id": "1", "payload": query});
        for message in [init, subscribe] {
            socket
                .send(Message::Text(message.to_string().into()))
                .await
                .unwrap();
        }
        let (events, heard) = tokio::sync::mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Some(Ok(message)) = socket.next().await {
                let message: Value = serde_json::from_str(message.to_text().unwrap()).unwrap_or_default();
                if let Some(kind) = message["payload"]["data"]["shopOrderEvents"]["type"].as_str() {
                    events.send(kind.to_owned()).unwrap();
                }
            }
        });
        // There is no word for that a subscription has begun; one that has not would miss what comes next.
        tokio::time::sleep(Duration::from_secs(1)).await;
        heard
    }
}

async fn walk(kind: Kind) {
    let Some(database) = TestDatabase::new(kind).await else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| {
        let output = souk(folder.path(), &database.url())
            .args(arguments)
            .output()
            .unwrap();
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    std::fs::write(folder.path().join("shop.csv"), FILE).unwrap();
    let report: Value = serde_json::from_str(&run(&[
        "import",
        "shopify",
        "shop.csv",
        "--currency",
        "USD",
        "--json",
    ]))
    .unwrap();
    assert_eq!(report["products"]["created"], 1, "{report}");
    let server = Process::serve(folder.path(), &database.url(), free_port(), &[]);
    let api = Api {
        client: client(),
        address: server.address.clone(),
        staff: run(&["user", "token", "--role", "staff"]),
    };
    let mut heard = api.watch().await;

    let product = api
        .ask(
            false,
            "{ product(by: {slug: \"tea\"}) { variants { id } } }",
            json!({}),
        )
        .await;
    let lines = json!({"lines": [{"variantId": product["variants"][0]["id"], "quantity": 2}]});
    let cart = "mutation($input: CartCreateInput!) { cartCreate(input: $input) { cart { id subtotal { amount } } userErrors { code } } }";
    let cart = api.ask(false, cart, json!({ "input": lines })).await;
    assert_eq!(cart["cart"]["subtotal"]["amount"], "9.80");
    let input = json!({"cartId": cart["cart"]["id"], "email": "ann@example.com", "shippingAddress": address(),
        "expectedTotal": {"amount": "9.80", "currencyCode": "USD"}, "idempotencyKey": "order"});
    let placed = api.ask(false, PLACE, json!({ "input": input })).await;
    let (order, token) = (&placed["order"]["id"], &placed["guestToken"]);
    let input =
        json!({"orderId": order, "gateway": "TEST", "testOutcome": "SUCCEED", "idempotencyKey": "payment"});
    let paid = api.ask(false, PAY, json!({"input": input, "token": token})).await;
    assert_eq!(paid["payment"]["status"], "CAPTURED");
    let fulfill = "mutation($input: FulfillmentCreateInput!) { fulfillmentCreate(input: $input) { fulfillment { id } userErrors { code } } }";
    let sent = api
        .ask(
            true,
            fulfill,
            json!({"input": {"orderId": order, "idempotencyKey": "parcel"}}),
        )
        .await;
    let deliver = "mutation($input: FulfillmentDeliverInput!) { fulfillmentDeliver(input: $input) { order { status } userErrors { code } } }";
    let input = json!({"fulfillmentId": sent["fulfillment"]["id"]});
    let arrived = api.ask(true, deliver, json!({ "input": input })).await;
    assert_eq!(arrived["order"]["status"], "COMPLETED");

    for expected in [
        "PLACED",
        "PAYMENT_PENDING",
        "PAYMENT_CAPTURED",
        "CONFIRMED",
        "FULFILLED",
        "DELIVERED",
        "COMPLETED",
    ] {
        let next = tokio::time::timeout(Duration::from_secs(20), heard.recv()).await;
        assert_eq!(next.unwrap().as_deref(), Some(expected));
    }
    let read = "query($id: ID!, $token: String) { order(by: {id: $id}, guestToken: $token) { status paymentStatus fulfillmentStatus } }";
    let order = api.ask(false, read, json!({"id": order, "token": token})).await;
    assert_eq!(
        order,
        json!({"status": "COMPLETED", "paymentStatus": "PAID", "fulfillmentStatus": "DELIVERED"})
    );
    drop(server);
    database.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn from_a_file_to_a_delivered_order_on_sqlite() {
    walk(Kind::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn from_a_file_to_a_delivered_order_on_postgres() {
    walk(Kind::Postgres).await;
}
