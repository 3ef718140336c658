//! When a loader sends its batch: as soon as the operation can do nothing but wait for it.
//!
//! Others wait for a timer, of 1 ms say. That is too long for one client (it costs
//! several ms a level) and may be too short for a busy machine, which then splits a batch in two.
//! Resolvers all run in the operation's own task, so the moment when that task has nothing left to poll is
//! exactly the moment when no further key can come.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use tokio::sync::Notify;

/// Knows whether the operation is being polled.
#[derive(Clone, Debug, Default)]
pub struct Idle(Arc<State>);

#[derive(Debug, Default)]
struct State {
    polling: AtomicBool,
    idle: Notify,
}

impl Idle {
    /// Runs the operation, watching when it falls idle.
    pub async fn watch<F: Future>(&self, operation: F) -> F::Output {
        Watched {
            operation: pin!(operation),
            state: &self.0,
        }
        .await
    }

    /// When the operation has nothing left to poll.
    pub(super) fn moment(&self) -> impl Future<Output = ()> + Send + 'static {
        let state = Arc::clone(&self.0);
        async move {
            // Registered before the flag is read: a poll that ends in between is not missed.
            let idle = state.idle.notified();
            let mut idle = pin!(idle);
            idle.as_mut().enable();
            if state.polling.load(Ordering::SeqCst) {
                idle.await;
            }
        }
    }
}

struct Watched<'a, F> {
    operation: Pin<&'a mut F>,
    state: &'a State,
}

impl<F: Future> Future for Watched<'_, F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        self.state.polling.store(true, Ordering::SeqCst);
        let poll = self.operation.as_mut().poll(cx);
        self.state.polling.store(false, Ordering::SeqCst);
        self.state.idle.notify_waiters();
        poll
    }
}
