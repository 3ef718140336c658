//! The server is killed while Stripe takes money or gives it back: started again it finds out what has become of it, and
//! nothing is done twice.

use std::time::{Duration, Instant};

use reqwest::Client;
use serde_json::{Value, json};
use souk::kernel::clock::{Clock as _, SystemClock};
use tempfile::TempDir;
use tokio::task::JoinHandle;

use super::{Stripe, Till, message, settings};
use crate::gateways::sim::{Mishap, Sim};
use crate::payments::{events, standing, stands};
use crate::support::buyer::{GuestOrder, PAY};
use crate::support::process::{Process, client, free_port, souk};
use crate::support::{Kind, Shop, TestDatabase, product};

const CAPTURE: &str = "mutation($input: PaymentCaptureInput!) { paymentCapture(input: $input) {
    payment { id status capturedAmount { amount } } userErrors { code } } }";
const REFUND: &str = "mutation($input: RefundCreateInput!) { refundCreate(input: $input) {
    refund { id status amount { amount } } payment { refundedAmount { amount } } userErrors { code } } }";

/// Longer than it takes to kill somebody.
const LONG: Duration = Duration::from_secs(6);

/// Shorter than it takes to wait for somebody else's minute to be over.
const PATIENCE: Duration = Duration::from_secs(20);

/// A server that can be killed, a Stripe that cannot, and the database that they have in common with a test.
struct Scene {
    sim: Sim<Stripe>,
    shop: Shop,
    folder: TempDir,
    port: u16,
    staff: String,
    order: GuestOrder,
    payment: Value,
}

impl Scene {
    /// A guest has placed an order.
    async fn open(database: &TestDatabase) -> (Self, Process) {
        let shop = Shop::open(database, &[]).await;
        // What it does itself should not look as if it had been done long ago.
        shop.clock.advance(SystemClock.now() - shop.now());
        let mug = shop.add(product("Mug").price(1_999).stock(5)).await;
        let mug = shop.variants_of(mug).await.remove(0);
        let order = shop.ordered(&[(&mug, 3)]).await;
        let folder = tempfile::tempdir().unwrap();
        let token = souk(folder.path(), &database.url())
            .args(["user", "token", "--role", "staff"])
            .output()
            .unwrap();
        let scene = Self {
            sim: Sim::start(Stripe::default()).await,
            shop,
            folder,
            port: free_port(),
            staff: String::from_utf8(token.stdout).unwrap().trim().to_owned(),
            order,
            payment: Value::Null,
        };
        let server = scene.serve();
        (scene, server)
    }

    /// The same, and he has begun to pay and done his part.
    async fn paid(database: &TestDatabase, flow: &str) -> (Self, Process) {
        let (mut scene, server) = Self::open(database).await;
        scene.begins(&server, flow, "REQUIRES_ACTION").await;
        scene.buyer_pays();
        let known = if flow == "CHARGE" {
            "CAPTURED"
        } else {
            "AUTHORIZED"
        };
        let payment = scene.begins(&server, flow, known).await;
        scene.payment = payment["id"].clone();
        (scene, server)
    }

    /// What `paymentCreate` is asked for.
    fn begin(&self, flow: &str) -> Value {
        let input =
            json!({"orderId": self.order.id, "gateway": "STRIPE", "flow": flow, "idempotencyKey": "pay"});
        json!({"input": input, "token": self.order.token})
    }

