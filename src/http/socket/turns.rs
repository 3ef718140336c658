//! Whose turn it is to work out an answer, of the operations of one socket: a turn lasts until the answer is written.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use futures_util::stream::BoxStream;
use futures_util::task::AtomicWaker;
use futures_util::{Stream, StreamExt as _};
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::sync::PollSemaphore;

use crate::graphql::answer::Answer;

/// What comes of an operation.
pub(super) enum Event {
    /// With the operation's turn, which it has again when this is written.
    Answer(Box<Answer>, Turn),
    /// Nothing more: `complete`.
    End,
}

/// Where turns come from.
pub(super) enum Turns {
    /// Queries and mutations share some.
    Shared(PollSemaphore),
    /// A subscription has one of its own.
    Own(Arc<Gate>),
}

/// Given back when it is dropped, which is all that there is to do with it.
pub(super) enum Turn {
    Shared { _permit: OwnedSemaphorePermit },
    Own { _pass: Pass },
}

/// A door for one. A semaphore would do the same, and be several times as large.
#[derive(Default)]
pub(super) struct Gate {
    is_taken: AtomicBool,
    waits: AtomicWaker,
}

pub(super) struct Pass(Arc<Gate>);

impl Drop for Pass {
    fn drop(&mut self) {
        self.0.is_taken.store(false, Ordering::SeqCst);
        self.0.waits.wake();
    }
}

impl Gate {
    fn poll(self: &Arc<Self>, cx: &mut Context<'_>) -> Poll<Pass> {
        self.waits.register(cx.waker());
        if self.is_taken.swap(true, Ordering::SeqCst) {
            Poll::Pending
        } else {
            Poll::Ready(Pass(Arc::clone(self)))
        }
    }
}

impl Turns {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Turn>> {
        match self {
            Self::Shared(turns) => {
                let permit = ready!(turns.poll_acquire(cx));
                Poll::Ready(permit.map(|permit| Turn::Shared { _permit: permit }))
            }
            Self::Own(gate) => gate.poll(cx).map(|pass| Some(Turn::Own { _pass: pass })),
        }
    }
}

/// What comes of an operation, answer by answer: none is begun before there is a turn for it.
pub(super) struct InTurn {
    id: Arc<str>,
    /// None once all has been told.
    answers: Option<BoxStream<'static, Answer>>,
    turns: Turns,
    turn: Option<Turn>,
}

impl InTurn {
    pub(super) fn new(id: Arc<str>, answers: BoxStream<'static, Answer>, turns: Turns) -> Self {
        Self {
            id,
            answers: Some(answers),
            turns,
            turn: None,
        }
    }
}

impl Stream for InTurn {
    type Item = (Arc<str>, Event);

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Self {
            id,
            answers,
            turns,
            turn,
        } = &mut *self;
        let Some(running) = answers else {
            return Poll::Ready(None);
        };
        if turn.is_none() {
            *turn = ready!(turns.poll(cx));
        }
        let event = match (ready!(running.poll_next_unpin(cx)), turn.take()) {
            (Some(answer), Some(turn)) => Event::Answer(Box::new(answer), turn),
            _ => {
                *answers = None;
                Event::End
            }
        };
        Poll::Ready(Some((Arc::clone(id), event)))
    }
}

#[cfg(test)]
mod tests {
    use futures_util::stream;

    use super::*;

    #[tokio::test]
    async fn an_answer_is_not_begun_before_the_last_one_is_written() {
        let answers = stream::repeat_with(|| Answer::refused("X", "said")).take(2);
        let mut events = InTurn::new("1".into(), answers.boxed(), Turns::Own(Arc::default()));
        let Some((_, Event::Answer(_, turn))) = events.next().await else {
            panic!("an answer was expected");
        };
        assert!(futures_util::poll!(events.next()).is_pending());
        let next = tokio::spawn(async move {
            let second = events.next().await;
            let is_answer = matches!(second, Some((_, Event::Answer(..))));
            (is_answer, events)
        });
        tokio::task::yield_now().await;
        drop(turn);
        let (is_answer, mut events) = next.await.unwrap();
        assert!(is_answer, "its turn came when the first was written");
        assert!(matches!(events.next().await, Some((_, Event::End))));
        assert!(events.next().await.is_none());
    }
}
