//! One socket, from `connection_init` to its end: a state machine that a single task runs.
//!
//! All operations of a socket are polled by that task, so a client that reads slowly slows down only itself,
//! and what it cancels is gone at once.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use async_graphql::parser::types::OperationType;
use axum::extract::ws::{Message, WebSocket};
use futures_util::stream::{AbortHandle, Abortable, BoxStream, SelectAll};
use futures_util::{StreamExt as _, stream};
use serde_json::value::RawValue;
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep_until};
use tungstenite::Error as SocketError;

use super::Close;
use super::message::{Said, Say};
use crate::graphql::answer::Answer;
use crate::graphql::cookies::RefreshCookie;
use crate::graphql::document::Prepared;
use crate::graphql::engine::{self, GraphqlRequest};
use crate::http::{Shared, auth};
use crate::infra::token::{TokenError, Verified};
use crate::kernel::actor::{Actor, Origin};

/// How often a client is asked whether it is still there; one that has not said anything for two of them
/// is not.
const HEARTBEAT: Duration = Duration::from_secs(30);

/// What comes of an operation.
enum Event {
    Answer(Box<Answer>),
    /// Nothing more: `complete`.
    End,
}

enum Caller {
    Nobody,
    Holder(Verified),
}

struct Session {
    shared: Arc<Shared>,
    origin: Origin,
    /// Whoever `connection_init` said, once it has come.
    caller: Option<Caller>,
    /// When to look again whether the caller's token has expired.
    look_at: Instant,
    running: SelectAll<Abortable<BoxStream<'static, (String, Event)>>>,
    active: HashMap<String, Operation>,
}

struct Operation {
    handle: AbortHandle,
    /// A subscription: only its client ends it, or the socket.
    endless: bool,
}

/// Serves the socket; how it is to be closed, or None when the client has gone.
pub(super) async fn run(shared: Arc<Shared>, origin: Origin, socket: &mut WebSocket) -> Option<Close> {
    let init_by = Instant::now() + shared.limits().socket_init_timeout;
    let closing = shared.lifecycle.closing.clone();
    // From before the token is looked at, so that nothing is missed.
    let mut revoked = shared.platform().revocations.changes();
    let mut session = Session {
        shared,
        origin,
        caller: None,
        look_at: init_by,
        running: SelectAll::new(),
        active: HashMap::new(),
    };
    let mut heartbeat = interval_at(Instant::now() + HEARTBEAT, HEARTBEAT);
    heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut heard = Instant::now();
    loop {
        let done = tokio::select! {
            received = socket.recv() => {
                heard = Instant::now();
                match received {
                    Some(Ok(message)) => session.receive(socket, message).await,
                    Some(Err(error)) => Err(close_after(error)),
                    None => Err(None),
                }
            }
            Some((id, event)) = session.running.next() => session.tell(socket, &id, event).await,
            () = sleep_until(init_by), if session.caller.is_none() => {
                Err(Some(Close::new(4408, "Connection initialisation timeout")))
            }
            _ = revoked.changed(), if session.holds_token() => session.look(),
            () = sleep_until(session.look_at), if session.holds_token() => session.look(),
            _ = heartbeat.tick() => {
                if heard.elapsed() > HEARTBEAT * 2 {
                    return None;
                }
                send(socket, Message::Ping(Vec::new().into())).await
            }
            () = closing.cancelled() => {
                session.end_subscriptions();
                // What is being executed has a deadline of its own, and its client wants to know.
                while let Some((id, event)) = session.running.next().await {
                    if let Err(close) = session.tell(socket, &id, event).await {
                        return close;
                    }
                }
                Err(Some(Close::new(1001, "Going away")))
            }
        };
        if let Err(close) = done {
            return close;
        }
    }
}

/// Ok to go on; else how to end.
type Step = Result<(), Option<Close>>;

impl Session {
    async fn receive(&mut self, socket: &mut WebSocket, message: Message) -> Step {
        let text = match message {
            Message::Text(text) => text,
            Message::Binary(_) => return Err(Some(Close::invalid("Messages are text, not binary"))),
            // The library answers pings and closes itself.
            Message::Ping(_) | Message::Pong(_) => return Ok(()),
            Message::Close(_) => return Err(None),
        };
        match Said::read(&text, self.shared.limits().json_depth).map_err(Some)? {
            Said::Init(authorization) => self.init(socket, authorization).await,
            Said::Ping(payload) => say(socket, &Say::Pong { payload }).await,
            Said::Pong => Ok(()),
            Said::Subscribe(id, request) => self.subscribe(socket, id, request).await,
            Said::Complete(id) => {
                self.end(&id);
                Ok(())
            }
        }
    }

    async fn init(&mut self, socket: &mut WebSocket, authorization: Option<String>) -> Step {
        if self.caller.is_some() {
            return Err(Some(Close::new(4429, "Too many initialisation requests")));
        }
        let caller = authorization.map_or(Ok(Caller::Nobody), |authorization| {
            auth::bearer(&authorization, self.shared.platform()).map(Caller::Holder)
        });
        self.caller = Some(caller.map_err(forbidden)?);
        self.look()?;
        say(socket, &Say::ConnectionAck).await
    }

    fn holds_token(&self) -> bool {
        matches!(self.caller, Some(Caller::Holder(_)))
    }

