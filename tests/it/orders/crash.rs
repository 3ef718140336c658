//! The server is killed again and again while orders are placed, paid and cancelled. After each restart the books balance,
//! and a subscriber that goes on where it was cut off has every event exactly once.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures_util::{SinkExt as _, StreamExt as _};
use reqwest::Client;
use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _};
use serde_json::{Value, json};
use souk::entity::order_event;
use souk::kernel::clock::{Clock as _, SystemClock};
use tokio::task::JoinSet;
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::http::HeaderValue;

use crate::support::buyer::{GuestOrder, PAY, PLACE, address};
use crate::support::process::{Process, client, free_port, souk};
use crate::support::{Kind, Shop, TestDatabase, product};

const KILLS: u32 = 25;
const BUYERS: u64 = 6;

/// Random enough for when to kill: a test that fails is told by what it found, not by when.
fn scattered(i: u32) -> Duration {
    Duration::from_millis(u64::from(i.wrapping_mul(2_654_435_761) >> 24) + 120)
}

/// One request; None when the server is not there, or dies of it.
async fn ask(
    client: &Client,
    address: &str,
    token: Option<&str>,
    document: &str,
    variables: Value,
) -> Option<Value> {
    let body = json!({ "query": document, "variables": variables }).to_string();
    let mut request = client
        .post(format!("http://{address}/graphql"))
        .header("content-type", "application/json")
        .body(body);
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    let text = request.send().await.ok()?.text().await.ok()?;
    serde_json::from_str(&text).ok()
}

/// Orders and pays or cancels, over and over, whatever becomes of it.
async fn buy(address: String, staff: String, variant: String, number: Arc<AtomicU64>) {
    const CART: &str = "mutation($input: CartCreateInput!) { cartCreate(input: $input) { cart { id } } }";
    const CANCEL: &str =
        "mutation($input: OrderCancelInput!) { orderCancel(input: $input) { userErrors { code } } }";
    let client = client();
    loop {
        let number = number.fetch_add(1, Ordering::Relaxed);
        let lines = json!({"input": {"lines": [{"variantId": variant, "quantity": 1 + number % 3}]}});
        let Some(cart) = ask(&client, &address, None, CART, lines).await else {
            tokio::time::sleep(Duration::from_millis(20)).await;
            continue;
        };
        let input = json!({"cartId": cart["data"]["cartCreate"]["cart"]["id"], "email": "a@example.com",
            "shippingAddress": self::address(), "idempotencyKey": format!("order {number}")});
        let place = json!({ "input": input });
        // Whoever gets no answer asks again, and must be told the same.
        let Some(placed) = ask(&client, &address, None, PLACE, place.clone()).await else {
            continue;
        };
        let order = &placed["data"]["orderPlace"];
        if order["order"]["id"] == Value::Null {
            continue;
        }
        let key = format!("then {number}");
        let outcome = match number % 5 {
            0 => "DECLINE",
            1 => "TIMEOUT_THEN_SUCCEED",
            _ => "SUCCEED",
        };
        let pay = json!({"token": order["guestToken"], "input": {"orderId": order["order"]["id"],
            "gateway": "TEST", "testOutcome": outcome, "idempotencyKey": key}});
        let cancel = json!({"input": {"orderId": order["order"]["id"], "reason": "changed my mind"}});
        if !number.is_multiple_of(4) {
            ask(&client, &address, None, PAY, pay).await;
        }
        if number % 4 < 2 {
            ask(&client, &address, Some(&staff), CANCEL, cancel).await;
        }
    }
}

