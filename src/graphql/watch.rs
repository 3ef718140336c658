//! What is seen of operations from outside: how long each took and what came of it, for metrics, traces, and the log when it
//! was slow. Never its text or its variables, which may name people.
//!
//! What an operation calls itself its client has made up, and there is no end to what clients make up. So metrics know an
//! operation by the one field of the schema that it asks for, such as `products` or `orderPlace`: what it does, in one of
//! some sixty words that are ours. Only operations of trusted documents are known by their names, of which there are as many as
//! the shop has written.

use std::collections::{BTreeSet, HashSet};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use async_graphql::ServerError;
use async_graphql::parser::types::OperationType;
use tracing::Span;

use super::answer::{Answer, Failure, code};
use super::document::{InputTypes, Prepared};
use crate::infra::metric::{
    Held, OPERATIONS, OPERATIONS_IN_FLIGHT, OPERATIONS_SLOW, SUBSCRIPTION_ANSWERS, SUBSCRIPTIONS,
};
use crate::infra::telemetry::trace;

/// The fields at the roots of the schema, of which there is one.
static ROOTS: OnceLock<HashSet<String>> = OnceLock::new();

/// More of an operation's own name does not come into the log.
const LONGEST_NAME: usize = 64;

/// The names of operations that the shop has written itself.
static OWN: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());

/// A name of the shop's own, kept for good: there are only so many.
pub(super) fn own(name: &str) -> &'static str {
    let mut names = OWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = names.get(name) {
        return known;
    }
    let kept: &'static str = Box::leak(name.to_owned().into_boxed_str());
    names.insert(kept);
    kept
}

/// Learns which fields there are.
pub(super) fn learn(types: &InputTypes) {
    ROOTS.get_or_init(|| types.roots().map(str::to_owned).collect());
}

/// What came of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// Also where the shop said no in its own words, as `userErrors`.
    Ok,
    /// There are errors beside what was answered.
    Errors,
    /// The request was at fault, and nothing was done.
    Refused,
    Throttled,
    /// There was enough to do without it.
    Overloaded,
    Timeout,
    Internal,
    /// The database was away: the same may succeed in a moment.
    Unavailable,
    /// Nobody waited for the answer.
    Left,
}

impl Outcome {
    fn of(answer: &Answer) -> Self {
        let has = |wanted: &str| {
            answer
                .errors()
                .iter()
                .any(|error: &ServerError| code(error) == Some(wanted))
        };
        match answer {
            Answer::Failed(Failure::Timeout, _) => Self::Timeout,
            Answer::Failed(Failure::Internal, _) => Self::Internal,
            Answer::Failed(Failure::Unavailable, _) => Self::Unavailable,
            Answer::Failed(Failure::Throttled(_), _) => Self::Throttled,
            Answer::Failed(Failure::Overloaded, _) => Self::Overloaded,
            Answer::Refused(_) | Answer::Executed(_) if has("THROTTLED") => Self::Throttled,
            Answer::Refused(_) => Self::Refused,
            Answer::Written(_) => Self::Ok,
            Answer::Executed(_) if has("INTERNAL") => Self::Internal,
            Answer::Executed(response) if response.errors.is_empty() => Self::Ok,
            Answer::Executed(_) => Self::Errors,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Errors => "errors",
            Self::Refused => "refused",
            Self::Throttled => "throttled",
            Self::Overloaded => "overloaded",
            Self::Timeout => "timeout",
            Self::Internal => "internal",
            Self::Unavailable => "unavailable",
            Self::Left => "left",
        }
    }
}

/// The word for what an operation does.
fn word(prepared: &Prepared) -> &'static str {
    if let Some(name) = prepared.own_name {
        return name;
    }
    let mut fields = prepared.roots().filter(|name| *name != "__typename");
    let Some(first) = fields.next() else {
        return "introspection";
    };
    if fields.any(|other| other != first) {
        return "several";
    }
    if first.starts_with("__") {
        return "introspection";
    }
    let known = ROOTS.get().and_then(|roots| roots.get(first));
    // It is refused, but by the library, which validates later.
    known.map_or("unknown", String::as_str)
}

/// A document that was refused before anything was executed, which took this long.
pub(super) fn refused(answer: &Answer, took: Duration) {
    OPERATIONS
        .histogram(["refused", Outcome::of(answer).name()])
        .record(took);
}

/// A query or a mutation that is being executed.
pub(super) struct Watch {
    word: &'static str,
    kind: &'static str,
    name: Option<String>,
    hash: String,
    cost: u64,
    slow: Duration,
    started: Instant,
    is_over: bool,
    _in_flight: Held,
}

impl Watch {
    /// One that is slow from this time on.
    pub(super) fn begin(prepared: &Prepared, slow: Duration) -> Self {
        let name = prepared.operation_name.as_deref();
        Self {
            word: word(prepared),
            kind: kind(prepared),
            name: name.map(|name| name.chars().take(LONGEST_NAME).collect()),
            hash: prepared.hash.clone(),
            cost: prepared.cost,
            slow,
            started: Instant::now(),
            is_over: false,
            _in_flight: OPERATIONS_IN_FLIGHT.hold(),
        }
    }

    /// The span of its trace.
    pub(super) fn span(&self) -> Span {
        tracing::trace_span!(
            target: trace::TARGET,
            "operation",
            otel.name = format_args!("{} {}", self.kind, self.word),
            graphql.operation.type = self.kind,
            graphql.operation.name = self.name,
            graphql.document.hash = self.hash,
        )
    }

    pub(super) fn end(mut self, answer: &Answer, span: &Span) {
        let outcome = Outcome::of(answer);
        if matches!(
            outcome,
            Outcome::Timeout | Outcome::Internal | Outcome::Unavailable
        ) {
            trace::failed(span);
        }
        self.over(outcome);
    }

    fn over(&mut self, outcome: Outcome) {
        self.is_over = true;
        let took = self.started.elapsed();
        OPERATIONS.histogram([self.word, outcome.name()]).record(took);
        if took < self.slow {
            return;
        }
        OPERATIONS_SLOW.counter([self.word]).increment(1);
        tracing::warn!(
            document = self.hash,
            kind = self.kind,
            operation = self.word,
            name = self.name,
            cost = self.cost,
            outcome = outcome.name(),
            millis = u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
            "an operation was slow"
        );
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if !self.is_over {
            self.over(Outcome::Left);
        }
    }
}

fn kind(prepared: &Prepared) -> &'static str {
    match prepared.kind {
        OperationType::Query => "query",
        OperationType::Mutation => "mutation",
        OperationType::Subscription => "subscription",
    }
}

/// A subscription, for as long as it is open.
pub(super) struct Subscribed {
    _open: Held,
}

impl Subscribed {
    pub(super) fn begin() -> Self {
        Self {
            _open: SUBSCRIPTIONS.hold(),
        }
    }

    pub(super) fn told(&self, answer: &Answer) {
        SUBSCRIPTION_ANSWERS
            .counter([Outcome::of(answer).name()])
            .increment(1);
    }
}
