//! Whose turn it is in a subscription: ours, to answer, or the world's, for something to happen.
//!
//! An event has the deadline of any operation, and waiting for one has none. The library joins the two into one stream, so
//! the stream of events itself says when it begins to wait.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use futures_util::{Stream, StreamExt as _};

/// Cheap to clone; ours at first.
#[derive(Clone, Debug, Default)]
pub struct Turn(Arc<AtomicBool>);

impl Turn {
    /// Whether there is nothing to answer.
    pub fn waits(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// These events, whose stream waits when it has none.
    pub(super) fn of<S: Stream + Send + 'static>(
        self,
        events: S,
    ) -> impl Stream<Item = S::Item> + Send + 'static {
        Events {
            events: events.boxed(),
            turn: self,
        }
    }
}

struct Events<'a, T> {
    events: futures_util::stream::BoxStream<'a, T>,
    turn: Turn,
}

impl<T> Stream for Events<'_, T> {
    type Item = T;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        let next = self.events.as_mut().poll_next(cx);
        self.turn.0.store(next.is_pending(), Ordering::Relaxed);
        next
    }
}
