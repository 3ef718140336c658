//! Answers requests: checks the document, runs the operation against the clock, and sees to it that
//! whatever happens becomes an answer of the contract, or a stream of them.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_graphql::parser::types::OperationType;
use async_graphql::{Request, Variables};
use futures_util::stream::{self, BoxStream};
use futures_util::{FutureExt as _, StreamExt as _};
use tokio::sync::Semaphore;
use tracing::{Instrument as _, Span};

use super::answer::Answer;
use super::cookies::RefreshCookie;
use super::document::{self, InputTypes, Known, Novelty, Prepared};
use super::execution;
use super::heard::{self, Heard, Questions};
use super::persisted::Persisted;
use super::schema::{self, ShopSchema};
use super::throttle::{self, REFUSED};
use super::told::Telling;
use super::watch::{self, Watch};
use crate::domain::answers::Recorder;
use crate::domain::context::{Context, Platform};
use crate::infra::telemetry::trace;
use crate::kernel::actor::{Actor, Origin, Role};
use crate::kernel::config::{HttpConfig, LimitsConfig};

/// A request as it was sent, by whatever transport.
#[derive(Clone, Debug, Default)]
pub struct GraphqlRequest {
    pub query: Option<String>,
    /// What the document is known by, instead of its text or beside it.
    pub document_id: Option<String>,
    pub operation_name: Option<String>,
    pub variables: Variables,
}

/// Who sent an operation, from where, and how its refresh token travels.
#[derive(Clone, Debug)]
pub struct Caller {
    pub actor: Actor,
    pub origin: Origin,
    pub refresh_cookie: RefreshCookie,
}

/// Everything that it takes to answer requests. One for the process.
#[derive(Debug)]
pub struct Engine {
    schema: Schema,
    /// For operations that have passed the validation of the other.
    trusting: Option<Schema>,
    types: InputTypes,
    platform: Arc<Platform>,
    limits: LimitsConfig,
    introspection: bool,
    persisted: Persisted,
    known: Known,
    /// What subscriptions ask.
    questions: Questions,
    /// Queries and mutations that may still begin.
    places: Arc<Semaphore>,
}

/// The schema, which cannot be shown.
struct Schema(ShopSchema);

impl std::fmt::Debug for Schema {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Schema")
    }
}

impl Engine {
    pub fn new(
        schema: ShopSchema,
        platform: Arc<Platform>,
        limits: LimitsConfig,
        introspection: bool,
    ) -> Self {
        let types = InputTypes::of(&schema);
        watch::learn(&types);
        let places = limits.in_flight.min(Semaphore::MAX_PERMITS);
        Self {
            places: Arc::new(Semaphore::new(places)),
            questions: Questions::new(platform.orders.shared_events),
            schema: Schema(schema),
            trusting: None,
            types,
            platform,
            limits,
            introspection,
            persisted: Persisted::default(),
            known: Known::new(0),
        }
    }

    /// The same with room for so many bytes of documents that need not be parsed and validated again.
    pub fn remembering(mut self, bytes: u64) -> Self {
        self.known = Known::new(bytes);
        self.trusting = (bytes > 0).then(|| Schema(schema::build_trusting(&self.limits)));
        self
    }

    /// The same with documents that are known by their ids, after [`Engine::remembering`]: those that are trusted are remembered.
    ///
    /// # Errors
    /// A trusted document that cannot be executed: its file, its line, and why.
    pub fn knowing(mut self, config: &HttpConfig) -> anyhow::Result<Self> {
        let folder = config.trusted_documents.as_deref();
        self.persisted = Persisted::new(
            folder,
            config.persisted_queries,
            &self.types,
            &self.limits,
            &self.known,
        )?;
        Ok(self)
    }

