//! Everything at once that is sent to hurt, to the binary as a process of its own: each has a proper answer, memory stays
//! bounded, and a customer beside is served. How fast, `scripts/measure-hostile` says.

mod bombs;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};

use crate::support::Shop;
use crate::support::process::{Process, free_port};

/// More than any of these takes on a busy machine, and less than for ever.
const PATIENCE: Duration = Duration::from_secs(30);

/// What all of it together may add to the memory of the server, in KiB.
const MOST_MEMORY: u64 = 96 * 1024;

/// Whom the hostile are; the customer is another address.
const HOSTILE: u8 = 66;
const CROWD: u8 = 67;
const CUSTOMER: u8 = 7;

async fn connect(address: SocketAddr, last: u8) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket
        .bind(SocketAddr::from((Ipv4Addr::new(127, 0, 0, last), 0)))
        .unwrap();
    socket.connect(address).await.unwrap()
}

/// Until the server closes.
async fn read(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    // A reset is a way to close, too.
    let _ = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer))
        .await
        .expect("it is closed");
    String::from_utf8_lossy(&answer).into_owned()
}

fn head(more: &str) -> String {
    format!(
        "POST /graphql HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\n{more}\r\n"
    )
}

/// A request in one piece; how it is answered.
async fn post(address: SocketAddr, last: u8, body: &str) -> String {
    let mut stream = connect(address, last).await;
    let request = head(&format!("content-length: {}\r\n", body.len())) + body;
    stream.write_all(request.as_bytes()).await.unwrap();
    read(&mut stream).await
}

/// Asks for what a page shows, one request after the other, until it is told that it is over; how often.
async fn customer(address: SocketAddr, over: Arc<AtomicBool>) -> u64 {
    let mut served = 0;
    while !over.load(Ordering::Relaxed) || served == 0 {
        let answer = post(
            address,
            CUSTOMER,
            r#"{"query": "{ products(first: 20) { nodes { name } } }"}"#,
        )
        .await;
        assert!(
            answer.starts_with("HTTP/1.1 200") && !answer.contains("errors"),
            "{answer}"
        );
        served += 1;
    }
    served
}

/// Bombs in one piece.
async fn throw_bombs(address: SocketAddr) {
    for (name, body, code) in bombs::all() {
        let answer = post(address, HOSTILE, &body).await;
        assert!(
            answer.contains(&format!(r#""code":"{code}""#)),
            "{name}: {answer}"
        );
        assert!(answer.len() < 10_000, "{name}: {} bytes", answer.len());
    }
}

/// Bodies that are large, or compressed.
async fn send_too_much(address: SocketAddr) {
    let mut stream = connect(address, HOSTILE).await;
    stream
        .write_all(head("content-length: 20000000\r\n").as_bytes())
        .await
        .unwrap();
    assert!(read(&mut stream).await.starts_with("HTTP/1.1 413"));
    // Without a length told beforehand: what is read of it is counted.
    let mut stream = connect(address, HOSTILE).await;
    stream
        .write_all(head("transfer-encoding: chunked\r\n").as_bytes())
        .await
        .unwrap();
    let piece = format!("10000\r\n{}\r\n", " ".repeat(0x10000));
    let mut sent = 0;
    while sent < 20_000_000 && stream.write_all(piece.as_bytes()).await.is_ok() {
        sent += piece.len();
    }
    assert!(sent < 20_000_000, "all of it was taken");
    let mut stream = connect(address, HOSTILE).await;
    let compressed = head("content-encoding: gzip\r\ncontent-length: 4\r\n") + "\u{1f}\u{8}xx";
    stream.write_all(compressed.as_bytes()).await.unwrap();
    assert!(read(&mut stream).await.starts_with("HTTP/1.1 415"));
}

/// Headers and bodies that never end, byte by byte.
async fn drip(address: SocketAddr) {
    let drops = async |start: &str| {
        let mut stream = connect(address, HOSTILE).await;
        let begun = std::time::Instant::now();
        let mut written = stream.write_all(start.as_bytes()).await;
        while written.is_ok() {
            assert!(begun.elapsed() < PATIENCE, "{start:?} goes on and on");
            tokio::time::sleep(Duration::from_millis(100)).await;
            written = stream.write_all(b"x").await;
        }
    };
    let body = head("content-length: 10000\r\n");
    tokio::join!(drops("GET / HTTP/1.1\r\nhost: x\r\nx-y: "), drops(&body));
    // Without another drop there is time to say why.
    let mut stream = connect(address, HOSTILE).await;
    stream.write_all(body.as_bytes()).await.unwrap();
    assert!(read(&mut stream).await.starts_with("HTTP/1.1 408"));
}

/// Thousands of connections of one address that say nothing.
async fn crowd(address: SocketAddr) {
    let mut all = Vec::new();
    for _ in 0..3_000 {
        all.push(connect(address, CROWD).await);
    }
    for stream in &mut all {
        assert_eq!(read(stream).await, "", "they are closed without a word");
    }
}

both! {
    async fn the_hostile_are_refused_and_a_customer_is_served(shop: &Shop) {
        let files = rlimit::increase_nofile_limit(u64::MAX).unwrap();
        assert!(files > 8_000, "the system allows {files} open files: raise ulimit -Hn for this test");
        let folder = tempfile::tempdir().unwrap();
        let settings = [
            ("SOUK_LIMIT_HEADER_TIMEOUT", "2s"),
            ("SOUK_LIMIT_BODY_TIMEOUT", "2s"),
            ("SOUK_LIMIT_CONNECTIONS", "1000"),
            ("SOUK_RATE_LIMIT_API", "1000000/1m"),
        ];
        let process = Process::serve(folder.path(), shop.url(), free_port(), &settings);
        let address: SocketAddr = process.address.parse().unwrap();
        let over = Arc::new(AtomicBool::new(false));
        // What it takes to serve at all is not theirs.
        customer(address, Arc::new(AtomicBool::new(true))).await;
        let before = process.peak_memory();
        let served = tokio::spawn(customer(address, Arc::clone(&over)));
        let bombs = async {
            for _ in 0..5 {
                throw_bombs(address).await;
                send_too_much(address).await;
            }
        };
        tokio::join!(bombs, drip(address), crowd(address));
        over.store(true, Ordering::Relaxed);
        assert!(served.await.unwrap() > 0);
        let more = process.peak_memory() - before;
        assert!(more < MOST_MEMORY, "it took {more} KiB more, from {before} KiB on");
    }
}
