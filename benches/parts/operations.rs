//! Parts of an answer, without a network: what a document costs before it runs, what it costs to run it, and an order.
//!
//! The shop is the demo's, on SQLite in a temporary folder. `cargo bench -p souk-bench`; whole servers are measured by
//! `scripts/bench`.
#![expect(clippy::unwrap_used, reason = "whatever fails here fails the run")]

use std::path::Path;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::Request;
use axum::http::header::CONTENT_TYPE;
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use serde_json::{Value, json};
use souk::app::App;
use souk::cli::demo;
use souk::graphql::engine::{Engine, GraphqlRequest};
use souk::graphql::schema;
use souk::kernel::actor::Actor;
use souk::kernel::config::{Config, Source};
use tokio::runtime::Runtime;
use tower::ServiceExt as _;
use uuid::Uuid;

const PRODUCTS: &str = include_str!("../documents/w1.graphql");
const PRODUCT: &str = include_str!("../documents/w2.graphql");
const CART: &str = include_str!("../documents/w4-cart.graphql");
const PLACE: &str = include_str!("../documents/w4-place.graphql");
const VARIANTS: &str = include_str!("../documents/variants.graphql");

/// As in Souk: parts are compared, not allocators.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn config(folder: &Path, settings: &[(&str, &str)]) -> Config {
    let url = format!("sqlite://{}/souk.db", folder.display());
    let secret = "0e1c87b3a95d42f6b8d7c1e05f3a2946";
    let defaults = [
        ("DATABASE_URL", url.as_str()),
        ("SOUK_JWT_SECRET", secret),
        ("SOUK_RATE_LIMIT_API", "off"),
    ];
    let settings = defaults.iter().chain(settings);
    let settings = settings.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Config::from_source(&Source::read(settings, folder).unwrap()).unwrap()
}

/// A server of the shop in the folder, which it fills when it is empty.
async fn open(folder: &Path, settings: &[(&str, &str)]) -> App {
    let app = App::start(config(folder, settings)).await.unwrap();
    demo::load_if_empty(&app.platform).await.unwrap();
    app
}

/// Of nothing the shop runs out, however long is measured.
async fn stock_up(folder: &Path) {
    let url = format!("sqlite://{}/souk.db", folder.display());
    let pool = sqlx::SqlitePool::connect(&url).await.unwrap();
    let sql = "UPDATE inventory_level SET on_hand = 1000000000";
    sqlx::query(sql).execute(&pool).await.unwrap();
    pool.close().await;
}

fn body(document: &str, variables: &Value) -> String {
    json!({"query": document, "variables": variables}).to_string()
}

/// The answer to a body, through everything but the network.
async fn post(router: Router, body: String) -> Value {
    let request = Request::post("/graphql")
        .header(CONTENT_TYPE, "application/json")
        .body(Body::from(body))
        .unwrap();
    let response = router.oneshot(request).await.unwrap();
    let bytes = to_bytes(response.into_body(), usize::MAX).await.unwrap();
    let answer: Value = serde_json::from_slice(&bytes).unwrap();
    assert!(answer.get("errors").is_none(), "{answer}");
    answer
}

/// A guest's cart of one line; the body that orders it.
async fn order(router: Router, variant: &Value) -> String {
    let input = json!({"lines": [{"variantId": variant, "quantity": 1}]});
    let answer = post(router, body(CART, &json!({"input": input}))).await;
    let input = json!({
        "cartId": answer.pointer("/data/cartCreate/cart/id").unwrap(),
        "email": "ann@example.com",
        "shippingAddress": {"name": "Ann", "line1": "High Street", "city": "Leeds", "countryCode": "GB"},
        "idempotencyKey": Uuid::new_v4().to_string(),
    });
    body(PLACE, &json!({"input": input}))
}

fn operations(criterion: &mut Criterion) {
    let folder = std::env::temp_dir().join(format!("souk-bench-{}", Uuid::new_v4()));
    std::fs::create_dir(&folder).unwrap();
    let runtime = Runtime::new().unwrap();
    let cached = runtime.block_on(open(&folder, &[]));
    let uncached = runtime.block_on(open(&folder, &[("SOUK_ANSWER_CACHE_BYTES", "0")]));
    runtime.block_on(stock_up(&folder));

    let limits = uncached.config.limits.clone();
    let platform = Arc::clone(&uncached.platform);
    let engine = Engine::new(schema::build(&limits, true), platform, limits, true);
    criterion.bench_function("prepare W1", |bencher| {
        bencher.iter(|| {
            let request = GraphqlRequest {
                query: Some(PRODUCTS.to_owned()),
                ..GraphqlRequest::default()
            };
            engine.prepare(&Actor::Anonymous, request).unwrap()
        });
    });

    let page = body(PRODUCTS, &json!({}));
    for (name, app) in [("W1", &cached), ("W1, no answer cache", &uncached)] {
        criterion.bench_function(name, |bencher| {
            bencher
                .to_async(&runtime)
                .iter(|| post(app.router(), page.clone()));
        });
    }

    let list = runtime.block_on(post(uncached.router(), page.clone()));
    let slug = list.pointer("/data/products/nodes/0/slug").unwrap();
    let product = body(PRODUCT, &json!({"slug": slug}));
    criterion.bench_function("W2, no answer cache", |bencher| {
        bencher
            .to_async(&runtime)
            .iter(|| post(uncached.router(), product.clone()));
    });

    let variants = runtime.block_on(post(uncached.router(), body(VARIANTS, &json!({}))));
    let variant = variants.pointer("/data/products/nodes/0/variants/0/id").unwrap();
    criterion.bench_function("place an order", |bencher| {
        bencher.to_async(&runtime).iter_batched(
            || {
                // Within the runtime already, which does not wait for itself.
                let ready = tokio::task::block_in_place(|| {
                    tokio::runtime::Handle::current().block_on(order(uncached.router(), variant))
                });
                (uncached.router(), ready)
            },
            |(router, ready)| async move {
                let answer = post(router, ready).await;
                assert!(answer.pointer("/data/orderPlace/order/id").is_some(), "{answer}");
            },
            BatchSize::PerIteration,
        );
    });
    std::fs::remove_dir_all(&folder).unwrap();
}

criterion_group!(parts, operations);
criterion_main!(parts);
