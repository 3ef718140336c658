//! `/metrics` of a shop that is used, and of one that strangers shout at.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use reqwest::StatusCode;
use serde_json::json;

use super::Watched;
use super::list::{metric, root};
use crate::support::buyer::PAY;
use crate::support::{Kind, RedisServer, Socket, subscribe};

/// The series of a scrape, without the bounds of histograms, and their values.
fn series(scrape: &str) -> BTreeSet<String> {
    scrape
        .lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty())
        .map(|line| line.rsplit_once(' ').unwrap().0)
        .filter(|series| !series.contains("le=\""))
        .map(str::to_owned)
        .collect()
}

fn value(scrape: &str, series: &str) -> Option<f64> {
    let line = scrape
        .lines()
        .find_map(|line| line.strip_prefix(series)?.strip_prefix(' '))?;
    line.parse().ok()
}

/// Asks until a series has this value.
async fn until(shop: &Watched, series: &str, expected: f64) {
    let start = Instant::now();
    loop {
        let scrape = shop.scrape().await;
        let seen = value(&scrape, series);
        if seen.is_some_and(|seen| (seen - expected).abs() < f64::EPSILON) {
            return;
        }
        assert!(
            start.elapsed() < Duration::from_secs(20),
            "{series} is {seen:?}, not {expected}"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// What promtool thinks of a scrape; without promtool, a loud nothing.
fn check(scrape: &str) {
    let child = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = match child {
        Ok(child) => child,
        Err(error) => {
            let text = format!(
                "\n\nNO PROMTOOL: the scrape is not checked ({error}). Debian: apt-get install prometheus\n"
            );
            assert!(!is_ci(), "{text}");
            std::io::Write::write_all(&mut std::io::stderr(), text.as_bytes()).unwrap();
            return;
        }
    };
    child.stdin.take().unwrap().write_all(scrape.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
}

#[expect(
    clippy::disallowed_methods,
    reason = "it is the test's own, and no setting of the shop"
)]
fn is_ci() -> bool {
    std::env::var_os("CI").is_some()
}

async fn used(kind: Kind) {
    let Some(shop) = Watched::open(kind, &[]).await else {
        return;
    };
    // The last three are one answer: executed, found, and given without a look.
    for first in [5, 6, 6, 6] {
        shop.data(
            "query($first: Int) { products(first: $first) { nodes { name variants { id } } } }",
            json!({ "first": first }),
        )
        .await;
    }
    let (order, token) = shop.order("ann@example.com").await;
    let input =
        json!({"orderId": order, "gateway": "TEST", "testOutcome": "SUCCEED", "idempotencyKey": "payment"});
    shop.data(PAY, json!({"input": input, "token": token})).await;
    until(&shop, "souk_event_position", 4.0).await;

    let scrape = shop.scrape().await;
    for line in &series(&scrape) {
        let name = line.split('{').next().unwrap();
        let metric = metric(name).unwrap_or_else(|| panic!("{name} is in no list"));
        let labels = line
            .split_once('{')
            .map_or("", |(_, labels)| labels.trim_end_matches('}'));
        let labels: BTreeSet<&str> = labels
            .split(',')
            .filter_map(|label| Some(label.split_once('=')?.0))
            .collect();
        assert_eq!(labels, metric.labels.iter().copied().collect(), "{line}");
    }
    let write = if kind == Kind::Sqlite { "write" } else { "primary" };
    for (series, least) in [
        (
            "souk_operation_seconds_count{operation=\"products\",outcome=\"ok\"}",
            2.0,
        ),
        (
            "souk_operation_seconds_count{operation=\"orderPlace\",outcome=\"ok\"}",
            1.0,
        ),
        (
            "souk_http_request_seconds_count{route=\"/graphql\",status=\"2xx\"}",
            4.0,
        ),
        ("souk_orders_placed_total", 1.0),
        ("souk_payments_total{gateway=\"test\",outcome=\"captured\"}", 1.0),
        ("souk_answers_total{outcome=\"kept\"}", 2.0),
        ("souk_answers_total{outcome=\"hit\"}", 1.0),
        ("souk_answers_total{outcome=\"lean\"}", 1.0),
        (
            "souk_cache_requests_total{cache=\"products\",result=\"hit\"}",
            1.0,
        ),
        (
            "souk_cache_requests_total{cache=\"products\",result=\"miss\"}",
            1.0,
        ),
        // The second time it is at hand.
        ("souk_loader_keys_count{loader=\"VariantsByProduct\"}", 1.0),
        ("souk_answer_texts_total{outcome=\"told\"}", 1.0),
        (
            &format!("souk_sql_statement_seconds_count{{pool=\"{write}\",outcome=\"ok\"}}"),
            5.0,
        ),
        (&format!("souk_sql_connections_max{{pool=\"{write}\"}}"), 1.0),
        ("souk_sql_begin_seconds_count{outcome=\"ok\"}", 2.0),
        ("souk_queue_depth{queue=\"holds\"}", 0.0),
        ("souk_queue_oldest_seconds{queue=\"payment_operations\"}", 0.0),
        ("souk_event_position", 4.0),
        ("souk_event_pass_age_seconds", 0.0),
        ("souk_instances", 1.0),
        ("souk_ready", 1.0),
        ("souk_process_start_time_seconds", 1e9),
        ("souk_process_resident_memory_bytes", 1e6),
        (
            "souk_task_seconds_count{task=\"go on with payments\",outcome=\"ok\"}",
            1.0,
        ),
    ] {
        let seen = value(&scrape, series);
        assert!(
            seen.is_some_and(|seen| seen >= least),
            "{series}: {seen:?}\n{scrape}"
        );
    }
    // Scraping is not counted.
    assert!(!scrape.contains("metrics\""), "{scrape}");
    check(&scrape);
    shop.stop().await;
}

#[tokio::test]
async fn a_shop_that_is_used_tells_of_it_on_sqlite() {
    used(Kind::Sqlite).await;
}

#[tokio::test]
async fn a_shop_that_is_used_tells_of_it_on_postgres() {
    used(Kind::Postgres).await;
}

#[tokio::test]
async fn strangers_cannot_make_it_grow() {
    let shop = Watched::open(Kind::Sqlite, &[("SOUK_RATE_LIMIT_API", "off")])
        .await
        .unwrap();
    let shout = async |number: usize| {
        let names = json!({"query": format!("query Made{number} {{ shop {{ name }} }}"), "operationName": format!("Made{number}")});
        assert_eq!(shop.ask(&[], &names).await["errors"], json!(null));
        for query in [
            format!("{{ nonsense{number} }}"),
            format!("{{ a{number}: shop {{ name }} b: products(first: 1) {{ nodes {{ id }} }} }}"),
            format!("{{ shop {{ name{number} }} }}"),
            format!("{{{number}"),
        ] {
            shop.ask(&[], &json!({ "query": query })).await;
        }
        for path in [
            format!("/made-up-{number}"),
            format!("/webhooks/made-up-{number}"),
        ] {
            let method = reqwest::Method::from_bytes(format!("M{number}").as_bytes()).unwrap();
            shop.client.request(method, shop.at(&path)).send().await.unwrap();
        }
    };
    let about = |scrape: &str| -> BTreeSet<String> {
        let mut all = series(scrape);
        all.retain(|line| line.starts_with("souk_operation") || line.starts_with("souk_http"));
        all
    };
    shout(1).await;
    let before = shop.scrape().await;
    for number in 2..=1_000 {
        shout(number).await;
    }
    let after = shop.scrape().await;
    assert_eq!(about(&before), about(&after));
    assert!(!after.to_lowercase().contains("made"), "{after}");
    let count = |outcome: &str| {
        value(
            &after,
            &format!("souk_operation_seconds_count{{operation={outcome}}}"),
        )
    };
    assert_eq!(count("\"shop\",outcome=\"ok\""), Some(1_000.0));
    assert_eq!(count("\"several\",outcome=\"ok\""), Some(1_000.0));
    assert_eq!(count("\"refused\",outcome=\"refused\""), Some(1_000.0));
    assert_eq!(count("\"unknown\",outcome=\"refused\""), Some(1_000.0));
    shop.stop().await;
}

#[tokio::test]
async fn what_is_open_goes_up_and_down() {
    let shop = Watched::open(Kind::Sqlite, &[]).await.unwrap();
    let address = shop.process.address.parse().unwrap();
    until(&shop, "souk_http_connections", 1.0).await;
    let (mut one, other) = (Socket::ready_at(address).await, Socket::ready_at(address).await);
    let token = shop.order("ann@example.com").await;
    let query = format!(
        "subscription {{ orderEvents(orderId: \"{}\", guestToken: \"{}\") {{ type }} }}",
        token.0, token.1
    );
    one.say(subscribe("1", &query)).await;
    until(&shop, "souk_http_sockets", 2.0).await;
    until(&shop, "souk_subscriptions", 1.0).await;
    let stream = shop
        .client
        .post(shop.at("/graphql"))
        .header("accept", "text/event-stream")
        .header("content-type", "application/json")
        .body(json!({ "query": query }).to_string())
        .send()
        .await
        .unwrap();
    until(&shop, "souk_http_event_streams", 1.0).await;
    until(&shop, "souk_subscriptions", 2.0).await;
    drop((one, other, stream));
    for series in [
        "souk_http_sockets",
        "souk_http_event_streams",
        "souk_subscriptions",
    ] {
        until(&shop, series, 0.0).await;
    }
    shop.stop().await;
}

#[tokio::test]
async fn whoever_is_not_listed_finds_nothing() {
    let shop = Watched::open(Kind::Sqlite, &[("SOUK_METRICS_CALLERS", "192.0.2.0/24")])
        .await
        .unwrap();
    let answer = shop.client.get(shop.at("/metrics")).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::NOT_FOUND);
    shop.stop().await;
    let shop = Watched::open(Kind::Sqlite, &[]).await.unwrap();
    for (header, expected) in [
        ("x-anything", StatusCode::OK),
        ("x-forwarded-for", StatusCode::NOT_FOUND),
    ] {
        let request = shop.client.get(shop.at("/metrics")).header(header, "127.0.0.1");
        let answer = request.header("accept-encoding", "gzip").send().await.unwrap();
        assert_eq!(answer.status(), expected, "{header}");
        assert_eq!(answer.headers().get("content-encoding"), None);
    }
    shop.stop().await;
}

#[tokio::test]
async fn what_the_shop_has_written_is_known_by_its_name() {
    let documents = tempfile::tempdir().unwrap();
    let (menu, other) = (
        "query Menu { shop { name } }",
        "query Other { shop { currencyCode } }",
    );
    std::fs::write(documents.path().join("menu.graphql"), menu).unwrap();
    let folder = documents.path().to_str().unwrap();
    let shop = Watched::open(Kind::Sqlite, &[("SOUK_TRUSTED_DOCUMENTS", folder)])
        .await
        .unwrap();
    shop.data(menu, json!({})).await;
    let refused = shop.ask(&[], &json!({ "query": other })).await;
    assert_eq!(
        refused["errors"][0]["extensions"]["code"], "FORBIDDEN",
        "{refused}"
    );
    let scrape = shop.scrape().await;
    let series = "souk_operation_seconds_count{operation=\"Menu\",outcome=\"ok\"}";
    assert_eq!(value(&scrape, series), Some(1.0), "{scrape}");
    assert!(!scrape.contains("Other"), "{scrape}");
    shop.stop().await;
}

#[tokio::test]
async fn it_tells_whether_redis_answers() {
    let Some(mut redis) = RedisServer::new() else {
        return;
    };
    let shop = Watched::open(Kind::Sqlite, &[("REDIS_URL", &redis.url())])
        .await
        .unwrap();
    until(&shop, "souk_redis_up", 1.0).await;
    redis.stop();
    until(&shop, "souk_redis_up", 0.0).await;
    redis.start();
    until(&shop, "souk_redis_up", 1.0).await;
    shop.stop().await;
}

#[test]
fn the_alerts_do_as_they_are_written() {
    let folder = root().join("deploy/prometheus");
    for arguments in [
        &["check", "config", "prometheus.yml"][..],
        &["check", "rules", "alerts.yml"],
        &["test", "rules", "alerts_test.yml"],
    ] {
        match Command::new("promtool")
            .args(arguments)
            .current_dir(&folder)
            .output()
        {
            Ok(output) => assert!(output.status.success(), "{output:?}"),
            Err(_) => check(""),
        }
    }
}
