//! The server is killed while Daraja is asked, or before its client has the answer. Started again it asks nobody twice, and
//! what the phone has paid or got back is what the books say.

use std::time::{Duration, Instant};

use souk::kernel::clock::{Clock as _, SystemClock};
use tempfile::TempDir;
use tokio::task::JoinHandle;

use super::super::sim::Mishap;
use super::daraja::{PUSH, REVERSE, Sent};
use super::*;
use crate::payments::token;
use crate::support::process::{Process, client, free_port, souk};
use crate::support::{Kind, TestDatabase};

/// When it is killed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Killed {
    /// Daraja has heard it, and has not answered.
    Unanswered,
    /// It has written down the answer.
    Answered,
}

/// What comes first when it is there again.
#[derive(Clone, Copy, PartialEq, Eq)]
enum First {
    /// Whoever was killed has had his time, and another one goes on.
    Worker,
    Message,
}

const STORIES: [(Killed, First); 3] = [
    (Killed::Unanswered, First::Worker),
    (Killed::Unanswered, First::Message),
    (Killed::Answered, First::Message),
];

struct Stage {
    sim: Sim<Daraja>,
    shop: Shop,
    folder: TempDir,
    port: u16,
    staff: String,
}

impl Stage {
    async fn set(database: &TestDatabase) -> Self {
        let shop = Shop::open(database, &[]).await;
        // What it does itself should not look as if it had been done long ago.
        shop.clock.advance(SystemClock.now() - shop.now());
        let folder = tempfile::tempdir().unwrap();
        let token = souk(folder.path(), &database.url())
            .args(["user", "token", "--role", "staff"])
            .output();
        Self {
            sim: Sim::start(Daraja::default()).await,
            shop,
            folder,
            port: free_port(),
            staff: String::from_utf8(token.unwrap().stdout)
                .unwrap()
                .trim()
                .to_owned(),
        }
    }

    fn serve(&self) -> Process {
        let base = self.sim.base();
        let mut settings = settings(&base).to_vec();
        // A test's database has room for a few connections only.
        settings.push(("SOUK_DATABASE_CONNECTIONS", "5"));
        Process::serve(self.folder.path(), self.shop.url(), self.port, &settings)
    }

    /// Begins a request whose answer may never come.
    fn begin(&self, bearer: Option<&str>, document: &str, variables: &Value) -> JoinHandle<Option<Value>> {
        let body = json!({"query": document, "variables": variables}).to_string();
        let mut request = client()
            .post(format!("http://127.0.0.1:{}/graphql", self.port))
            .header("content-type", "application/json")
            .body(body);
        if let Some(bearer) = bearer {
            request = request.bearer_auth(bearer);
        }
        tokio::spawn(async move {
            let text = request.send().await.ok()?.text().await.ok()?;
            serde_json::from_str(&text).ok()
        })
    }

