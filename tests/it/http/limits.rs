//! Requests larger, deeper or slower than a storefront's.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use souk::kernel::actor::Role;

use super::{ACCEPT_OLD, CREATE, JSON, hold};
use crate::support::{As, Shop};

both! {
    async fn bodies_are_limited_in_size_and_depth(shop: &Shop) {
        let body = |bytes: usize| format!(r#"{{"query": "{{ __typename }}", "x": "{}"}}"#, "y".repeat(bytes));
        assert_eq!(shop.post(&[JSON], body(1_000_000)).await.status, 200);
        let reply = shop.post(&[JSON], body(1 << 20)).await;
        assert_eq!((reply.status.as_u16(), reply.json()["errors"][0]["extensions"]["code"].clone()), (413, json!("BAD_USER_INPUT")));
        // Without a length told beforehand, it is counted.
        let stream = futures_util::stream::iter((0..20).map(|_| Ok::<_, std::io::Error>(vec![b' '; 100_000])));
        assert_eq!(shop.post(&[JSON], axum::body::Body::from_stream(stream)).await.status, 413);
        let deep = |levels: usize| {
            format!(r#"{{"query": "{{ __typename }}", "variables": {{"x": {}{}}}}}"#, "[".repeat(levels), "]".repeat(levels))
        };
        assert_eq!(shop.post(&[JSON], deep(60)).await.status, 200);
        let reply = shop.post(&[JSON], deep(63)).await;
        assert_eq!(reply.status, 400);
        assert!(reply.text().contains("64 levels deep"), "{}", reply.text());
        assert_eq!(shop.post(&[JSON], deep(400_000)).await.status, 400);
    }

    async fn a_fragment_bomb_is_answered_at_once(shop: &Shop) {
        let mut bomb = "{ ...F0 }".to_owned();
        for level in 0..30 {
            bomb.push_str(&format!(" fragment F{level} on Query {{ ...F{n} ...F{n} }}", n = level + 1));
        }
        bomb.push_str(" fragment F30 on Query { __typename }");
        let start = Instant::now();
        let answer = shop.graphql(As::Anonymous, &bomb, Value::Null).await;
        // Walked, its two thousand million fields would take minutes.
        assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
        assert_eq!(answer["errors"][0]["extensions"]["code"], "GRAPHQL_VALIDATION_FAILED");
    }

    async fn an_operation_that_takes_too_long_is_stopped(shop: &Shop) {
        let hasty = shop.beside(&[("SOUK_LIMIT_DEADLINE", "50ms")]).await;
        let bearer = format!("Bearer {}", shop.token(Role::Staff));
        let staff = ("authorization", bearer.as_str());
        let body = json!({"query": CREATE}).to_string();
        let held = hold(shop).await;
        let new = hasty.post(&[JSON, staff], body.clone()).await;
        assert_eq!((new.status.as_u16(), new.json()["errors"][0]["extensions"]["code"].clone()), (503, json!("TIMEOUT")));
        assert_eq!(new.json().get("data"), None);
        assert_eq!(hasty.post(&[JSON, staff, ACCEPT_OLD], body).await.status, 200);
        held.rollback().await.unwrap();
        // Answered or not, both run to their end.
        let patience = Instant::now();
        while shop.rows("SELECT name FROM product").await.len() < 2 {
            assert!(patience.elapsed() < Duration::from_secs(20));
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        hasty.close().await;
    }

    async fn errors_are_few_and_short(shop: &Shop) {
        let fields: String = (0..100).map(|n| format!(" nothing{n}")).collect();
        let answer = shop.graphql(As::Anonymous, &format!("{{ {fields} }}"), Value::Null).await;
        assert_eq!(answer["errors"].as_array().unwrap().len(), 20);
        let long = format!("{{ products(filter: {{price: {{min: \"{}\"}}}}) {{ nodes {{ id }} }} }}", "x".repeat(100_000));
        for document in [long, format!("{{ node(id: \"{}\") {{ id }} }}", "x".repeat(100_000)), format!("{{ shop \"{}\" }}", "x".repeat(100_000))] {
            let answer = shop.graphql(As::Anonymous, &document, Value::Null).await;
            let text = answer["errors"].to_string();
            assert!(text.len() < 2_000 && text.len() > 10, "{} bytes", text.len());
        }
    }

    async fn every_error_has_a_code_of_the_contract(shop: &Shop) {
        let codes = [
            "GRAPHQL_PARSE_FAILED", "GRAPHQL_VALIDATION_FAILED", "BAD_USER_INPUT", "UNAUTHENTICATED", "FORBIDDEN",
            "THROTTLED", "MAX_COST_EXCEEDED", "TIMEOUT", "INTERNAL",
        ];
        for (document, variables) in [
            ("{ products(first: 99999999999) { nodes { id } } }", Value::Null),
            ("{ products(first: null, after: 1) { nodes { id } } }", Value::Null),
            ("{ products(after: \"x\") { nodes { id } } }", Value::Null),
            ("{ products(sort: {field: NOTHING}) { nodes { id } } }", Value::Null),
            ("query($d: Decimal) { products(filter: {price: {min: $d}}) { nodes { id } } }", json!({"d": "x"})),
            ("query($d: Decimal) { products(filter: {price: {min: $d}}) { nodes { id } } }", json!({"d": 1.5})),
            ("{ product(by: {}) { id } }", Value::Null),
            ("{ product(by: {id: \"a\", slug: \"b\"}) { id } }", Value::Null),
            ("{ product { id } }", Value::Null),
            ("{ shop @nothing { name } }", Value::Null),
            ("{ shop { name { x } } }", Value::Null),
            ("{ shop { name name: currencyCode } }", Value::Null),
            ("{ ...F } fragment F on Nothing { id }", Value::Null),
            ("mutation { nothing }", Value::Null),
        ] {
            let answer = shop.graphql(As::Staff, document, variables).await;
            let errors = answer["errors"].as_array().unwrap_or_else(|| panic!("{document}: {answer}"));
            for error in errors {
                let code = error["extensions"]["code"].as_str().unwrap_or_default();
                assert!(codes.contains(&code) && code != "INTERNAL", "{document}: {error}");
            }
        }
    }
}
