//! Stops SQLite's statements at their deadline, as PostgreSQL does by itself.
//!
//! SQLite asks a handler now and then whether to go on. It asks on the connection's own thread, which knows no
//! statements; telling it of each one would cost as much as a short statement does. So a handler times a stretch of
//! its connection's work, which ends where it was left alone for a while. A stretch that grows long because one short
//! statement follows the other is reported, and begun anew when a connection is given out next. What a statement
//! finds used up of its stretch is bounded so, and added to its deadline.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use sea_orm::sqlx::sqlite::SqliteConnection;
use sea_orm::{ConnectOptions, sqlx};

/// How many steps SQLite's machine takes between two questions: some tens of microseconds' worth.
const STEPS: i32 = 1_000;

/// The most that a stretch may grow to before it is reported, and the shortest pause that ends it.
const STRETCH: Duration = Duration::from_secs(1);

/// A statement of these connections is stopped after `deadline`, and no later than half of it more.
pub(super) fn stop_after(options: &mut ConnectOptions, deadline: Duration) {
    let stretch = STRETCH.min(deadline / 4);
    let stop = deadline.saturating_add(stretch).saturating_add(stretch);
    let reported = Arc::new(AtomicUsize::new(0));
    let stopwatch = {
        let reported = Arc::clone(&reported);
        move || Stopwatch::new(stretch, stop, Arc::clone(&reported))
    };
    let first = stopwatch.clone();
    options
        // A connection to a file in the same process does not get lost, so nothing is lost by not asking.
        .test_before_acquire(false)
        .map_sqlx_sqlite_pool_opts(move |pool| {
            let first = first.clone();
            pool.after_connect(move |connection, _| Box::pin(set(connection, first())))
        })
        .map_sqlx_sqlite_before_acquire(move |connection, _| {
            let next = (reported.load(Ordering::Relaxed) > 0).then(&stopwatch);
            Box::pin(async move {
                if let Some(next) = next {
                    set(connection, next).await?;
                }
                Ok(true)
            })
        });
}

async fn set(connection: &mut SqliteConnection, mut stopwatch: Stopwatch) -> Result<(), sqlx::Error> {
    let mut handle = connection.lock_handle().await?;
    handle.set_progress_handler(STEPS, move || stopwatch.goes_on(Instant::now()));
    Ok(())
}

/// Times one connection until another one takes its place.
struct Stopwatch {
    stretch: Duration,
    stop: Duration,
    started: Instant,
    asked: Instant,
    /// How many stopwatches of the pool have reported, this one among them when `has_reported`.
    reported: Arc<AtomicUsize>,
    has_reported: bool,
}

impl Stopwatch {
    fn new(stretch: Duration, stop: Duration, reported: Arc<AtomicUsize>) -> Self {
        let now = Instant::now();
        Self {
            stretch,
            stop,
            started: now,
            asked: now,
            reported,
            has_reported: false,
        }
    }

    fn goes_on(&mut self, now: Instant) -> bool {
        if now.duration_since(self.asked) > self.stretch {
            self.started = now;
        }
        self.asked = now;
        let elapsed = now.duration_since(self.started);
        if elapsed > self.stretch && !self.has_reported {
            self.has_reported = true;
            self.reported.fetch_add(1, Ordering::Relaxed);
        }
        elapsed < self.stop
    }
}

impl Drop for Stopwatch {
    fn drop(&mut self) {
        if self.has_reported {
            self.reported.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MILLI: Duration = Duration::from_millis(1);

    fn stopwatch() -> (Stopwatch, Arc<AtomicUsize>) {
        let reported = Arc::new(AtomicUsize::new(0));
        (
            Stopwatch::new(100 * MILLI, 600 * MILLI, Arc::clone(&reported)),
            reported,
        )
    }

    #[test]
    fn work_without_a_pause_is_reported_and_then_stopped() {
        let (mut stopwatch, reported) = stopwatch();
        let start = stopwatch.started;
        for (millis, goes_on, reports) in [(50, true, 0), (100, true, 0), (101, true, 1), (200, true, 1)] {
            assert_eq!(stopwatch.goes_on(start + millis * MILLI), goes_on, "{millis}");
            assert_eq!(reported.load(Ordering::Relaxed), reports, "{millis}");
        }
        assert!((3..6).all(|tenths| stopwatch.goes_on(start + tenths * 100 * MILLI)));
        assert!(!stopwatch.goes_on(start + 600 * MILLI));
        drop(stopwatch);
        assert_eq!(reported.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn a_pause_begins_anew() {
        let (mut stopwatch, reported) = stopwatch();
        let start = stopwatch.started;
        for millis in [90, 1_000, 1_090, 5_000] {
            assert!(stopwatch.goes_on(start + millis * MILLI), "{millis}");
        }
        assert_eq!(reported.load(Ordering::Relaxed), 0);
    }
}