    fn pays(&self, order: OrderId) -> JoinHandle<Option<Value>> {
        let document = "mutation($input: PaymentCreateInput!, $token: String) { paymentCreate(input: $input, guestToken: $token) {
            payment { id status } userErrors { code } } }";
        let input =
            json!({"orderId": order.to_string(), "gateway": "MPESA", "phone": PHONE, "idempotencyKey": "it"});
        self.begin(None, document, &json!({"input": input, "token": token(order)}))
    }

    fn refunds(&self, payment: PaymentId) -> JoinHandle<Option<Value>> {
        let document = "mutation($input: RefundCreateInput!) { refundCreate(input: $input) { refund { id status } userErrors { code } } }";
        let input = json!({"paymentId": payment.to_string(), "idempotencyKey": payment.to_string()});
        self.begin(Some(&self.staff), document, &json!({ "input": input }))
    }

    async fn tell(&self, sent: &Sent) {
        let url = format!("http://127.0.0.1:{}{}", self.port, address(sent));
        let reply = client()
            .post(url)
            .body(sent.body.to_string())
            .send()
            .await
            .unwrap();
        assert_eq!(reply.status().as_u16(), 200);
    }

    /// Waits for what the database is to say.
    async fn becomes(&self, sql: &str, wanted: &str) {
        let start = Instant::now();
        loop {
            let found: Vec<String> = self.shop.rows(sql).await.into_iter().flatten().collect();
            if found == [wanted] {
                return;
            }
            assert!(
                start.elapsed() < Duration::from_secs(30),
                "{sql}: {found:?}, and not {wanted}"
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// The time is over that whoever was killed had for what he did, and it is done by others.
    async fn takes_over(&self, payment: PaymentId) {
        let id = literal(&self.shop, payment.0);
        let past = (self.shop.now() - chrono::TimeDelta::hours(1)).to_rfc3339();
        let attempts =
            format!("SELECT CAST(max(attempts) AS text) FROM payment_operation WHERE payment_id = {id}");
        self.becomes(&attempts, "1").await;
        self.shop
            .execute(&format!("UPDATE payment_operation SET attempt_at = '{past}' WHERE payment_id = {id} AND status = 'PENDING'"))
            .await
            .unwrap();
        self.becomes(&attempts, "2").await;
    }

    async fn end(self) {
        self.shop.balance().await;
        close(self.sim, self.shop).await;
    }
}

async fn heard(stage: &Stage, count: impl Fn(&Daraja) -> usize, wanted: usize) {
    let start = Instant::now();
    while stage.sim.with(|daraja| count(daraja)) < wanted {
        assert!(start.elapsed() < Duration::from_secs(30), "nobody asks Daraja");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// The prompt: nobody is asked for a PIN twice.
async fn prompts(kind: Kind) {
    let Some(database) = TestDatabase::new(kind).await else {
        return;
    };
    let stage = Stage::set(&database).await;
    for (number, (killed, first)) in (1..).zip(STORIES) {
        let order = order(&stage.shop).await;
        let of_order = literal(&stage.shop, order.0);
        let status = format!("SELECT status FROM payment WHERE order_id = {of_order}");
        if killed == Killed::Unanswered {
            stage.sim.mishap(PUSH, Mishap::Dawdles(Duration::from_secs(20)));
        }
        let server = stage.serve();
        let lost = stage.pays(order);
        heard(&stage, |daraja| daraja.prompts.len(), number).await;
        if killed == Killed::Answered {
            stage.becomes(&status, "REQUIRES_ACTION").await;
        }
        server.kill();
        let answer = lost.await.unwrap();
        assert!(killed == Killed::Answered || answer.is_none(), "{answer:?}");

        let _server = stage.serve();
        let again = stage.pays(order).await.unwrap().unwrap();
        let payment = payment_of(&stage.shop, order).await.id;
        let told = &again["data"]["paymentCreate"];
        assert_eq!(
            (&told["payment"]["id"], &told["userErrors"]),
            (&json!(payment.to_string()), &json!([])),
            "{again}"
        );
        let paid = stage.sim.with(Daraja::pay);
        if first == First::Worker {
            stage.takes_over(payment).await;
            stage.becomes(&status, "PROCESSING").await;
        }
        stage.tell(&paid).await;
        stage.becomes(&status, "CAPTURED").await;
        if (killed, first) == (Killed::Unanswered, First::Message) {
            stage.takes_over(payment).await;
        }
        let id = literal(&stage.shop, payment.0);
        let pending = format!("SELECT status FROM payment_operation WHERE payment_id = {id}");
        stage.becomes(&pending, "SUCCEEDED").await;
        assert_eq!(
            standing(&stage.shop, order).await,
            stands("CONFIRMED", "PAID", 1_400, 0)
        );
        assert_eq!(stage.sim.asked_at("POST", PUSH).len(), number);
        assert_eq!(
            events(&stage.shop, order).await,
            ["PLACED", "PAYMENT_PENDING", "PAYMENT_CAPTURED", "CONFIRMED"]
        );
    }
    assert_eq!(stage.sim.with(|daraja| daraja.money()), (42, 0));
    stage.end().await;
    database.drop().await;
}

/// The reversal: what goes back goes back once.
async fn reversals(kind: Kind) {
    let Some(database) = TestDatabase::new(kind).await else {
        return;
    };
    let stage = Stage::set(&database).await;
    for (number, (killed, first)) in (1..).zip(STORIES) {
        let order = order(&stage.shop).await;
        let server = stage.serve();
        stage.pays(order).await.unwrap().unwrap();
        stage.tell(&stage.sim.with(Daraja::pay)).await;
        let payment = payment_of(&stage.shop, order).await.id;
        let id = literal(&stage.shop, payment.0);
        stage
            .becomes(&format!("SELECT status FROM payment WHERE id = {id}"), "CAPTURED")
            .await;
        if killed == Killed::Unanswered {
            stage
                .sim
                .mishap(REVERSE, Mishap::Dawdles(Duration::from_secs(20)));
        }
        let lost = stage.refunds(payment);
        heard(&stage, |daraja| daraja.reversals.len(), number).await;
        if killed == Killed::Answered {
            let known = format!("SELECT gateway_reference FROM refund WHERE payment_id = {id}");
            stage.becomes(&known, &format!("71840-27539181-{number}")).await;
        }
        server.kill();
        let answer = lost.await.unwrap();
        assert!(killed == Killed::Answered || answer.is_none(), "{answer:?}");

        let _server = stage.serve();
        let again = stage.refunds(payment).await.unwrap().unwrap();
        assert_eq!(
            again["data"]["refundCreate"]["refund"]["status"], "PENDING",
            "{again}"
        );
        if (killed, first) == (Killed::Unanswered, First::Worker) {
            let past = (stage.shop.now() - chrono::TimeDelta::hours(1)).to_rfc3339();
            let operation = format!("payment_id = {id} AND kind = 'REFUND'");
            let sql = format!("UPDATE payment_operation SET attempt_at = '{past}' WHERE {operation}");
            stage.shop.execute(&sql).await.unwrap();
            stage
                .becomes(
                    &format!("SELECT CAST(attempts AS text) FROM payment_operation WHERE {operation}"),
                    "2",
                )
                .await;
        }
        stage.tell(&stage.sim.with(Daraja::settle)).await;
        stage
            .becomes(
                &format!("SELECT status FROM refund WHERE payment_id = {id}"),
                "SUCCEEDED",
            )
            .await;
        stage
            .becomes(
                &format!("SELECT DISTINCT status FROM payment_operation WHERE payment_id = {id}"),
                "SUCCEEDED",
            )
            .await;
        assert_eq!(
            standing(&stage.shop, order).await,
            stands("CONFIRMED", "REFUNDED", 1_400, 1_400)
        );
        assert_eq!(stage.sim.asked_at("POST", REVERSE).len(), number);
        assert_eq!(
            events(&stage.shop, order).await[4..],
            ["REFUND_PENDING", "REFUNDED"]
        );
    }
    assert_eq!(stage.sim.with(|daraja| daraja.money()), (42, 42));
    stage.end().await;
    database.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_phone_is_asked_twice_when_the_server_is_killed_on_sqlite() {
    prompts(Kind::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_phone_is_asked_twice_when_the_server_is_killed_on_postgres() {
    prompts(Kind::Postgres).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_goes_back_twice_when_the_server_is_killed_on_sqlite() {
    reversals(Kind::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_goes_back_twice_when_the_server_is_killed_on_postgres() {
    reversals(Kind::Postgres).await;
}
