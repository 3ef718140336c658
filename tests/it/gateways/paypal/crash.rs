//! The server is killed at the worst moments of a payment: PayPal has done what it was asked, and nobody knows. Whoever starts
//! again asks by the same key, and it was done once.

use std::time::{Duration, Instant};

use reqwest::Client;
use souk::kernel::clock::{Clock as _, SystemClock};
use tempfile::TempDir;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use super::play::Note;
use super::*;
use crate::gateways::sim::Mishap;
use crate::payments::{events, standing, stands, statuses};
use crate::support::buyer::PAY;
use crate::support::process::{Process, client, free_port, souk};
use crate::support::{GuestOrder, product};

/// Longer than any test.
const FOR_EVER: Duration = Duration::from_secs(60);
const PATIENCE: Duration = Duration::from_secs(20);

/// A shop whose server is a process, with PayPal beside it.
struct Place<'a> {
    shop: &'a Shop,
    sim: Sim<PayPal>,
    folder: TempDir,
    port: u16,
    client: Client,
}

impl<'a> Place<'a> {
    async fn of(shop: &'a Shop) -> Self {
        // The process has the world's clock.
        shop.clock.advance(SystemClock.now() - shop.now());
        Self {
            shop,
            sim: Sim::start(PayPal::new()).await,
            folder: tempfile::tempdir().unwrap(),
            port: free_port(),
            client: client(),
        }
    }

    fn serve(&self) -> Process {
        let base = self.sim.base();
        let mut settings = settings(&base).to_vec();
        settings.push(("SOUK_DATABASE_CONNECTIONS", "5"));
        Process::serve(self.folder.path(), self.shop.url(), self.port, &settings)
    }

    fn staff(&self) -> String {
        let mut command = souk(self.folder.path(), self.shop.url());
        let token = command
            .args(["user", "token", "--role", "staff"])
            .output()
            .unwrap();
        String::from_utf8(token.stdout).unwrap().trim().to_owned()
    }

    /// None when the server dies of it.
    async fn ask(&self, token: Option<&str>, document: &str, variables: Value) -> Option<Value> {
        let body = json!({"query": document, "variables": variables}).to_string();
        let address = format!("http://127.0.0.1:{}/graphql", self.port);
        let mut request = self
            .client
            .post(address)
            .header("content-type", "application/json");
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        let text = request.body(body).send().await.ok()?.text().await.ok()?;
        let mut answer: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(answer["errors"], Value::Null, "{answer}");
        Some(answer["data"].take())
    }

    async fn order(&self) -> GuestOrder {
        let mug = self.shop.add(product("Mug").price(1_999).stock(5)).await;
        let mug = self.shop.variants_of(mug).await.remove(0);
        self.shop.ordered(&[(&mug, 3)]).await
    }

    async fn begin(&self, order: &GuestOrder) -> Option<Value> {
        let input = json!({"orderId": order.id, "gateway": "PAYPAL", "idempotencyKey": "a payment"});
        let told = self
            .ask(None, PAY, json!({"input": input, "token": order.token}))
            .await;
        told.map(|mut data| data["paymentCreate"]["payment"].take())
    }

    /// A payment that waits for its buyer, who agrees.
    async fn agreed(&self) -> GuestOrder {
        let order = self.order().await;
        let payment = self.begin(&order).await.unwrap();
        assert_eq!(payment["status"], "REQUIRES_ACTION", "{payment}");
        self.sim.with(PayPal::approve);
        order
    }

    async fn tell(&self, kind: &str) {
        let event = self.sim.with(|paypal| paypal.event(kind));
        let note = Note::new(&event, SystemClock.now());
        let mut request = self
            .client
            .post(format!("http://127.0.0.1:{}/webhooks/paypal", self.port));
        for (name, value) in &note.headers {
            request = request.header(name, value);
        }
        let reply = request.body(note.body).send().await.unwrap();
        assert_eq!(reply.status(), 200);
    }

