//! When a loader sends its batch: as soon as the operation can do nothing but wait for it.
//!
//! Others wait for a timer, of 1 ms say. That is too long for one client (it costs several ms a level) and may be too short
//! for a busy machine, which then splits a batch in two. Resolvers all run in the operation's own task, so the moment
//! when that task has nothing left to poll is exactly the moment when no further key can come. A poll that ends is not that
//! moment yet: long lists are polled a part at a time, and wake their own task for the rest.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use futures_util::task::AtomicWaker;
use tokio::sync::Notify;

/// Knows when the operation has nothing left to do.
#[derive(Clone, Debug, Default)]
pub struct Idle(Arc<State>);

#[derive(Debug, Default)]
struct State {
    idle: Notify,
    /// Whether somebody has woken the operation since its last poll began.
    woken: AtomicBool,
    task: AtomicWaker,
}

impl Wake for State {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.woken.store(true, Ordering::SeqCst);
        self.task.wake();
    }
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

    /// The operation's next idle moment. To be awaited by the operation itself.
    pub(super) fn moment(&self) -> impl Future<Output = ()> + Send + 'static {
        let state = Arc::clone(&self.0);
        async move { state.idle.notified().await }
    }
}

struct Watched<'a, F> {
    operation: Pin<&'a mut F>,
    state: &'a Arc<State>,
}

impl<F: Future> Future for Watched<'_, F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let state = Arc::clone(self.state);
        state.task.register(cx.waker());
        state.woken.store(false, Ordering::SeqCst);
        let waker = Waker::from(Arc::clone(&state));
        let poll = self.operation.as_mut().poll(&mut Context::from_waker(&waker));
        // Woken meanwhile, it is polled again, and may have more to ask for.
        if poll.is_pending() && !state.woken.load(Ordering::SeqCst) {
            state.idle.notify_waiters();
        }
        poll
    }
}
