//! What an operation is charged with before it runs, what it is given back afterwards, and what its client hears of both.

use std::time::Duration;

use async_graphql::{Name, Response, Value};

use super::answer::Answer;
use super::document::Charges;
use crate::infra::rate_limit::{Limiter, Rates, Taken};
use crate::kernel::actor::{Actor, Origin, principal};
use crate::kernel::config::Rate;

/// What a request costs that is refused before anything is executed: reading it was work, too. So much, also, the opening
/// of a socket costs.
pub const REFUSED: u64 = 10;

/// What an operation costs, as `extensions.cost` tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    requested: u64,
    /// None when nothing was executed.
    actual: Option<u64>,
    /// None where nothing limits it.
    throttle: Option<Throttle>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Throttle {
    rate: Rate,
    available: u64,
    /// When there is enough; at once where there was.
    retry_after: Duration,
}

impl Cost {
    pub(super) fn requested(&self) -> u64 {
        self.requested
    }

    pub(super) fn available(&self) -> u64 {
        self.throttle.map_or(u64::MAX, |throttle| throttle.available)
    }

    /// In whole seconds, at least one.
    pub(super) fn retry_after(&self) -> u64 {
        let wait = self
            .throttle
            .map_or(Duration::ZERO, |throttle| throttle.retry_after);
        u64::try_from(wait.as_millis().div_ceil(1_000).max(1)).unwrap_or(u64::MAX)
    }

    /// `{"cost": …}`.
    pub(super) fn to_extensions(self) -> Value {
        object([("cost", self.to_value())])
    }

    fn to_value(self) -> Value {
        let actual = self.actual.map_or(Value::Null, Value::from);
        let costs = [
            ("requestedQueryCost", self.requested.into()),
            ("actualQueryCost", actual),
        ];
        let Some(Throttle { rate, available, .. }) = self.throttle else {
            return object(costs);
        };
        let status = object([
            ("maximumAvailable", rate.count.into()),
            ("currentlyAvailable", available.into()),
            (
                "restoreRate",
                (f64::from(rate.count) / rate.per.as_secs_f64()).into(),
            ),
        ]);
        object(costs.into_iter().chain([("throttleStatus", status)]))
    }
}

fn object(fields: impl IntoIterator<Item = (&'static str, Value)>) -> Value {
    let fields = fields.into_iter();
    Value::Object(fields.map(|(name, value)| (Name::new(name), value)).collect())
}

/// What was taken for one operation.
#[derive(Debug)]
pub(super) struct Toll<'a> {
    requested: u64,
    taken: Option<(&'a Limiter, String, Taken)>,
}

/// Takes what an operation could cost at most.
///
/// # Errors
/// The answer to a caller who has not so much left.
pub(super) async fn take<'a>(
    rates: &'a Rates,
    actor: &Actor,
    origin: &Origin,
    requested: u64,
) -> Result<Toll<'a>, Answer> {
    let Some(limiter) = rates.of_operations(actor) else {
        return Ok(Toll {
            requested,
            taken: None,
        });
    };
    let key = principal(actor, origin);
    match limiter.take(&key, requested).await {
        Ok(taken) => Ok(Toll {
            requested,
            taken: Some((limiter, key, taken)),
        }),
        Err(empty) => Err(Answer::throttled(Cost {
            requested,
            actual: None,
            throttle: Some(Throttle {
                rate: limiter.rate(),
                available: empty.available,
                retry_after: empty.retry_after,
            }),
        })),
    }
}

impl Toll<'_> {
    /// Gives back what the answer did not cost, and writes into it what it did.
    pub(super) fn settle(self, charges: &Charges, most_errors: usize, answer: &mut Answer) {
        let actual = match answer {
            Answer::Executed(Response { data, errors, .. }) => {
                charges.of_answer(self.requested, data, errors, most_errors)
            }
            Answer::Refused(_) => self.requested.min(REFUSED),
            // Nobody knows what was done until then; events are not charged one by one.
            Answer::Failed(..) | Answer::Written(_) => self.requested,
        };
        let back = self.requested - actual;
        let throttle = self.taken.map(|(limiter, key, taken)| {
            if back > 0 {
                limiter.give_back(&key, taken, back);
            }
            Throttle {
                rate: limiter.rate(),
                available: taken.available.saturating_add(back).min(limiter.capacity()),
                retry_after: Duration::ZERO,
            }
        });
        if let Answer::Executed(response) = answer {
            let cost = Cost {
                requested: self.requested,
                actual: Some(actual),
                throttle,
            };
            response.extensions.insert("cost".to_owned(), cost.to_value());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_reads_when_to_come_again() {
        let rate = Rate {
            count: 120,
            per: Duration::from_secs(60),
        };
        let cost = Cost {
            requested: 50,
            actual: None,
            throttle: Some(Throttle {
                rate,
                available: 7,
                retry_after: Duration::from_millis(2_001),
            }),
        };
        let json: serde_json::Value = serde_json::from_slice(&Answer::throttled(cost).to_json()).unwrap();
        let expected = serde_json::json!({
            "errors": [{
                "message": "This costs 50, and 7 is left for you now: try again in 3 seconds.",
                "extensions": {"code": "THROTTLED", "retryAfter": 3},
            }],
            "extensions": {"cost": {
                "requestedQueryCost": 50,
                "actualQueryCost": null,
                "throttleStatus": {"maximumAvailable": 120, "currentlyAvailable": 7, "restoreRate": 2.0},
            }},
        });
        assert_eq!(json, expected);
    }
}
