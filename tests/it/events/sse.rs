//! Over server-sent events, as a client without WebSockets reads them.

use std::time::Duration;

use serde_json::{Value, json};
use souk::kernel::actor::Role;
use souk::kernel::id::SessionId;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpSocket;
use tokio::net::TcpStream;

use super::{
    MINE, ORDER, SHOP, Told, cursor, guest_token, happen, happen_in_silence, message, place, waiting,
};
use crate::support::{Server, Shop, user_of};

/// A response that comes in pieces.
struct Stream {
    head: String,
    connection: TcpStream,
    /// Read, and not looked at yet.
    rest: Vec<u8>,
}

impl Stream {
    async fn post(server: &Server, headers: &[(&str, &str)], query: &str, variables: &Value) -> Self {
        let body = json!({"query": query, "variables": variables}).to_string();
        let connection = TcpStream::connect(server.address).await.unwrap();
        Self::request(connection, "POST /graphql", headers, &body).await
    }

    /// As HTTP/1.0, whose bodies come as they are.
    async fn request(mut connection: TcpStream, line: &str, headers: &[(&str, &str)], body: &str) -> Self {
        let mut request = format!("{line} HTTP/1.0\r\ncontent-length: {}\r\n", body.len());
        for (name, value) in headers {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        connection
            .write_all(format!("{request}\r\n{body}").as_bytes())
            .await
            .unwrap();
        let mut stream = Self {
            head: String::new(),
            connection,
            rest: Vec::new(),
        };
        stream.head = stream.until(b"\r\n\r\n").await.expect("an answer").to_lowercase();
        stream
    }

    /// What comes before this; None when the connection ends first.
    async fn until(&mut self, end: &[u8]) -> Option<String> {
        loop {
            if let Some(at) = self.rest.windows(end.len()).position(|window| window == end) {
                let piece: Vec<u8> = self.rest.drain(..at + end.len()).collect();
                return Some(String::from_utf8(piece[..at].to_vec()).unwrap());
            }
            let read =
                tokio::time::timeout(Duration::from_secs(20), self.connection.read_buf(&mut self.rest));
            if read.await.expect("the server says something").unwrap() == 0 {
                assert_eq!(self.rest, b"", "the connection ended in the middle");
                return None;
            }
        }
    }

    /// The next event and its data, past all comments.
    async fn event(&mut self) -> Option<(String, String)> {
        loop {
            let block = self.until(b"\n\n").await?;
            if block.starts_with(':') {
                continue;
            }
            let (event, data) = block.split_once('\n').unwrap();
            let (event, data) = (
                event.strip_prefix("event: ").unwrap(),
                data.strip_prefix("data:").unwrap(),
            );
            return Some((event.to_owned(), data.trim_start().to_owned()));
        }
    }

    async fn next(&mut self) -> Value {
        let (event, data) = self.event().await.expect("an event");
        assert_eq!(event, "next", "{data}");
        serde_json::from_str(&data).unwrap()
    }

    async fn completed(&mut self) {
        assert_eq!(self.event().await, Some(("complete".to_owned(), String::new())));
        assert_eq!(self.event().await, None);
    }
}

const JSON: (&str, &str) = ("content-type", "application/json");
const EVENTS: (&str, &str) = ("accept", "text/event-stream");

both! {
    async fn what_was_missed_comes_before_what_happens(shop: &Shop) {
        let server = shop.serve(&[]).await;
        let order = place(&server.platform, None).await;
        happen_in_silence(&server.platform, order, 3).await;
        let variables = json!({"id": order.to_string(), "token": guest_token(order), "after": cursor(order, 1)});
        // Where everything else would be compressed, and where a client takes either.
        for headers in [
            vec![JSON, EVENTS, ("accept-encoding", "gzip, br")],
            vec![JSON, ("accept", "application/json, text/event-stream")],
        ] {
            let mut stream = Stream::post(&server, &headers, ORDER, &variables).await;
            assert!(stream.head.starts_with("http/1.0 200 ") || stream.head.starts_with("http/1.1 200 "), "{}", stream.head);
            for line in ["content-type: text/event-stream", "cache-control: no-store", "x-accel-buffering: no"] {
                assert!(stream.head.contains(line), "{}", stream.head);
            }
            assert!(!stream.head.contains("content-encoding"), "{}", stream.head);
            for seq in 2..=3 {
                assert_eq!(stream.next().await["data"]["orderEvents"]["message"], message(order, seq));
            }
            drop(stream);
            waiting(&server.platform, 0).await;
        }
        let mut stream = Stream::post(&server, &[JSON, EVENTS], ORDER, &variables).await;
        waiting(&server.platform, 1).await;
        happen(&server.platform, order, 1).await;
        for seq in 2..=4 {
            assert_eq!(stream.next().await["data"]["orderEvents"]["cursor"], cursor(order, seq));
        }
        server.stop().await;
    }

    async fn one_answer_is_an_event_too(shop: &Shop) {
        let server = shop.serve(&[]).await;
        let order = place(&server.platform, None).await;
        for (query, data, code) in [
            ("{ __typename }", json!({"__typename": "Query"}), None),
            ("{ nonsense }", Value::Null, Some("GRAPHQL_VALIDATION_FAILED")),
            ("{", Value::Null, Some("GRAPHQL_PARSE_FAILED")),
            ("subscription { __typename }", Value::Null, Some("GRAPHQL_VALIDATION_FAILED")),
            ("{ node(id: \"x\") { id } }", json!({"node": null}), Some("BAD_USER_INPUT")),
            (ORDER, Value::Null, Some("BAD_USER_INPUT")),
            (MINE, Value::Null, Some("UNAUTHENTICATED")),
            (SHOP, Value::Null, Some("UNAUTHENTICATED")),
        ] {
            let mut stream = Stream::post(&server, &[JSON, EVENTS], query, &json!({"id": order.to_string()})).await;
            assert!(stream.head.contains(" 200 ") && stream.head.contains("content-type: text/event-stream"), "{}", stream.head);
            let next = stream.next().await;
            assert_eq!((&next["data"], next["errors"][0]["extensions"]["code"].as_str()), (&data, code), "{query}: {next}");
            stream.completed().await;
        }
        server.stop().await;
    }

    async fn what_is_refused_before_there_is_a_stream_is_refused_as_ever(shop: &Shop) {
        let server = shop.serve(&[]).await;
        let bad = ("authorization", "Bearer nonsense");
        for (headers, query, status) in [
            (vec![JSON, EVENTS, bad], SHOP, " 401 "),
            (vec![("content-type", "text/plain"), EVENTS], SHOP, " 415 "),
            (vec![JSON], SHOP, " 406 "),
            (vec![JSON, ("accept", "application/json")], SHOP, " 406 "),
            (vec![JSON, ("accept", "text/html")], SHOP, " 406 "),
        ] {
            let mut stream = Stream::post(&server, &headers, query, &json!({})).await;
            assert!(stream.head.contains(status), "{headers:?}: {}", stream.head);
            assert!(!stream.head.contains("event-stream"), "{}", stream.head);
            let mut body = std::mem::take(&mut stream.rest);
            stream.connection.read_to_end(&mut body).await.unwrap();
            let body: Value = serde_json::from_slice(&body).unwrap();
            assert!(body["errors"][0]["extensions"]["code"].is_string(), "{body}");
        }
        server.stop().await;
    }

    async fn a_server_is_ready_that_passes_events_on(shop: &Shop) {
        let server = shop.serve(&[]).await;
        let connection = TcpStream::connect(server.address).await.unwrap();
        let mut ready = Stream::request(connection, "GET /health/ready", &[], "").await;
        let mut body = std::mem::take(&mut ready.rest);
        ready.connection.read_to_end(&mut body).await.unwrap();
        let body: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!((&body["status"], &body["checks"]["events"]), (&json!("ok"), &json!("ok")), "{body}");
        server.stop().await;
    }

    async fn a_link_may_subscribe_but_no_foreign_page(shop: &Shop) {
        let server = shop.serve(&[]).await;
        let order = place(&server.platform, None).await;
        happen_in_silence(&server.platform, order, 2).await;
        let query = format!("subscription {{ orderEvents(orderId: \"{order}\", guestToken: \"{}\", after: \"{}\") {{ message }} }}", guest_token(order), cursor(order, 1));
        let query: String = url::form_urlencoded::byte_serialize(query.as_bytes()).collect();
        let line = format!("GET /graphql?query={query}");
        for (header, status) in [
            (("sec-fetch-site", "cross-site"), " 403 "),
            (("sec-fetch-site", "same-origin"), " 200 "),
            (("graphql-require-preflight", "1"), " 200 "),
        ] {
            let connection = TcpStream::connect(server.address).await.unwrap();
            let mut stream = Stream::request(connection, &line, &[EVENTS, header], "").await;
            assert!(stream.head.contains(status), "{header:?}: {}", stream.head);
            if status == " 200 " {
                assert_eq!(stream.next().await["data"]["orderEvents"]["message"], message(order, 2));
            }
        }
        server.stop().await;
    }

    async fn a_stream_ends_with_its_token(shop: &Shop) {
        let server = shop.serve(&[]).await;
        let token = |name: &str| format!("Bearer {}", shop.token_of(name, Role::Staff));
        let mut streams = Vec::new();
        for name in ["ann", "ben"] {
            streams.push(Stream::post(&server, &[JSON, EVENTS, ("authorization", &token(name))], SHOP, &json!({})).await);
        }
        waiting(&server.platform, 2).await;
        server.platform.revocations.end(&[SessionId(user_of("ann").0)], shop.now());
        let mut expired = streams.pop().unwrap();
        let mut revoked = streams.pop().unwrap();
        assert_eq!(revoked.next().await["errors"][0]["extensions"]["code"], "UNAUTHENTICATED");
        revoked.completed().await;
        server.clock.advance(chrono::Duration::minutes(15));
        // Any news makes it look.
        server.platform.revocations.end(&[SessionId(user_of("cat").0)], shop.now());
        let last = expired.next().await;
        assert_eq!(last["errors"][0]["message"], "The access token has expired.");
        expired.completed().await;
        waiting(&server.platform, 0).await;
        server.stop().await;
    }

    async fn a_server_that_stops_leaves_its_streams_incomplete(shop: &Shop) {
        let server = shop.serve(&[("SOUK_SHUTDOWN_GRACE", "20s")]).await;
        let bearer = format!("Bearer {}", shop.token(Role::Staff));
        let mut stream = Stream::post(&server, &[JSON, EVENTS, ("authorization", &bearer)], SHOP, &json!({})).await;
        waiting(&server.platform, 1).await;
        let begun = std::time::Instant::now();
        server.stop().await;
        assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
        assert_eq!(stream.event().await, None, "a client that reads `complete` does not come again");
    }

    /// Some megabytes are on their way before anybody notices that they are not read.
    async fn whoever_reads_too_slowly_is_told_so_and_can_go_on(shop: &Shop) {
        const EVENTS_OF_EACH: usize = 400;
        let server = shop.serve(&[]).await;
        let order = place(&server.platform, None).await;
        happen(&server.platform, order, 1).await;
        let bearer = format!("Bearer {}", shop.token(Role::Staff));
        let headers = [JSON, EVENTS, ("authorization", bearer.as_str())];
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(16 * 1024).unwrap();
        let connection = socket.connect(server.address).await.unwrap();
        // Each event says the same thirty times.
        let fields: String = (0..29).map(|i| format!(" m{i}: message")).collect();
        let query = format!("subscription ($after: String) {{ shopOrderEvents(after: $after) {{ message cursor{fields} }} }}");
        let body = json!({"query": query}).to_string();
        let mut stream = Stream::request(connection, "POST /graphql", &headers, &body).await;
        waiting(&server.platform, 1).await;
        let mut batches = 0;
        while server.platform.order_events.waiting() > 0 {
            happen(&server.platform, order, EVENTS_OF_EACH).await;
            tokio::time::sleep(Duration::from_millis(50)).await;
            batches += 1;
            assert!(batches < 200, "it never notices");
        }
        server.clock.advance(chrono::Duration::seconds(10));
        let mut told = Told::after(order, 1);
        let mut last = String::new();
        let end = loop {
            let mut next = stream.next().await;
            if next["errors"].is_array() {
                break next;
            }
            let event = next["data"]["shopOrderEvents"].take();
            told.hear(&event);
            event["cursor"].as_str().unwrap().clone_into(&mut last);
        };
        assert_eq!(end["errors"][0]["extensions"]["code"], "THROTTLED", "{end}");
        stream.completed().await;
        let all = batches * EVENTS_OF_EACH + 1;
        assert!(told.counts()[0] < all, "it was let go in time");
        let mut stream = Stream::post(&server, &headers, SHOP, &json!({"after": last})).await;
        while told.counts()[0] < all {
            told.hear(&stream.next().await["data"]["shopOrderEvents"]);
        }
        server.stop().await;
    }
}