    /// Whoever was at it is taken for dead by now.
    async fn a_minute_passes(&self) {
        let past = (self.shop.now() - chrono::Duration::minutes(2)).to_rfc3339();
        for (table, column) in [
            ("payment_operation", "attempt_at"),
            ("gateway_event", "attempt_at"),
            ("payment", "look_at"),
        ] {
            let sql = format!("UPDATE {table} SET {column} = '{past}' WHERE {column} IS NOT NULL");
            self.shop.execute(&sql).await.unwrap();
        }
    }

    async fn becomes(&self, order: &GuestOrder, expected: (String, String, i64, i64)) {
        until(async || standing(self.shop, order.order_id()).await == expected).await;
    }

    /// That however often it was asked for, it was by one key. A look may have found it done before that.
    fn was_asked_by_one_key(&self, path: &str) {
        let asked = self.sim.asked_at("POST", path);
        let keys: Vec<&str> = asked
            .iter()
            .map(|asked| asked.header("paypal-request-id"))
            .collect();
        assert!(
            !keys.is_empty() && keys.iter().all(|key| *key == keys[0]),
            "{keys:?}"
        );
    }

    /// The buyer has paid once, and the books agree.
    async fn finish(self, taken: &str, back: &str) {
        let decimal = |text: &str| text.parse::<Decimal>().unwrap();
        assert_eq!(
            self.sim.with(|paypal| paypal.in_all()),
            (decimal(taken), decimal(back))
        );
        let (captures, refunds) = self
            .sim
            .with(|paypal| (paypal.last().captures.len(), paypal.last().refunds.len()));
        assert!(captures <= 1 && refunds <= 1);
        assert_eq!(
            self.sim.with(|paypal| paypal.violations.clone()),
            Vec::<String>::new()
        );
        let pending = "SELECT kind FROM payment_operation WHERE status = 'PENDING'";
        until(async || self.shop.rows(pending).await.is_empty()).await;
        self.shop.balance().await;
    }
}

