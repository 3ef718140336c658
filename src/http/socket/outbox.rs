//! What is still to be written to a socket: message by message, while its operations go on.

use std::collections::VecDeque;
use std::future::pending;
use std::sync::Arc;

use axum::extract::ws::Message;
use futures_util::SinkExt as _;

use super::Sending;
use super::turns::Turn;

/// So many answers to what is no operation may wait until a client that does not read them is not read either.
const ROOM: usize = 64;

pub(super) struct Outbox<'a> {
    sink: &'a mut Sending,
    waiting: VecDeque<Outgoing>,
    /// What the library has been given, and has not got rid of yet.
    writing: Option<Option<Turn>>,
    room: usize,
}

struct Outgoing {
    message: Message,
    /// The operation that it is about.
    id: Option<Arc<str>>,
    /// Of an operation, from an answer to the next one; what is no answer takes none.
    turn: Option<Turn>,
}

impl<'a> Outbox<'a> {
    /// Each of so many operations may have an answer in it.
    pub(super) fn new(sink: &'a mut Sending, operations: usize) -> Self {
        Self {
            sink,
            waiting: VecDeque::new(),
            writing: None,
            room: operations.saturating_add(ROOM),
        }
    }

    pub(super) fn push(&mut self, message: Message, id: Option<Arc<str>>, turn: Option<Turn>) {
        self.waiting.push_back(Outgoing { message, id, turn });
    }

    /// The client wants to hear no more of it, and may use the id for another one.
    pub(super) fn withdraw(&mut self, id: &str) {
        self.waiting.retain(|outgoing| outgoing.id.as_deref() != Some(id));
    }

    pub(super) fn has_room(&self) -> bool {
        self.waiting.len() < self.room
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.writing.is_none()
    }

    /// Writes one message, and gives its operation the next turn; waits for ever when there is none. Dropped before its end
    /// it has lost nothing, and the next call goes on.
    pub(super) async fn write(&mut self) -> Result<(), axum::Error> {
        if self.writing.is_none() {
            let Some(next) = self.waiting.pop_front() else {
                return pending().await;
            };
            // Ready it is: what it was given before has been flushed.
            self.sink.start_send_unpin(next.message)?;
            self.writing = Some(next.turn);
        }
        self.sink.flush().await?;
        self.writing = None;
        Ok(())
    }
}
