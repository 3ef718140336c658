//! A shop to talk to: an instance of the server on a test's database, with a clock that a test moves.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::request::Builder;
use axum::http::{HeaderMap, Request, StatusCode};
use chrono::{DateTime, Utc};
use http_body_util::BodyExt as _;
use sea_orm::{ActiveValue::Set, ConnectionTrait as _, DbErr, EntityTrait as _};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use souk::app::App;
use souk::domain::catalog::insert::{NewProduct, insert_products};
use souk::domain::catalog::shelves::insert_category;
use souk::domain::context::{Context, Platform};
use souk::entity::user_account;
use souk::http::Lean;
use souk::infra::db::Db;
use souk::infra::gateways::Gateways;
use souk::infra::token::Holder;
use souk::kernel::actor::{Actor, Origin, Role};
use souk::kernel::clock::{Clock as _, ManualClock};
use souk::kernel::config::{Config, Source};
use souk::kernel::id::{CategoryId, ProductId, SessionId, UserId};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;
use uuid::Uuid;

use super::database::{Kind, TestDatabase, rows};
use super::goods::GoodsBuilder;

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum As {
    Anonymous,
    Customer,
    Staff,
    Admin,
}

impl As {
    fn role(self) -> Option<Role> {
        match self {
            Self::Anonymous => None,
            Self::Customer => Some(Role::Customer),
            Self::Staff => Some(Role::Staff),
            Self::Admin => Some(Role::Admin),
        }
    }
}

pub(crate) struct Shop {
    pub(crate) kind: Kind,
    pub(crate) config: Config,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) platform: Arc<Platform>,
    url: String,
    app: App,
}

impl Shop {
    /// An instance with these settings over the defaults.
    pub(crate) async fn open(database: &TestDatabase, settings: &[(&str, &str)]) -> Self {
        Self::start(database.kind(), database.url(), settings).await
    }

    /// Another instance on the same database, as a second server would be, or one with other settings:
    /// a cache of its own, its own connections, a clock of its own.
    ///
    /// Without Redis neither tells the other what it changes. So this one keeps no answers unless it is told to.
    pub(crate) async fn beside(&self, settings: &[(&str, &str)]) -> Self {
        let alone = !settings.iter().any(|(name, _)| *name == "REDIS_URL");
        let off = alone.then_some(("SOUK_ANSWER_CACHE_BYTES", "0"));
        let settings: Vec<_> = off.into_iter().chain(settings.iter().copied()).collect();
        Self::start(self.kind, self.url.clone(), &settings).await
    }

    /// The same with these gateways in place of those that the settings offer.
    pub(crate) async fn beside_with(&self, gateways: Gateways) -> Self {
        let (db, config, clock) = Self::parts(self.url.clone(), &[]).await;
        let platform = Platform {
            gateways,
            ..Platform::new(db, clock.clone(), &config).unwrap()
        };
        let app = App::of(platform, config.clone()).unwrap();
        Self {
            platform: Arc::clone(&app.platform),
            kind: self.kind,
            config,
            clock,
            url: self.url.clone(),
            app,
        }
    }

    async fn start(kind: Kind, url: String, settings: &[(&str, &str)]) -> Self {
        let (db, config, clock) = Self::parts(url.clone(), settings).await;
        let app = App::on(db, config.clone(), clock.clone()).unwrap();
        Self {
            platform: Arc::clone(&app.platform),
            kind,
            config,
            clock,
            url,
            app,
        }
    }

    async fn parts(url: String, settings: &[(&str, &str)]) -> (Db, Config, Arc<ManualClock>) {
        let defaults = [
            ("DATABASE_URL", url.as_str()),
            ("SOUK_DATABASE_CONNECTIONS", "5"),
            ("SOUK_JWT_SECRET", "0e1c87b3a95d42f6b8d7c1e05f3a2946"),
            // Tests ask much, from one address, and time stands still.
            ("SOUK_RATE_LIMIT_API", "off"),
            ("SOUK_RATE_LIMIT_STAFF", "off"),
            ("SOUK_RATE_LIMIT_PAYMENTS", "off"),
            ("SOUK_LIMIT_CONNECTIONS_PER_ADDRESS", "1000000"),
            // Longer than a busy machine takes between two statements that are counted.
            ("SOUK_CACHE_TTL", "1m"),
        ];
        // Hashing as it should be would be most of what the tests do; production insists on it.
        let cheap = [("SOUK_PASSWORD_MEMORY", "64KiB")];
        let production = settings.contains(&("SOUK_ENV", "production"));
        let settings = defaults
            .iter()
            .chain(cheap.iter().filter(|_| !production))
            .chain(settings)
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let source = Source::read(settings, Path::new("/nonexistent")).unwrap();
        let config = Config::from_source(&source).unwrap();
        let db = Db::connect(&config.database).await.unwrap();
        let clock = Arc::new(ManualClock::at("2026-03-01T12:00:00Z".parse().unwrap()));
        (db, config, clock)
    }

