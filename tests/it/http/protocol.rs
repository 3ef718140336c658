//! GraphQL over HTTP, row by row, and who may ask.

use serde_json::{Value, json};

use super::{ACCEPT_NEW, ACCEPT_OLD, JSON};
use crate::support::{As, Reply, Shop};

const NEW: &str = "application/graphql-response+json; charset=utf-8";
const OLD: &str = "application/json; charset=utf-8";

fn code(reply: &Reply) -> String {
    reply.json()["errors"][0]["extensions"]["code"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}

both! {
    async fn the_status_follows_the_media_type(shop: &Shop) {
        // body, status as graphql-response+json, status as json, code, whether there is data
        let cases: &[(&str, u16, u16, &str, bool)] = &[
            (r#"{"query": "{ __typename }"}"#, 200, 200, "", true),
            (r#"{"query": "{ __typename }", "variables": null, "operationName": null, "extensions": {}, "other": 1}"#, 200, 200, "", true),
            (r#"{"query": "query A { __typename } query B { shop { name } }", "operationName": "A"}"#, 200, 200, "", true),
            (r#"{"query": "{ products(first: -1) { nodes { id } } }"}"#, 200, 200, "BAD_USER_INPUT", true),
            (r#"{"query": "{ product(by: {id: \"nonsense\"}) { id } }"}"#, 200, 200, "BAD_USER_INPUT", true),
            (r#"{"query": "{ shop"}"#, 400, 200, "GRAPHQL_PARSE_FAILED", false),
            (r#"{"query": ""}"#, 400, 200, "GRAPHQL_PARSE_FAILED", false),
            (r#"{"query": "{ nonsense }"}"#, 400, 200, "GRAPHQL_VALIDATION_FAILED", false),
            (r#"{"query": "{ shop }"}"#, 400, 200, "GRAPHQL_VALIDATION_FAILED", false),
            (r#"{"query": "fragment F on Query { __typename }"}"#, 400, 200, "GRAPHQL_PARSE_FAILED", false),
            (r#"{"query": "query A { __typename }", "operationName": "B"}"#, 400, 200, "GRAPHQL_VALIDATION_FAILED", false),
            (r#"{"query": "query A { __typename } query B { __typename }"}"#, 400, 200, "GRAPHQL_VALIDATION_FAILED", false),
            (r#"{"query": "query($n: Int!) { products(first: $n) { nodes { id } } }"}"#, 400, 200, "BAD_USER_INPUT", false),
            (r#"{"query": "query($n: Int) { products(first: $n) { nodes { id } } }", "variables": {"n": "x"}}"#, 400, 200, "BAD_USER_INPUT", false),
            (r#"{"query": "subscription { __typename }"}"#, 400, 200, "GRAPHQL_VALIDATION_FAILED", false),
            (r#"{"query": "{ __typename }", "variables": [7]}"#, 400, 400, "BAD_USER_INPUT", false),
            (r#"{"query": "{ __typename }", "variables": "{}"}"#, 400, 400, "BAD_USER_INPUT", false),
            (r#"{"query": "{ __typename }", "operationName": 1}"#, 400, 400, "BAD_USER_INPUT", false),
            (r#"{"query": "{ __typename }", "extensions": []}"#, 400, 400, "BAD_USER_INPUT", false),
            (r#"{"query": "{ __typename }", "query": "{ shop { name } }"}"#, 400, 400, "BAD_USER_INPUT", false),
            (r#"{"query": 1}"#, 400, 400, "BAD_USER_INPUT", false),
            (r#"{"query": null}"#, 400, 400, "BAD_USER_INPUT", false),
            ("{}", 400, 400, "BAD_USER_INPUT", false),
            ("", 400, 400, "BAD_USER_INPUT", false),
            ("null", 400, 400, "BAD_USER_INPUT", false),
            ("{", 400, 400, "BAD_USER_INPUT", false),
            ("{ __typename }", 400, 400, "BAD_USER_INPUT", false),
            (r#"[{"query": "{ __typename }"}]"#, 400, 400, "BAD_USER_INPUT", false),
        ];
        for (body, new, old, expected, data) in cases {
            for (accept, status, media_type) in [(ACCEPT_NEW, new, NEW), (ACCEPT_OLD, old, OLD)] {
                let reply = shop.post(&[JSON, accept], *body).await;
                assert_eq!(reply.status, *status, "{body} as {media_type}: {}", reply.text());
                assert_eq!(reply.header("content-type"), media_type, "{body}");
                assert_eq!(code(&reply), *expected, "{body}: {}", reply.text());
                let json = reply.json();
                assert_eq!(json.as_object().unwrap().contains_key("data"), *data, "{body}: {json}");
                assert_eq!(json.get("errors").is_none(), expected.is_empty(), "{body}: {json}");
            }
        }
    }
}

both! {
    async fn a_body_that_is_not_utf8_is_refused(shop: &Shop) {
        let mut body = br#"{"query": "{ __typename }", "operationName": ""#.to_vec();
        body.extend([0xff, b'"', b'}']);
        assert_eq!(shop.post(&[JSON], body).await.status, 400);
    }

    async fn the_heavier_media_type_is_answered(shop: &Shop) {
        let body = r#"{"query": "{ __typename }"}"#;
        for (accept, status, media_type) in [
            ("application/json;q=0.5, application/graphql-response+json", 200, NEW),
            ("application/json, application/graphql-response+json;q=0.5", 200, OLD),
            ("*/*", 200, NEW),
            ("text/html, application/json;q=0.1", 200, OLD),
            ("text/html", 406, OLD),
            ("application/json; charset=latin1", 406, OLD),
        ] {
            let reply = shop.post(&[JSON, ("accept", accept)], body).await;
            assert_eq!((reply.status.as_u16(), reply.header("content-type")), (status, media_type), "{accept}");
        }
        assert_eq!(shop.post(&[JSON], body).await.header("content-type"), NEW);
    }

    async fn only_json_is_read(shop: &Shop) {
        let body = r#"{"query": "{ __typename }"}"#;
        for (content_type, status) in [
            ("application/json", 200),
            ("application/json; charset=utf-8", 200),
            ("Application/JSON;charset=\"UTF-8\"", 200),
            ("application/json; charset=latin1", 415),
            ("text/plain", 415),
            ("application/graphql", 415),
            ("application/x-www-form-urlencoded", 415),
            ("multipart/form-data; boundary=x", 415),
            ("application/jsonx", 415),
            ("", 415),
        ] {
            let reply = shop.post(&[("content-type", content_type)], body).await;
            assert_eq!(reply.status, status, "{content_type}: {}", reply.text());
        }
        assert_eq!(shop.post(&[], body).await.status, 415);
        assert_eq!(shop.post(&[JSON, ("content-encoding", "gzip")], body).await.status, 415);
    }

    async fn get_is_for_queries_that_no_foreign_page_can_send(shop: &Shop) {
        let safe = ("graphql-require-preflight", "1");
        for (query, headers, status) in [
            ("query=%7B__typename%7D", vec![safe], 200),
            ("query=query(%24n:Int)%7Bproducts(first:%24n)%7Bnodes%7Bid%7D%7D%7D&variables=%7B%22n%22:1%7D", vec![safe], 200),
            ("query=query+A%7B__typename%7Dquery+B%7B__typename%7D&operationName=B", vec![safe], 200),
            ("query=%7B__typename%7D&variables=&other=1", vec![safe], 200),
            ("query=%7B__typename%7D&variables=%5B7%5D", vec![safe], 400),
            ("query=%7B__typename%7D&variables=x", vec![safe], 400),
            ("query=%7B__typename%7D&query=%7B__typename%7D", vec![safe], 400),
            ("", vec![safe], 400),
            ("query=%7B", vec![safe], 400),
            ("query=mutation%7B__typename%7D", vec![safe], 405),
            ("query=mutation%7B__typename%7D", vec![], 405),
            ("query=query+A%7B__typename%7Dmutation+B%7B__typename%7D&operationName=B", vec![safe], 405),
            ("query=%7B__typename%7D", vec![], 403),
            ("query=%7B__typename%7D", vec![("graphql-require-preflight", "")], 403),
            ("query=%7B__typename%7D", vec![("sec-fetch-site", "cross-site")], 403),
            ("query=%7B__typename%7D", vec![("sec-fetch-site", "same-site")], 403),
            ("query=%7B__typename%7D", vec![("content-type", "text/plain")], 403),
            ("query=%7B__typename%7D", vec![("sec-fetch-site", "same-origin")], 200),
            ("query=%7B__typename%7D", vec![("sec-fetch-site", "none")], 200),
            ("query=%7B__typename%7D", vec![("apollo-require-preflight", "x")], 200),
            ("query=%7B__typename%7D", vec![("x-requested-with", "fetch")], 200),
            ("query=%7B__typename%7D", vec![JSON], 200),
        ] {
            let reply = shop.get(&format!("/graphql?{query}"), &headers).await;
            assert_eq!(reply.status, status, "{query} {headers:?}: {}", reply.text());
            if status == 405 {
                assert_eq!(reply.header("allow"), "POST");
            }
        }
    }

    async fn a_token_counts_or_is_refused(shop: &Shop) {
        let good = shop.token(souk::kernel::actor::Role::Staff);
        let ask = async |value: &str| shop.post(&[JSON, ("authorization", value)], r#"{"query": "{ __typename }"}"#).await;
        for value in [format!("Bearer {good}"), format!("bearer {good}"), format!("Bearer  {good}")] {
            assert_eq!(ask(&value).await.status, 200, "{value}");
        }
        for value in ["", "Bearer", "Bearer x", &good, &format!("Basic {good}"), &format!("Bearer {good}x")] {
            let reply = ask(value).await;
            assert_eq!((reply.status.as_u16(), code(&reply).as_str()), (401, "UNAUTHENTICATED"), "{value}");
            assert!(reply.header("www-authenticate").starts_with("Bearer"), "{value}");
            assert_eq!(reply.json().get("data"), None);
        }
        shop.clock.advance(chrono::Duration::hours(1));
        let reply = ask(&format!("Bearer {good}")).await;
        assert_eq!(reply.json()["errors"][0]["message"], "The access token has expired.");
    }

    async fn every_answer_has_a_name_and_tells_browsers_not_to_guess(shop: &Shop) {
        let reply = shop.get("/health/live", &[("x-request-id", "abc-123")]).await;
        assert_eq!(reply.header("x-request-id"), "abc-123");
        for strange in ["", "a b", "<script>", &"x".repeat(129)] {
            let reply = shop.get("/health/live", &[("x-request-id", strange)]).await;
            assert_eq!(reply.header("x-request-id").len(), 36, "{strange}");
        }
        for address in ["/health/live", "/nothing", "/graphql", "/graphiql"] {
            let reply = shop.get(address, &[]).await;
            assert_eq!(reply.header("x-content-type-options"), "nosniff", "{address}");
            assert!(reply.header("content-security-policy").contains("frame-ancestors 'none'"), "{address}");
        }
    }

    async fn addresses_and_methods_that_are_not_there_are_named(shop: &Shop) {
        let request = |method: &str, address: &str| {
            axum::http::Request::builder().method(method).uri(address).body(axum::body::Body::empty()).unwrap()
        };
        let reply = shop.send(request("PUT", "/graphql")).await;
        assert_eq!((reply.status.as_u16(), reply.header("allow")), (405, "GET,HEAD,POST"));
        let long = "X".repeat(60_000);
        for (method, address, allow) in [
            ("OPTIONS", "/graphql", "GET,HEAD,POST"),
            (&long, "/graphql", "GET,HEAD,POST"),
            ("POST", "/graphql/ws", "GET,HEAD"),
            ("POST", "/graphiql", "GET,HEAD"),
            ("POST", "/graphiql/assets/some.js", "GET,HEAD"),
            ("DELETE", "/health/live", "GET,HEAD"),
            ("POST", "/health/ready", "GET,HEAD"),
            ("POST", "/", "GET,HEAD"),
        ] {
            let reply = shop.send(request(method, address)).await;
            assert_eq!((reply.status.as_u16(), reply.header("allow")), (405, allow), "{address}");
            assert_eq!(code(&reply), "BAD_USER_INPUT", "{address}");
            assert!(reply.text().len() < 300, "{address}: {} bytes", reply.text().len());
        }
        let reply = shop.send(request("GET", "/nothing")).await;
        assert_eq!((reply.status.as_u16(), code(&reply).as_str()), (404, "BAD_USER_INPUT"));
        let home = shop.send(request("GET", "/")).await;
        assert_eq!((home.status.as_u16(), home.header("location")), (307, "/graphiql"));
    }

    async fn only_listed_origins_may_read_answers(shop: &Shop) {
        let listed = shop.beside(&[("SOUK_CORS_ORIGINS", "https://shop.example")]).await;
        let body = r#"{"query": "{ __typename }"}"#;
        for (origin, allowed) in [("https://shop.example", "https://shop.example"), ("https://evil.example", "")] {
            let reply = listed.post(&[JSON, ("origin", origin)], body).await;
            assert_eq!(reply.header("access-control-allow-origin"), allowed);
            let request = axum::http::Request::builder().method("OPTIONS").uri("/graphql").header("origin", origin);
            let request = request
                .header("access-control-request-method", "POST")
                .header("access-control-request-headers", "content-type,authorization,souk-refresh-token")
                .body(axum::body::Body::empty());
            let preflight = listed.send(request.unwrap()).await;
            assert_eq!(preflight.header("access-control-allow-origin"), allowed);
            if allowed.is_empty() {
                continue;
            }
            // The refresh token's cookie, which counts beside its header only.
            assert_eq!(preflight.header("access-control-allow-credentials"), "true");
            assert!(preflight.header("access-control-allow-headers").contains("souk-refresh-token"));
        }
        assert_eq!(shop.post(&[JSON, ("origin", "https://shop.example")], body).await.header("access-control-allow-origin"), "");
        listed.close().await;
    }

    async fn large_answers_are_compressed_for_those_who_ask(shop: &Shop) {
        let body = json!({"query": "{ __schema { types { name description fields { name description } } } }"}).to_string();
        for encoding in ["gzip", "br"] {
            let reply = shop.post(&[JSON, ("accept-encoding", encoding)], body.clone()).await;
            assert_eq!(reply.header("content-encoding"), encoding);
        }
        assert_eq!(shop.post(&[JSON], body).await.header("content-encoding"), "");
    }

    async fn readiness_looks_at_the_database(shop: &Shop) {
        let reply = shop.get("/health/ready", &[]).await;
        assert_eq!((reply.status.as_u16(), reply.json()["status"].clone()), (200, json!("ok")));
        shop.execute("DELETE FROM seaql_migrations WHERE version = (SELECT MAX(version) FROM seaql_migrations)").await.unwrap();
        let reply = shop.get("/health/ready", &[]).await;
        assert_eq!((reply.status.as_u16(), reply.json()["checks"]["migrations"].clone()), (503, json!("not current")));
        assert_eq!(shop.get("/health/live", &[]).await.status, 200);
    }

    async fn production_hides_the_schema_from_all_but_admins(shop: &Shop) {
        let production = shop.beside(&[("SOUK_ENV", "production"), ("SOUK_PASSWORD_MEMORY", "19MiB")]).await;
        let introspect = "{ __schema { queryType { name } } }";
        let refused = production.graphql(As::Staff, introspect, Value::Null).await;
        assert_eq!(refused["errors"][0]["extensions"]["code"], "GRAPHQL_VALIDATION_FAILED");
        let bearer = format!("Bearer {}", production.token(souk::kernel::actor::Role::Admin));
        let body = json!({ "query": introspect }).to_string();
        assert_eq!(production.post(&[JSON, ("authorization", &bearer)], body).await.status, 200);
        assert_eq!(production.get("/", &[]).await.status, 404);
        production.close().await;
    }
}