    /// Checks a request without executing anything.
    ///
    /// # Errors
    /// The answer that refuses it.
    #[expect(clippy::result_large_err, reason = "made once, and answered with at once")]
    pub fn prepare(&self, actor: &Actor, mut request: GraphqlRequest) -> Result<Prepared, Answer> {
        let started = Instant::now();
        let refused = |errors| {
            let refusal = Answer::of_errors(errors, &self.limits);
            watch::refused(&refusal, started.elapsed());
            refusal
        };
        // An admin may look at anything, as GraphiQL does, also where only trusted documents are executed.
        let admin = actor.role() == Some(Role::Admin);
        let (text, registration) = self.persisted.find(&mut request, admin).map_err(refused)?;
        let operation = request.operation_name.as_deref();
        let known = self.known.get(&text, operation);
        let new = known.is_none().then_some((&*text, operation));
        let checked = match known {
            Some(checked) => checked,
            None => Arc::new(document::check(&text, operation, &self.types, &self.limits).map_err(refused)?),
        };
        let introspection = self.introspection || admin;
        let prepared = document::bind(
            &checked,
            request.variables,
            &self.types,
            &self.limits,
            introspection,
        );
        let prepared = prepared.map_err(refused)?;
        let proof = self.known.proof(checked, &prepared.variables, new);
        // Else it would wait for ever until its bucket holds so much.
        if let Some(limiter) = self.platform.rates.of_operations(actor)
            && prepared.cost > limiter.capacity()
        {
            let error = document::too_dear(prepared.cost, limiter.capacity(), None);
            return Err(refused(vec![error]));
        }
        let name = prepared.operation_name.as_deref();
        let own_name = name
            .filter(|_| self.persisted.trusts(&prepared.hash))
            .map(watch::own);
        Ok(Prepared {
            own_name,
            is_proven: self.known.is_on() && proof.is_none(),
            novelty: Novelty { registration, proof },
            ..prepared
        })
    }

    /// What was accepted.
    pub(super) fn learn(&self, novelty: Novelty) {
        if let Some(registration) = novelty.registration {
            self.persisted.register(registration);
        }
        if let Some(proof) = novelty.proof {
            self.known.learn(proof);
        }
    }

    /// The one that executes it.
    pub(super) fn schema_for(&self, is_proven: bool) -> &ShopSchema {
        let trusting = self.trusting.as_ref().filter(|_| is_proven);
        &trusting.unwrap_or(&self.schema).0
    }

    /// Whether an operation would be refused for all the others that are being executed: asked before anything is read.
    pub fn is_full(&self) -> bool {
        self.places.available_permits() == 0
    }

    /// What a request is answered with that was refused before anything was executed: what it was refused with, or that its
    /// sender has been refused too often.
    pub async fn refused(&self, caller: &Caller, refusal: Answer) -> Answer {
        match self.charge(caller).await {
            Ok(()) => refusal,
            Err(throttled) => throttled,
        }
    }

    /// For work that is no operation, such as opening a socket.
    ///
    /// # Errors
    /// The answer to a caller who has nothing left.
    pub async fn charge(&self, caller: &Caller) -> Result<(), Answer> {
        let (rates, Caller { actor, origin, .. }) = (&self.platform.rates, caller);
        throttle::take(rates, actor, origin, REFUSED).await.map(drop)
    }

    /// Validates and executes a query or a mutation. Subscriptions have more than one answer: see [`Engine::subscribe`].
    pub async fn run(&self, caller: Caller, prepared: Prepared) -> Answer {
        self.run_recording(caller, prepared, None, self.limits.deadline)
            .await
    }

    /// The same within this time, with a note of what is read.
    pub(super) async fn run_recording(
        &self,
        caller: Caller,
        mut prepared: Prepared,
        recorder: Option<Arc<Recorder>>,
        deadline: Duration,
    ) -> Answer {
        let novelty = std::mem::take(&mut prepared.novelty);
        let watch = Watch::begin(&prepared, self.platform.slow);
        let (request, span) = (Span::current(), watch.span());
        let answer = self
            .execute(caller, prepared, request, recorder, deadline)
            .instrument(span.clone())
            .await;
        watch.end(&answer, &span);
        if answer.is_executed() {
            self.learn(novelty);
        }
        answer
    }

