//! graphql-transport-ws, event by event, over real sockets.

use std::time::{Duration, Instant};

use serde_json::json;
use souk::kernel::actor::Role;
use souk::kernel::id::SessionId;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;

use super::{CREATE, hold};
use crate::accounts::revocations::{revoke, sign_up};
use crate::support::{BIG, Shop, Socket, big_goods, subscribe, user_of};

/// What a client reads whose token was taken back.
const REVOKED: &str = "Forbidden: The access token no longer counts: refresh it, or sign in again.";

const ASK: &str = "{ __typename }";

both! {
    async fn queries_are_answered_and_ids_are_free_again(shop: &Shop) {
        let server = shop.serve(&[]).await;
        let mut socket = Socket::ready(&server).await;
        for _ in 0..2 {
            socket.say(subscribe("a", ASK)).await;
            let cost = json!({"cost": {"requestedQueryCost": 1, "actualQueryCost": 1}});
            assert_eq!(socket.hear().await, json!({"type": "next", "id": "a", "payload": {"data": {"__typename": "Query"}, "extensions": cost}}));
            assert_eq!(socket.hear().await, json!({"type": "complete", "id": "a"}));
        }
        socket.say(subscribe("b", "{ products(first: -1) { nodes { id } } }")).await;
        let next = socket.hear().await;
        assert_eq!((&next["type"], &next["payload"]["errors"][0]["extensions"]["code"]), (&json!("next"), &json!("BAD_USER_INPUT")));
        assert_eq!(socket.hear().await["type"], "complete");
        // Before anything is executed: an error, and no complete after it.
        for query in ["{ nonsense }", "{", "subscription { __typename }"] {
            socket.say(subscribe("c", query)).await;
            let error = socket.hear().await;
            assert_eq!((&error["type"], &error["id"]), (&json!("error"), &json!("c")), "{query}");
            assert!(error["payload"][0]["extensions"]["code"].is_string(), "{error}");
        }
        socket.say(json!({"type": "ping", "payload": {"x": 1}})).await;
        assert_eq!(socket.hear().await, json!({"type": "pong", "payload": {"x": 1}}));
        socket.say(json!({"type": "complete", "id": "unknown"})).await;
        socket.say(json!({"type": "pong"})).await;
        socket.say(json!({"type": "ping"})).await;
        assert_eq!(socket.hear().await, json!({"type": "pong"}));
        server.stop().await;
    }

    async fn pings_are_answered_before_the_greeting(shop: &Shop) {
        let server = shop.serve(&[]).await;
        let mut socket = Socket::open(&server).await;
        socket.say(json!({"type": "ping"})).await;
        assert_eq!(socket.hear().await, json!({"type": "pong"}));
        socket.send(Message::Ping(vec![1].into())).await;
        assert_eq!(socket.next().await, Some(Message::Pong(vec![1].into())));
        server.stop().await;
    }

    async fn whoever_does_not_keep_to_the_protocol_is_shown_out(shop: &Shop) {
        let server = shop.serve(&[]).await;
        let text = |text: &str| Message::Text(text.to_owned().into());
        for (message, code) in [
            (text("nonsense"), 4400),
            (text("{}"), 4400),
            (text("[]"), 4400),
            (text(r#"{"type": "nonsense"}"#), 4400),
            (text(r#"{"type": "next", "id": "a", "payload": {}}"#), 4400),
            (text(r#"{"type": "connection_ack"}"#), 4400),
            (text(r#"{"type": "connection_init"}"#), 4429),
            (text(r#"{"type": "subscribe"}"#), 4400),
            (text(r#"{"type": "subscribe", "id": 1, "payload": {"query": "{ __typename }"}}"#), 4400),
            (text(r#"{"type": "subscribe", "id": "", "payload": {"query": "{ __typename }"}}"#), 4400),
            (text(r#"{"type": "subscribe", "id": "a", "payload": {}}"#), 4400),
            (text(r#"{"type": "subscribe", "id": "a", "payload": {"query": "{ __typename }", "variables": [7]}}"#), 4400),
            (text(r#"{"type": "ping", "payload": 1}"#), 4400),
            (text(&format!(r#"{{"type": "ping", "payload": {}}}"#, "[".repeat(1000))), 4400),
            (Message::Binary(vec![1].into()), 4400),
            (text(&"x".repeat(70_000)), 1009),
        ] {
            let mut socket = Socket::ready(&server).await;
            let shown = format!("{message:.80}");
            socket.send(message).await;
            let (closed, reason) = socket.closed().await;
            assert_eq!(closed, code, "{shown}: {reason}");
            assert!(!reason.is_empty(), "{shown}");
        }
        server.stop().await;
    }

    async fn who_one_is_comes_first_and_in_time(shop: &Shop) {
        let server = shop.serve(&[("SOUK_LIMIT_SOCKET_INIT_TIMEOUT", "300ms")]).await;
        let mut silent = Socket::open(&server).await;
        assert_eq!(silent.closed().await, (4408, "Connection initialisation timeout".to_owned()));
        server.stop().await;
        let server = shop.serve(&[]).await;
        let mut hasty = Socket::open(&server).await;
        hasty.say(subscribe("a", ASK)).await;
        assert_eq!(hasty.closed().await, (4401, "Unauthorized".to_owned()));
        for authorization in ["nonsense", "Bearer nonsense", ""] {
            let mut socket = Socket::open(&server).await;
            socket.say(json!({"type": "connection_init", "payload": {"authorization": authorization}})).await;
            assert_eq!(socket.closed().await, (4403, "Forbidden".to_owned()), "{authorization}");
        }
        let mut staff = Socket::of(&server, &shop.token(Role::Staff)).await;
        let statuses = "{ products(first: 1, filter: {statuses: [DRAFT]}) { totalCount } }";
        staff.say(subscribe("a", statuses)).await;
        assert_eq!(staff.hear().await["payload"]["data"]["products"]["totalCount"], 0);
        server.stop().await;
    }

    async fn sockets_of_a_session_are_closed_with_it_and_no_others(shop: &Shop) {
        let server = shop.serve(&[]).await;
        let token = |name: &str| shop.token_of(name, Role::Customer);
        let mut ann = [Socket::of(&server, &token("ann")).await, Socket::of(&server, &token("ann")).await];
        let mut ben = Socket::of(&server, &token("ben")).await;
        let mut cat = Socket::of(&server, &token("cat")).await;
        let mut nobody = Socket::ready(&server).await;
        let begun = Instant::now();
        server.platform.revocations.end(&[SessionId(user_of("ann").0)], shop.now());
        for socket in &mut ann {
            assert_eq!(socket.closed().await, (4403, REVOKED.to_owned()));
        }
        server.platform.revocations.role_changed(user_of("ben"), Role::Staff, shop.now());
        assert_eq!(ben.closed().await, (4403, REVOKED.to_owned()));
        assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
        for socket in [&mut cat, &mut nobody] {
            socket.say(subscribe("a", ASK)).await;
            assert_eq!(socket.hear().await["type"], "next");
        }
        // Nor is another one opened.
        for token in [token("ann"), token("ben")] {
            let mut socket = Socket::open(&server).await;
            socket.greet(&token).await;
            assert_eq!(socket.closed().await, (4403, REVOKED.to_owned()));
        }
        server.stop().await;
    }

    async fn a_socket_is_closed_by_what_another_instance_revokes(shop: &Shop) {
        let server = shop.serve(&[]).await;
        sign_up(shop, "ann").await;
        let mut socket = Socket::of(&server, &shop.token_of("ann", Role::Customer)).await;
        revoke(shop, "ann", shop.now()).await;
        let closed = tokio::time::timeout(Duration::from_secs(6), socket.closed()).await;
        assert_eq!(closed.unwrap(), (4403, REVOKED.to_owned()));
        server.stop().await;
    }

    async fn a_socket_ends_with_its_token(shop: &Shop) {
        let server = shop.serve(&[]).await;
        // Its clock stands a second before the end, and goes on when a second has passed.
        server.clock.advance(chrono::Duration::seconds(15 * 60 - 1));
        let mut socket = Socket::of(&server, &shop.token(Role::Customer)).await;
        let mut asking = Socket::of(&server, &shop.token(Role::Customer)).await;
        server.clock.advance(chrono::Duration::seconds(1));
        let begun = Instant::now();
        asking.say(subscribe("a", ASK)).await;
        let expired = (4403, "Forbidden: The access token has expired.".to_owned());
        assert_eq!(asking.closed().await, expired);
        assert_eq!(socket.closed().await, expired);
        assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
        let mut late = Socket::open(&server).await;
        late.greet(&shop.token(Role::Customer)).await;
        assert_eq!(late.closed().await, expired);
        server.stop().await;
    }

    /// Signing in over a socket: the tokens are in the body, whatever the client asks, and the address is that of the client.
    async fn a_socket_has_an_address_and_no_cookies(shop: &Shop) {
        let server = shop.serve(&[("SOUK_TRUSTED_PROXIES", "127.0.0.0/8")]).await;
        let headers = [
            ("sec-websocket-protocol", "graphql-transport-ws"),
            ("x-forwarded-for", "6.6.6.6, 203.0.113.7"),
            ("souk-refresh-token", "cookie"),
            ("cookie", "__Host-souk-refresh=souk_rt_x"),
        ];
        let mut socket = Socket::open_with(&server, &headers).await.unwrap();
        socket.say(json!({"type": "connection_init"})).await;
        assert_eq!(socket.hear().await["type"], "connection_ack");
        let register = r#"mutation { accountRegister(input: {email: "ann@x.example", password: "tunnel-7-marmalade", name: "Ann"}) { tokens { accessToken refreshToken } } }"#;
        socket.say(subscribe("a", register)).await;
        let next = socket.hear().await;
        let tokens = &next["payload"]["data"]["accountRegister"]["tokens"];
        assert!(tokens["refreshToken"].as_str().unwrap().starts_with("souk_rt_"), "{next}");
        assert_eq!(shop.rows("SELECT ip_address FROM session").await, [["203.0.113.7"]]);
        let access = tokens["accessToken"].as_str().unwrap();
        let bearer = format!("Bearer {access}");
        let mut hers = Socket::of(&server, access).await;
        // Signing out by any way closes the session's sockets on this instance at once.
        let body = json!({"query": "mutation { sessionRevoke { userErrors { code } } }"}).to_string();
        let answer = server.post(&[("authorization", &bearer)], &body).await;
        assert!(answer.contains(r#""userErrors":[]"#), "{answer}");
        assert_eq!(hers.closed().await, (4403, REVOKED.to_owned()));
        server.stop().await;
    }

    async fn an_id_is_used_once_at_a_time_and_operations_are_counted(shop: &Shop) {
        let server = shop.serve(&[("SOUK_LIMIT_SOCKET_OPERATIONS", "2")]).await;
        let token = shop.token(Role::Staff);
        let held = hold(shop).await;
        let mut socket = Socket::of(&server, &token).await;
        for id in ["a", "a"] {
            socket.say(subscribe(id, CREATE)).await;
        }
        assert_eq!(socket.closed().await, (4409, "Subscriber for a already exists".to_owned()));
        let mut socket = Socket::of(&server, &token).await;
        for id in ["a", "b", "c"] {
            socket.say(subscribe(id, CREATE)).await;
        }
        let refused = socket.hear().await;
        assert_eq!((&refused["id"], &refused["payload"][0]["extensions"]["code"]), (&json!("c"), &json!("THROTTLED")));
        held.rollback().await.unwrap();
        let mut ends = Vec::new();
        for _ in 0..4 {
            let message = socket.hear().await;
            assert_eq!(message["payload"].get("errors"), None, "{message}");
            ends.extend((message["type"] == "complete").then(|| message["id"].to_string()));
        }
        ends.sort();
        assert_eq!(ends, [r#""a""#, r#""b""#]);
        server.stop().await;
    }

    async fn only_pages_that_may_call_the_api_may_open_sockets(shop: &Shop) {
        let server = shop.serve(&[("SOUK_CORS_ORIGINS", "https://shop.example"), ("SOUK_PUBLIC_URL", "https://api.example")]).await;
        let protocol = ("sec-websocket-protocol", "graphql-transport-ws");
        for (origin, status) in [
            ("https://shop.example", None),
            ("https://api.example", None),
            ("http://localhost:8080", None),
            ("http://127.0.0.1:8080", None),
            ("https://evil.example", Some(403)),
            ("http://shop.example", Some(403)),
            ("http://localhost:3000", Some(403)),
            ("null", Some(403)),
        ] {
            let opened = Socket::open_with(&server, &[protocol, ("origin", origin)]).await;
            assert_eq!(opened.err(), status, "{origin}");
        }
        server.stop().await;
    }

    async fn another_subprotocol_is_not_acceptable(shop: &Shop) {
        let server = shop.serve(&[]).await;
        let mut socket = Socket::open_with(&server, &[]).await.unwrap();
        assert_eq!(socket.closed().await, (4406, "Subprotocol not acceptable".to_owned()));
        assert_eq!(shop.get("/graphql/ws", &[]).await.status.as_u16() / 100, 4);
        server.stop().await;
    }

    async fn a_goodbye_is_answered(shop: &Shop) {
        let server = shop.serve(&[]).await;
        let mut socket = Socket::ready(&server).await;
        let goodbye = CloseFrame { code: 1000.into(), reason: "done".into() };
        socket.send(Message::Close(Some(goodbye.clone()))).await;
        assert_eq!(socket.next().await, Some(Message::Close(Some(goodbye))));
        assert_eq!(socket.next().await, None);
        server.stop().await;
    }

    async fn what_a_client_did_not_want_any_more_is_not_told_when_it_reads_again(shop: &Shop) {
        big_goods(shop).await;
        let server = shop.serve(&[]).await;
        let mut socket = Socket::narrow(&server, None).await;
        socket.say(subscribe("big", BIG)).await;
        socket.stuck().await;
        for query in ["{ old: __typename }", "{ nonsense }"] {
            socket.say(subscribe("a", query)).await;
            // It is answered meanwhile, and its answer waits.
            tokio::time::sleep(Duration::from_millis(300)).await;
            socket.say(json!({"type": "complete", "id": "a"})).await;
        }
        socket.say(subscribe("a", "{ new: __typename }")).await;
        let mut heard = Vec::new();
        while heard.last() != Some(&json!({"type": "complete", "id": "a"})) {
            let message = socket.hear().await;
            heard.extend((message["id"] == "a").then_some(message));
        }
        assert_eq!((&heard[0]["type"], &heard[0]["payload"]["data"]), (&json!("next"), &json!({"new": "Query"})));
        assert_eq!(heard.len(), 2, "{heard:?}");
        server.stop().await;
    }

    async fn what_is_answered_while_the_server_stops_is_heard(shop: &Shop) {
        big_goods(shop).await;
        let server = shop.serve(&[]).await;
        let mut reading = Socket::narrow(&server, None).await;
        let mut deaf = Socket::narrow(&server, None).await;
        for socket in [&mut reading, &mut deaf] {
            socket.say(subscribe("a", BIG)).await;
            socket.say(subscribe("b", ASK)).await;
            socket.stuck().await;
        }
        let begun = Instant::now();
        let stopping = tokio::spawn(server.stop());
        let mut ends = 0;
        while ends < 2 {
            let message = reading.hear().await;
            assert_eq!(message["payload"].get("errors"), None, "{message}");
            ends += usize::from(message["type"] == "complete");
        }
        assert_eq!(reading.closed().await, (1001, "Going away".to_owned()));
        drop(reading);
        stopping.await.unwrap();
        // The deadline of an operation, and the time for a farewell, twice.
        assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
        drop(deaf);
    }

    async fn the_server_says_goodbye(shop: &Shop) {
        let server = shop.serve(&[]).await;
        let mut socket = Socket::ready(&server).await;
        let stopping = tokio::spawn(server.stop());
        assert_eq!(socket.closed().await, (1001, "Going away".to_owned()));
        drop(socket);
        stopping.await.unwrap();
    }

    async fn a_socket_counts_as_a_connection(shop: &Shop) {
        let server = shop.serve(&[("SOUK_LIMIT_CONNECTIONS", "1")]).await;
        let socket = Socket::ready(&server).await;
        let second = tokio::time::timeout(Duration::from_millis(300), Socket::open(&server)).await;
        assert!(second.is_err(), "the second waits for the first to go");
        drop(socket);
        Socket::ready(&server).await;
        server.stop().await;
    }
}
