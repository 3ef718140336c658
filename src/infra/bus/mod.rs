//! News for the other instances, through Redis: hints, which nothing depends on.
//!
//! Whoever has news says so and goes on; a task takes what has come together and publishes it as one message. Nothing waits
//! without bound: where too much comes together, or where Redis did not take it, the others are told that something is missing,
//! as soon as they can be told anything. So is whoever could not listen for a while. They then look at everything anew.
//!
//! Whoever has heard what there was to hear says so to those who sent it, once he has forgotten what they name. So one can
//! wait, for a while, until what he told is known everywhere ([`Bus::settled`]). Receipts come by a line of their own, where
//! they keep no news waiting.

mod hear;
mod receipts;

use std::fmt;
use std::future::Future;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::sync::{Notify, watch};
use uuid::Uuid;

use self::receipts::{PATIENCE, Receipts, Settled};
use super::redis::Redis;
use crate::kernel::clock::jittered;

const NAME: &str = "news";

/// Where receipts for the news of one sender go: versions that know none do not hear them.
const RECEIPTS: &str = "receipts";

/// News that may wait to be published.
const WAITING: usize = 256;

/// Between two tries to listen, or to tell what could not be told.
const PAUSE: Duration = Duration::from_millis(500);

/// That of news, and that of receipts.
const LINES: usize = 2;

/// Takes news and passes them on. Cheap to clone; without Redis it does nothing.
pub struct Bus<N>(Option<Arc<Line<N>>>);

struct Line<N> {
    redis: Redis,
    /// Who sends: its own news are none to it.
    own: Uuid,
    outbox: Mutex<Outbox<N>>,
    told: Notify,
    /// Of those who send at the same time one goes first, so that messages keep their order.
    turn: tokio::sync::Mutex<()>,
    receipts: Mutex<Receipts>,
    /// How much of what was told everybody has heard, or is not waited for any more.
    settled: watch::Sender<Settled>,
    /// How many of the two lines are up: that of news, and that of receipts.
    lines: AtomicUsize,
}

struct Outbox<N> {
    waiting: Vec<N>,
    /// How much was told so far.
    told: u64,
    /// Something could not wait, or was not taken.
    missing: bool,
    /// Something is on its way, or was when it was cut off.
    sending: bool,
}

/// As it is published.
#[derive(Debug, Serialize, Deserialize)]
struct Message<N> {
    from: Uuid,
    /// For the receipt, which older versions do not ask for.
    #[serde(default)]
    number: Option<u64>,
    missing: bool,
    news: Vec<N>,
}

/// That somebody has heard all messages from the one number to the other.
#[derive(Debug, Serialize, Deserialize)]
struct Receipt {
    by: Uuid,
    first: u64,
    last: u64,
}

/// What whoever listens is told.
#[derive(Debug, PartialEq, Eq)]
pub enum Told<N> {
    News(N),
    /// Anything may have happened.
    Missing,
}

impl<N> Clone for Bus<N> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<N> Default for Bus<N> {
    fn default() -> Self {
        Self(None)
    }
}

impl<N> fmt::Debug for Bus<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Bus").field(&self.0.is_some()).finish()
    }
}

impl<N> Line<N> {
    fn outbox(&self) -> MutexGuard<'_, Outbox<N>> {
        self.outbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something became known of who has heard what.
    fn learn<T>(&self, of: impl FnOnce(&mut Receipts) -> T) -> T {
        let mut receipts = self.receipts.lock().unwrap_or_else(PoisonError::into_inner);
        let learned = of(&mut receipts);
        let now = receipts.settled();
        self.settled
            .send_if_modified(|settled| std::mem::replace(settled, now) != now);
        learned
    }
}

