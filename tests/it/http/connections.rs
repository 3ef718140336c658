//! Clients that are slow, greedy or broken, over real connections.

use std::time::{Duration, Instant};

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::{Server, Shop};

/// Sends bytes, then reads until the server closes.
async fn exchange(server: &Server, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    read(&mut stream).await
}

async fn read(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    let reading = tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut answer));
    // A reset is a way to close, too.
    let _ = reading.await.expect("the server closes the connection");
    String::from_utf8_lossy(&answer).into_owned()
}

fn post(body: &str) -> String {
    format!(
        "POST /graphql HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// Before the default of any timeout.
const SOON: Duration = Duration::from_secs(8);

const QUERY: &str = r#"{"query": "{ __typename }"}"#;

both! {
    async fn whoever_never_finishes_the_headers_is_cut_off(shop: &Shop) {
        let server = shop.serve(&[("SOUK_LIMIT_HEADER_TIMEOUT", "300ms")]).await;
        let preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
        for start in ["", "P", "PRI * HTT", &preface[..16], &preface[..23], preface, "GET /health/live HTTP/1.1\r\nhost: x\r\n"] {
            let begun = Instant::now();
            exchange(&server, start.as_bytes()).await;
            assert!(begun.elapsed() < SOON, "{start:?}: {:?}", begun.elapsed());
        }
        // One header after the other, each in time, all of them too slow.
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(b"GET /health/live HTTP/1.1\r\n").await.unwrap();
        let begun = Instant::now();
        while stream.write_all(b"x-a: b\r\n").await.is_ok() {
            assert!(begun.elapsed() < SOON);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        // An answer buys no time for the next request.
        let idle = Instant::now();
        exchange(&server, b"GET /health/live HTTP/1.1\r\nhost: x\r\n\r\n").await;
        assert!(idle.elapsed() < SOON, "{:?}", idle.elapsed());
        assert!(exchange(&server, post(QUERY).as_bytes()).await.contains("200 OK"));
        server.stop().await;
    }

    async fn those_who_say_nothing_do_not_keep_others_out(shop: &Shop) {
        let server = shop.serve(&[("SOUK_LIMIT_CONNECTIONS", "8"), ("SOUK_LIMIT_HEADER_TIMEOUT", "10m")]).await;
        let mut silent = Vec::new();
        for _ in 0..8 {
            silent.push(TcpStream::connect(server.address).await.unwrap());
        }
        assert!(exchange(&server, post(QUERY).as_bytes()).await.contains("200 OK"));
        // Who came first, while there was room, has all the time that there is.
        silent[0].write_all(post(QUERY).as_bytes()).await.unwrap();
        assert!(read(&mut silent[0]).await.contains("200 OK"));
        server.stop().await;
    }

    async fn a_request_names_one_host(shop: &Shop) {
        let server = shop.serve(&[]).await;
        for (version, hosts, status) in [
            ("1.1", "host: x\r\n", "200"),
            ("1.1", "host: shop.example:8080\r\n", "200"),
            ("1.1", "host: [::1]:8080\r\n", "200"),
            ("1.1", "host:\r\n", "200"),
            ("1.0", "", "200"),
            ("1.1", "", "400"),
            ("1.1", "host: x\r\nhost: x\r\n", "400"),
            ("1.0", "host: x\r\nhost: y\r\n", "400"),
            ("1.1", "host: x, y\r\n", "400"),
            ("1.1", "host: x@y\r\n", "400"),
            ("1.1", "host: x/y\r\n", "400"),
        ] {
            let request = format!("GET /health/live HTTP/{version}\r\n{hosts}connection: close\r\n\r\n");
            let answer = exchange(&server, request.as_bytes()).await;
            assert!(answer.starts_with(&format!("HTTP/{version} {status} ")), "{version} {hosts:?}: {answer}");
            assert_eq!(answer.contains(r#""code":"BAD_USER_INPUT""#), status == "400", "{answer}");
        }
        server.stop().await;
    }

    async fn headers_are_limited_in_size_and_number(shop: &Shop) {
        let server = shop.serve(&[("SOUK_LIMIT_HEADER_BYTES", "16KiB")]).await;
        let large = format!("GET /health/live HTTP/1.1\r\nhost: x\r\nx-large: {}\r\n\r\n", "x".repeat(20_000));
        assert!(exchange(&server, large.as_bytes()).await.starts_with("HTTP/1.1 431"));
        let many = format!("GET /health/live HTTP/1.1\r\nhost: x\r\n{}\r\n", "x-a: b\r\n".repeat(200));
        assert!(exchange(&server, many.as_bytes()).await.starts_with("HTTP/1.1 431"));
        server.stop().await;
    }

    async fn a_body_that_drips_is_refused(shop: &Shop) {
        let server = shop.serve(&[("SOUK_LIMIT_BODY_TIMEOUT", "300ms")]).await;
        let request = post(QUERY);
        let answer = exchange(&server, request.as_bytes().split_at(request.len() - 5).0).await;
        assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
        server.stop().await;
    }

    async fn a_body_too_large_is_refused_before_it_is_sent(shop: &Shop) {
        let server = shop.serve(&[]).await;
        let head = "POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 100000000\r\nconnection: close\r\n\r\n";
        assert!(exchange(&server, head.as_bytes()).await.starts_with("HTTP/1.1 413"));
        server.stop().await;
    }

    async fn only_so_many_large_bodies_are_held_at_a_time(shop: &Shop) {
        let server = shop.serve(&[]).await;
        let large = post(&format!("{{\"query\": \"{{ __typename }} #{}\"}}", "x".repeat(20_000)));
        let begun = large.as_bytes().split_at(large.len() - 5).0;
        let mut held = Vec::new();
        for _ in 0..64 {
            let mut one = TcpStream::connect(server.address).await.unwrap();
            one.write_all(begun).await.unwrap();
            held.push(one);
        }
        // All of these have been looked at by then.
        let started = Instant::now();
        loop {
            let answer = exchange(&server, large.as_bytes()).await;
            if answer.starts_with("HTTP/1.1 503") {
                assert!(answer.contains("retry-after: 1\r\n") && answer.contains("THROTTLED"), "{answer}");
                break;
            }
            assert!(started.elapsed() < Duration::from_secs(20), "{answer}");
        }
        let unannounced = "POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n";
        let chunked = format!("{unannounced}5000\r\n{}\r\n", "x".repeat(0x5000));
        assert!(exchange(&server, chunked.as_bytes()).await.starts_with("HTTP/1.1 503"));
        assert!(exchange(&server, post(QUERY).as_bytes()).await.starts_with("HTTP/1.1 200"));
        drop(held);
        let started = Instant::now();
        while !exchange(&server, large.as_bytes()).await.starts_with("HTTP/1.1 200") {
            assert!(started.elapsed() < Duration::from_secs(20), "the turns are free again");
        }
        server.stop().await;
    }

    async fn connections_beyond_the_limit_wait_their_turn(shop: &Shop) {
        let server = shop.serve(&[("SOUK_LIMIT_CONNECTIONS", "1")]).await;
        // Accepted in the order in which they come.
        let first = TcpStream::connect(server.address).await.unwrap();
        let mut second = TcpStream::connect(server.address).await.unwrap();
        second.write_all(post(QUERY).as_bytes()).await.unwrap();
        let mut byte = [0];
        let early = tokio::time::timeout(Duration::from_millis(200), second.read(&mut byte)).await;
        assert!(early.is_err(), "the second is not served while the first is there");
        drop(first);
        assert!(read(&mut second).await.contains("200 OK"));
        server.stop().await;
    }

    async fn what_is_in_flight_finishes_and_nothing_new_begins(shop: &Shop) {
        let server = shop.serve(&[]).await;
        let address = server.address;
        let mut slow = TcpStream::connect(address).await.unwrap();
        let request = post(QUERY).replacen("host: x", "host: x\r\nexpect: 100-continue", 1);
        let (head, rest) = request.split_at(request.len() - QUERY.len());
        slow.write_all(head.as_bytes()).await.unwrap();
        // Once it asks for the body, the request is in flight.
        let mut asked = [0; 25];
        slow.read_exact(&mut asked).await.unwrap();
        assert_eq!(&asked, b"HTTP/1.1 100 Continue\r\n\r\n");
        // Idle, between two requests.
        let mut idle = TcpStream::connect(address).await.unwrap();
        idle.write_all(b"GET /health/live HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        let mut some = [0; 15];
        idle.read_exact(&mut some).await.unwrap();
        let stopping = tokio::spawn(server.stop());
        read(&mut idle).await;
        assert!(TcpStream::connect(address).await.is_err(), "nobody listens any more");
        slow.write_all(rest.as_bytes()).await.unwrap();
        assert!(read(&mut slow).await.contains(r#"{"data":{"__typename":"Query"},"#));
        stopping.await.unwrap();
    }

    async fn before_it_stops_it_is_no_longer_ready(shop: &Shop) {
        // Longer than the test: it is cut off when it has said so.
        let server = shop.serve(&[("SOUK_SHUTDOWN_DELAY", "10m")]).await;
        let address = server.address;
        let ask = b"GET /health/live HTTP/1.1\r\nhost: x\r\n\r\n";
        let mut kept = TcpStream::connect(address).await.unwrap();
        kept.write_all(ask).await.unwrap();
        let mut some = [0; 1024];
        let length = kept.read(&mut some).await.unwrap();
        assert!(!String::from_utf8_lossy(&some[..length]).contains("connection: close"));
        let stopping = tokio::spawn(server.stop());
        let begun = Instant::now();
        loop {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(b"GET /health/ready HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.unwrap();
            let answer = read(&mut stream).await;
            if answer.starts_with("HTTP/1.1 503") {
                assert!(answer.contains(&json!("stopping").to_string()), "{answer}");
                break;
            }
            assert!(begun.elapsed() < SOON, "{answer}");
        }
        // Who keeps a connection is still answered, and told to go elsewhere from now on.
        kept.write_all(ask).await.unwrap();
        let answer = read(&mut kept).await;
        assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("connection: close"), "{answer}");
        stopping.abort();
    }
}
