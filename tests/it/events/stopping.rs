//! Instances that are replaced under load, twenty times: what they have begun to read is answered, and nobody who waits for
//! events misses one.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::json;
use souk::kernel::id::OrderId;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::{JoinHandle, block_in_place};
use tokio_tungstenite::tungstenite::Message;
use tokio_util::sync::CancellationToken;

use super::{ORDER, cursor, guest_token, happen, message, place, subscribe_with};
use crate::support::process::{Process, free_port};
use crate::support::{Kind, Shop, Socket, TestDatabase};

const ROUNDS: usize = 20;
const CLIENTS: usize = 4;

/// Each of them is a row, so that what was done and not answered is seen.
const CREATE: &str = r#"{"query": "mutation { cartCreate(input: {}) { cart { id } userErrors { code } } }"}"#;

/// Where a load balancer would send requests.
type Targets = Arc<Mutex<Vec<SocketAddr>>>;

/// Asks and asks; how often it was answered.
async fn hammer(targets: Targets, stop: CancellationToken, first: usize) -> i64 {
    let (mut answered, mut turn) = (0, first);
    let mut kept: Option<TcpStream> = None;
    while !stop.is_cancelled() {
        let connection = match kept.take() {
            Some(connection) => Some(connection),
            None => {
                turn += 1;
                let all = targets.lock().unwrap().clone();
                TcpStream::connect(all[turn % all.len()]).await.ok()
            }
        };
        // Nobody listens there: a request that was never sent.
        let Some(mut connection) = connection else {
            tokio::time::sleep(Duration::from_millis(10)).await;
            continue;
        };
        match ask(&mut connection).await {
            Some(goes_on) => {
                answered += 1;
                kept = goes_on.then_some(connection);
            }
            // Closed while the request was on its way, and before anything of it was read: the rows tell whether that is true.
            None => continue,
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    answered
}

/// Whether the connection goes on after the answer; None when it was closed before any of that.
async fn ask(connection: &mut TcpStream) -> Option<bool> {
    let head = "POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: ";
    let request = format!("{head}{}\r\n\r\n{CREATE}", CREATE.len());
    connection.write_all(request.as_bytes()).await.ok()?;
    let mut answer = Vec::new();
    loop {
        let mut some = [0; 4096];
        let reading = tokio::time::timeout(Duration::from_secs(60), connection.read(&mut some));
        let read = match reading.await.expect("an answer comes") {
            Ok(read) => read,
            Err(_) if answer.is_empty() => return None,
            Err(error) => panic!("{error} after {}", String::from_utf8_lossy(&answer)),
        };
        if read == 0 && answer.is_empty() {
            return None;
        }
        assert_ne!(read, 0, "cut off after {}", String::from_utf8_lossy(&answer));
        answer.extend_from_slice(&some[..read]);
        let text = String::from_utf8_lossy(&answer);
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        let head = head.to_ascii_lowercase();
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "))
            .unwrap();
        if body.len() < length.parse().unwrap() {
            continue;
        }
        assert!(head.starts_with("http/1.1 200 "), "{text}");
        assert!(
            body.contains(r#""userErrors":[]"#) && !body.contains("errors\":[{"),
            "{text}"
        );
        return Some(!head.contains("connection: close"));
    }
}

/// Somebody who waits for what happens to one order, at one instance after the other.
struct Waiter {
    order: OrderId,
    heard: i32,
    cursor: String,
    socket: Option<Socket>,
}

impl Waiter {
    async fn go_to(&mut self, address: SocketAddr) {
        let mut socket = Socket::ready_at(address).await;
        let variables =
            json!({"id": self.order.to_string(), "token": guest_token(self.order), "after": self.cursor});
        socket.say(subscribe_with("1", ORDER, &variables)).await;
        self.socket = Some(socket);
    }

    /// Hears what comes, each event once and in order, until there have been so many; or until the server closes, and by which
    /// code.
    async fn listen(&mut self, until: Option<i32>) -> Option<u16> {
        let mut socket = self.socket.take().unwrap();
        while until.is_none_or(|until| self.heard < until) {
            match socket.next().await {
                Some(Message::Text(text)) => {
                    let told: serde_json::Value = serde_json::from_str(&text).unwrap();
                    let event = &told["payload"]["data"]["orderEvents"];
                    self.heard += 1;
                    assert_eq!(event["message"], json!(message(self.order, self.heard)), "{told}");
                    self.cursor = event["cursor"].as_str().unwrap().to_owned();
                }
                Some(Message::Close(frame)) => return frame.map(|frame| frame.code.into()),
                Some(_) => {}
                None => panic!("closed without a word"),
            }
        }
        self.socket = Some(socket);
        None
    }
}

/// The database's instances, one or two of them.
struct Fleet {
    running: Vec<Process>,
    targets: Targets,
    start: Box<dyn Fn() -> Process>,
}

impl Fleet {
    fn grow(&mut self) {
        let process = block_in_place(&self.start);
        self.targets
            .lock()
            .unwrap()
            .push(process.address.parse().unwrap());
        self.running.push(process);
    }

    /// The oldest is told to stop. A load balancer sends nothing more there as soon as it notices, which is at once or, as for
    /// those that keep their connections, when it is told.
    fn shrink(&mut self) -> (Process, SocketAddr) {
        let leaving = self.running.remove(0);
        leaving.terminate();
        let address = leaving.address.parse().unwrap();
        let mut targets = self.targets.lock().unwrap();
        if targets.len() > 1 {
            targets.retain(|target| *target != address);
        }
        (leaving, address)
    }
}

async fn twenty_times(kind: Kind) {
    let Some(database) = TestDatabase::new(kind).await else {
        return;
    };
    let shop = Shop::open(&database, &[]).await;
    let folder = tempfile::tempdir().unwrap();
    let (path, url) = (folder.path().to_owned(), database.url());
    let settings = [
        ("SOUK_DATABASE_CONNECTIONS", "5"),
        ("SOUK_SHUTDOWN_DELAY", "200ms"),
        // They ask for more than anybody would.
        ("SOUK_RATE_LIMIT_API", "off"),
    ];
    let start = Box::new(move || Process::serve(&path, &url, free_port(), &settings));
    let targets = Targets::default();
    let mut fleet = Fleet {
        running: Vec::new(),
        targets: Arc::clone(&targets),
        start,
    };
    fleet.grow();
    if kind == Kind::Postgres {
        fleet.grow();
    }
    let order = place(&shop.platform, None).await;
    happen(&shop.platform, order, 1).await;
    let mut waiter = Waiter {
        order,
        // Without a place to begin at it would hear only of what happens from then on.
        heard: 1,
        cursor: cursor(order, 1),
        socket: None,
    };
    let stop = CancellationToken::new();
    let clients: Vec<JoinHandle<i64>> = (0..CLIENTS)
        .map(|i| tokio::spawn(hammer(Arc::clone(&targets), stop.clone(), i)))
        .collect();
    let mut happened = 1;
    waiter.go_to(fleet.running[0].address.parse().unwrap()).await;
    for _ in 0..ROUNDS {
        happen(&shop.platform, order, 1).await;
        let (leaving, address) = fleet.shrink();
        // While it is on its way out, and when nobody is there any more.
        happen(&shop.platform, order, 1).await;
        let code = waiter.listen(None).await;
        assert!(matches!(code, Some(1001 | 1012)), "{code:?}");
        happen(&shop.platform, order, 1).await;
        happened += 3;
        assert_eq!(block_in_place(|| leaving.ended()), Some(0));
        fleet.grow();
        targets.lock().unwrap().retain(|target| *target != address);
        waiter.go_to(fleet.running[0].address.parse().unwrap()).await;
        assert_eq!(waiter.listen(Some(happened)).await, None);
    }
    stop.cancel();
    let mut answered = 0;
    for client in clients {
        let some = client.await.unwrap();
        assert!(some > 0, "a client was never answered");
        answered += some;
    }
    let rows = shop.rows("SELECT CAST(COUNT(*) AS TEXT) FROM cart").await;
    assert_eq!(rows[0][0], answered.to_string(), "what was done was answered");
    drop(fleet);
    shop.close().await;
    database.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_accepted_fails_and_nothing_is_missed_by_one_after_the_other() {
    twenty_times(Kind::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_accepted_fails_and_nothing_is_missed_by_two_side_by_side() {
    twenty_times(Kind::Postgres).await;
}
