//! The time, injected, so that a test can move it.

use std::fmt;
use std::sync::atomic::{AtomicI64, Ordering};

use std::time::Duration;

use chrono::{DateTime, SubsecRound as _, Utc};

/// Tells the time. Microseconds at most: PostgreSQL keeps no more, so a finer time would not
/// equal itself once stored.
pub trait Clock: Send + Sync + fmt::Debug {
    fn now(&self) -> DateTime<Utc>;
}

/// The machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the clock")]
    fn now(&self) -> DateTime<Utc> {
        Utc::now().trunc_subsecs(6)
    }
}

/// That long, or up to a quarter longer: for what every instance does now and then, so that not all do it at once.
pub fn jittered(period: Duration) -> Duration {
    let (random, _) = uuid::Uuid::new_v4().as_u64_pair();
    // The lowest bits of the higher half are all random.
    let per_mille = u32::try_from(random & 0xff).unwrap_or_default();
    period + period / 4 * per_mille / 0xff
}

/// A clock that stands still until it is moved.
#[derive(Debug)]
pub struct ManualClock {
    micros: AtomicI64,
}

impl ManualClock {
    pub fn at(time: DateTime<Utc>) -> Self {
        Self {
            micros: AtomicI64::new(time.timestamp_micros()),
        }
    }

    pub fn advance(&self, by: chrono::Duration) {
        self.micros
            .fetch_add(by.num_microseconds().unwrap_or(i64::MAX), Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> DateTime<Utc> {
        DateTime::from_timestamp_micros(self.micros.load(Ordering::SeqCst)).unwrap_or(DateTime::UNIX_EPOCH)
    }
}
