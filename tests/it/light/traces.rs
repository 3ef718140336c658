//! A trace from a caller through the shop to its database and to a gateway, as a collector receives it.

use std::collections::HashMap;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Told;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;
use serde_json::{Value, json};

use super::Watched;
use crate::gateways::sim::{Answer, Asked, Plays, Sim};
use crate::gateways::stripe::{self, Stripe};
use crate::support::Kind;
use crate::support::buyer::PAY;

const CALLER: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const PAYER: &str = "00-1af7651916cd43dd8448eb211c80319d-c7ad6b7169203332-01";
const PAYING: &str = "1af7651916cd43dd8448eb211c80319d";

/// Somebody who collects traces.
struct Collector;

impl Plays for Collector {
    fn answer(&mut self, asked: &Asked) -> Answer {
        assert_eq!(
            (&*asked.path, asked.header("content-type")),
            ("/v1/traces", "application/x-protobuf")
        );
        Answer {
            status: 200,
            headers: vec![("content-type", "application/x-protobuf".to_owned())],
            body: String::new(),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What was collected, by the ids of spans.
struct Traces(HashMap<String, Span>);

impl Traces {
    fn of(sim: &Sim<Collector>) -> Self {
        let mut spans = HashMap::new();
        for asked in sim.asked() {
            let request = ExportTraceServiceRequest::decode(asked.body).unwrap();
            for resource in request.resource_spans {
                let about = resource.resource.unwrap().attributes;
                let name = about.iter().find(|pair| pair.key == "service.name").unwrap();
                let name = name.value.as_ref().unwrap().value.as_ref().unwrap();
                assert_eq!(name, &Told::StringValue("souk".to_owned()));
                for span in resource.scope_spans.into_iter().flat_map(|scope| scope.spans) {
                    spans.insert(hex(&span.span_id), span);
                }
            }
        }
        Self(spans)
    }

    /// The names from a span up to where the trace began, and the caller's span at the end.
    fn way(&self, span: &Span) -> Vec<String> {
        let mut way = vec![span.name.clone()];
        let mut parent = hex(&span.parent_span_id);
        while let Some(span) = self.0.get(&parent) {
            way.push(span.name.clone());
            parent = hex(&span.parent_span_id);
        }
        way.push(parent);
        way
    }

    /// All ways that begin with this name, in this trace.
    fn ways(&self, trace: &str, name: &str) -> Vec<Vec<String>> {
        let spans = self.0.values();
        let mut ways: Vec<_> = spans
            .filter(|span| hex(&span.trace_id) == trace && span.name == name)
            .map(|span| self.way(span))
            .collect();
        ways.sort();
        ways.dedup();
        ways
    }

    fn one(&self, trace: &str, name: &str) -> &Span {
        let mut found = self.0.values();
        found
            .find(|span| hex(&span.trace_id) == trace && span.name == name)
            .unwrap_or_else(|| panic!("no span {name} in {:?}", self.names()))
    }

    fn names(&self) -> Vec<&str> {
        self.0.values().map(|span| &*span.name).collect()
    }
}

fn told(span: &Span, key: &str) -> Option<Value> {
    let pair = span.attributes.iter().find(|pair| pair.key == key)?;
    match pair.value.as_ref()?.value.as_ref()? {
        Told::StringValue(text) => Some(json!(text)),
        Told::IntValue(number) => Some(json!(number)),
        other => panic!("{other:?}"),
    }
}

async fn followed(kind: Kind) {
    let (collector, gateway) = (Sim::start(Collector).await, Sim::start(Stripe::default()).await);
    let (there, base) = (collector.base(), gateway.base());
    let settings = [
        &stripe::settings(&base)[..],
        &[
            ("OTEL_EXPORTER_OTLP_ENDPOINT", &*there),
            // So that what arrives at all was sent at the end.
            ("OTEL_BSP_SCHEDULE_DELAY", "600000"),
            ("SOUK_LOG", "info"),
            ("SOUK_LOG_FORMAT", "json"),
        ],
    ]
    .concat();
    let Some(shop) = Watched::open(kind, &settings).await else {
        return;
    };
    let query = json!({"query": "query Page { products(first: 5) { nodes { name variants { id } } } }"});
    let answer = shop.ask(&[("traceparent", CALLER)], &query).await;
    assert_eq!(answer["errors"], Value::Null, "{answer}");
    let (order, token) = shop.order("ann@example.com").await;
    let input = json!({"orderId": order, "gateway": "STRIPE", "flow": "CHARGE", "idempotencyKey": "payment"});
    let body = json!({"query": PAY, "variables": {"input": input, "token": token}});
    let paid = shop.ask(&[("traceparent", PAYER)], &body).await;
    assert_eq!(paid["data"]["paymentCreate"]["userErrors"], json!([]), "{paid}");
    let log = tokio::time::timeout(std::time::Duration::from_secs(60), shop.stop())
        .await
        .unwrap();

    let traces = Traces::of(&collector);
    let caller = "b7ad6b7169203331";
    let operation = ["query products", "POST /graphql", caller].map(str::to_owned);
    assert_eq!(traces.ways(TRACE, "query products"), [operation.to_vec()]);
    let of_operation = |names: &[&str]| -> Vec<String> {
        let names = names.iter().map(|name| (*name).to_owned());
        names.chain(operation.iter().cloned()).collect()
    };
    // The list itself is read by the resolver; what is read for all its products at once, by loaders.
    let statements = traces.ways(TRACE, "SELECT");
    for expected in [
        of_operation(&["SELECT", "Query.products"]),
        of_operation(&["SELECT", "load ProductById"]),
        of_operation(&["SELECT", "load VariantsByProduct"]),
    ] {
        assert!(statements.contains(&expected), "{expected:?} of {statements:#?}");
    }
    assert!(
        statements.iter().all(|way| way.ends_with(&operation)),
        "{statements:#?}"
    );

    let request = traces.one(TRACE, "POST /graphql");
    assert_eq!(request.kind, 2, "a server's");
    assert_eq!(told(request, "http.response.status_code"), Some(json!(200)));
    assert_eq!(told(request, "url.path"), Some(json!("/graphql")));
    let operation = traces.one(TRACE, "query products");
    assert_eq!(told(operation, "graphql.operation.type"), Some(json!("query")));
    assert_eq!(told(operation, "graphql.operation.name"), Some(json!("Page")));
    assert!(told(operation, "graphql.document.hash").is_some());
    let statement = traces.one(TRACE, "SELECT");
    let system = if kind == Kind::Sqlite {
        "sqlite"
    } else {
        "postgresql"
    };
    assert_eq!(told(statement, "db.system.name"), Some(json!(system)));
    let text = told(statement, "db.query.text").unwrap();
    assert!(text.as_str().unwrap().starts_with("SELECT "), "{text}");
    assert!(statement.start_time_unix_nano <= statement.end_time_unix_nano);
    assert!(request.start_time_unix_nano <= statement.start_time_unix_nano);

    // From the caller to the gateway, which is told of the call that asks it.
    let asked = gateway.asked_at("POST", "/v1/payment_intents").remove(0);
    let parent: Vec<&str> = asked.header("traceparent").split('-').collect();
    assert_eq!(parent[1], PAYING, "{parent:?}");
    let call = &traces.0[parent[2]];
    let way = traces.way(call);
    assert!(call.name.starts_with("stripe ") && call.kind == 3, "{call:?}");
    let expected = [
        "Mutation.paymentCreate",
        "mutation paymentCreate",
        "POST /graphql",
        "c7ad6b7169203332",
    ];
    assert_eq!(way[1..], expected.map(str::to_owned), "{way:?}");

    for asked in collector.asked() {
        let bytes = String::from_utf8_lossy(&asked.body);
        for secret in ["ann@example.com", "High Street", &token, "$input"] {
            assert!(!bytes.contains(secret), "{secret}");
        }
    }
    // The log knows which trace a line belongs to, also within a mutation, whose task is its own.
    let lines: Vec<Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    for message in ["answered", "a gateway answered"] {
        let told = lines
            .iter()
            .any(|line| line["message"] == message && line["spans"][0]["trace_id"] == PAYING);
        assert!(told, "{message}:\n{log}");
    }
}

#[tokio::test]
async fn a_trace_is_followed_to_the_statement_and_to_the_gateway_on_sqlite() {
    followed(Kind::Sqlite).await;
}

#[tokio::test]
async fn a_trace_is_followed_to_the_statement_and_to_the_gateway_on_postgres() {
    followed(Kind::Postgres).await;
}

#[tokio::test]
async fn a_collector_that_is_down_keeps_nobody_waiting() {
    let nobody = format!("http://127.0.0.1:{}", crate::support::process::free_port());
    let settings = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &*nobody),
        ("OTEL_BSP_SCHEDULE_DELAY", "50"),
    ];
    let shop = Watched::open(Kind::Sqlite, &settings).await.unwrap();
    for _ in 0..20 {
        shop.data("{ shop { name } }", json!({})).await;
    }
    let stopped = tokio::time::timeout(std::time::Duration::from_secs(60), shop.stop()).await;
    stopped.expect("it ends although nobody takes its traces");
}