/// Hears all that happens, going on with the last cursor whenever it is cut off.
async fn listen(
    address: String,
    staff: String,
    after: String,
    heard: tokio::sync::mpsc::UnboundedSender<String>,
) {
    let mut after = after;
    loop {
        let _ = follow(&address, &staff, &mut after, &heard).await;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn follow(
    address: &str,
    staff: &str,
    after: &mut String,
    heard: &tokio::sync::mpsc::UnboundedSender<String>,
) -> Option<()> {
    let mut request = format!("ws://{address}/graphql/ws").into_client_request().ok()?;
    request.headers_mut().insert(
        "sec-websocket-protocol",
        HeaderValue::from_static("graphql-transport-ws"),
    );
    let (mut socket, _) = connect_async(request).await.ok()?;
    let text = |message: Value| Message::Text(message.to_string().into());
    let payload = json!({"authorization": format!("Bearer {staff}")});
    socket
        .send(text(json!({"type": "connection_init", "payload": payload})))
        .await
        .ok()?;
    let query = "subscription($after: String) { shopOrderEvents(after: $after) { id cursor } }";
    let payload = json!({"query": query, "variables": {"after": after}});
    socket
        .send(text(json!({"type": "subscribe", "id": "1", "payload": payload})))
        .await
        .ok()?;
    loop {
        let message = socket.next().await?.ok()?;
        let Ok(message) = message.to_text() else { continue };
        let Ok(message) = serde_json::from_str::<Value>(message) else {
            continue;
        };
        if message["type"] == "next" {
            let event = &message["payload"]["data"]["shopOrderEvents"];
            let cursor = event["cursor"].as_str().unwrap_or_else(|| panic!("{message}"));
            cursor.clone_into(after);
            heard.send(event["id"].as_str().unwrap().to_owned()).unwrap();
        } else {
            assert_ne!(message["type"], "error", "{message}");
        }
    }
}

async fn survive(kind: Kind) {
    let Some(database) = TestDatabase::new(kind).await else {
        return;
    };
    let shop = Shop::open(&database, &[]).await;
    // What it does itself should not look as if it had been done long ago.
    shop.clock.advance(SystemClock.now() - shop.now());
    let mug = shop.add(product("Mug").stock(100_000)).await;
    let mug = shop.variants_of(mug).await.remove(0);
    let folder = tempfile::tempdir().unwrap();
    let port = free_port();
    let token = souk(folder.path(), &database.url())
        .args(["user", "token", "--role", "staff"])
        .output()
        .unwrap();
    let staff = String::from_utf8(token.stdout).unwrap().trim().to_owned();
    let settings = [("SOUK_AUTO_MIGRATE", "true")];
    let serve = || Process::serve(folder.path(), &database.url(), port, &settings);

    let mut server = serve();
    // Where the subscriber begins: without a cursor it would hear only what comes once it listens.
    let first = shop.ordered(&[(&mug, 1)]).await;
    let after = shop.cursor_of_last_event(&first.id).await;
    let (heard, mut ears) = tokio::sync::mpsc::unbounded_channel();
    let mut subscriber = JoinSet::new();
    subscriber.spawn(listen(server.address.clone(), staff.clone(), after, heard));
    let (mut buyers, number) = (JoinSet::new(), Arc::new(AtomicU64::new(0)));
    for _ in 0..BUYERS {
        buyers.spawn(buy(
            server.address.clone(),
            staff.clone(),
            mug.clone(),
            Arc::clone(&number),
        ));
    }
    for i in 0..KILLS {
        tokio::time::sleep(scattered(i)).await;
        server.kill();
        shop.balance().await;
        server = serve();
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    buyers.shutdown().await;
    let orders = shop.rows("SELECT number FROM shop_order").await.len();
    assert!(orders > 50, "{orders} orders are no load");

    let mut events = Vec::new();
    let start = Instant::now();
    loop {
        while let Ok(event) = ears.try_recv() {
            events.push(event);
        }
        // What was under way is finished by the server meanwhile, which is told as well.
        let all = happened_after(&shop, &first).await;
        if events == all && start.elapsed() > Duration::from_secs(3) {
            break;
        }
        let (heard, all) = (events.len(), all.len());
        assert!(
            start.elapsed() < Duration::from_secs(60),
            "{heard} of {all} events were heard, or in another order"
        );
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    subscriber.shutdown().await;
    drop(server);
    shop.balance().await;
    shop.close().await;
    database.drop().await;
}

/// All events but that of the first order, in the order of all.
async fn happened_after(shop: &Shop, first: &GuestOrder) -> Vec<String> {
    let rows = order_event::Entity::find()
        .filter(order_event::Column::OrderId.ne(first.order_id()))
        .order_by_asc(order_event::Column::Position)
        .all(shop.db().fresh())
        .await
        .unwrap();
    rows.iter().map(|row| row.id.to_string()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_when_the_server_is_killed_on_sqlite() {
    survive(Kind::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_when_the_server_is_killed_on_postgres() {
    survive(Kind::Postgres).await;
}
