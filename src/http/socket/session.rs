//! One socket, from `connection_init` to its end: a state machine that a single task runs.
//!
//! All operations of a socket are polled by that task, and nothing but them is ever waited for: what has been begun is in
//! the middle of a statement, of a lock, or of a connection that others need. So writing is one of several things
//! that go on at the same time (`outbox`), and an operation whose answer is not written yet does not begin the next one: a client
//! that does not read holds what it asked for, and nothing else.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use async_graphql::parser::types::OperationType;
use axum::extract::ws::Message;
use futures_util::stream::{AbortHandle, Abortable, SelectAll};
use futures_util::{StreamExt as _, stream};
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::{CancellationToken, PollSemaphore};
use tungstenite::Error as SocketError;

use super::message::{Said, Say, next};
use super::outbox::Outbox;
use super::turns::{Event, InTurn, Turn, Turns};
use super::{Close, FAREWELL, Receiving, Sending};
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

/// Queries and mutations of one socket that are executed, or wait to be read, at the same time: their answers may be large.
const TURNS: usize = 8;

enum Caller {
    Nobody,
    Holder(Verified),
}

struct Session<'a> {
    shared: Arc<Shared>,
    origin: Origin,
    /// Whoever `connection_init` said, once it has come.
    caller: Option<Caller>,
    /// Until when that may take.
    init_by: Instant,
    /// When to look again whether the caller's token has expired.
    look_at: Instant,
    /// When to ask next whether the client is still there, and when it was last heard.
    beat_at: Instant,
    heard: Instant,
    running: SelectAll<Abortable<InTurn>>,
    active: HashMap<Arc<str>, Operation>,
    outbox: Outbox<'a>,
    /// Of queries and mutations.
    turns: Arc<Semaphore>,
    /// When to go at the latest, once the process is to stop.
    leave_by: Option<Instant>,
}

struct Operation {
    handle: AbortHandle,
    /// A subscription: only its client ends it, or the socket.
    endless: bool,
}

/// Serves the socket; how it is to be closed, or None when the client has gone.
pub(super) async fn run(
    shared: Arc<Shared>,
    origin: Origin,
    sink: &mut Sending,
    stream: &mut Receiving,
) -> Option<Close> {
    let now = Instant::now();
    let init_by = now + shared.limits().socket_init_timeout;
    let closing = shared.lifecycle.closing.clone();
    // From before the token is looked at, so that nothing is missed.
    let mut revoked = shared.platform().revocations.changes();
    let outbox = Outbox::new(sink, shared.limits().socket_operations);
    let mut session = Session {
        shared,
        origin,
        caller: None,
        init_by,
        look_at: init_by,
        beat_at: now + HEARTBEAT,
        heard: now,
        running: SelectAll::new(),
        active: HashMap::new(),
        outbox,
        turns: Arc::new(Semaphore::new(TURNS)),
        leave_by: None,
    };
    // One for all that has its time: each would be a timer of its own, for each of very many.
    let mut alarm = pin!(sleep_until(session.next_alarm()));
    while !session.is_over() {
        let next = session.next_alarm();
        if alarm.deadline() != next {
            alarm.as_mut().reset(next);
        }
        // First what ends it: whoever is shown out is told nothing more. Both are rare, and done at once.
        let done = tokio::select! {
            biased;
            _ = revoked.changed(), if session.holds_token() => session.look(),
            () = alarm.as_mut() => session.ring(),
            done = session.step(stream, &closing) => done,
        };
        if let Err(close) = done {
            return close;
        }
    }
    Some(going_away())
}

fn going_away() -> Close {
    Close::new(1001, "Going away")
}

/// Ok to go on; else how to end.
type Step = Result<(), Option<Close>>;

