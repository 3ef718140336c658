//! Subscriptions: begun as any operation is, and then told event by event.
//!
//! Of very many that wait each holds as little as may be: whose events to hear, who hears them, and a share of what is asked of
//! them. Loaders, a context and a deadline are there when an event is.

mod handover;
mod question;

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, ready};

use async_graphql::Request;
use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::{FutureExt as _, Stream, StreamExt as _};

use super::answer::Answer;
use super::cookies::RefreshCookie;
use super::document::Prepared;
use super::engine::{self, Caller, Engine};
use super::watch::Subscribed;
use crate::domain::context::Context;
use crate::domain::orders::feed::Happening;
use crate::domain::orders::feed::subscribe::{End, Happenings};
use crate::infra::metric::EVENTS_WRITTEN;
use crate::kernel::actor::{Actor, Origin};

pub use handover::{Given, Handover};
pub(super) use question::{Question, Questions};

/// One subscription: its answers.
pub(super) struct Heard {
    engine: Arc<Engine>,
    question: Arc<Question>,
    actor: Actor,
    origin: Origin,
    happenings: Happenings,
    /// The answer to an event, which is being worked out.
    answering: Option<BoxFuture<'static, Answer>>,
    subscribed: Subscribed,
    is_over: bool,
}

/// Begins a subscription: everything that can be refused is. None when there is nothing to hear.
///
/// # Errors
/// The refusal.
pub(super) async fn begin(
    engine: Arc<Engine>,
    caller: Caller,
    mut prepared: Prepared,
) -> Result<Option<Heard>, Answer> {
    let novelty = std::mem::take(&mut prepared.novelty);
    let question = engine.questions().of(&prepared);
    let Caller {
        actor,
        origin,
        refresh_cookie,
    } = caller;
    let handover = Handover::default();
    let schema = engine.schema_for(prepared.is_proven).clone();
    let request = engine::request(prepared, refresh_cookie).data(handover.clone());
    let context = context(&engine, &actor, &origin);
    if let Some(refusal) = engine.first(&schema, request, context).await {
        return Err(refusal);
    }
    let Some(happenings) = handover.take() else {
        return Ok(None);
    };
    engine.learn(novelty);
    Ok(Some(Heard {
        question: engine.questions().ask(question),
        actor,
        origin,
        happenings,
        answering: None,
        subscribed: Subscribed::begin(),
        is_over: false,
        engine,
    }))
}

/// Reads what was written: an event is told at once, and what it is about may not have come to a replica yet.
fn context(engine: &Engine, actor: &Actor, origin: &Origin) -> Context {
    Context::writing(actor.clone(), origin.clone(), Arc::clone(engine.platform()))
}

impl Stream for Heard {
    type Item = Answer;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Option<Answer>> {
        loop {
            if let Some(answering) = &mut self.answering {
                let answer = ready!(answering.as_mut().poll(cx));
                self.answering = None;
                self.subscribed.told(&answer);
                self.is_over = !answer.is_executed();
                return Poll::Ready(Some(answer));
            }
            if self.is_over {
                return Poll::Ready(None);
            }
            let Some(given) = ready!(self.happenings.poll_next_unpin(cx)) else {
                self.is_over = true;
                continue;
            };
            if let Some(answer) = self.written(&given) {
                self.subscribed.told(&answer);
                return Poll::Ready(Some(answer));
            }
            self.answering = Some(self.answer(given));
        }
    }
}

impl Heard {
    /// What somebody else was told already who asks the same.
    fn written(&self, given: &Result<Arc<Happening>, End>) -> Option<Answer> {
        let happening = given.as_ref().ok()?;
        let place = happening.written.place(self.question.number?);
        let written = place.get()?;
        EVENTS_WRITTEN.counter(["shared"]).increment(1);
        Some(Answer::Written(written.clone()))
    }

    fn answer(&self, given: Result<Arc<Happening>, End>) -> BoxFuture<'static, Answer> {
        let (engine, question) = (Arc::clone(&self.engine), Arc::clone(&self.question));
        let context = context(&self.engine, &self.actor, &self.origin);
        async move {
            match (question.number, given) {
                (Some(number), Ok(happening)) => shared(&engine, &question, number, context, happening).await,
                (_, given) => {
                    EVENTS_WRITTEN.counter(["own"]).increment(1);
                    executed(&engine, question.request(), context, given).await
                }
            }
        }
        .boxed()
    }
}

/// Written by whoever comes first, for all who ask the same.
async fn shared(
    engine: &Engine,
    question: &Question,
    number: u64,
    context: Context,
    happening: Arc<Happening>,
) -> Answer {
    let place = happening.written.place(number);
    let mut way = "shared";
    let written = place.get_or_try_init(|| {
        way = "first";
        async {
            let answer = executed(engine, question.request(), context, Ok(Arc::clone(&happening))).await;
            // What went wrong for one is tried again for the next.
            if answer.is_executed() && answer.errors().is_empty() {
                Ok(Bytes::from(answer.to_json()))
            } else {
                Err(answer)
            }
        }
    });
    let written = written.await.cloned();
    EVENTS_WRITTEN.counter([way]).increment(1);
    match written {
        Ok(json) => Answer::Written(json),
        Err(answer) => answer,
    }
}

async fn executed(
    engine: &Engine,
    request: Request,
    context: Context,
    given: Result<Arc<Happening>, End>,
) -> Answer {
    let request = request.data(Given(given)).data(RefreshCookie::default());
    // It was validated when the subscription began.
    let schema = engine.schema_for(true);
    let answer = engine.first(schema, request, context).await;
    // Whatever is given has an answer.
    answer.unwrap_or_else(Answer::internal)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// There are tens of thousands of these. Larger is not wrong, but it is worth a thought.
    #[test]
    fn a_subscription_that_waits_is_small() {
        assert!(size_of::<Heard>() <= 400, "{}", size_of::<Heard>());
    }
}
