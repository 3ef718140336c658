//! Two servers, PostgreSQL with a replica, Redis: PostgreSQL is restarted under load, and nothing is lost or done twice.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures_util::{SinkExt as _, StreamExt as _};
use reqwest::Client;
use serde_json::{Value, json};
use souk::kernel::clock::{Clock as _, SystemClock};
use tokio::task::JoinSet;
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::http::HeaderValue;

use crate::support::buyer::{PAY, PLACE, address};
use crate::support::grown::Grown;
use crate::support::process::client;
use crate::support::{Shop, product};

const CART: &str =
    "mutation($input: CartCreateInput!) { cartCreate(input: $input) { cart { id } userErrors { code } } }";
const BUYERS: usize = 6;

/// What each buyer is told yes to, at least, between two outages: as much on a slow machine as on a fast one.
const ORDERS: usize = 3;

/// Long, because machines may be slow.
const PATIENCE: Duration = Duration::from_secs(120);

/// A client of both servers, as behind a load balancer: what one does not answer the other is asked.
struct Buyer {
    client: Client,
    servers: [String; 2],
    asked: AtomicUsize,
}

impl Buyer {
    fn new(grown: &Grown) -> Self {
        Self {
            client: client(),
            servers: ["INSTANCE_1", "INSTANCE_2"].map(|name| grown.address(name).to_owned()),
            asked: AtomicUsize::new(0),
        }
    }