    /// Gives the connections back: many tests share one server.
    pub(crate) async fn close(self) {
        self.db().clone().close().await.unwrap();
    }

    /// The address of its database.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) fn db(&self) -> &Db {
        &self.platform.db
    }

    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    /// An access token, good for a quarter of an hour by the shop's own clock.
    pub(crate) fn token(&self, role: Role) -> String {
        self.token_of("tester", role)
    }

    /// The same for somebody in particular.
    pub(crate) fn token_of(&self, name: &str, role: Role) -> String {
        let life = Duration::from_secs(15 * 60);
        let user = user_of(name);
        let holder = Holder {
            user,
            session: SessionId(user.0),
            role,
        };
        let issued = self.platform.tokens.issue(&holder, life).unwrap();
        issued.token.expose_secret().to_owned()
    }

    /// Sends a request through everything that stands before the API but the network.
    pub(crate) async fn send(&self, request: Request<Body>) -> Reply {
        let response = self.app.router().oneshot(request).await.unwrap();
        let (head, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Reply {
            status: head.status,
            headers: head.headers,
            body: body.to_vec(),
        }
    }

    /// GET of an address, with these headers.
    pub(crate) async fn get(&self, address: &str, headers: &[(&str, &str)]) -> Reply {
        let request = with_headers(Request::get(address), headers);
        self.send(request.body(Body::empty()).unwrap()).await
    }

    /// POST to the API, with these headers and nothing added.
    pub(crate) async fn post(&self, headers: &[(&str, &str)], body: impl Into<Body>) -> Reply {
        self.post_to("/graphql", headers, body).await
    }

    /// The same to another address.
    pub(crate) async fn post_to(
        &self,
        address: &str,
        headers: &[(&str, &str)],
        body: impl Into<Body>,
    ) -> Reply {
        let request = with_headers(Request::post(address), headers);
        self.send(request.body(body.into()).unwrap()).await
    }

    /// Runs an operation; the answer is the whole body, `data` and `errors`.
    pub(crate) async fn graphql(&self, caller: As, document: &str, variables: Value) -> Value {
        let token = caller.role().map(|role| self.token(role));
        self.graphql_with(token.as_deref(), document, variables).await
    }

    /// The same with this access token.
    pub(crate) async fn graphql_with(&self, token: Option<&str>, document: &str, variables: Value) -> Value {
        let body = json!({ "query": document, "variables": variables }).to_string();
        let bearer = token.map(|token| format!("Bearer {token}"));
        let mut headers = vec![("content-type", "application/json"), ("user-agent", "souk tests")];
        headers.extend(bearer.iter().map(|bearer| ("authorization", bearer.as_str())));
        self.post(&headers, body).await.json()
    }

    /// The same, of an answer that may be a stream: its first event, which is the last that is read.
    pub(crate) async fn post_for_one(&self, headers: &[(&str, &str)], body: impl Into<Body>) -> Reply {
        let request = with_headers(Request::post("/graphql"), headers);
        let request = request.body(body.into()).unwrap();
        let response = self.app.router().oneshot(request).await.unwrap();
        let (head, mut body) = response.into_parts();
        let streams = head.headers["content-type"] == "text/event-stream";
        let (mut read, mut text) = (Vec::new(), String::new());
        loop {
            let events = text
                .split("\n\n")
                .filter_map(|event| event.strip_prefix("event: next\ndata: "));
            if let Some(event) = events
                .take(1)
                .last()
                .filter(|_| streams && text.ends_with("\n\n"))
            {
                read = event.as_bytes().to_vec();
                break;
            }
            let frame = tokio::time::timeout(Duration::from_secs(20), body.frame()).await;
            let Some(frame) = frame.expect("the shop says something") else {
                break;
            };
            read.extend_from_slice(frame.unwrap().data_ref().unwrap());
            text = String::from_utf8_lossy(&read).into_owned();
        }
        Reply {
            status: head.status,
            headers: head.headers,
            body: read,
        }
    }

    /// Begins a subscription and leaves it; the first answer.
    pub(crate) async fn first_event(&self, token: Option<&str>, document: &str) -> Value {
        let bearer = token.map(|token| format!("Bearer {token}"));
        let mut headers = vec![
            ("content-type", "application/json"),
            ("accept", "text/event-stream"),
        ];
        headers.extend(bearer.iter().map(|bearer| ("authorization", bearer.as_str())));
        let body = json!({ "query": document }).to_string();
        self.post_for_one(&headers, body).await.json()
    }

    /// Runs an operation that must succeed; the answer is its `data`.
    pub(crate) async fn data(&self, caller: As, document: &str, variables: Value) -> Value {
        let mut answer = self.graphql(caller, document, variables).await;
        assert_eq!(answer["errors"], Value::Null, "{document}");
        answer["data"].take()
    }

    /// Runs an operation that must succeed, and is executed; how many SQL statements it took.
    pub(crate) async fn statements(&self, caller: As, document: &str, variables: Value) -> u64 {
        self.platform.answers.drop_all();
        let before = self.db().statements();
        self.data(caller, document, variables).await;
        self.db().statements() - before
    }

    /// Another instance that listens on a port of its own, for what needs a network: sockets, slow
    /// clients, stopping.
    pub(crate) async fn serve(&self, settings: &[(&str, &str)]) -> Server {
        let Self {
            app, clock, platform, ..
        } = self.beside(settings).await;
        let lean = Arc::clone(app.lean());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let stopped = stop.clone().cancelled_owned();
        let task = tokio::spawn(async move { app.serve(listener, stopped).await.unwrap() });
        Server {
            address,
            clock,
            platform,
            lean,
            stop,
            task,
        }
    }

    /// Puts products into the shop, as the system itself.
    pub(crate) async fn add_all(&self, products: &[NewProduct]) -> Vec<ProductId> {
        let txn = self.db().begin().await.unwrap();
        let ids = insert_products(&txn, products, &Actor::System, "test", self.now())
            .await
            .unwrap();
        txn.commit().await.unwrap();
        self.platform.answers.drop_all();
        ids
    }

    pub(crate) async fn add(&self, product: GoodsBuilder) -> ProductId {
        self.add_all(&[product.build()]).await[0]
    }

    pub(crate) async fn add_category(&self, name: &str, parent: Option<CategoryId>) -> CategoryId {
        let txn = self.db().begin().await.unwrap();
        let slug = souk::kernel::text::slugify(name, 200);
        let id = insert_category(&txn, name, &slug, parent, self.now())
            .await
            .unwrap();
        txn.commit().await.unwrap();
        self.platform.answers.drop_all();
        id
    }

    /// Gives the user that tests call by this name an account, which nobody can sign in to.
    pub(crate) async fn add_user(&self, name: &str, role: Role) -> UserId {
        let (id, email) = (user_of(name), format!("{name}@example.com"));
        let row = user_account::ActiveModel {
            id: Set(id),
            email: Set(email.clone()),
            email_key: Set(email),
            name: Set(name.to_owned()),
            role: Set(role.into()),
            password_hash: Set("none".to_owned()),
            password_version: Set(1),
            role_changed_at: Set(None),
            created_at: Set(self.now()),
            updated_at: Set(self.now()),
        };
        let txn = self.db().begin().await.unwrap();
        user_account::Entity::insert(row)
            .exec_without_returning(&txn)
            .await
            .unwrap();
        txn.commit().await.unwrap();
        id
    }

    /// One statement in a transaction of its own, past all rules but the database's.
    pub(crate) async fn execute(&self, sql: &str) -> Result<u64, DbErr> {
        let txn = self.db().begin().await?;
        let changed = txn.execute_unprepared(sql).await?.rows_affected();
        txn.commit().await?;
        self.platform.answers.drop_all();
        Ok(changed)
    }

    /// Whoever does the work that nobody waits for.
    pub(crate) fn system(&self) -> Context {
        Context::writing(Actor::System, Origin::default(), Arc::clone(&self.platform))
    }

    /// # Panics
    /// When the books do not balance.
    pub(crate) async fn balance(&self) {
        super::books::balance(self.db()).await;
    }

    /// Rows of a query whose columns are all text.
    pub(crate) async fn rows(&self, sql: &str) -> Vec<Vec<String>> {
        rows(self.db(), sql).await
    }
}

