//! What a request is answered with, whatever carries it: a result, or errors without one.

use std::collections::BTreeMap;

use async_graphql::{ErrorExtensionValues, PathSegment, Response, ServerError, Value};
use bytes::Bytes;
use serde::Serialize;

use super::document::coded;
use super::throttle::Cost;
use super::told::Json;
use crate::infra::metric::RATE_LIMIT_REFUSALS;
use crate::kernel::config::LimitsConfig;

/// An error of ours may explain itself at more length than one that repeats the request.
const EXPLANATION_FACTOR: usize = 5;

/// The answer to one operation.
#[derive(Debug)]
pub enum Answer {
    /// The request is at fault, and nothing was executed: there is no `data`.
    Refused(Vec<ServerError>),
    /// We are at fault or ran out of time, and what was executed is not known: there is no `data` either.
    Failed(Failure, Vec<ServerError>),
    /// There is `data`, though it may be null, with errors that say why.
    Executed(Response),
    /// The same, written already, for all who asked the same: there are no errors.
    Written(Bytes),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    Timeout,
    Internal,
    /// What it needs cannot be reached just now: the same may be sent again.
    Unavailable,
    /// The caller has spent what there is for now, and nothing was executed.
    Throttled(Cost),
    /// We have enough to do, and nothing was executed.
    Overloaded,
}

impl Failure {
    /// When it is worth asking again, where that is known; whole seconds.
    pub fn retry_after(&self) -> Option<u64> {
        match self {
            Self::Timeout | Self::Internal => None,
            Self::Throttled(cost) => Some(cost.retry_after()),
            // A database that is started again or replaced is away for a few.
            Self::Unavailable | Self::Overloaded => Some(1),
        }
    }
}

/// An answer without `data`.
#[derive(Serialize)]
struct Errors<'a> {
    errors: &'a [ServerError],
    #[serde(skip_serializing_if = "Option::is_none")]
    extensions: Option<Value>,
}

/// One without errors.
#[derive(Serialize)]
struct Data<'a> {
    data: Json<'a>,
}

/// One that was executed.
#[derive(Serialize)]
struct Executed<'a> {
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'a [ServerError],
    data: Json<'a>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    extensions: &'a BTreeMap<String, Value>,
}

impl Answer {
    /// A refusal with one error.
    pub fn refused(code: &str, message: impl Into<String>) -> Self {
        Self::Refused(vec![coded(code, message, None)])
    }

    pub fn timeout() -> Self {
        let message = "The operation took too long and was stopped. If it was to change something, look whether it has before you send it again.";
        Self::Failed(Failure::Timeout, vec![coded("TIMEOUT", message, None)])
    }

    pub fn internal() -> Self {
        Self::Failed(Failure::Internal, vec![coded("INTERNAL", INTERNAL, None)])
    }

    /// The body that anybody may be told; None where something went wrong. What else is said beside the data is the caller's own.
    pub fn for_everybody(&self) -> Option<String> {
        match self {
            Self::Executed(response) if response.errors.is_empty() => {
                let data = Json(&response.data);
                serde_json::to_string(&Data { data }).ok()
            }
            Self::Executed(_) | Self::Written(_) | Self::Refused(_) | Self::Failed(..) => None,
        }
    }

    /// Whether it is the caller who may not, whatever is asked for.
    pub fn is_forbidden(&self) -> bool {
        match self {
            Self::Refused(errors) => errors.iter().any(|error| code(error) == Some("FORBIDDEN")),
            Self::Failed(..) | Self::Executed(_) | Self::Written(_) => false,
        }
    }

    pub fn overloaded() -> Self {
        RATE_LIMIT_REFUSALS.counter(["in_flight"]).increment(1);
        let message = "Too much is being asked for at once: try again in a second.";
        Self::retryable(Failure::Overloaded, message)
    }

    pub(super) fn throttled(cost: Cost) -> Self {
        let failure = Failure::Throttled(cost);
        let seconds = failure.retry_after().unwrap_or(1);
        let message = format!(
            "This costs {}, and {} is left for you now: try again in {seconds} seconds.",
            cost.requested(),
            cost.available()
        );
        Self::retryable(failure, &message)
    }

    fn retryable(failure: Failure, message: &str) -> Self {
        let mut error = coded("THROTTLED", message, None);
        if let (Some(extensions), Some(seconds)) = (&mut error.extensions, failure.retry_after()) {
            extensions.set("retryAfter", seconds);
        }
        Self::Failed(failure, vec![error])
    }

    /// What the library answered, its errors given codes and cut to size.
    pub(super) fn of(mut response: Response, limits: &LimitsConfig) -> Self {
        // One statement that the database stopped is the operation's deadline, only sooner than our own timer.
        if response.errors.iter().any(|error| code(error) == Some("TIMEOUT")) {
            return Self::timeout();
        }
        // The library has one shape for both. Only what was executed has errors that lie somewhere in it.
        let refused = response.data == Value::Null
            && !response.errors.is_empty()
            && response
                .errors
                .iter()
                .all(|error| error.path.is_empty() && error.extensions.is_none());
        response.errors.truncate(limits.errors);
        for error in &mut response.errors {
            finish(error, limits);
        }
        if refused {
            Self::Refused(response.errors)
        } else if is_empty(&response.data) && response.errors.iter().any(is_retryable) {
            Self::Failed(Failure::Unavailable, response.errors)
        } else {
            Self::Executed(response)
        }
    }

