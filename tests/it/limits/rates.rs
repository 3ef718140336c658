//! How much of the API one principal may have: by what operations cost, and by who asks.

use axum::http::StatusCode;
use chrono::Duration;
use serde_json::{Value, json};
use souk::kernel::actor::Role;

use super::{JSON, SEARCH, ask, code};
use crate::support::{Shop, Socket, subscribe};

const TIGHT: &[(&str, &str)] = &[
    ("SOUK_RATE_LIMIT_API", "300/300s"),
    ("SOUK_RATE_LIMIT_STAFF", "1000/1000s"),
];

both! {
    async fn an_empty_bucket_says_when_to_come_again(shop: &Shop) {
        let shop = shop.beside(TIGHT).await;
        let first = ask(&shop, &[], SEARCH).await;
        assert_eq!(first.status, 200);
        let status = |left: u64| json!({"maximumAvailable": 300, "currentlyAvailable": left, "restoreRate": 1.0});
        let cost = json!({"requestedQueryCost": 200, "actualQueryCost": 200, "throttleStatus": status(100)});
        assert_eq!(first.json()["extensions"]["cost"], cost);
        for accept in ["application/json", "application/graphql-response+json"] {
            let reply = ask(&shop, &[("accept", accept)], SEARCH).await;
            assert_eq!((reply.status, reply.header("retry-after")), (StatusCode::TOO_MANY_REQUESTS, "100"));
            let answer = reply.json();
            assert_eq!((code(&answer), &answer["errors"][0]["extensions"]["retryAfter"]), ("THROTTLED", &json!(100)));
            assert_eq!(answer.get("data"), None);
            let cost = json!({"requestedQueryCost": 200, "actualQueryCost": null, "throttleStatus": status(100)});
            assert_eq!(answer["extensions"]["cost"], cost);
        }
        // There is enough for less, and others have their own.
        assert_eq!(ask(&shop, &[], "{ shop { name } }").await.status, 200);
        for (name, role) in [("ann", Role::Customer), ("ben", Role::Customer), ("eve", Role::Staff)] {
            let bearer = format!("Bearer {}", shop.token_of(name, role));
            let reply = ask(&shop, &[("authorization", &bearer)], SEARCH).await;
            let maximum = if role == Role::Staff { 1_000 } else { 300 };
            assert_eq!(reply.json()["extensions"]["cost"]["throttleStatus"]["maximumAvailable"], maximum, "{name}");
        }
        shop.clock.advance(Duration::seconds(99));
        assert_eq!(ask(&shop, &[], SEARCH).await.status, StatusCode::TOO_MANY_REQUESTS);
        shop.clock.advance(Duration::seconds(2));
        assert_eq!(ask(&shop, &[], SEARCH).await.status, 200);
        shop.close().await;
    }

    async fn what_an_answer_did_not_cost_comes_back(shop: &Shop) {
        let shop = shop.beside(TIGHT).await;
        for _ in 0..10 {
            let reply = ask(&shop, &[], "{ products(first: 100) { nodes { id } } }").await;
            let status = &reply.json()["extensions"]["cost"]["throttleStatus"];
            assert_eq!(reply.status, 200);
            assert!(status["currentlyAvailable"].as_u64() >= Some(290), "{status}");
        }
        shop.close().await;
    }

    async fn what_can_never_be_there_is_too_dear(shop: &Shop) {
        let shop = shop.beside(TIGHT).await;
        let answer = ask(&shop, &[], "{ products(first: 100) { nodes { category { name } } } }").await.json();
        assert_eq!(code(&answer), "", "{answer}");
        let answer = ask(&shop, &[], "{ products(first: 100) { nodes { category { name parent { name } } } } }").await.json();
        assert_eq!(code(&answer), "MAX_COST_EXCEEDED");
        assert!(answer["errors"][0]["message"].as_str().unwrap().contains("300 is allowed"), "{answer}");
        shop.close().await;
    }

    async fn what_is_refused_is_not_free(shop: &Shop) {
        let shop = shop.beside(&[("SOUK_RATE_LIMIT_API", "25/1h")]).await;
        // Ten, one that only the schema does not fit, and ten.
        for document in ["{", "{ nothing }", "{ ...A } fragment A on Query { ...A }"] {
            let answer = ask(&shop, &[], document).await.json();
            assert!(["GRAPHQL_PARSE_FAILED", "GRAPHQL_VALIDATION_FAILED"].contains(&code(&answer)), "{answer}");
        }
        let statuses = [shop.post(&[JSON], "[").await.status, ask(&shop, &[], "{").await.status];
        assert_eq!(statuses, [StatusCode::TOO_MANY_REQUESTS; 2]);
        shop.close().await;
    }

    async fn a_socket_costs_and_what_is_asked_over_it(shop: &Shop) {
        let server = shop.serve(&[("SOUK_RATE_LIMIT_API", "230/1h")]).await;
        let mut socket = Socket::ready(&server).await;
        socket.say(subscribe("a", SEARCH)).await;
        let next = socket.hear().await;
        assert_eq!(next["payload"]["extensions"]["cost"]["throttleStatus"]["currentlyAvailable"], 20);
        assert_eq!(socket.hear().await["type"], "complete");
        // Refused before it runs: an error, and no complete after it.
        for document in ["{", SEARCH] {
            socket.say(subscribe("a", document)).await;
            let error = socket.hear().await;
            assert_eq!((&error["type"], &error["id"]), (&json!("error"), &json!("a")));
            let expected = if document == SEARCH { "THROTTLED" } else { "GRAPHQL_PARSE_FAILED" };
            assert_eq!(error["payload"][0]["extensions"]["code"], expected);
        }
        // Ten are left, for one more socket.
        let headers = [("sec-websocket-protocol", "graphql-transport-ws")];
        let _second = Socket::open_with(&server, &headers).await.unwrap();
        assert_eq!(Socket::open_with(&server, &headers).await.err(), Some(429));
        server.stop().await;
    }

    async fn a_stream_of_events_is_charged_at_its_beginning(shop: &Shop) {
        let shop = shop.beside(&[("SOUK_RATE_LIMIT_API", "201/1h")]).await;
        let stream = ("accept", "text/event-stream");
        let first = ask(&shop, &[stream], SEARCH).await;
        assert!(first.text().contains("event: complete"), "{}", first.text());
        let second = ask(&shop, &[stream], SEARCH).await;
        assert!(second.text().contains(r#""code":"THROTTLED""#), "{}", second.text());
        let number: Value = json!(1);
        assert_eq!(ask(&shop, &[], "{ shop { name } }").await.json()["extensions"]["cost"]["actualQueryCost"], number);
        shop.close().await;
    }
}