/// The user that tests call by this name: the same in every instance, with or without a row of their own.
pub(crate) fn user_of(name: &str) -> UserId {
    let bytes: Vec<u8> = name.bytes().chain([0; 16]).take(16).collect();
    UserId(Uuid::from_slice(&bytes).unwrap())
}

fn with_headers(request: Builder, headers: &[(&str, &str)]) -> Builder {
    headers
        .iter()
        .fold(request, |request, (name, value)| request.header(*name, *value))
}

/// What came back.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    /// A header's text; empty when it is not there.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }
}

/// A server on a port. Dropped, it is cut off; stopped, it finishes first.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) platform: Arc<Platform>,
    pub(crate) lean: Arc<Lean>,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Server {
    /// Sends a request to the API over a connection of its own; the answer as it came.
    pub(crate) async fn post(&self, headers: &[(&str, &str)], body: &str) -> String {
        let mut lines = format!(
            "POST /graphql HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {}\r\n",
            body.len()
        );
        for (name, value) in headers {
            lines.push_str(&format!("{name}: {value}\r\n"));
        }
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let mut answer = Vec::new();
        stream
            .write_all(format!("{lines}\r\n{body}").as_bytes())
            .await
            .unwrap();
        stream.read_to_end(&mut answer).await.unwrap();
        String::from_utf8(answer).unwrap()
    }

    /// What SIGTERM does; returns when the last request has been answered.
    pub(crate) async fn stop(self) {
        self.stop.cancel();
        self.task.await.unwrap();
    }
}