    async fn execute(
        &self,
        caller: Caller,
        mut prepared: Prepared,
        around: Span,
        recorder: Option<Arc<Recorder>>,
        deadline: Duration,
    ) -> Answer {
        let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else {
            return Answer::overloaded();
        };
        let Caller {
            actor,
            origin,
            refresh_cookie,
        } = caller;
        let toll = match throttle::take(&self.platform.rates, &actor, &origin, prepared.cost).await {
            Ok(toll) => toll,
            Err(throttled) => return throttled,
        };
        let platform = Arc::clone(&self.platform);
        let context = match (prepared.kind, recorder) {
            (OperationType::Query, Some(recorder)) => Context::recording(actor, origin, platform, recorder),
            (OperationType::Query, None) => Context::reading(actor, origin, platform),
            (OperationType::Mutation, _) => Context::writing(actor, origin, platform),
            (OperationType::Subscription, _) => {
                return Answer::refused("GRAPHQL_VALIDATION_FAILED", NEEDS_STREAM);
            }
        };
        let repeatable = prepared.is_repeatable;
        let schema = self.schema_for(prepared.is_proven).clone();
        let (kind, charges) = (prepared.kind, std::mem::take(&mut prepared.charges));
        let tells = prepared.names_each_once && !trace::is_on();
        let mut request = request(prepared, refresh_cookie);
        if tells {
            request = request.data(Telling);
        }
        let begun = Instant::now();
        let operation = AssertUnwindSafe(async move {
            let (platform, touched) = (Arc::clone(&context.platform), context.touched.clone());
            let told = platform.news.told();
            let response = execution::run(&schema, request, context).await;
            touched.tell_rest(&platform.answers);
            // As long as it runs, also when nobody waits for it any more; but not while it waits for others to hear of it.
            drop(place);
            if kind == OperationType::Mutation {
                let left = deadline.saturating_sub(begun.elapsed());
                platform.settle(told, left / 2).await;
            }
            response
        })
        .catch_unwind()
        // Large, and moved by all that is put around it otherwise.
        .boxed();
        let outcome = match kind {
            OperationType::Mutation => within(deadline, to_the_end(operation, around, self.patience())).await,
            _ => within(deadline, operation).await,
        };
        let mut answer = match outcome {
            Ok(response) if repeatable => Answer::of(response, &self.limits),
            Ok(response) => Answer::of(response, &self.limits).not_to_be_repeated(),
            Err(failed) => failed,
        };
        toll.settle(&charges, self.limits.errors, &mut answer);
        answer
    }

    /// Validates and executes an operation of any kind: all its answers. An answer that is not executed is the last.
    pub fn subscribe(self: Arc<Self>, caller: Caller, prepared: Prepared) -> BoxStream<'static, Answer> {
        if prepared.kind != OperationType::Subscription {
            return async move { self.run(caller, prepared).await }
                .into_stream()
                .boxed();
        }
        let begun = async move {
            if self.is_full() {
                return Err(Answer::overloaded());
            }
            let (rates, Caller { actor, origin, .. }) = (&self.platform.rates, &caller);
            // Its events are its shop's doing, and not charged.
            throttle::take(rates, actor, origin, prepared.cost).await?;
            heard::begin(self, caller, prepared).await
        };
        let told = |begun: Result<Option<Heard>, Answer>| match begun {
            Ok(Some(told)) => told.boxed(),
            Ok(None) => stream::empty().boxed(),
            Err(refusal) => stream::iter([refusal]).boxed(),
        };
        // In a box that is gone once it has begun.
        stream::once(begun.boxed()).flat_map(told).boxed()
    }

    /// The first answer to a subscription, or to an event that is given to it; None when there is none.
    pub(super) async fn first(
        &self,
        schema: &ShopSchema,
        request: Request,
        context: Context,
    ) -> Option<Answer> {
        let first = execution::first(schema, request, context);
        let first = within(self.limits.deadline, AssertUnwindSafe(first).catch_unwind());
        match first.await {
            Ok(response) => response.map(|response| Answer::of_event(response, &self.limits)),
            Err(failed) => Some(failed),
        }
    }

    /// Runs what commits, and is no operation, to its end, also when whoever asked for it hangs up; None when it panics or
    /// never ends.
    pub async fn see_through<T>(&self, work: impl Future<Output = T> + Send + 'static) -> Option<T>
    where
        T: Send + 'static,
    {
        let work = AssertUnwindSafe(work).catch_unwind();
        to_the_end(work, Span::none(), self.patience()).await.ok()
    }

    /// How long what commits is left alone for.
    fn patience(&self) -> Duration {
        self.limits.deadline * PATIENCE + GATEWAYS
    }

    pub fn limits(&self) -> &LimitsConfig {
        &self.limits
    }

    pub fn platform(&self) -> &Arc<Platform> {
        &self.platform
    }

    pub(super) fn questions(&self) -> &Questions {
        &self.questions
    }
}

