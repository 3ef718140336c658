//! How many connections one address may have.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};

use crate::support::{Server, Shop};

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
