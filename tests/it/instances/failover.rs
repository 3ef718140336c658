//! PostgreSQL goes away, comes back, or is another one: what clients are told, and that what they send again is done once.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::http::Request;
use http_body_util::BodyExt as _;
use sea_orm::{ConnectionTrait as _, Database, DatabaseConnection};
use secrecy::SecretString;
use serde_json::{Value, json};
use souk::app::App;
use souk::infra::db::Db;
use souk::kernel::actor::Role;
use souk::kernel::config::DatabaseConfig;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tower::ServiceExt as _;

use crate::support::buyer::{PLACE, address};
use crate::support::grown::Grown;
use crate::support::{As, Shop, TestDatabase, product};

/// Long, because machines may be slow.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a request was answered with.
struct Heard {
    status: u16,
    retry_after: Option<String>,
    body: Value,
}

impl Heard {
    fn error(&self) -> &Value {
        &self.body["errors"][0]["extensions"]
    }

    fn is_to_be_sent_again(&self) -> bool {
        let told = (&self.error()["code"], &self.error()["retryable"]) == (&json!("INTERNAL"), &json!(true));
        told && self.status == 503 && self.retry_after.is_some() && self.body.get("data").is_none()
    }
}

async fn ask(app: &App, document: &str, variables: Value) -> Heard {
    ask_as(app, None, document, variables).await
}

async fn ask_as(app: &App, token: Option<&str>, document: &str, variables: Value) -> Heard {
    let body = json!({"query": document, "variables": variables}).to_string();
    let mut request = Request::post("/graphql")
        .header("content-type", "application/json")
        .header("accept", "application/graphql-response+json");
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    let request = request.body(Body::from(body)).unwrap();
    let response = app.router().oneshot(request).await.unwrap();
    let (head, body) = response.into_parts();
    let retry_after = head.headers.get("retry-after");
    Heard {
        status: head.status.as_u16(),
        retry_after: retry_after.map(|value| value.to_str().unwrap().to_owned()),
        body: serde_json::from_slice(&body.collect().await.unwrap().to_bytes()).unwrap(),
    }
}

/// What a server of this shop's settings would serve, on the database at this address. What is kept is answered while the
/// database is away, too: here it is to be missed.
async fn app(shop: &Shop, url: String, deadline: Duration) -> App {
    keeping(shop, url, deadline, 0).await
}

/// The same, which keeps so many bytes of answers.
async fn keeping(shop: &Shop, url: String, deadline: Duration, answers: u64) -> App {
    let config = DatabaseConfig {
        url: SecretString::from(url),
        connections: 3,
        ..shop.config.database.clone()
    };
    let db = Db::connect(&config).await.unwrap();
    let db = db.serving(&config, deadline).await.unwrap();
    let mut config = shop.config.clone();
    config.cache.answers = answers;
    App::on(db, config, Arc::clone(&shop.clock) as _).unwrap()
}

/// Stands between a client and its database, and cuts the line after a COMMIT when it is told to. Or it says nothing any more, as a
/// host that has lost its power, while whoever comes anew is led to one that answers.
struct Between {
    address: SocketAddr,
    armed: Arc<AtomicBool>,
    silence: watch::Sender<()>,
}

