//! A client that speaks graphql-transport-ws.

use std::net::SocketAddr;
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::net::{TcpSocket, TcpStream};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, client_async_with_config, connect_async_with_config,
};

use super::goods::product;
use super::shop::{Server, Shop};

/// A client of `/graphql/ws`.
pub(crate) struct Socket(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Socket {
    pub(crate) async fn open(server: &Server) -> Self {
        Self::open_at(server.address).await
    }

    async fn open_at(address: SocketAddr) -> Self {
        Self::connect(address, &[("sec-websocket-protocol", "graphql-transport-ws")])
            .await
            .unwrap()
    }

    /// The status when it is refused.
    pub(crate) async fn open_with(server: &Server, headers: &[(&'static str, &str)]) -> Result<Self, u16> {
        Self::connect(server.address, headers).await
    }

    async fn connect(address: SocketAddr, headers: &[(&'static str, &str)]) -> Result<Self, u16> {
        let mut request = format!("ws://{address}/graphql/ws")
            .into_client_request()
            .unwrap();
        for (name, value) in headers {
            request
                .headers_mut()
                .insert(*name, HeaderValue::from_str(value).unwrap());
        }
        match connect_async_with_config(request, Some(config()), true).await {
            Ok((socket, _)) => Ok(Self(socket)),
            Err(tokio_tungstenite::tungstenite::Error::Http(response)) => Err(response.status().as_u16()),
            Err(error) => panic!("{error}"),
        }
    }

    /// Opened, and greeted as nobody in particular.
    pub(crate) async fn ready(server: &Server) -> Self {
        Self::ready_at(server.address).await
    }

    pub(crate) async fn ready_at(address: SocketAddr) -> Self {
        let mut socket = Self::open_at(address).await;
        socket.say(json!({"type": "connection_init"})).await;
        assert_eq!(socket.hear().await, json!({"type": "connection_ack"}));
        socket
    }

    /// Opened, and greeted with a token.
    pub(crate) async fn of(server: &Server, token: &str) -> Self {
        let mut socket = Self::open(server).await;
        socket.greet(token).await;
        assert_eq!(socket.hear().await, json!({"type": "connection_ack"}));
        socket
    }

    /// Greeted, with hardly any room for what it does not read.
    pub(crate) async fn narrow(server: &Server, token: Option<&str>) -> Self {
        let connection = TcpSocket::new_v4().unwrap();
        connection.set_recv_buffer_size(4096).unwrap();
        let connection = connection.connect(server.address).await.unwrap();
        let mut request = format!("ws://{}/graphql/ws", server.address)
            .into_client_request()
            .unwrap();
        let protocol = HeaderValue::from_static("graphql-transport-ws");
        request.headers_mut().insert("sec-websocket-protocol", protocol);
        let connection = MaybeTlsStream::Plain(connection);
        let opened = client_async_with_config(request, connection, Some(config())).await;
        let mut socket = Self(opened.unwrap().0);
        match token {
            Some(token) => socket.greet(token).await,
            None => socket.say(json!({"type": "connection_init"})).await,
        }
        assert_eq!(socket.hear().await, json!({"type": "connection_ack"}));
        socket
    }

    /// Returns when the server is in the middle of an answer to [`BIG`], which cannot go on until this client reads.
    pub(crate) async fn stuck(&self) {
        let MaybeTlsStream::Plain(connection) = self.0.get_ref() else {
            panic!("encrypted")
        };
        let begun = tokio::time::timeout(Duration::from_secs(20), connection.peek(&mut [0])).await;
        assert_eq!(begun.expect("an answer begins").unwrap(), 1);
    }

    pub(crate) async fn greet(&mut self, token: &str) {
        let payload = json!({"authorization": format!("Bearer {token}")});
        self.say(json!({"type": "connection_init", "payload": payload}))
            .await;
    }

    pub(crate) async fn send(&mut self, message: Message) {
        self.0.send(message).await.unwrap();
    }

    pub(crate) async fn say(&mut self, message: Value) {
        self.send(Message::Text(message.to_string().into())).await;
    }

    pub(crate) async fn next(&mut self) -> Option<Message> {
        self.next_within(Duration::from_secs(20)).await
    }

    async fn next_within(&mut self, patience: Duration) -> Option<Message> {
        let next = tokio::time::timeout(patience, self.0.next()).await;
        next.expect("the server says something")
            .map(|message| message.unwrap())
    }

    pub(crate) async fn hear(&mut self) -> Value {
        match self.next().await {
            Some(Message::Text(text)) => serde_json::from_str(&text).unwrap(),
            other => panic!("{other:?}"),
        }
    }

    /// How the server closes, whatever it says before.
    /// The next message, however long it takes on a busy machine; the server's pings are answered meanwhile.
    pub(crate) async fn hear_at_last(&mut self) -> Value {
        loop {
            if let Some(Message::Text(text)) = self.next_within(Duration::from_secs(300)).await {
                return serde_json::from_str(&text).unwrap();
            }
        }
    }

    pub(crate) async fn closed(&mut self) -> (u16, String) {
        loop {
            match self.next().await {
                Some(Message::Close(Some(frame))) => return (frame.code.into(), frame.reason.to_string()),
                Some(Message::Close(None)) | None => panic!("closed without a word"),
                Some(_) => {}
            }
        }
    }
}

/// The message that begins an operation.
pub(crate) fn subscribe(id: &str, query: &str) -> Value {
    json!({"type": "subscribe", "id": id, "payload": {"query": query}})
}

fn config() -> WebSocketConfig {
    // The default keeps 128 KiB for each, which thousands cannot have.
    WebSocketConfig::default()
        .read_buffer_size(2048)
        .write_buffer_size(2048)
}

/// In a shop of [`big_goods`], more than the system takes for a client that does not read: six megabytes.
pub(crate) const BIG: &str = "{ products(first: 20) { nodes { a: description b: description c: description d: description e: description f: description } } }";

pub(crate) async fn big_goods(shop: &Shop) {
    let text = "x".repeat(50_000);
    for number in 0..20 {
        shop.add(product(&format!("Mug {number}")).description(&text))
            .await;
    }
}