    /// Whoever is served for long is shown out when the token comes to its end.
    fn look(&mut self) -> Step {
        if let Some(Caller::Holder(token)) = &self.caller {
            let platform = self.shared.platform();
            auth::still_counts(token, platform).map_err(forbidden)?;
            let left = (token.expires_at - platform.clock.now()).to_std();
            // Not longer than it takes to notice that the machine's clock was set.
            self.look_at = Instant::now() + left.unwrap_or_default().min(HEARTBEAT);
        }
        Ok(())
    }

    async fn subscribe(&mut self, socket: &mut WebSocket, id: String, request: GraphqlRequest) -> Step {
        self.look()?;
        let actor = match &self.caller {
            None => return Err(Some(Close::new(4401, "Unauthorized"))),
            Some(Caller::Nobody) => Actor::Anonymous,
            Some(Caller::Holder(token)) => auth::actor(token),
        };
        if self.active.contains_key(&id) {
            return Err(Some(Close::new(
                4409,
                format!("Subscriber for {id} already exists"),
            )));
        }
        let most = self.shared.limits().socket_operations;
        let prepared = if self.active.len() >= most {
            let message = format!("No more than {most} operations at once run on one socket.");
            Err(Answer::refused("THROTTLED", message))
        } else {
            self.shared.engine.prepare(&actor, request)
        };
        match prepared {
            Ok(prepared) => {
                self.start(id, actor, prepared);
                Ok(())
            }
            Err(refusal) => {
                say(
                    socket,
                    &Say::Error {
                        id: &id,
                        payload: refusal.errors(),
                    },
                )
                .await
            }
        }
    }

    fn start(&mut self, id: String, actor: Actor, prepared: Prepared) {
        let (handle, registration) = AbortHandle::new_pair();
        let caller = engine::Caller {
            actor,
            origin: self.origin.clone(),
            // No answer on a socket can carry one.
            refresh_cookie: RefreshCookie::default(),
        };
        let endless = prepared.kind == OperationType::Subscription;
        let events = {
            let id = id.clone();
            Arc::clone(&self.shared.engine)
                .subscribe(caller, prepared)
                .map(|answer| Event::Answer(Box::new(answer)))
                .chain(stream::once(async { Event::End }))
                .map(move |event| (id.clone(), event))
        };
        self.running.push(Abortable::new(events.boxed(), registration));
        self.active.insert(id, Operation { handle, endless });
    }

    async fn tell(&mut self, socket: &mut WebSocket, id: &str, event: Event) -> Step {
        let answer = match event {
            Event::Answer(answer) => answer,
            Event::End => {
                self.end(id);
                return say(socket, &Say::Complete { id }).await;
            }
        };
        if !matches!(*answer, Answer::Executed(_)) {
            self.end(id);
            let payload = answer.errors();
            return say(socket, &Say::Error { id, payload }).await;
        }
        let json = String::from_utf8(answer.to_json()).ok();
        match json.and_then(|json| RawValue::from_string(json).ok()) {
            Some(payload) => {
                say(
                    socket,
                    &Say::Next {
                        id,
                        payload: &payload,
                    },
                )
                .await
            }
            None => Err(Some(Close::new(4500, "Internal server error"))),
        }
    }

    /// They would go on for ever. Their clients hear why, and have the cursors of what they have read.
    fn end_subscriptions(&mut self) {
        for operation in self.active.values().filter(|operation| operation.endless) {
            operation.handle.abort();
        }
    }

    /// The id is free again.
    fn end(&mut self, id: &str) {
        if let Some(operation) = self.active.remove(id) {
            operation.handle.abort();
        }
    }
}

/// Which of its ends the token came to is said: after an expiry a client refreshes, and opens another socket.
fn forbidden(error: TokenError) -> Option<Close> {
    let reason = match error {
        TokenError::Invalid => "Forbidden".to_owned(),
        TokenError::Expired | TokenError::Revoked => format!("Forbidden: {error}"),
    };
    Some(Close::new(4403, reason))
}

async fn say(socket: &mut WebSocket, message: &Say<'_>) -> Step {
    match serde_json::to_string(message) {
        Ok(text) => send(socket, Message::Text(text.into())).await,
        Err(error) => {
            tracing::error!(error = %error, "a message cannot be written as JSON");
            Err(Some(Close::new(4500, "Internal server error")))
        }
    }
}

async fn send(socket: &mut WebSocket, message: Message) -> Step {
    // Whatever went wrong, nothing can be said any more.
    socket.send(message).await.map_err(|_| None)
}

/// How RFC 6455 wants a socket closed that speaks no WebSocket; None when it cannot be told any more.
fn close_after(error: axum::Error) -> Option<Close> {
    match error.into_inner().downcast::<SocketError>().map(|error| *error) {
        Ok(SocketError::Capacity(_)) => Some(Close::new(1009, "Message too big")),
        Ok(SocketError::Utf8(_)) => Some(Close::new(1007, "Text that is not UTF-8")),
        Ok(SocketError::Protocol(_)) => Some(Close::new(1002, "Not a WebSocket frame")),
        Ok(_) | Err(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_close_reason_fits_into_its_frame() {
        let close = Close::new(4409, "é".repeat(100));
        assert_eq!(close.reason, "é".repeat(61));
    }
}
