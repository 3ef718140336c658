//! How many connections one address may have.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use serde_json::json;
use souk::kernel::actor::Role;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};

use crate::support::{Server, Shop, Socket};

/// From one of this machine's addresses.
async fn connect(server: &Server, last: u8) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket
        .bind(SocketAddr::from((Ipv4Addr::new(127, 0, 0, last), 0)))
        .unwrap();
    socket.connect(server.address).await.unwrap()
}

/// Whether it is answered; it stays open.
async fn answered(stream: &mut TcpStream) -> bool {
    // One that was closed at once may be reset, too.
    let _ = stream
        .write_all(b"GET /health/live HTTP/1.1\r\nhost: x\r\n\r\n")
        .await;
    let mut answer = Vec::new();
    let reading = async {
        while !answer.ends_with(b"}") && stream.read_buf(&mut answer).await.is_ok_and(|read| read > 0) {}
    };
    let read = tokio::time::timeout(Duration::from_secs(20), reading).await;
    read.expect("it is answered or closed");
    answer.starts_with(b"HTTP/1.1 200")
}

both! {
    async fn an_address_has_so_many_and_no_more(shop: &Shop) {
        let server = shop.serve(&[("SOUK_LIMIT_CONNECTIONS_PER_ADDRESS", "2")]).await;
        let (mut first, mut second) = (connect(&server, 5).await, connect(&server, 5).await);
        assert!(answered(&mut first).await && answered(&mut second).await);
        for _ in 0..3 {
            assert!(!answered(&mut connect(&server, 5).await).await);
        }
        assert!(answered(&mut connect(&server, 6).await).await, "others are served");
        assert!(answered(&mut first).await, "and so are those that are there");
        drop(first);
        let begun = std::time::Instant::now();
        while !answered(&mut connect(&server, 5).await).await {
            assert!(begun.elapsed() < Duration::from_secs(20), "its place is free again");
        }
        server.stop().await;
    }

    async fn behind_a_proxy_each_client_has_so_many_sockets_and_streams(shop: &Shop) {
        let settings = [("SOUK_LIMIT_CONNECTIONS_PER_ADDRESS", "2"), ("SOUK_TRUSTED_PROXIES", "127.0.0.1")];
        let server = shop.serve(&settings).await;
        let open = async |client: &str| {
            let headers = [("sec-websocket-protocol", "graphql-transport-ws"), ("x-forwarded-for", client)];
            Socket::open_with(&server, &headers).await
        };
        let first = open("203.0.113.1").await.unwrap();
        let bearer = format!("Bearer {}", shop.token(Role::Staff));
        let stream = async |client: &str| {
            let body = json!({"query": "subscription { shopOrderEvents { type } }"}).to_string();
            let request = reqwest::Client::new()
                .post(format!("http://{}/graphql", server.address))
                .header("content-type", "application/json")
                .header("accept", "text/event-stream")
                .header("authorization", &bearer)
                .header("x-forwarded-for", client);
            request.body(body).send().await.unwrap()
        };
        let second = stream("203.0.113.1").await;
        assert_eq!(second.status(), 200);
        let refused = stream("203.0.113.1").await;
        assert_eq!(refused.status(), 429);
        assert!(refused.text().await.unwrap().contains("THROTTLED"));
        assert_eq!(open("203.0.113.1").await.err(), Some(429));
        assert!(open("203.0.113.2").await.is_ok(), "others are served");
        drop((first, second));
        let begun = std::time::Instant::now();
        while open("203.0.113.1").await.is_err() {
            assert!(begun.elapsed() < Duration::from_secs(20), "its place is free again");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        server.stop().await;
    }

    async fn a_proxy_has_as_many_as_it_needs(shop: &Shop) {
        let server = shop.serve(&[("SOUK_LIMIT_CONNECTIONS_PER_ADDRESS", "1"), ("SOUK_TRUSTED_PROXIES", "127.0.0.5")]).await;
        let mut all = Vec::new();
        for _ in 0..4 {
            let mut one = connect(&server, 5).await;
            assert!(answered(&mut one).await);
            all.push(one);
        }
        server.stop().await;
    }
}
