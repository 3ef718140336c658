//! The deadline reaches the database: what nobody waits for any more does not go on there.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::http::Request;
use http_body_util::BodyExt as _;
use sea_orm::{ConnectionTrait, DbErr, Statement};
use serde_json::{Value, json};
use souk::app::App;
use souk::infra::db::{Db, was_stopped};
use souk::kernel::config::DatabaseConfig;
use souk::kernel::error::Error;
use tower::ServiceExt as _;

use crate::support::{Kind, Shop, product};

const ENDLESS: &str =
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i % 9 + 1 FROM n) SELECT count(*) FROM n";

/// Some tenths of a second on a fast machine.
const LONG: &str =
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300000) SELECT count(*) FROM n";

/// Long before a statement that nobody stops would end.
const PATIENCE: Duration = Duration::from_secs(20);

async fn serving(shop: &Shop, deadline: Duration) -> Db {
    let config = DatabaseConfig {
        connections: 1,
        ..shop.config.database.clone()
    };
    Db::connect(&config)
        .await
        .unwrap()
        .serving(&config, deadline)
        .await
        .unwrap()
}

async fn run(handle: &impl ConnectionTrait, sql: &str) -> Result<(), DbErr> {
    let statement = Statement::from_string(handle.get_database_backend(), sql);
    handle.query_one_raw(statement).await.map(|_| ())
}

async fn is_stopped(handle: &impl ConnectionTrait) {
    let outcome = tokio::time::timeout(PATIENCE, run(handle, ENDLESS)).await;
    let error = outcome.expect("the database stops the statement").unwrap_err();
    assert!(was_stopped(&Error::from(error.clone())), "{error}");
    run(handle, "SELECT 1").await.unwrap();
}

/// What was given up is not only left alone: it does not go on in the server.
async fn nothing_endless_runs(shop: &Shop) {
    let sql =
        "SELECT query FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'souk'
        AND state = 'active' AND query LIKE '%i % 9%' AND pid <> pg_backend_pid()";
    let begun = Instant::now();
    loop {
        let running = shop.rows(sql).await;
        if running.is_empty() {
            return;
        }
        assert!(begun.elapsed() < PATIENCE, "{running:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

both! {
    async fn a_read_that_takes_too_long_is_stopped_and_frees_its_connection(shop: &Shop) {
        let db = serving(shop, Duration::from_millis(500)).await;
        // The first use of a connection, and a later one.
        is_stopped(db.fresh()).await;
        is_stopped(db.fresh()).await;
        // Nobody waits for this one.
        let abandoned = tokio::time::timeout(Duration::from_millis(10), run(db.fresh(), ENDLESS)).await;
        assert!(abandoned.is_err());
        tokio::time::timeout(PATIENCE, run(db.fresh(), "SELECT 1")).await.unwrap().unwrap();
        if shop.kind == Kind::Postgres {
            nothing_endless_runs(shop).await;
        }
        db.close().await.unwrap();
    }

    async fn a_connection_that_is_always_busy_is_not_taken_for_one_long_statement(shop: &Shop) {
        let db = serving(shop, Duration::from_millis(400)).await;
        let short = LONG.replace("300000", "3000");
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_millis(1_500) {
            run(db.fresh(), &short).await.unwrap();
        }
        db.close().await.unwrap();
    }

    async fn commands_and_the_one_writer_take_their_time(shop: &Shop) {
        run(shop.db().fresh(), LONG).await.unwrap();
        let hasty = serving(shop, Duration::from_millis(1)).await;
        let txn = hasty.begin().await.unwrap();
        let stopped = run(&txn, LONG).await.is_err();
        assert_eq!(stopped, shop.kind == Kind::Postgres);
        txn.rollback().await.unwrap();
        hasty.close().await.unwrap();
    }

    async fn an_operation_whose_statement_is_stopped_took_too_long(shop: &Shop) {
        shop.add(product("Mug")).await;
        for sql in ["ALTER TABLE product RENAME TO slow", &format!("CREATE VIEW product AS SELECT slow.* FROM slow, ({ENDLESS}) AS endless")] {
            shop.execute(sql).await.unwrap();
        }
        // The database's deadline alone: that of the operation is far off.
        let db = serving(shop, Duration::from_millis(100)).await;
        let app = App::on(db.clone(), shop.config.clone(), Arc::clone(&shop.clock) as _).unwrap();
        let body = json!({"query": "{ shop { name } products(first: 1) { nodes { id } } }"}).to_string();
        let request = Request::post("/graphql").header("content-type", "application/json").body(Body::from(body));
        let reply = tokio::time::timeout(PATIENCE, app.router().oneshot(request.unwrap())).await.unwrap().unwrap();
        assert_eq!(reply.status(), 503);
        let answer: Value = serde_json::from_slice(&reply.into_body().collect().await.unwrap().to_bytes()).unwrap();
        assert_eq!((&answer["errors"][0]["extensions"]["code"], answer.get("data")), (&json!("TIMEOUT"), None));
        db.close().await.unwrap();
    }
}
