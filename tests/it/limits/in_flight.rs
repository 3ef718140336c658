//! How many operations an instance executes at once.

use std::time::{Duration, Instant};

use axum::http::StatusCode;
use serde_json::json;
use souk::kernel::actor::Role;

use super::{JSON, ask, code};
use crate::http::{CREATE, hold};
use crate::support::{Shop, Socket, subscribe};

both! {
    async fn who_comes_when_all_is_taken_is_told_at_once(shop: &Shop) {
        let settings = [("SOUK_LIMIT_IN_FLIGHT", "1"), ("SOUK_LIMIT_DEADLINE", "60s")];
        let (narrow, server) = (shop.beside(&settings).await, shop.serve(&settings).await);
        let bearer = format!("Bearer {}", shop.token(Role::Staff));
        let mut socket = Socket::of(&server, &shop.token(Role::Staff)).await;
        let held = hold(shop).await;
        let headers = [JSON, ("authorization", bearer.as_str())];
        let slow = narrow.post(&headers, json!({"query": CREATE}).to_string());
        let told = async {
            let begun = Instant::now();
            loop {
                let reply = ask(&narrow, &[], "{ __typename }").await;
                if reply.status != StatusCode::OK {
                    break reply;
                }
                assert!(begun.elapsed() < Duration::from_secs(20), "the mutation never began");
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let rest = async {
            let reply = told.await;
            assert_eq!((reply.status, reply.header("retry-after")), (StatusCode::SERVICE_UNAVAILABLE, "1"));
            assert_eq!((code(&reply.json()), reply.json().get("data")), ("THROTTLED", None));
            // Before its body is read, or what is wrong with it is noticed.
            assert_eq!(narrow.post(&[JSON], "nonsense").await.status, StatusCode::SERVICE_UNAVAILABLE);
            assert_eq!(narrow.get("/health/live", &[]).await.status, StatusCode::OK);
            assert_eq!(narrow.post_to("/webhooks/stripe", &[JSON], "{}").await.status, StatusCode::NOT_FOUND);
            // So it is over a socket.
            socket.say(subscribe("a", CREATE)).await;
            let begun = Instant::now();
            loop {
                socket.say(subscribe("b", "{ __typename }")).await;
                let heard = socket.hear().await;
                if heard["type"] == "error" {
                    assert_eq!(heard["payload"][0]["extensions"]["code"], "THROTTLED");
                    break;
                }
                assert_eq!(socket.hear().await["type"], "complete");
                assert!(begun.elapsed() < Duration::from_secs(20), "the mutation never began");
            }
            held.rollback().await.unwrap();
            assert_eq!(socket.hear().await["payload"]["errors"], json!(null));
        };
        let (slow, ()) = tokio::join!(slow, rest);
        assert_eq!(slow.json()["errors"], json!(null));
        assert_eq!(ask(&narrow, &[], "{ __typename }").await.status, 200);
        server.stop().await;
        narrow.close().await;
    }
}