    /// The same for a change that would be made twice when it is sent again: what failed may have been done.
    pub(super) fn not_to_be_repeated(mut self) -> Self {
        let errors = match &mut self {
            Self::Refused(errors) | Self::Failed(_, errors) => errors,
            Self::Executed(response) => &mut response.errors,
            Self::Written(_) => return self,
        };
        for extensions in errors.iter_mut().filter_map(|error| error.extensions.as_mut()) {
            if extensions.get("retryable").is_some() {
                extensions.set("retryable", false);
            }
        }
        match self {
            Self::Failed(Failure::Unavailable, errors) => Self::Failed(Failure::Internal, errors),
            answer => answer,
        }
    }

    /// The same for one response of a subscription. An error of the subscription itself, and not of something below an event,
    /// is no answer to one: nothing comes after it.
    pub(super) fn of_event(response: Response, limits: &LimitsConfig) -> Self {
        let of_itself = |error: &ServerError| error.path.len() <= 1;
        let ended = response.data == Value::Null
            && !response.errors.is_empty()
            && response.errors.iter().all(of_itself);
        match Self::of(response, limits) {
            Self::Executed(response) if ended => Self::Refused(response.errors),
            answer => answer,
        }
    }

    /// The same for errors of our own.
    pub(super) fn of_errors(mut errors: Vec<ServerError>, limits: &LimitsConfig) -> Self {
        errors.truncate(limits.errors);
        for error in &mut errors {
            finish(error, limits);
        }
        Self::Refused(errors)
    }

    /// Whether there is `data`.
    pub fn is_executed(&self) -> bool {
        match self {
            Self::Executed(_) | Self::Written(_) => true,
            Self::Refused(_) | Self::Failed(..) => false,
        }
    }

    pub fn errors(&self) -> &[ServerError] {
        match self {
            Self::Written(_) => &[],
            Self::Refused(errors) | Self::Failed(_, errors) => errors,
            Self::Executed(response) => &response.errors,
        }
    }

    pub fn to_json(&self) -> Vec<u8> {
        let json = match self {
            Self::Written(json) => return json.to_vec(),
            Self::Refused(errors) | Self::Failed(_, errors) => serde_json::to_vec(&Errors {
                errors,
                extensions: match self {
                    Self::Failed(Failure::Throttled(cost), _) => Some(cost.to_extensions()),
                    Self::Refused(_) | Self::Failed(..) | Self::Executed(_) | Self::Written(_) => None,
                },
            }),
            Self::Executed(response) => serde_json::to_vec(&Executed {
                errors: &response.errors,
                data: Json(&response.data),
                extensions: &response.extensions,
            }),
        };
        json.unwrap_or_else(|error| {
            tracing::error!(error = %error, "an answer cannot be written as JSON");
            br#"{"errors":[{"message":"Something went wrong on our side.","extensions":{"code":"INTERNAL"}}]}"#.to_vec()
        })
    }
}

const INTERNAL: &str = "Something went wrong on our side. It has been logged; please try again.";

/// The code of an error, where it has one.
pub fn code(error: &ServerError) -> Option<&str> {
    match error.extensions.as_ref()?.get("code")? {
        Value::String(code) => Some(code),
        Value::Null
        | Value::Number(_)
        | Value::Boolean(_)
        | Value::Binary(_)
        | Value::Enum(_)
        | Value::List(_)
        | Value::Object(_) => None,
    }
}

/// Whether no field at the root has anything to say.
fn is_empty(data: &Value) -> bool {
    match data {
        Value::Null => true,
        Value::Object(fields) => fields.values().all(|field| *field == Value::Null),
        Value::Number(_)
        | Value::String(_)
        | Value::Boolean(_)
        | Value::Binary(_)
        | Value::Enum(_)
        | Value::List(_) => false,
    }
}

fn is_retryable(error: &ServerError) -> bool {
    let extensions = error.extensions.as_ref();
    extensions.and_then(|extensions| extensions.get("retryable")) == Some(&Value::Boolean(true))
}

/// Gives an error of the library its code, and cuts what an error repeats of the request.
fn finish(error: &mut ServerError, limits: &LimitsConfig) {
    if code(error).is_some() {
        cut(
            &mut error.message,
            limits.error_bytes.saturating_mul(EXPLANATION_FACTOR),
        );
        return;
    }
    let code = if error.path.is_empty() {
        reword(&mut error.message);
        "GRAPHQL_VALIDATION_FAILED"
    } else if is_about_input(&error.message) {
        "BAD_USER_INPUT"
    } else {
        tracing::error!(
            error = error.message,
            path = path(&error.path),
            "operation failed inside the library"
        );
        error.message = INTERNAL.to_owned();
        "INTERNAL"
    };
    cut(&mut error.message, limits.error_bytes);
    error
        .extensions
        .get_or_insert_with(ErrorExtensionValues::default)
        .set("code", code);
}

/// The library names one of the arguments where it means the field. The error's locations say which fields they are.
fn reword(message: &mut String) {
    if message.starts_with("Fields \"")
        && message.contains("\" conflict because they have differing arguments.")
    {
        "Two fields have the same name in the answer, but not the same arguments. Give one of them an alias to fetch both."
            .clone_into(message);
    }
}

/// How the library begins when a literal in the document is not of its argument's type.
fn is_about_input(message: &str) -> bool {
    ["Failed to parse ", "Expected input type ", "Invalid value for "]
        .iter()
        .any(|start| message.starts_with(start))
}

fn cut(message: &mut String, most: usize) {
    if message.len() > most {
        message.truncate(message.floor_char_boundary(most));
        message.push('…');
    }
}

fn path(segments: &[PathSegment]) -> String {
    let names: Vec<_> = segments
        .iter()
        .map(|segment| match segment {
            PathSegment::Field(name) => name.clone(),
            PathSegment::Index(index) => index.to_string(),
        })
        .collect();
    names.join(".")
}
