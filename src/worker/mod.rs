//! The back door: work that nobody waits for, done again and again for as long as the process runs.
//!
//! There is no table of jobs. What is to be done is told by the shop's own tables: a hold that is over, a cart that was not
//! touched for long. So nothing has to be put into a queue with each change, nothing is lost with a process, and a start
//! after a crash just goes on. Every instance may do the same work: a job claims its rows by locks, in transactions of its
//! own, and what another instance has done is not there to be done any more.

mod gateway_events;
mod idempotency;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, join_all};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::domain::accounts::forget::forget_sessions;
use crate::domain::carts::forget;
use crate::domain::checkout::expire;
use crate::domain::context::{Context, Platform};
use crate::domain::payments::{drive, inbox};
use crate::infra::metric::TASKS;
use crate::kernel::actor::{Actor, Origin};
use crate::kernel::clock::jittered;
use crate::kernel::error::Result;

/// A turn that takes longer waits for something that is gone without a word, and would for ever. What it had begun is found
/// again, as after a crash.
const MOST: Duration = Duration::from_secs(5 * 60);

/// Something to do now and then.
struct Job {
    name: &'static str,
    every: Duration,
    /// Does some of it, as much as is good to do at once: how much, 0 when there is nothing left to do.
    run: for<'a> fn(&'a Context) -> BoxFuture<'a, Result<u64>>,
    /// What tells that there is something to do; only a hint.
    hint: Option<fn(&Platform) -> &Notify>,
}

const HOUR: Duration = Duration::from_secs(60 * 60);

/// Rows that a job deletes in one transaction: others want to write too.
const AT_ONCE: u64 = 500;

/// Between two turns of a job that finds something to do each time: it may be something that cannot be done.
const BREATH: Duration = Duration::from_secs(1);

const JOBS: &[Job] = &[
    Job {
        name: "hear what gateways tell",
        every: Duration::from_secs(2),
        run: |ctx| inbox::apply_due(ctx).boxed(),
        hint: Some(|platform| &platform.gateway_events),
    },
    Job {
        name: "end orders that were not paid in time",
        every: Duration::from_secs(5),
        run: |ctx| expire::expire_due(ctx).boxed(),
        hint: None,
    },
    Job {
        name: "go on with payments",
        every: Duration::from_secs(2),
        run: |ctx| drive::drive_due(ctx).boxed(),
        hint: None,
    },
    Job {
        name: "forget carts",
        every: HOUR,
        run: |ctx| forget::forget_idle(ctx, AT_ONCE).boxed(),
        hint: None,
    },
    Job {
        name: "forget idempotency keys",
        every: HOUR,
        run: |ctx| idempotency::forget_old(ctx, AT_ONCE).boxed(),
        hint: None,
    },
    Job {
        name: "forget what gateways told",
        every: HOUR,
        run: |ctx| gateway_events::forget_old(ctx, AT_ONCE).boxed(),
        hint: None,
    },
    Job {
        name: "forget sessions",
        every: HOUR,
        run: |ctx| forget_sessions(ctx, AT_ONCE).boxed(),
        hint: None,
    },
];

/// Works until `stop`. What is being done then is done to its end.
pub async fn run(platform: Arc<Platform>, stop: CancellationToken) {
    join_all(JOBS.iter().map(|job| job.repeat(&platform, &stop))).await;
}

impl Job {
    async fn repeat(&self, platform: &Arc<Platform>, stop: &CancellationToken) {
        let mut failing = false;
        let mut pause = Duration::ZERO;
        while stop
            .run_until_cancelled(self.pause(platform, pause))
            .await
            .is_some()
        {
            let started = Instant::now();
            let outcome = self.turn(platform).await;
            let word = if outcome.is_ok() { "ok" } else { "failed" };
            TASKS.histogram([self.name, word]).record(started.elapsed());
            match &outcome {
                Ok(0) => {}
                Ok(count) => tracing::debug!(job = self.name, count, "worked"),
                Err(error) if !failing => tracing::error!(job = self.name, error, "a job fails for now"),
                Err(_) => {}
            }
            if failing && outcome.is_ok() {
                tracing::info!(job = self.name, "the job succeeds again");
            }
            failing = outcome.is_err();
            pause = match outcome {
                // There may be more.
                Ok(count) if count > 0 => BREATH.min(self.every),
                Ok(_) | Err(_) => self.every,
            };
        }
    }

    /// Waits that long, or until there is something to do.
    async fn pause(&self, platform: &Platform, pause: Duration) {
        let sleep = tokio::time::sleep(jittered(pause));
        match self.hint {
            Some(hint) => tokio::select! {
                () = sleep => {}
                () = hint(platform).notified() => {}
            },
            None => sleep.await,
        }
    }

    /// # Errors
    /// In words, for the log; a panic is one too.
    async fn turn(&self, platform: &Arc<Platform>) -> std::result::Result<u64, String> {
        let ctx = Context::writing(Actor::System, Origin::default(), Arc::clone(platform));
        let turn = AssertUnwindSafe((self.run)(&ctx)).catch_unwind();
        match tokio::time::timeout(MOST, turn).await {
            Ok(Ok(outcome)) => outcome.map_err(|error| format!("{:#}", anyhow::Error::from(error))),
            Ok(Err(_)) => Err("it panicked".to_owned()),
            Err(_) => Err("it never ended".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;
    use crate::infra::db::Db;
    use crate::kernel::clock::SystemClock;
    use crate::kernel::config::{Config, Source};
    use crate::kernel::error::Error;

    async fn platform(folder: &Path) -> Arc<Platform> {
        let url = format!("sqlite://{}", folder.join("souk.db").display());
        let source = Source::read([("DATABASE_URL".to_owned(), url)], folder).unwrap();
        let config = Config::from_source(&source).unwrap();
        let db = Db::connect(&config.database).await.unwrap();
        Arc::new(Platform::new(db, Arc::new(SystemClock), &config).unwrap())
    }

    static TURNS: AtomicU64 = AtomicU64::new(0);

    const FLAKY: Job = Job {
        name: "flaky",
        every: Duration::from_millis(1),
        run: |_| {
            async {
                match TURNS.fetch_add(1, Ordering::SeqCst) {
                    0 => panic!("for the test"),
                    1 => Err(Error::internal(anyhow::anyhow!("for the test"))),
                    2 => Ok(1),
                    _ => Ok(0),
                }
            }
            .boxed()
        },
        hint: None,
    };

    #[tokio::test]
    async fn a_job_that_panics_or_fails_is_tried_again() {
        let folder = tempfile::tempdir().unwrap();
        let platform = platform(folder.path()).await;
        let stop = CancellationToken::new();
        let seen = async {
            while TURNS.load(Ordering::SeqCst) < 5 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            stop.cancel();
        };
        let both = async { tokio::join!(FLAKY.repeat(&platform, &stop), seen) };
        tokio::time::timeout(Duration::from_secs(20), both).await.unwrap();
    }
}