impl Session<'_> {
    /// Whichever comes next, in no order: each of them can go on without a pause, and the others must not wait for it. Dropped
    /// before its end it has done nothing.
    async fn step(&mut self, stream: &mut Receiving, closing: &CancellationToken) -> Step {
        tokio::select! {
            received = stream.next(), if self.listens() => {
                self.heard = Instant::now();
                match received {
                    Some(Ok(message)) => self.receive(message),
                    Some(Err(error)) => Err(close_after(error)),
                    None => Err(None),
                }
            }
            // At its end it is asked no more, so the loop must turn.
            next = self.running.next(), if !self.running.is_empty() => match next {
                Some((id, event)) => self.tell(&id, event),
                None => Ok(()),
            },
            // Whatever went wrong, nothing can be said any more.
            written = self.outbox.write() => written.map_err(|_| None),
            () = closing.cancelled(), if self.leave_by.is_none() => {
                self.leave();
                Ok(())
            }
        }
    }

    /// A client that does not read what it is told is not heard either: it would only be told more.
    fn listens(&self) -> bool {
        self.leave_by.is_none() && self.outbox.has_room()
    }

    /// The first of all that has its time.
    fn next_alarm(&self) -> Instant {
        let init_by = self.caller.is_none().then_some(self.init_by);
        let look_at = self.holds_token().then_some(self.look_at);
        let times = [init_by, look_at, self.leave_by];
        times.into_iter().flatten().fold(self.beat_at, Instant::min)
    }

    fn ring(&mut self) -> Step {
        let now = Instant::now();
        if self.leave_by.is_some_and(|at| at <= now) {
            return Err(Some(going_away()));
        }
        if self.caller.is_none() && self.init_by <= now {
            return Err(Some(Close::new(4408, "Connection initialisation timeout")));
        }
        if self.holds_token() && self.look_at <= now {
            self.look()?;
        }
        if self.beat_at <= now {
            self.beat_at = now + HEARTBEAT;
            return self.beat(now);
        }
        Ok(())
    }

    /// Asks a client that has nothing to read whether it is still there.
    fn beat(&mut self, now: Instant) -> Step {
        if !self.outbox.is_empty() {
            // Who does not read could not have answered; how long that may go on is the connection's to say.
            self.heard = now;
        } else if now - self.heard > HEARTBEAT * 2 {
            return Err(None);
        } else {
            self.outbox.push(Message::Ping(Vec::new().into()), None, None);
        }
        Ok(())
    }

    /// What is being executed has a deadline of its own, and its client wants to know, if it reads at all. Subscriptions would
    /// go on for ever: their clients hear why, and have the cursors of what they have read.
    fn leave(&mut self) {
        self.leave_by = Some(Instant::now() + self.shared.limits().deadline + FAREWELL);
        for operation in self.active.values().filter(|operation| operation.endless) {
            operation.handle.abort();
        }
    }

    fn is_over(&self) -> bool {
        self.leave_by.is_some() && self.running.is_empty() && self.outbox.is_empty()
    }

    fn receive(&mut self, message: Message) -> Step {
        let text = match message {
            Message::Text(text) => text,
            Message::Binary(_) => return Err(Some(Close::invalid("Messages are text, not binary"))),
            // The library answers pings and closes itself.
            Message::Ping(_) | Message::Pong(_) => return Ok(()),
            Message::Close(_) => return Err(None),
        };
        match Said::read(&text, self.shared.limits().json_depth).map_err(Some)? {
            Said::Init(authorization) => self.init(authorization),
            Said::Ping(payload) => self.say(&Say::Pong { payload }, None, None),
            Said::Pong => Ok(()),
            Said::Subscribe(id, request) => self.subscribe(id, request),
            Said::Complete(id) => {
                self.end(&id);
                self.outbox.withdraw(&id);
                Ok(())
            }
        }
    }

    fn init(&mut self, authorization: Option<String>) -> Step {
        if self.caller.is_some() {
            return Err(Some(Close::new(4429, "Too many initialisation requests")));
        }
        let caller = authorization.map_or(Ok(Caller::Nobody), |authorization| {
            auth::bearer(&authorization, self.shared.platform()).map(Caller::Holder)
        });
        self.caller = Some(caller.map_err(forbidden)?);
        self.look()?;
        self.say(&Say::ConnectionAck, None, None)
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

    fn subscribe(&mut self, id: String, request: GraphqlRequest) -> Step {
        self.look()?;
        let actor = match &self.caller {
            None => return Err(Some(Close::new(4401, "Unauthorized"))),
            Some(Caller::Nobody) => Actor::Anonymous,
            Some(Caller::Holder(token)) => auth::actor(token),
        };
        if self.active.contains_key(id.as_str()) {
            return Err(Some(Close::new(
                4409,
                format!("Subscriber for {id} already exists"),
            )));
        }
        let id = Arc::<str>::from(id);
        let most = self.shared.limits().socket_operations;
        let refusal = if self.active.len() >= most {
            let message = format!("No more than {most} operations at once run on one socket.");
            Answer::refused("THROTTLED", message)
        } else if self.shared.engine.is_full() {
            Answer::overloaded()
        } else {
            let prepared = self.shared.engine.prepare(&actor, request);
            self.start(id, actor, prepared);
            return Ok(());
        };
        let payload = refusal.errors();
        self.say(&Say::Error { id: &id, payload }, Some(&id), None)
    }

    fn start(&mut self, id: Arc<str>, actor: Actor, prepared: Result<Prepared, Answer>) {
        let (handle, registration) = AbortHandle::new_pair();
        let caller = engine::Caller {
            actor,
            origin: self.origin.clone(),
            // No answer on a socket can carry one.
            refresh_cookie: RefreshCookie::default(),
        };
        let endless = prepared
            .as_ref()
            .is_ok_and(|prepared| prepared.kind == OperationType::Subscription);
        let engine = Arc::clone(&self.shared.engine);
        let answers = match prepared {
            Ok(prepared) => engine.subscribe(caller, prepared),
            Err(refusal) => stream::once(async move { engine.refused(&caller, refusal).await }).boxed(),
        };
        // A subscription tells of one event at a time, whatever else goes on.
        let turns = if endless {
            Turns::Own(Arc::default())
        } else {
            Turns::Shared(PollSemaphore::new(Arc::clone(&self.turns)))
        };
        let events = InTurn::new(Arc::clone(&id), answers, turns);
        self.running.push(Abortable::new(events, registration));
        self.active.insert(id, Operation { handle, endless });
    }

    fn tell(&mut self, id: &Arc<str>, event: Event) -> Step {
        let (answer, turn) = match event {
            Event::Answer(answer, turn) => (answer, turn),
            Event::End => {
                self.end(id);
                return self.say(&Say::Complete { id }, Some(id), None);
            }
        };
        if !answer.is_executed() {
            self.end(id);
            let payload = answer.errors();
            return self.say(&Say::Error { id, payload }, Some(id), Some(turn));
        }
        let text = match *answer {
            Answer::Written(json) => std::str::from_utf8(&json).ok().map(|json| next(id, json)),
            other => String::from_utf8(other.to_json())
                .ok()
                .map(|json| next(id, &json)),
        };
        let text = text.ok_or_else(|| Some(Close::new(4500, "Internal server error")))?;
        self.push(text, Some(id), Some(turn));
        Ok(())
    }

    /// Writes it down to be written; what it is about may be withdrawn before it is.
    fn say(&mut self, message: &Say<'_>, id: Option<&Arc<str>>, turn: Option<Turn>) -> Step {
        match serde_json::to_string(message) {
            Ok(text) => {
                self.push(text, id, turn);
                Ok(())
            }
            Err(error) => {
                tracing::error!(error = %error, "a message cannot be written as JSON");
                Err(Some(Close::new(4500, "Internal server error")))
            }
        }
    }

    fn push(&mut self, text: String, id: Option<&Arc<str>>, turn: Option<Turn>) {
        self.outbox
            .push(Message::Text(text.into()), id.map(Arc::clone), turn);
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
