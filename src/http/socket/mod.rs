//! `/graphql/ws`, by the [graphql-transport-ws](https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md)
//! protocol: who may open a socket, and how it is closed.

mod message;
mod outbox;
mod session;
mod turns;

use std::future::ready;
use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::extract::State;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::time::timeout;
use url::{Host, Url};

use super::accept::MediaType;
use super::crowd::{self, Member};
use super::{Peer, Shared, SharedState, auth, reply};
use crate::graphql::cookies::RefreshCookie;
use crate::graphql::engine::Caller;
use crate::infra::metric::SOCKETS;
use crate::kernel::actor::{Actor, Origin};
use crate::kernel::config::Environment;

const PROTOCOL: &str = "graphql-transport-ws";

/// axum's own are 128 KiB each, which ten thousand idle sockets would turn into gigabytes. A `subscribe` fits into it.
const READ_BYTES: usize = 1024;

/// Each message is written at once: nothing is gained by waiting for another.
const WRITE_BYTES: usize = 0;

/// How long a client may take to notice that it is being shown out.
const FAREWELL: Duration = Duration::from_secs(1);

const MAX_REASON_BYTES: usize = 123;

type Sending = SplitSink<WebSocket, Message>;
type Receiving = SplitStream<WebSocket>;

/// Why a socket is closed, as the client reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Close {
    code: u16,
    reason: String,
}

impl Close {
    fn new(code: u16, reason: impl Into<String>) -> Self {
        let mut reason = reason.into();
        reason.truncate(reason.floor_char_boundary(MAX_REASON_BYTES));
        Self { code, reason }
    }

    fn invalid(problem: impl Into<String>) -> Self {
        Self::new(4400, problem)
    }
}

pub(super) async fn open(
    State(shared): SharedState,
    peer: Option<Extension<Peer>>,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response {
    if !may_open(&shared, &headers) {
        let message =
            "Pages of this origin may not open sockets here: SOUK_CORS_ORIGINS lists those that may.";
        return reply::refusal(StatusCode::FORBIDDEN, "FORBIDDEN", message);
    }
    let upgrade = match upgrade {
        Ok(upgrade) => upgrade,
        Err(rejection) => {
            let message = "This address speaks graphql-transport-ws over a WebSocket only.";
            return reply::refusal(rejection.status(), "BAD_USER_INPUT", message);
        }
    };
    let origin = auth::origin(&shared, peer.map(|peer| peer.0), &headers);
    // Who it will be nobody has said yet.
    let nobody = Caller {
        actor: Actor::Anonymous,
        origin: origin.clone(),
        refresh_cookie: RefreshCookie::default(),
    };
    if let Err(throttled) = shared.engine.charge(&nobody).await {
        return reply::answer(&throttled, MediaType::Json);
    }
    let Some(place) = crowd::place(&shared, &origin) else {
        return crowd::refusal(MediaType::Json);
    };
    let limit = shared.limits().socket_message_bytes;
    upgrade
        .protocols([PROTOCOL])
        .read_buffer_size(READ_BYTES)
        .write_buffer_size(WRITE_BYTES)
        .max_message_size(limit)
        .max_frame_size(limit)
        .on_upgrade(move |socket| {
            let speaks = socket.protocol().is_some_and(|protocol| protocol == PROTOCOL);
            let (sink, stream) = socket.split();
            let tasks = shared.lifecycle.tasks.clone();
            // In a task of its own: the library's keeps what the socket was made of for as long as it goes on.
            tasks.spawn(serve(shared, origin, speaks, sink, stream, place));
            ready(())
        })
}

async fn serve(
    shared: Arc<Shared>,
    origin: Origin,
    speaks: bool,
    mut sink: Sending,
    mut stream: Receiving,
    place: Member,
) {
    let _open = (SOCKETS.hold(), place);
    let close = if speaks {
        session::run(shared, origin, &mut sink, &mut stream).await
    } else {
        Some(Close::new(4406, "Subprotocol not acceptable"))
    };
    match close {
        Some(close) => show_out(&mut sink, &mut stream, close).await,
        // The client has gone, with or without a word. Its word is answered by the library when it is asked for more.
        None => {
            let _ = timeout(FAREWELL, stream.next()).await;
        }
    }
}

async fn show_out(sink: &mut Sending, stream: &mut Receiving, Close { code, reason }: Close) {
    tracing::debug!(code, reason, "closing a socket");
    let frame = CloseFrame {
        code,
        reason: reason.into(),
    };
    // Behind what is half written, which a client that does not read never lets through.
    let said = timeout(FAREWELL, sink.send(Message::Close(Some(frame)))).await;
    if matches!(said, Ok(Ok(()))) {
        // A connection that is cut while something unread lies in it is reset, and the client never
        // learns why: it is given the time to read, and to answer.
        let _ = timeout(FAREWELL, async {
            loop {
                match stream.next().await {
                    Some(Ok(_)) => {}
                    None => break,
                    // Too much to be read: then only time is left to give.
                    Some(Err(_)) => std::future::pending().await,
                }
            }
        })
        .await;
    }
}

/// Whether the page that wants to open a socket may: browsers do not ask before they let one. A client
/// that is no browser sends no origin.
fn may_open(shared: &Shared, headers: &HeaderMap) -> bool {
    let Some(origin) = headers.get(header::ORIGIN) else {
        return true;
    };
    let Ok(origin) = origin.to_str() else { return false };
    let config = &shared.config;
    origin == config.public_url.origin().ascii_serialization()
        || config.cors_origins.iter().any(|allowed| allowed == origin)
        || shared.environment == Environment::Development && is_this_machine(origin, config.listen.port())
}

/// A developer calls it localhost, 127.0.0.1 or `[::1]`.
fn is_this_machine(origin: &str, port: u16) -> bool {
    Url::parse(origin).is_ok_and(|url| {
        let local = match url.host() {
            Some(Host::Domain(name)) => name == "localhost",
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        };
        local && url.port_or_known_default() == Some(port)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size_of_task<F: Future>(
        _: impl Fn(Arc<Shared>, Origin, bool, Sending, Receiving, Member) -> F,
    ) -> usize {
        size_of::<F>()
    }

    /// There are tens of thousands of these. Larger is not wrong, but it is worth a thought.
    #[test]
    fn a_socket_that_waits_is_small() {
        let size = size_of_task(serve);
        assert!(size <= 4_096, "{size}");
    }
}