    /// Begins to pay, and comes back until it stands so; the payment.
    async fn begins(&self, server: &Process, flow: &str, status: &str) -> Value {
        let start = Instant::now();
        loop {
            let mut answer = ask(server, None, PAY, &self.begin(flow)).await.unwrap();
            let payment = answer["data"]["paymentCreate"]["payment"].take();
            if payment["status"] == status {
                return payment;
            }
            assert!(start.elapsed() < PATIENCE, "{payment} is not {status}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    fn buyer_pays(&self) {
        self.sim.with(|stripe| {
            let intent = stripe.intents.keys().next().unwrap().clone();
            stripe.pay(&intent);
        });
    }

    fn serve(&self) -> Process {
        let base = self.sim.base();
        let settings = [&settings(&base)[..], &[("SOUK_DATABASE_CONNECTIONS", "4")]].concat();
        Process::serve(self.folder.path(), self.shop.url(), self.port, &settings)
    }

    /// Asks as staff, and does not wait for the answer.
    fn ask_for(&self, server: &Process, document: &'static str, amount: &str) -> JoinHandle<Option<Value>> {
        let (address, staff, input) = (server.address.clone(), self.staff.clone(), self.input(amount));
        tokio::spawn(async move { ask_at(&address, Some(&staff), document, &input).await })
    }

    /// Asks again, as whoever has lost the answer does.
    async fn ask_again(&self, server: &Process, document: &str, amount: &str) -> Value {
        let answer = ask(server, Some(&self.staff), document, &self.input(amount)).await;
        let mut data = answer.unwrap()["data"].take();
        data.as_object_mut().unwrap().values_mut().next().unwrap().take()
    }

    fn input(&self, amount: &str) -> Value {
        let amount = json!({"amount": amount, "currencyCode": "USD"});
        json!({"input": {"paymentId": self.payment, "amount": amount, "idempotencyKey": amount["amount"]}})
    }

    /// The time of whoever was at it is over: nobody waits for a minute here.
    async fn nobody_is_at_it(&self, table: &str) {
        let sql =
            format!("UPDATE {table} SET attempt_at = '2026-01-01T00:00:00+00:00' WHERE status = 'PENDING'");
        assert_eq!(
            self.shop.execute(&sql).await.unwrap(),
            1,
            "it was written down before"
        );
    }

    async fn comes_to(&self, expected: (String, String, i64, i64)) {
        let start = Instant::now();
        loop {
            let found = standing(&self.shop, self.order.order_id()).await;
            if found == expected {
                break;
            }
            assert!(start.elapsed() < PATIENCE, "{found:?} and not {expected:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn until(&self, done: impl Fn(&mut Stripe) -> bool) {
        let start = Instant::now();
        while !self.sim.with(&done) {
            assert!(start.elapsed() < PATIENCE, "Stripe is not asked");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// The keys by which Stripe was asked for this.
    fn keys(&self, path: &str) -> Vec<String> {
        let asked = self.sim.asked_at("POST", path);
        asked
            .iter()
            .map(|asked| asked.header("idempotency-key").to_owned())
            .collect()
    }

    async fn close(self, server: Process) {
        drop(server);
        self.shop.balance().await;
        let pending = "SELECT kind FROM payment_operation WHERE status = 'PENDING'";
        assert_eq!(self.shop.rows(pending).await, Vec::<Vec<String>>::new());
        let till = Till {
            sim: self.sim,
            shop: self.shop,
        };
        till.close().await;
    }
}

async fn ask(server: &Process, token: Option<&str>, document: &str, variables: &Value) -> Option<Value> {
    ask_at(&server.address, token, document, variables).await
}

/// None when the server dies of it.
async fn ask_at(address: &str, token: Option<&str>, document: &str, variables: &Value) -> Option<Value> {
    let client: Client = client();
    let body = json!({ "query": document, "variables": variables }).to_string();
    let mut request = client
        .post(format!("http://{address}/graphql"))
        .header("content-type", "application/json")
        .body(body);
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    let text = request.send().await.ok()?.text().await.ok()?;
    let answer: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(answer["errors"], Value::Null, "{answer}");
    Some(answer)
}

/// Stripe has made an intent, and the server dies before it hears what it is called.
async fn dies_before_it_hears_of_an_intent(kind: Kind) {
    let Some(database) = TestDatabase::new(kind).await else {
        return;
    };
    let (scene, server) = Scene::open(&database).await;
    scene.sim.mishap("/payment_intents", Mishap::Dawdles(LONG));
    let (address, begin) = (server.address.clone(), scene.begin("CHARGE"));
    let asking = tokio::spawn(async move { ask_at(&address, None, PAY, &begin).await });
    scene.until(|stripe| !stripe.intents.is_empty()).await;
    server.kill();
    assert_eq!(asking.await.unwrap(), None, "nobody has answered");

    scene.nobody_is_at_it("payment_operation").await;
    let server = scene.serve();
    scene.begins(&server, "CHARGE", "REQUIRES_ACTION").await;
    let keys = scene.keys("/payment_intents");
    assert_eq!(
        (keys.len(), &keys[0]),
        (2, &keys[1]),
        "it is asked for by the same key"
    );
    scene.buyer_pays();
    scene.begins(&server, "CHARGE", "CAPTURED").await;
    assert_eq!(
        standing(&scene.shop, scene.order.order_id()).await,
        stands("CONFIRMED", "PAID", 5_997, 0)
    );
    assert_eq!(scene.sim.with(|stripe| stripe.intents.len()), 1);
    scene.close(server).await;
    database.drop().await;
}

/// Stripe has told that somebody has paid, and was told that it was heard; the server dies while it looks what has happened.
async fn dies_while_it_applies_a_message(kind: Kind) {
    let Some(database) = TestDatabase::new(kind).await else {
        return;
    };
    let (scene, server) = Scene::open(&database).await;
    scene.begins(&server, "CHARGE", "REQUIRES_ACTION").await;
    // Nobody but the message has it look.
    let far = "UPDATE payment SET look_at = '2036-01-01T00:00:00+00:00'";
    assert_eq!(scene.shop.execute(far).await.unwrap(), 1);
    scene.buyer_pays();
    let looked = scene.sim.asked_at("GET", "/payment_intents").len();
    scene.sim.mishap("/payment_intents", Mishap::Dawdles(LONG));
    let told = scene.sim.with(|stripe| {
        let intent = stripe.intents.values().next().unwrap();
        intent.json(&stripe.refunds, &[])
    });
    scene.shop.clock.advance(SystemClock.now() - scene.shop.now());
    let told = message(&scene.shop, "evt_1", "payment_intent.succeeded", &told);
    let mut request = client().post(format!("http://{}{}", server.address, told.address));
    for (name, value) in &told.headers {
        request = request.header(name, value);
    }
    assert_eq!(request.body(told.body).send().await.unwrap().status(), 200);
    let start = Instant::now();
    while scene.sim.asked_at("GET", "/payment_intents").len() == looked {
        assert!(start.elapsed() < PATIENCE, "Stripe is not asked");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    server.kill();
    let order = scene.order.order_id();
    assert_eq!(
        standing(&scene.shop, order).await,
        stands("PENDING_PAYMENT", "UNPAID", 0, 0)
    );

    scene.nobody_is_at_it("gateway_event").await;
    let server = scene.serve();
    scene.comes_to(stands("CONFIRMED", "PAID", 5_997, 0)).await;
    assert_eq!(
        events(&scene.shop, order).await[2..],
        ["PAYMENT_CAPTURED", "CONFIRMED"]
    );
    scene.close(server).await;
    database.drop().await;
}

/// Stripe has taken what was promised, and the server dies before it hears of it.
async fn dies_before_it_hears_of_a_capture(kind: Kind) {
    let Some(database) = TestDatabase::new(kind).await else {
        return;
    };
    let (scene, server) = Scene::paid(&database, "AUTHORIZE").await;
    scene.sim.mishap("/capture", Mishap::Dawdles(LONG));
    let asking = scene.ask_for(&server, CAPTURE, "59.97");
    scene
        .until(|stripe| stripe.intents.values().any(|intent| intent.received() > 0))
        .await;
    server.kill();
    assert_eq!(asking.await.unwrap(), None, "nobody has answered");
    assert_eq!(
        standing(&scene.shop, scene.order.order_id()).await,
        stands("CONFIRMED", "AUTHORIZED", 0, 0)
    );
    scene.shop.balance().await;

    scene.nobody_is_at_it("payment_operation").await;
    let server = scene.serve();
    scene.comes_to(stands("CONFIRMED", "PAID", 5_997, 0)).await;
    let again = scene.ask_again(&server, CAPTURE, "59.97").await;
    assert_eq!(
        (&again["payment"]["status"], &again["userErrors"]),
        (&json!("CAPTURED"), &json!([]))
    );
    let keys = scene.keys("/capture");
    assert_eq!(
        (keys.len(), &keys[0]),
        (2, &keys[1]),
        "it is asked for by the same key"
    );
    assert_eq!(
        events(&scene.shop, scene.order.order_id()).await[2..],
        ["PAYMENT_AUTHORIZED", "CONFIRMED", "PAYMENT_CAPTURED"]
    );
    scene.close(server).await;
    database.drop().await;
}

/// The server has written down that money was taken, and dies; nobody has read its answer.
async fn dies_before_it_answers_a_capture(kind: Kind) {
    let Some(database) = TestDatabase::new(kind).await else {
        return;
    };
    let (scene, server) = Scene::paid(&database, "AUTHORIZE").await;
    let asking = scene.ask_for(&server, CAPTURE, "40.00");
    scene
        .comes_to(stands("CONFIRMED", "PARTIALLY_PAID", 4_000, 0))
        .await;
    server.kill();
    drop(asking);

    let server = scene.serve();
    let again = scene.ask_again(&server, CAPTURE, "40.00").await;
    assert_eq!(again["payment"]["capturedAmount"]["amount"], "40.00");
    assert_eq!(
        (&again["payment"]["status"], &again["userErrors"]),
        (&json!("CAPTURED"), &json!([]))
    );
    assert_eq!(scene.keys("/capture").len(), 1);
    scene.close(server).await;
    database.drop().await;
}

/// Stripe has sent money back, and the server dies before it hears of it.
async fn dies_before_it_hears_of_a_refund(kind: Kind) {
    let Some(database) = TestDatabase::new(kind).await else {
        return;
    };
    let (scene, server) = Scene::paid(&database, "CHARGE").await;
    // The list that is looked at first is answered at once.
    scene
        .sim
        .mishap("/v1/refunds", Mishap::Dawdles(Duration::from_millis(1)));
    scene.sim.mishap("/v1/refunds", Mishap::Dawdles(LONG));
    let asking = scene.ask_for(&server, REFUND, "10.00");
    scene.until(|stripe| !stripe.refunds.is_empty()).await;
    server.kill();
    assert_eq!(asking.await.unwrap(), None, "nobody has answered");
    assert_eq!(
        standing(&scene.shop, scene.order.order_id()).await,
        stands("CONFIRMED", "PAID", 5_997, 0)
    );
    scene.shop.balance().await;

    scene.nobody_is_at_it("payment_operation").await;
    let server = scene.serve();
    scene
        .comes_to(stands("CONFIRMED", "PARTIALLY_REFUNDED", 5_997, 1_000))
        .await;
    let again = scene.ask_again(&server, REFUND, "10.00").await;
    assert_eq!(
        (&again["refund"]["status"], &again["userErrors"]),
        (&json!("SUCCEEDED"), &json!([]))
    );
    assert_eq!(scene.keys("/refunds").len(), 1, "it is found where it was made");
    assert_eq!(scene.sim.with(|stripe| stripe.refunds.len()), 1);
    scene.close(server).await;
    database.drop().await;
}

/// The server has written down that money has gone back, and dies; nobody has read its answer.
async fn dies_before_it_answers_a_refund(kind: Kind) {
    let Some(database) = TestDatabase::new(kind).await else {
        return;
    };
    let (scene, server) = Scene::paid(&database, "CHARGE").await;
    let asking = scene.ask_for(&server, REFUND, "10.00");
    scene
        .comes_to(stands("CONFIRMED", "PARTIALLY_REFUNDED", 5_997, 1_000))
        .await;
    server.kill();
    drop(asking);

    let server = scene.serve();
    let again = scene.ask_again(&server, REFUND, "10.00").await;
    assert_eq!(
        (&again["refund"]["status"], &again["userErrors"]),
        (&json!("SUCCEEDED"), &json!([]))
    );
    assert_eq!(again["payment"]["refundedAmount"]["amount"], "10.00");
    assert_eq!(scene.sim.with(|stripe| stripe.refunds.len()), 1);
    scene.close(server).await;
    database.drop().await;
}

macro_rules! on_both {
    ($($name:ident)*) => {$(
        mod $name {
            use super::Kind;

            #[tokio::test(flavor = "multi_thread")]
            async fn sqlite() {
                super::$name(Kind::Sqlite).await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn postgres() {
                super::$name(Kind::Postgres).await;
            }
        }
    )*};
}

on_both! {
    dies_before_it_hears_of_an_intent
    dies_while_it_applies_a_message
    dies_before_it_hears_of_a_capture
    dies_before_it_answers_a_capture
    dies_before_it_hears_of_a_refund
    dies_before_it_answers_a_refund
}
