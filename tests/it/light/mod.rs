//! What can be seen of a running shop: its metrics, its traces, its log. Of the binary as a process of its own: what it counts
//! and where it logs is one for the process, and here there are a thousand tests in one.

mod list;
mod log;
mod scrape;
mod traces;

use std::fs::File;
use std::process::Stdio;

use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::buyer::{PLACE, address};
use crate::support::process::{Process, client, free_port};
use crate::support::{Kind, Shop, TestDatabase, product};

const CART: &str =
    "mutation($input: CartCreateInput!) { cartCreate(input: $input) { cart { id } userErrors { code } } }";

/// A shop as a process, with one product, and whoever watches it.
struct Watched {
    process: Process,
    database: TestDatabase,
    client: Client,
    folder: TempDir,
    variant: String,
}

impl Watched {
    /// None where there is no such database, and that is all right.
    async fn open(kind: Kind, settings: &[(&str, &str)]) -> Option<Self> {
        let database = TestDatabase::new(kind).await?;
        let shop = Shop::open(&database, &[]).await;
        let id = shop.add(product("Mug").stock(1_000)).await;
        let variant = shop.variants_of(id).await.remove(0);
        shop.close().await;
        let folder = tempfile::tempdir().unwrap();
        let log = Stdio::from(File::create(folder.path().join("log")).unwrap());
        let settings = [&[("SOUK_PASSWORD_MEMORY", "64KiB")], settings].concat();
        let url = database.url();
        let process = Process::serve_and_log(folder.path(), &url, free_port(), &settings, log);
        Some(Self {
            process,
            database,
            client: client(),
            folder,
            variant,
        })
    }

    fn at(&self, path: &str) -> String {
        format!("http://{}{path}", self.process.address)
    }

    /// What `/metrics` answers.
    async fn scrape(&self) -> String {
        let answer = self.client.get(self.at("/metrics")).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        answer.text().await.unwrap()
    }

    /// The answer to an operation, whatever it is.
    async fn ask(&self, headers: &[(&str, &str)], body: &Value) -> Value {
        let request = self.client.post(self.at("/graphql"));
        let request = headers
            .iter()
            .fold(request, |request, (name, value)| request.header(*name, *value));
        let request = request.header("content-type", "application/json");
        let answer = request.body(body.to_string()).send().await.unwrap();
        serde_json::from_str(&answer.text().await.unwrap()).unwrap()
    }

    async fn data(&self, document: &str, variables: Value) -> Value {
        let mut answer = self
            .ask(&[], &json!({"query": document, "variables": variables}))
            .await;
        assert_eq!(answer["errors"], Value::Null, "{document}: {answer}");
        answer["data"].take()
    }

    /// A guest's order: its id, and the token that it is paid with.
    async fn order(&self, email: &str) -> (String, String) {
        let lines = json!({"lines": [{"variantId": self.variant, "quantity": 1}]});
        let cart = self.data(CART, json!({ "input": lines })).await;
        let input = json!({"cartId": cart["cartCreate"]["cart"]["id"], "email": email,
            "shippingAddress": address(), "idempotencyKey": email});
        let placed = self.data(PLACE, json!({ "input": input })).await;
        let text = |value: &Value| value.as_str().unwrap_or_else(|| panic!("{placed}")).to_owned();
        let placed = &placed["orderPlace"];
        (text(&placed["order"]["id"]), text(&placed["guestToken"]))
    }

    /// Stops it; everything that it has logged.
    async fn stop(self) -> String {
        let process = self.process;
        // Whom it sends its last words to may be of this very thread.
        tokio::task::spawn_blocking(move || process.stop()).await.unwrap();
        let log = std::fs::read_to_string(self.folder.path().join("log")).unwrap();
        self.database.drop().await;
        log
    }
}