async fn until(done: impl AsyncFn() -> bool) {
    let start = Instant::now();
    while !done().await {
        assert!(start.elapsed() < PATIENCE, "it does not come");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

both! {
    async fn killed_when_paypal_has_taken_the_money(shop: &Shop) {
        let place = Place::of(shop).await;
        let server = place.serve();
        let order = place.agreed().await;
        place.sim.mishap("/capture", Mishap::Dawdles(FOR_EVER));
        place.tell("CHECKOUT.ORDER.APPROVED").await;
        until(async || place.sim.with(|paypal| !paypal.last().captures.is_empty())).await;
        server.kill();
        assert_eq!(standing(shop, order.order_id()).await, stands("PENDING_PAYMENT", "UNPAID", 0, 0));
        assert_eq!(statuses(shop, order.order_id()).await, ["PROCESSING"]);
        place.a_minute_passes().await;
        let _server = place.serve();
        place.becomes(&order, stands("CONFIRMED", "PAID", 5_997, 0)).await;
        place.was_asked_by_one_key("/capture");
        assert_eq!(events(shop, order.order_id()).await, ["PLACED", "PAYMENT_PENDING", "PAYMENT_CAPTURED", "CONFIRMED"]);
        place.finish("59.97", "0").await;
    }

    async fn killed_when_the_payment_is_written_down_and_nobody_was_told(shop: &Shop) {
        let place = Place::of(shop).await;
        let server = place.serve();
        let order = place.order().await;
        place.sim.mishap("/v2/checkout/orders", Mishap::Dawdles(FOR_EVER));
        let killed = async {
            until(async || place.sim.with(|paypal| !paypal.orders.is_empty())).await;
            server.kill();
        };
        let (told, ()) = tokio::join!(place.begin(&order), killed);
        assert_eq!(told, None);
        assert_eq!(statuses(shop, order.order_id()).await, ["PROCESSING"]);
        place.a_minute_passes().await;
        let _server = place.serve();
        until(async || statuses(shop, order.order_id()).await == ["REQUIRES_ACTION"]).await;
        // Whoever was told nothing asks again, and is told of the same payment.
        let payment = place.begin(&order).await.unwrap();
        assert_eq!(payment["status"], "REQUIRES_ACTION");
        assert_eq!(place.sim.with(|paypal| paypal.orders.len()), 1);
        place.sim.with(PayPal::approve);
        place.tell("CHECKOUT.ORDER.APPROVED").await;
        place.becomes(&order, stands("CONFIRMED", "PAID", 5_997, 0)).await;
        place.finish("59.97", "0").await;
    }

    async fn killed_when_the_order_is_confirmed_and_nobody_was_told(shop: &Shop) {
        let place = Place::of(shop).await;
        let server = place.serve();
        let order = place.agreed().await;
        let back = place.sim.with(|paypal| {
            let source = &paypal.last().request["payment_source"]["paypal"];
            source["experience_context"]["return_url"].as_str().unwrap().to_owned()
        });
        let path = back.split_once("/payments/").unwrap().1;
        // He comes back, and never hears what came of it.
        let mut buyer = TcpStream::connect(&server.address).await.unwrap();
        let request = format!("GET /payments/{path} HTTP/1.1\r\nhost: x\r\n\r\n");
        buyer.write_all(request.as_bytes()).await.unwrap();
        while standing(shop, order.order_id()).await.0 != "CONFIRMED" {
            tokio::task::yield_now().await;
        }
        server.kill();
        drop(buyer);
        place.a_minute_passes().await;
        let _server = place.serve();
        let address = format!("http://127.0.0.1:{}/payments/{path}", place.port);
        assert_eq!(place.client.get(address).send().await.unwrap().status(), 200);
        let payment = place.begin(&order).await.unwrap();
        assert_eq!((&payment["status"], &payment["capturedAmount"]["amount"]), (&json!("CAPTURED"), &json!("59.97")));
        place.tell("PAYMENT.CAPTURE.COMPLETED").await;
        until(async || shop.rows("SELECT event FROM gateway_event WHERE status = 'APPLIED'").await.len() == 1).await;
        assert_eq!(standing(shop, order.order_id()).await, stands("CONFIRMED", "PAID", 5_997, 0));
        assert_eq!(place.sim.asked_at("POST", "/capture").len(), 1);
        place.finish("59.97", "0").await;
    }

    async fn killed_when_paypal_has_given_the_money_back(shop: &Shop) {
        let place = Place::of(shop).await;
        let server = place.serve();
        let order = place.agreed().await;
        place.tell("CHECKOUT.ORDER.APPROVED").await;
        place.becomes(&order, stands("CONFIRMED", "PAID", 5_997, 0)).await;
        let payment = place.begin(&order).await.unwrap();
        place.sim.mishap("/refund", Mishap::Dawdles(FOR_EVER));
        let killed = async {
            until(async || place.sim.with(|paypal| !paypal.last().refunds.is_empty())).await;
            server.kill();
        };
        let refund = "mutation($input: RefundCreateInput!) { refundCreate(input: $input) { refund { id } userErrors { code } } }";
        let input = json!({"input": {"paymentId": payment["id"], "amount": dollars("20"), "idempotencyKey": "back"}});
        let staff = place.staff();
        let (told, ()) = tokio::join!(place.ask(Some(&staff), refund, input.clone()), killed);
        assert_eq!((told, standing(shop, order.order_id()).await.3), (None, 0));
        place.a_minute_passes().await;
        let _server = place.serve();
        until(async || standing(shop, order.order_id()).await.3 == 2_000).await;
        let told = place.ask(Some(&staff), refund, input).await.unwrap();
        assert_eq!(told["refundCreate"]["userErrors"], json!([]), "{told}");
        assert_eq!(standing(shop, order.order_id()).await.3, 2_000);
        place.was_asked_by_one_key("/refund");
        place.finish("59.97", "20").await;
    }
}
