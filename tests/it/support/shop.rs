//! A shop to talk to: an instance of the server on a test's database, with a clock that a test moves.

use std::path::Path;
use std::sync::Arc;

use async_graphql::{Request, Variables};
use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait as _, DbErr};
use serde_json::Value;
use souk::domain::catalog::insert::{NewProduct, insert_products};
use souk::domain::catalog::shelves::insert_category;
use souk::domain::context::{Context, Platform};
use souk::graphql::execution;
use souk::graphql::schema::{self, ShopSchema};
use souk::infra::db::Db;
use souk::kernel::actor::{Actor, Role};
use souk::kernel::clock::{Clock as _, ManualClock};
use souk::kernel::config::{Config, Source};
use souk::kernel::id::{CategoryId, ProductId};

use super::database::{Kind, TestDatabase, rows};
use super::goods::GoodsBuilder;

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum As {
    Anonymous,
    Customer,
    Staff,
}

impl As {
    fn actor(self) -> Actor {
        let user = |subject: &str, role| Actor::User {
            subject: subject.to_owned(),
            role,
        };
        match self {
            Self::Anonymous => Actor::Anonymous,
            Self::Customer => user("customer", Role::Customer),
            Self::Staff => user("staff", Role::Staff),
        }
    }
}

pub(crate) struct Shop {
    pub(crate) kind: Kind,
    pub(crate) config: Config,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) platform: Arc<Platform>,
    url: String,
    schema: ShopSchema,
}

impl Shop {
    /// An instance with these settings over the defaults.
    pub(crate) async fn open(database: &TestDatabase, settings: &[(&str, &str)]) -> Self {
        Self::start(database.kind(), database.url(), settings).await
    }

    /// Another instance on the same database, as a second server would be, or one with other settings:
    /// a cache of its own, its own connections, a clock of its own.
    pub(crate) async fn beside(&self, settings: &[(&str, &str)]) -> Self {
        Self::start(self.kind, self.url.clone(), settings).await
    }

    async fn start(kind: Kind, url: String, settings: &[(&str, &str)]) -> Self {
        let defaults = [("DATABASE_URL", url.as_str()), ("SOUK_DATABASE_CONNECTIONS", "5")];
        let settings = defaults
            .iter()
            .chain(settings)
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let source = Source::read(settings, Path::new("/nonexistent")).unwrap();
        let config = Config::from_source(&source).unwrap();
        let db = Db::connect(&config.database).await.unwrap();
        let clock = Arc::new(ManualClock::at("2026-03-01T12:00:00Z".parse().unwrap()));
        let platform = Platform::new(db, clock.clone(), config.shop.clone(), &config.cache);
        Self {
            schema: schema::build(&config.limits),
            kind,
            config,
            clock,
            platform: Arc::new(platform),
            url,
        }
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

    /// Runs an operation; the answer is the whole body, `data` and `errors`.
    pub(crate) async fn graphql(&self, caller: As, document: &str, variables: Value) -> Value {
        let context = if document.trim_start().starts_with("mutation") {
            Context::writing
        } else {
            Context::reading
        };
        let context = context(caller.actor(), Arc::clone(&self.platform));
        let request = Request::new(document).variables(Variables::from_json(variables));
        serde_json::to_value(execution::run(&self.schema, request, context).await).unwrap()
    }

    /// Runs an operation that must succeed; the answer is its `data`.
    pub(crate) async fn data(&self, caller: As, document: &str, variables: Value) -> Value {
        let mut answer = self.graphql(caller, document, variables).await;
        assert_eq!(answer["errors"], Value::Null, "{document}");
        answer["data"].take()
    }

    /// Runs an operation that must succeed; how many SQL statements it took.
    pub(crate) async fn statements(&self, caller: As, document: &str, variables: Value) -> u64 {
        let before = self.db().statements();
        self.data(caller, document, variables).await;
        self.db().statements() - before
    }

    /// Puts products into the shop, as the system itself.
    pub(crate) async fn add_all(&self, products: &[NewProduct]) -> Vec<ProductId> {
        let txn = self.db().begin().await.unwrap();
        let ids = insert_products(&txn, products, &Actor::System, "test", self.now())
            .await
            .unwrap();
        txn.commit().await.unwrap();
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
        id
    }

    /// One statement in a transaction of its own, past all rules but the database's.
    pub(crate) async fn execute(&self, sql: &str) -> Result<u64, DbErr> {
        let txn = self.db().begin().await?;
        let changed = txn.execute_unprepared(sql).await?.rows_affected();
        txn.commit().await?;
        Ok(changed)
    }

    /// Rows of a query whose columns are all text.
    pub(crate) async fn rows(&self, sql: &str) -> Vec<Vec<String>> {
        rows(self.db(), sql).await
    }
}
