//! A part of the sockets: opened, subscribed, and read until the input ends; then what was heard is told, line by line.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use super::{clock, order};

const WATCH: &str = "subscription($id: ID!, $token: String) { orderEvents(orderId: $id, guestToken: $token) {
    type status occurredAt cursor message } }";

/// Sockets that are being opened at the same time.
const AT_ONCE: usize = 16;

/// How long after its subscription a socket makes room for the next: that is not answered, and is work.
const PACE: Duration = Duration::from_millis(5);

/// How long a subscription that failed for want of a connection is left.
const AGAIN: Duration = Duration::from_millis(500);

/// The library's own are 128 KiB each.
const BUFFER_BYTES: usize = 1024;

/// A subscription is not answered; this long after the last was sent all are at the server's hub.
const SETTLE: Duration = Duration::from_secs(2);

#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[arg(long)]
    from: IpAddr,
    #[arg(long, value_delimiter = ',')]
    address: Vec<SocketAddr>,
    #[arg(long)]
    first: usize,
    #[arg(long)]
    sockets: usize,
    #[arg(long)]
    orders: PathBuf,
}

/// A delivery.
#[derive(Clone, Copy, Debug)]
pub(super) struct Heard {
    /// Of the update.
    pub(super) number: usize,
    pub(super) at: i64,
}

impl FromStr for Heard {
    type Err = anyhow::Error;

    fn from_str(line: &str) -> Result<Self> {
        let (number, at) = line
            .split_once(' ')
            .context("a delivery is a number and a time")?;
        Ok(Self {
            number: number.parse()?,
            at: at.parse()?,
        })
    }
}

type All = Arc<Mutex<Vec<Heard>>>;
type Socket = WebSocketStream<TcpStream>;

pub(crate) fn run(arguments: Arguments) -> Result<()> {
    super::on_one_thread(listen_to_all(arguments))
}

#[expect(clippy::print_stdout, reason = "what it tells `sockets`")]
async fn listen_to_all(arguments: Arguments) -> Result<()> {
    let lines = tokio::fs::read_to_string(&arguments.orders).await?;
    let orders: Vec<&str> = lines.lines().collect();
    let heard = All::default();
    let places = Arc::new(Semaphore::new(AT_ONCE));
    let mut sockets = JoinSet::new();
    for number in arguments.first..arguments.first + arguments.sockets {
        let address = arguments.address.get(number % arguments.address.len().max(1));
        let address = *address.context("no address")?;
        // The one that there is, where all watch the same.
        let line = orders.get(number).or(orders.first());
        let (id, token) = order::of_line(line.context("no order")?)?;
        let (from, heard) = (arguments.from, Arc::clone(&heard));
        let place = Arc::clone(&places).acquire_owned().await?;
        sockets.spawn(async move {
            let socket = open(from, address, &id, &token).await?;
            sleep(PACE).await;
            drop(place);
            listen(socket, number, (&id, &token), &heard).await
        });
        if let Some(ended) = sockets.try_join_next() {
            ended??;
        }
    }
    let all = u32::try_from(AT_ONCE)?;
    let _ = places.acquire_many(all).await?;
    sleep(SETTLE).await;
    println!("ready");
    let mut nothing = Vec::new();
    tokio::select! {
        ended = sockets.join_next() => if let Some(ended) = ended {
            ended??;
        },
        ended = async { tokio::io::stdin().read_to_end(&mut nothing).await } => {
            ended?;
        }
    }
    let heard = std::mem::take(&mut *heard.lock().unwrap_or_else(PoisonError::into_inner));
    let lines: String = heard
        .iter()
        .map(|Heard { number, at }| format!("{number} {at}\n"))
        .collect();
    tokio::io::stdout().write_all(lines.as_bytes()).await?;
    tokio::io::stdout().flush().await?;
    Ok(())
}

async fn open(from: IpAddr, address: SocketAddr, id: &str, token: &str) -> Result<Socket> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::new(from, 0))?;
    let stream = socket.connect(address).await?;
    stream.set_nodelay(true)?;
    let mut request = format!("ws://{address}/graphql/ws").into_client_request()?;
    let protocol = HeaderValue::from_static("graphql-transport-ws");
    request.headers_mut().insert("sec-websocket-protocol", protocol);
    let config = WebSocketConfig::default()
        .read_buffer_size(BUFFER_BYTES)
        .write_buffer_size(0);
    let (mut socket, _) = client_async_with_config(request, stream, Some(config)).await?;
    socket
        .send(Message::text(r#"{"type":"connection_init"}"#))
        .await?;
    let acknowledged = text(&mut socket).await?;
    ensure!(acknowledged.contains("connection_ack"), "{acknowledged}");
    subscribe(&mut socket, id, token).await?;
    Ok(socket)
}

async fn subscribe(socket: &mut Socket, id: &str, token: &str) -> Result<()> {
    let payload = json!({"query": WATCH, "variables": {"id": id, "token": token}});
    let subscribe = json!({"type": "subscribe", "id": "1", "payload": payload});
    socket.send(Message::text(subscribe.to_string())).await?;
    Ok(())
}

/// The next message. Pings are answered by the library as it reads.
async fn text(socket: &mut Socket) -> Result<String> {
    loop {
        match socket.next().await.context("the server has closed a socket")?? {
            Message::Text(text) => return Ok(text.as_str().to_owned()),
            Message::Ping(_) | Message::Pong(_) => socket.flush().await?,
            other @ (Message::Close(_) | Message::Binary(_) | Message::Frame(_)) => {
                bail!("the server says {other:?}")
            }
        }
    }
}

async fn listen(mut socket: Socket, own: usize, (id, token): (&str, &str), heard: &All) -> Result<()> {
    loop {
        let text = text(&mut socket).await?;
        let at = clock::now();
        // Of its own order it hears one thing, where no number is told.
        let number = number(&text).unwrap_or(own);
        if text.contains(r#""retryable":true"#) {
            // More came at once than there are connections to the database: as a client does.
            sleep(AGAIN).await;
            subscribe(&mut socket, id, token).await?;
            continue;
        }
        ensure!(text.contains(r#""type":"next""#), "a subscription says {text}");
        let mut heard = heard.lock().unwrap_or_else(PoisonError::into_inner);
        heard.push(Heard { number, at });
    }
}

/// Of `update 17.`
fn number(text: &str) -> Option<usize> {
    let (_, rest) = text.split_once("update ")?;
    rest.split_once('.')?.0.parse().ok()
}
