//! Runs one operation of one caller: gives the resolvers their context and their loaders.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

use async_graphql::{Request, Response};
use futures_util::stream::{BoxStream, CatchUnwind};
use futures_util::{StreamExt as _, future};
use tokio::time::Sleep;

use super::loaders::{self, Idle};
use super::schema::ShopSchema;
use super::turn::Turn;
use crate::domain::context::Context;

/// Executes a request that has passed all limits.
pub async fn run(schema: &ShopSchema, request: Request, context: Context) -> Response {
    let idle = Idle::default();
    let loaders = loaders::of(context.clone(), &idle);
    idle.watch(schema.execute(request.data(context).data(loaders)))
        .await
}

/// A subscription, from which one response after the other is taken.
pub struct Running {
    responses: CatchUnwind<AssertUnwindSafe<BoxStream<'static, Response>>>,
    idle: Idle,
    turn: Turn,
    deadline: Duration,
}

/// What comes next of a subscription.
#[derive(Debug)]
pub enum Next {
    Response(Box<Response>),
    /// An event took longer to answer than an operation may.
    TooSlow,
    Panicked,
    End,
}

impl Running {
    /// A subscription to a request that has passed all limits. `deadline` is that of each event.
    pub fn new(schema: &ShopSchema, request: Request, context: Context, deadline: Duration) -> Self {
        let (idle, turn) = (Idle::default(), Turn::default());
        // One set for all events: no loader remembers anything once its batch is sent.
        let loaders = loaders::of(context.clone(), &idle);
        let request = request.data(context).data(loaders).data(turn.clone());
        Self::of(schema.execute_stream(request), idle, turn, deadline)
    }

    fn of(responses: BoxStream<'static, Response>, idle: Idle, turn: Turn, deadline: Duration) -> Self {
        Self {
            responses: AssertUnwindSafe(responses).catch_unwind(),
            idle,
            turn,
            deadline,
        }
    }

    /// May be dropped at any time, and asked again.
    pub async fn next(&mut self) -> Next {
        let Self {
            responses,
            idle,
            turn,
            deadline,
        } = self;
        let mut next = pin!(idle.watch(responses.next()));
        let mut late: Option<Pin<Box<Sleep>>> = None;
        future::poll_fn(|cx| {
            if let Poll::Ready(next) = next.as_mut().poll(cx) {
                return Poll::Ready(match next {
                    Some(Ok(response)) => Next::Response(Box::new(response)),
                    // The panic's text and place have been logged by the hook.
                    Some(Err(_)) => Next::Panicked,
                    None => Next::End,
                });
            }
            if turn.waits() {
                late = None;
                return Poll::Pending;
            }
            let late = late.get_or_insert_with(|| Box::pin(tokio::time::sleep(*deadline)));
            late.as_mut().poll(cx).map(|()| Next::TooSlow)
        })
        .await
    }
}

impl std::fmt::Debug for Running {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Running").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use async_graphql::Value;
    use futures_util::{FutureExt as _, stream};

    use super::*;

    const SOON: Duration = Duration::from_millis(20);

    fn running(responses: BoxStream<'static, Response>, turn: Turn) -> Running {
        Running::of(responses, Idle::default(), turn, SOON)
    }

    fn answer() -> Response {
        Response::new(Value::Null)
    }

    #[tokio::test]
    async fn an_event_has_a_deadline() {
        let stuck = stream::once(std::future::pending::<Response>()).boxed();
        let next = running(stuck, Turn::default()).next().await;
        assert!(matches!(next, Next::TooSlow), "{next:?}");
    }

    #[tokio::test]
    async fn waiting_for_one_has_none() {
        let turn = Turn::default();
        let slowly = async {
            tokio::time::sleep(SOON * 10).await;
            answer()
        };
        let events = turn.clone().of(stream::once(slowly)).boxed();
        let mut running = running(events, turn);
        let next = running.next().await;
        assert!(matches!(next, Next::Response(_)), "{next:?}");
        assert!(matches!(running.next().await, Next::End));
    }

    #[tokio::test]
    async fn a_panic_is_the_end() {
        let panics = async { panic!("for the test") }.into_stream().boxed();
        let next = running(panics, Turn::default()).next().await;
        assert!(matches!(next, Next::Panicked), "{next:?}");
    }
}