    /// The payload of a mutation that is sent until it is answered.
    ///
    /// # Panics
    /// When a server says that something else is wrong than what is over soon.
    async fn ask(&self, document: &str, variables: Value) -> Value {
        let body = json!({ "query": document, "variables": variables }).to_string();
        let begun = Instant::now();
        loop {
            assert!(begun.elapsed() < PATIENCE, "nobody answers");
            let server = &self.servers[self.asked.fetch_add(1, Ordering::Relaxed) % 2];
            if let Some(payload) = self.ask_once(server, &body).await {
                return payload;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn ask_once(&self, server: &str, body: &str) -> Option<Value> {
        let request = self
            .client
            .post(format!("{server}/graphql"))
            .header("content-type", "application/json")
            .header("accept", "application/graphql-response+json");
        // The servers are never stopped: each request has an answer.
        let response = request.body(body.to_owned()).send().await.unwrap();
        let (status, retry_after) = (response.status(), response.headers().contains_key("retry-after"));
        let mut answer: Value = serde_json::from_str(&response.text().await.unwrap()).unwrap();
        if answer["errors"] == Value::Null {
            let payload = answer["data"]
                .as_object_mut()
                .unwrap()
                .values_mut()
                .next()
                .unwrap()
                .take();
            let refusals = payload["userErrors"].as_array().unwrap();
            assert!(
                refusals.iter().all(|refusal| refusal["retryable"] == true),
                "{payload}"
            );
            return refusals.is_empty().then_some(payload);
        }
        let extensions = &answer["errors"][0]["extensions"];
        let soon = extensions["retryable"] == true && retry_after || extensions["code"] == "TIMEOUT";
        // What was changed is told in part: the database went away while it was read again.
        let partly = extensions["retryable"] == true && answer["data"] != Value::Null;
        // Without a key nobody knows whether it was done; here a cart too many does no harm.
        let unsure = extensions["retryable"] == false && !body.contains("idempotencyKey");
        let expected = match (partly, unsure) {
            (true, _) => 200,
            (false, true) => 500,
            (false, false) => 503,
        };
        assert!(
            (soon || partly || unsure) && status == expected,
            "{status} {answer}"
        );
        None
    }
}

/// The keys that somebody was told yes to, each with its order.
type Acknowledged = Arc<Mutex<Vec<(String, String)>>>;

/// Orders and pays, over and over, until the shop closes.
async fn buy(
    buyer: Buyer,
    number: usize,
    variant: String,
    acknowledged: Acknowledged,
    closing: Arc<AtomicBool>,
) {
    for turn in 0.. {
        if closing.load(Ordering::SeqCst) {
            return;
        }
        let key = format!("{number}/{turn}");
        let lines = json!({"lines": [{"variantId": variant, "quantity": 1}]});
        let cart = buyer.ask(CART, json!({ "input": lines })).await;
        let input = json!({"cartId": cart["cart"]["id"], "email": "a@example.com", "shippingAddress": address(),
            "idempotencyKey": key});
        let placed = buyer.ask(PLACE, json!({ "input": input })).await;
        let order = placed["order"]["id"].as_str().unwrap().to_owned();
        let pay = json!({"orderId": order, "gateway": "TEST", "testOutcome": "SUCCEED", "idempotencyKey": format!("pay {key}")});
        buyer
            .ask(PAY, json!({"input": pay, "token": placed["guestToken"]}))
            .await;
        acknowledged.lock().unwrap().push((key, order));
    }
}

/// The events that a subscriber has heard, as they came.
type Heard = Arc<Mutex<Vec<String>>>;

/// Hears all that happens at one server, going on with the last cursor whenever it is cut off.
async fn listen(server: String, staff: String, after: String, heard: Heard) {
    let mut after = after;
    loop {
        let _ = follow(&server, &staff, &mut after, &heard).await;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn follow(server: &str, staff: &str, after: &mut String, heard: &Heard) -> Option<()> {
    let address = server.replace("http://", "ws://");
    let mut request = format!("{address}/graphql/ws").into_client_request().ok()?;
    let protocol = HeaderValue::from_static("graphql-transport-ws");
    request.headers_mut().insert("sec-websocket-protocol", protocol);
    let (mut socket, _) = connect_async(request).await.ok()?;
    let text = |message: Value| Message::Text(message.to_string().into());
    let payload = json!({"authorization": format!("Bearer {staff}")});
    let init = json!({"type": "connection_init", "payload": payload});
    socket.send(text(init)).await.ok()?;
    let query = "subscription($after: String) { shopOrderEvents(after: $after) { id cursor } }";
    let payload = json!({"query": query, "variables": {"after": after}});
    let subscribe = json!({"type": "subscribe", "id": "1", "payload": payload});
    socket.send(text(subscribe)).await.ok()?;
    loop {
        let message = socket.next().await?.ok()?;
        let Ok(Ok(message)) = message.to_text().map(serde_json::from_str::<Value>) else {
            continue;
        };
        match message["type"].as_str() {
            Some("next") => {
                let event = &message["payload"]["data"]["shopOrderEvents"];
                event["cursor"]
                    .as_str()
                    .unwrap_or_else(|| panic!("{message}"))
                    .clone_into(after);
                heard
                    .lock()
                    .unwrap()
                    .push(event["id"].as_str().unwrap().to_owned());
            }
            Some("error") => {
                let extensions = &message["payload"][0]["extensions"];
                assert!(
                    extensions["retryable"] == true || extensions["code"] == "TIMEOUT",
                    "{message}"
                );
                return None;
            }
            Some("complete") => return None,
            _ => {}
        }
    }
}

/// Everybody at work.
struct Crowd {
    buyers: JoinSet<()>,
    listeners: JoinSet<()>,
    acknowledged: Acknowledged,
    /// What was heard at each server.
    heard: [Heard; 2],
    closing: Arc<AtomicBool>,
}

impl Crowd {
    fn bought(&self) -> usize {
        self.acknowledged.lock().unwrap().len()
    }

    fn heard(&self, server: usize) -> Vec<String> {
        self.heard[server].lock().unwrap().clone()
    }

    /// Waits until it holds, as long as everybody is at work.
    async fn until(&mut self, what: &str, holds: impl Fn(&Self) -> bool) {
        let begun = Instant::now();
        while !holds(self) {
            let ended = self.listeners.try_join_next();
            let ended = ended.or_else(|| self.buyers.try_join_next().filter(|buyer| buyer.is_err()));
            assert!(ended.is_none(), "somebody gave up: {ended:?}");
            assert!(begun.elapsed() < PATIENCE, "it does not come to it that {what}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    async fn more_is_bought(&mut self) {
        let wanted = self.bought() + BUYERS * ORDERS;
        self.until("more is bought", |crowd| crowd.bought() >= wanted)
            .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_restarted_under_load_loses_and_doubles_nothing() {
    let Some(grown) = Grown::up(&[]) else { return };
    let database = grown.database().await;
    let shop = Shop::open(&database, &[]).await;
    // What it does itself should not look to the servers as if it had been done long ago.
    shop.clock.advance(SystemClock.now() - shop.now());
    let mug = shop.add(product("Mug").stock(100_000)).await;
    let mug = shop.variants_of(mug).await.remove(0);
    // Where subscribers begin: without a cursor they would hear only what comes once they listen.
    let first = shop.ordered(&[(&mug, 1)]).await;
    let after = shop.cursor_of_last_event(&first.id).await;
    let mut crowd = crowd(&grown, &mug, &after);
    for outage in ["crash", "restart", "crash", "restart"] {
        crowd.more_is_bought().await;
        grown.tell_aside(&format!("postgres {outage}")).await;
        grown.tell_aside("postgres start").await;
        crowd.more_is_bought().await;
        grown.tell_aside("redis restart").await;
    }
    crowd.more_is_bought().await;
    crowd.closing.store(true, Ordering::SeqCst);
    while let Some(buyer) = crowd.buyers.join_next().await {
        buyer.unwrap();
    }

    let text = |sql: String| {
        let shop = &shop;
        async move {
            shop.rows(&sql)
                .await
                .remove(0)
                .remove(0)
                .parse::<usize>()
                .unwrap()
        }
    };
    // Each key that somebody was told yes to is one order, and there is no other but the first.
    let (keys, orders): (BTreeSet<_>, BTreeSet<_>) =
        crowd.acknowledged.lock().unwrap().iter().cloned().unzip();
    assert_eq!((keys.len(), orders.len()), (crowd.bought(), crowd.bought()));
    let of_orders = |what: &str| text(format!("SELECT CAST(count(*) AS text) FROM {what}"));
    assert_eq!(of_orders("shop_order").await, orders.len() + 1);
    // A payment that an outage met halfway is taken to its end by a worker, later.
    let begun = Instant::now();
    while of_orders("shop_order WHERE status = 'CONFIRMED' AND paid = total").await < orders.len() {
        assert!(begun.elapsed() < PATIENCE, "some payments are never finished");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert_eq!(of_orders("payment WHERE captured > 0").await, orders.len());
    let sold = i64::try_from(orders.len() + 1).unwrap();
    assert_eq!(shop.stock(&mug).await, (100_000, sold));
    shop.balance().await;

    // Each event was heard once at each server, in one order.
    let events = of_orders("order_event").await
        - of_orders(&format!("order_event WHERE order_id = '{}'", first.order_id().0)).await;
    crowd
        .until("all is heard", |crowd| {
            (0..2).all(|server| crowd.heard(server).len() >= events)
        })
        .await;
    assert_eq!(crowd.heard(0), crowd.heard(1));
    assert_eq!(crowd.heard(0).iter().collect::<BTreeSet<_>>().len(), events);
    assert_eq!(crowd.heard(0).len(), events);

    one_hears_what_the_other_does(&grown, &mut crowd, &mug).await;
    shop.close().await;
}

fn crowd(grown: &Grown, mug: &str, after: &str) -> Crowd {
    let staff = grown.token("staff");
    let mut crowd = Crowd {
        buyers: JoinSet::new(),
        listeners: JoinSet::new(),
        acknowledged: Acknowledged::default(),
        heard: Default::default(),
        closing: Arc::default(),
    };
    for (server, heard) in ["INSTANCE_1", "INSTANCE_2"].iter().zip(&crowd.heard) {
        let server = grown.address(server).to_owned();
        crowd
            .listeners
            .spawn(listen(server, staff.clone(), after.to_owned(), Arc::clone(heard)));
    }
    for number in 0..BUYERS {
        let acknowledged = Arc::clone(&crowd.acknowledged);
        let closing = Arc::clone(&crowd.closing);
        crowd.buyers.spawn(buy(
            Buyer::new(grown),
            number,
            mug.to_owned(),
            acknowledged,
            closing,
        ));
    }
    crowd
}

/// Within a second. Some of the times are enough, on a machine that does much else.
async fn one_hears_what_the_other_does(grown: &Grown, crowd: &mut Crowd, mug: &str) {
    let mut fastest = PATIENCE;
    let mut buyer = Buyer::new(grown);
    buyer.servers = [
        grown.address("INSTANCE_1").to_owned(),
        grown.address("INSTANCE_1").to_owned(),
    ];
    for turn in 0..5 {
        let lines = json!({"lines": [{"variantId": mug, "quantity": 1}]});
        let cart = buyer.ask(CART, json!({ "input": lines })).await;
        let input = json!({"cartId": cart["cart"]["id"], "email": "a@example.com", "shippingAddress": address(),
            "idempotencyKey": format!("last {turn}")});
        let before = crowd.heard(1).len();
        buyer.ask(PLACE, json!({ "input": input })).await;
        let placed = Instant::now();
        crowd
            .until("the other hears of it", |crowd| crowd.heard(1).len() > before)
            .await;
        fastest = fastest.min(placed.elapsed());
    }
    assert!(fastest < Duration::from_secs(1), "{fastest:?}");
}