impl<N> Bus<N>
where
    N: Serialize + DeserializeOwned + PartialEq + Send,
{
    pub fn new(redis: Option<&Redis>) -> Self {
        Self(redis.map(|redis| {
            Arc::new(Line {
                redis: redis.clone(),
                own: Uuid::new_v4(),
                outbox: Mutex::new(Outbox {
                    waiting: Vec::new(),
                    told: 0,
                    missing: false,
                    sending: false,
                }),
                told: Notify::new(),
                turn: tokio::sync::Mutex::default(),
                receipts: Mutex::default(),
                settled: watch::Sender::new(Settled::default()),
                lines: AtomicUsize::new(0),
            })
        }))
    }

    /// Says something to the others, without waiting for it. Call it after the commit that made it true.
    pub fn tell(&self, news: impl FnOnce() -> N) {
        let Some(line) = &self.0 else { return };
        let news = news();
        let mut outbox = line.outbox();
        // Also what somebody else has told: it is not published yet, and whoever waits for his waits for that.
        outbox.told += 1;
        if outbox.waiting.contains(&news) {
            return;
        }
        if outbox.waiting.len() < WAITING {
            outbox.waiting.push(news);
        } else {
            outbox.waiting.clear();
            outbox.missing = true;
        }
        drop(outbox);
        line.told.notify_one();
    }

    /// Publishes what waits: whether Redis took it.
    pub async fn flush(&self) -> bool {
        match &self.0 {
            Some(line) => line.flush().await,
            None => true,
        }
    }

    /// How much was told so far, by all in this process.
    pub fn told(&self) -> u64 {
        self.0.as_ref().map_or(0, |line| line.outbox().told)
    }

    /// Waits until all who listen have heard what was told, if anything was since there was so much; but no longer than this, and
    /// not for one who did not answer in time before. Whether all have: they have not where there is no Redis to reach them by.
    pub async fn settled(&self, since: u64, patience: Duration) -> bool {
        let Some(line) = &self.0 else { return true };
        let told = line.outbox().told;
        if told == since {
            return true;
        }
        let is_all_heard = |settled: &Settled| settled.unheard <= since;
        let mut settled = line.settled.subscribe();
        let deadline = Instant::now() + patience.min(PATIENCE);
        loop {
            let seen = *settled.borrow_and_update();
            if seen.told >= told {
                return is_all_heard(&seen);
            }
            if !line.redis.is_up() || line.lines.load(Ordering::SeqCst) < LINES || Instant::now() >= deadline
            {
                return false;
            }
            let overdue_at = line.learn(|receipts| receipts.overdue_at());
            let until = overdue_at.unwrap_or(deadline).min(deadline);
            if tokio::time::timeout_at(until.into(), settled.changed())
                .await
                .is_err()
            {
                line.learn(|receipts| receipts.give_up(Instant::now()));
            }
        }
    }

    /// Publishes what is told, until it is dropped.
    pub async fn pass_on(&self) {
        let Some(line) = &self.0 else { return };
        loop {
            if line.flush().await {
                // What was told meanwhile has said so.
                line.told.notified().await;
            } else {
                tokio::time::sleep(jittered(PAUSE)).await;
            }
        }
    }

    /// Gives what others tell to `hear`, one after the other, until it is dropped.
    pub async fn listen<F: Future<Output = ()>>(&self, hear: impl Fn(Told<N>) -> F) {
        let Some(line) = &self.0 else { return };
        tokio::join!(line.hear_news(&hear), line.hear_receipts());
    }
}

fn receipts_for(sender: Uuid) -> String {
    format!("{RECEIPTS}:{sender}")
}

impl<N> Line<N>
where
    N: Serialize + DeserializeOwned + Send,
{
    async fn flush(&self) -> bool {
        let _turn = self.turn.lock().await;
        let (news, missing, told) = {
            let mut outbox = self.outbox();
            let missing = outbox.missing || outbox.sending;
            if outbox.waiting.is_empty() && !missing {
                return true;
            }
            outbox.missing = false;
            outbox.sending = true;
            (std::mem::take(&mut outbox.waiting), missing, outbox.told)
        };
        let number = self.learn(|receipts| receipts.send(told, Instant::now()));
        // Who looks at everything needs no more news.
        let news = if missing { Vec::new() } else { news };
        let message = Message {
            from: self.own,
            number: Some(number),
            missing,
            news,
        };
        let listeners = self.publish(NAME, &message).await;
        self.learn(|receipts| receipts.published(number, listeners.unwrap_or_default()));
        let sent = listeners.is_some();
        let mut outbox = self.outbox();
        outbox.sending = false;
        outbox.missing |= !sent;
        sent
    }

    /// To how many; None when Redis did not take it.
    async fn publish(&self, name: &str, message: &impl Serialize) -> Option<usize> {
        match serde_json::to_vec(message) {
            Ok(text) => self.redis.call("PUBLISH", name, text).await,
            Err(error) => {
                tracing::error!(error = %error, "a message cannot be written");
                None
            }
        }
    }
}