impl Between {
    async fn before(database: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let armed = Arc::new(AtomicBool::new(false));
        let arm = Arc::clone(&armed);
        let silence = watch::Sender::new(());
        let silent = silence.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(&database).await.unwrap();
                tokio::spawn(Self::pass(client, server, Arc::clone(&arm), silent.subscribe()));
            }
        });
        Self {
            address,
            armed,
            silence,
        }
    }

    /// Before the database of this address, and the address that leads to it by here.
    async fn before_url(url: &str) -> (Self, String) {
        let mut url = url::Url::parse(url).unwrap();
        let host = format!("{}:{}", url.host_str().unwrap(), url.port().unwrap());
        let between = Self::before(host).await;
        url.set_port(Some(between.address.port())).unwrap();
        (between, url.into())
    }

    async fn pass(
        mut client: TcpStream,
        mut server: TcpStream,
        armed: Arc<AtomicBool>,
        mut silent: watch::Receiver<()>,
    ) {
        let (mut asked, mut said) = (vec![0; 64 * 1024], vec![0; 64 * 1024]);
        loop {
            tokio::select! {
                // What the database says after the silence began is not to be heard, even if both are met at once.
                biased;
                _ = silent.changed() => std::future::pending().await,
                read = client.read(&mut asked) => {
                    let read = read.unwrap_or(0);
                    if read == 0 || server.write_all(&asked[..read]).await.is_err() {
                        return;
                    }
                    let commits = asked[..read].windows(6).any(|bytes| bytes == b"COMMIT");
                    if commits && armed.swap(false, Ordering::SeqCst) {
                        // It is heard and done, and nobody hears so.
                        assert_ne!(server.read(&mut said).await.unwrap(), 0);
                        return;
                    }
                }
                read = server.read(&mut said) => {
                    let read = read.unwrap_or(0);
                    if read == 0 || client.write_all(&said[..read]).await.is_err() {
                        return;
                    }
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_sent_again_after_an_outage_is_done_once() {
    let Some(grown) = Grown::up(&["--no-souk"]) else {
        return;
    };
    let database = grown.database().await;
    let shop = Shop::open(&database, &[]).await;
    let mug = shop.add(product("Mug").stock(10)).await;
    let mug = shop.variants_of(mug).await.remove(0);
    an_answer_to_a_commit_is_lost(&shop, &database, &mug).await;
    its_host_is_gone_without_a_word(&shop, &database).await;
    who_stops_meanwhile_stops(&shop, &database).await;
    the_database_is_away(&grown, &shop, &database, &mug).await;
    the_address_leads_to_a_standby(&grown, &shop).await;
    shop.balance().await;
    shop.close().await;
}

async fn an_answer_to_a_commit_is_lost(shop: &Shop, database: &TestDatabase, mug: &str) {
    let (between, url) = Between::before_url(&database.url()).await;
    let app = app(shop, url.clone(), Duration::from_secs(10)).await;
    let cart = shop.cart(&[(mug, 1)]).await;
    let input = json!({"cartId": cart, "email": "ann@example.com", "shippingAddress": address(), "idempotencyKey": "lost"});
    between.armed.store(true, Ordering::SeqCst);
    let lost = ask(&app, PLACE, json!({ "input": input })).await;
    assert!(lost.is_to_be_sent_again(), "{} {}", lost.status, lost.body);
    assert!(!between.armed.load(Ordering::SeqCst), "the line was cut");
    let again = ask(&app, PLACE, json!({ "input": input })).await;
    assert!(
        again.body["data"]["orderPlace"]["order"]["id"].is_string(),
        "{}",
        again.body
    );
    assert_eq!(
        shop.rows("SELECT CAST(count(*) AS text) FROM shop_order").await,
        [["1"]]
    );
    what_has_no_key_is_not_to_be_sent_again(&between, &app, shop, mug).await;
    what_has_changed_in_the_catalog_is_shown(&between, &app, shop).await;
    what_was_made_is_in_lists_that_are_kept(&between, shop, url).await;
    app.platform.db.clone().close().await.unwrap();
}

/// Sends it again as long as the answer says so: a busy machine may not connect in the time that a request has for it, for the
/// order or for what is to be read of it afterwards.
async fn place_until_it_is_done(app: &App, input: &Value) {
    let begun = Instant::now();
    loop {
        let told = ask(app, PLACE, json!({ "input": input })).await;
        if told.body["data"]["orderPlace"]["order"]["id"].is_string() {
            return;
        }
        let again = told.error()["retryable"] == json!(true) && begun.elapsed() < PATIENCE;
        assert!(again, "{} {}", told.status, told.body);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// It may have been done, and then it would be done twice.
async fn what_has_no_key_is_not_to_be_sent_again(between: &Between, app: &App, shop: &Shop, mug: &str) {
    let add =
        "mutation($input: CartLinesAddInput!) { cartLinesAdd(input: $input) { cart { totalQuantity } } }";
    let cart = shop.cart(&[(mug, 1)]).await;
    let input = json!({"cartId": cart, "lines": [{"variantId": mug, "quantity": 1}]});
    between.armed.store(true, Ordering::SeqCst);
    let lost = ask(app, add, json!({ "input": input })).await;
    assert!(!between.armed.load(Ordering::SeqCst), "the line was cut");
    assert_eq!(
        (lost.status, &lost.error()["retryable"]),
        (500, &json!(false)),
        "{}",
        lost.body
    );
    let held = "SELECT CAST(sum(quantity) AS text) FROM cart_line";
    assert_eq!(shop.rows(held).await, [["2"]]);
}

/// It is read again, though nobody knows whether it was done.
async fn what_has_changed_in_the_catalog_is_shown(between: &Between, app: &App, shop: &Shop) {
    let tea = shop.add(product("Tea")).await.to_string();
    let read =
        "query($id: ID!) { product(by: {id: $id}) { name variants(first: 1) { id price { amount } } } }";
    let shown = ask(app, read, json!({ "id": tea })).await.body["data"]["product"].take();
    assert_eq!(shown["name"], "Tea");
    let staff = shop.token(Role::Staff);
    for (document, input) in [
        (
            "mutation($input: ProductUpdateInput!) { productUpdate(input: $input) { userErrors { code } } }",
            json!({"productId": tea, "name": "Coffee"}),
        ),
        (
            "mutation($input: ProductVariantUpdateInput!) { productVariantUpdate(input: $input) { userErrors { code } } }",
            json!({"variantId": shown["variants"][0]["id"], "price": "77"}),
        ),
    ] {
        between.armed.store(true, Ordering::SeqCst);
        let lost = ask_as(app, Some(&staff), document, json!({ "input": input })).await;
        assert!(!between.armed.load(Ordering::SeqCst), "the line was cut");
        assert_eq!(lost.error()["code"], "INTERNAL", "{}", lost.body);
        // What is kept is filled again for the next one.
        ask(app, read, json!({ "id": tea })).await;
    }
    let shown = ask(app, read, json!({ "id": tea })).await.body["data"]["product"].take();
    assert_eq!(
        (&shown["name"], &shown["variants"][0]["price"]["amount"]),
        (&json!("Coffee"), &json!("77.00"))
    );
}

async fn what_was_made_is_in_lists_that_are_kept(between: &Between, shop: &Shop, url: String) {
    let app = keeping(shop, url, Duration::from_secs(10), 1 << 20).await;
    let list = "{ products(first: 50) { nodes { name } } }";
    ask(&app, list, json!({})).await;
    let before = app.platform.db.statements();
    let kept = ask(&app, list, json!({})).await;
    assert_eq!(app.platform.db.statements(), before, "{}", kept.body);
    let create =
        "mutation($input: ProductCreateInput!) { productCreate(input: $input) { userErrors { code } } }";
    let input = json!({"name": "Kettle", "status": "ACTIVE", "variants": [{"price": "45"}]});
    between.armed.store(true, Ordering::SeqCst);
    let lost = ask_as(
        &app,
        Some(&shop.token(Role::Staff)),
        create,
        json!({ "input": input }),
    )
    .await;
    assert!(!between.armed.load(Ordering::SeqCst), "the line was cut");
    assert_eq!(lost.error()["code"], "INTERNAL", "{}", lost.body);
    let shown = ask(&app, list, json!({})).await;
    assert!(shown.body.to_string().contains("Kettle"), "{}", shown.body);
    app.platform.db.clone().close().await.unwrap();
}

/// A table that nobody else may read, until it is dropped: so what is asked of it is on its way for as long.
async fn locked(database: &TestDatabase, table: &str) -> DatabaseConnection {
    let connection = Database::connect(database.url()).await.unwrap();
    let sql = format!("BEGIN; LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE");
    connection.execute_unprepared(&sql).await.unwrap();
    connection
}

/// Waits until so many statements wait for a lock.
async fn waiting(shop: &Shop, wanted: usize) {
    let sql = "SELECT CAST(pid AS text) FROM pg_stat_activity WHERE wait_event_type = 'Lock'";
    let begun = Instant::now();
    while shop.rows(sql).await.len() < wanted {
        assert!(begun.elapsed() < PATIENCE, "nothing is on its way");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// All its connections are in use, and nothing ever comes of any of them.
async fn its_host_is_gone_without_a_word(shop: &Shop, database: &TestDatabase) {
    let (between, url) = Between::before_url(&database.url()).await;
    let app = app(shop, url, Duration::from_secs(5)).await;
    let read = "{ products(first: 1) { nodes { name } } }";
    let lock = locked(database, "product").await;
    let gone = async {
        waiting(shop, 3).await;
        between.silence.send_replace(());
        lock.close().await.unwrap();
    };
    let ask_once = || ask(&app, read, json!({}));
    let (one, two, three, ()) = tokio::join!(ask_once(), ask_once(), ask_once(), gone);
    for refused in [one, two, three] {
        assert_eq!(refused.error()["code"], "TIMEOUT", "{}", refused.body);
    }
    let begun = Instant::now();
    while ask_once().await.status != 200 {
        assert!(begun.elapsed() < PATIENCE, "its connections never come back");
    }
    app.platform.db.clone().close().await.unwrap();
}

/// Work that never ends is cut off, and the database is not waited for either.
async fn who_stops_meanwhile_stops(shop: &Shop, database: &TestDatabase) {
    let (between, url) = Between::before_url(&database.url()).await;
    let mut app = app(shop, url, Duration::from_secs(600)).await;
    app.config.http.shutdown_grace = Duration::from_secs(1);
    let lock = locked(database, "cart").await;
    let stop = async {
        waiting(shop, 1).await;
        between.silence.send_replace(());
    };
    let stopped = tokio::time::timeout(PATIENCE, app.work(stop)).await;
    stopped.expect("it never stops").unwrap();
    lock.close().await.unwrap();
}

async fn the_database_is_away(grown: &Grown, shop: &Shop, database: &TestDatabase, mug: &str) {
    let app = app(shop, database.url(), Duration::from_secs(6)).await;
    let cart = shop.cart(&[(mug, 1)]).await;
    let input = json!({"cartId": cart, "email": "ann@example.com", "shippingAddress": address(), "idempotencyKey": "away"});
    let read = "{ products(first: 1) { nodes { name } } }";
    // Its connections are idle when it stops, and are found out then.
    assert_eq!(ask(&app, read, json!({})).await.status, 200);
    grown.tell_aside("postgres stop").await;
    for (document, variables) in [(read, json!({})), (PLACE, json!({ "input": input }))] {
        let refused = ask(&app, document, variables).await;
        assert!(
            refused.is_to_be_sent_again(),
            "{} {}",
            refused.status,
            refused.body
        );
    }
    grown.tell_aside("postgres start").await;
    place_until_it_is_done(&app, &input).await;
    assert_eq!(
        shop.rows("SELECT CAST(count(*) AS text) FROM shop_order").await,
        [["2"]]
    );
    app.platform.db.clone().close().await.unwrap();
}

/// What an address means may change before who it was before is gone.
async fn the_address_leads_to_a_standby(grown: &Grown, shop: &Shop) {
    let replica = DatabaseConfig {
        url: SecretString::from(grown.address("DATABASE_REPLICA_URL")),
        statement_timeout: Some(Duration::from_secs(1)),
        ..shop.config.database.clone()
    };
    assert!(Db::connect(&replica).await.is_err(), "a standby is no primary");
    grown.tell_aside("replica promote").await;
    let db = loop {
        if let Ok(db) = Db::connect(&replica).await {
            break db;
        }
    };
    db.begin().await.unwrap().commit().await.unwrap();
    db.close().await.unwrap();
    let list = "{ products(first: 10) { nodes { name } } }";
    let data = shop.data(As::Anonymous, list, json!({})).await;
    assert!(data.to_string().contains("Coffee"), "{data}");
}