/// What a subscription is told that came as an ordinary request.
pub const NEEDS_STREAM: &str = "Subscriptions need a WebSocket, or a request that accepts text/event-stream.";

pub(super) fn request(prepared: Prepared, refresh_cookie: RefreshCookie) -> Request {
    let mut request = Request::new(String::new())
        .variables(prepared.variables)
        .data(refresh_cookie);
    request.operation_name = prepared.operation_name;
    request.set_parsed_query(prepared.document);
    request
}

/// How many deadlines a mutation is left alone for, though nobody waits for it any more: its statements are stopped after one.
const PATIENCE: u32 = 3;

/// As long as a gateway is waited for beside.
const GATEWAYS: Duration = Duration::from_secs(30);

/// Runs a mutation, or what else commits, in a task of its own. Its future may be dropped at any await, when the client hangs up or
/// the deadline passes; what follows a commit, such as dropping what the cache holds, would then never happen. The span of the
/// request, by which the log knows it, goes with it. What takes longer than `most` waits for a database that is gone without a word,
/// and would keep its connection, and its place among the operations, for ever.
async fn to_the_end<T, F>(
    operation: F,
    around: Span,
    most: Duration,
) -> Result<T, Box<dyn std::any::Any + Send>>
where
    T: Send + 'static,
    F: Future<Output = Result<T, Box<dyn std::any::Any + Send>>> + Send + 'static,
{
    let bounded = async move {
        let outcome = tokio::time::timeout(most, operation).await;
        outcome.unwrap_or_else(|elapsed| {
            tracing::error!(?most, "what was to commit was given up: it never ended");
            Err(Box::new(elapsed))
        })
    };
    match tokio::spawn(bounded.in_current_span().instrument(around)).await {
        Ok(outcome) => outcome,
        Err(error) => Err(Box::new(error)),
    }
}

/// What comes of an operation that may panic, or never end.
async fn within<T, P>(
    deadline: Duration,
    operation: impl Future<Output = Result<T, P>>,
) -> Result<T, Answer> {
    match tokio::time::timeout(deadline, operation).await {
        Ok(Ok(response)) => Ok(response),
        // The panic's text and place have been logged by the hook.
        Ok(Err(_)) => Err(Answer::internal()),
        Err(_) => Err(Answer::timeout()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graphql::answer::Failure;

    #[tokio::test]
    async fn a_mutation_that_never_ends_gives_back_what_it_holds() {
        let place = Arc::new(());
        let held = Arc::clone(&place);
        let operation = async move {
            let _held = held;
            std::future::pending::<Result<(), _>>().await
        };
        let bounded = to_the_end(operation, Span::none(), Duration::from_secs(2));
        let answer = within(Duration::from_millis(1), bounded).await;
        assert!(matches!(answer, Err(Answer::Failed(Failure::Timeout, _))));
        assert_eq!(Arc::strong_count(&place), 2, "it goes on though nobody waits");
        let given_up = async {
            while Arc::strong_count(&place) > 1 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), given_up)
            .await
            .unwrap();
    }

    #[tokio::test]
    async fn a_panic_and_a_standstill_become_answers() {
        let second = Duration::from_secs(1);
        assert_eq!(within(second, async { Ok::<_, ()>(1) }).await.unwrap(), 1);
        let panics = || AssertUnwindSafe(async { panic!("for the test") }).catch_unwind();
        let panicked: Result<(), _> = within(second, panics()).await;
        let apart: Result<(), _> = within(second, to_the_end(panics(), Span::none(), second)).await;
        let stuck = within(Duration::ZERO, std::future::pending::<Result<(), ()>>()).await;
        for (outcome, code) in [(panicked, "INTERNAL"), (apart, "INTERNAL"), (stuck, "TIMEOUT")] {
            let json: serde_json::Value = serde_json::from_slice(&outcome.unwrap_err().to_json()).unwrap();
            assert_eq!(json["errors"][0]["extensions"]["code"], code);
            assert_eq!(json.get("data"), None);
            assert!(!json.to_string().contains("for the test"));
        }
    }
}
