//! News for the other instances, through Redis: hints, which nothing depends on.
//!
//! Whoever has news says so and goes on; a task takes what has come together and publishes it as one message. Nothing waits
//! without bound: where too much comes together, or where Redis did not take it, the others are told that something is missing,
//! as soon as they can be told anything. So is whoever could not listen for a while. They then look at everything anew.
//!
//! Whoever hears a message says so to its sender once he has done what follows from it. So one can wait, for a while, until
//! what he told is known everywhere ([`Bus::settled`]).

mod receipts;

use std::fmt;
use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::sync::{Notify, watch};
use uuid::Uuid;

use self::receipts::Receipts;
use super::redis::{Heard, Redis, Subscription};
use crate::kernel::clock::jittered;

const NAME: &str = "news";

/// Where receipts for the news of one sender go: versions that know none do not hear them.
const RECEIPTS: &str = "receipts";

/// News that may wait to be published.
const WAITING: usize = 256;

/// Between two tries to listen, or to tell what could not be told.
const PAUSE: Duration = Duration::from_millis(500);

/// How long one waits for the others to hear. They do within a millisecond, or two when they are busy.
const PATIENCE: Duration = Duration::from_secs(1);

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
    settled: watch::Sender<u64>,
    /// Whether receipts are heard.
    listens: AtomicBool,
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

/// That somebody has heard a message.
#[derive(Debug, Serialize, Deserialize)]
struct Receipt {
    by: Uuid,
    number: u64,
}

/// What a message says to one who listens.
struct Read<N> {
    told: Vec<Told<N>>,
    /// Whom to give a receipt, and for what.
    from: Option<(Uuid, u64)>,
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
    fn learn(&self, of: impl FnOnce(&mut Receipts) -> Option<u64>) {
        let mut receipts = self.receipts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(told) = of(&mut receipts) {
            let is_more = |settled: &mut u64| {
                let is_more = told > *settled;
                *settled = told.max(*settled);
                is_more
            };
            self.settled.send_if_modified(is_more);
        }
    }
}

/// Receipts are heard until this is dropped.
struct Listening<'a>(&'a AtomicBool);

impl<'a> Listening<'a> {
    fn begin(listens: &'a AtomicBool) -> Self {
        listens.store(true, Ordering::SeqCst);
        Self(listens)
    }
}

impl Drop for Listening<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::SeqCst);
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
                settled: watch::Sender::new(0),
                listens: AtomicBool::new(false),
            })
        }))
    }

    /// Says something to the others, without waiting for it. Call it after the commit that made it true.
    pub fn tell(&self, news: impl FnOnce() -> N) {
        let Some(line) = &self.0 else { return };
        let news = news();
        let mut outbox = line.outbox();
        if outbox.waiting.contains(&news) {
            return;
        }
        outbox.told += 1;
        if outbox.waiting.len() < WAITING {
            outbox.waiting.push(news);
        } else {
            outbox.waiting.clear();
            outbox.missing = true;
        }
        drop(outbox);
        line.told.notify_one();
    }

    /// Publishes what waits, if Redis takes it: whether nothing is left to be told.
    pub async fn flush(&self) -> bool {
        match &self.0 {
            Some(line) => line.flush().await,
            None => true,
        }
    }

    /// Waits until all who listen have heard what was told, also by others here, and have done what follows from it: whether
    /// they have. They have not when there is no Redis to reach them by, or when one of them says nothing for too long, and
    /// nobody waits for that one again before he says something.
    pub async fn settled(&self) -> bool {
        let Some(line) = &self.0 else { return true };
        let told = line.outbox().told;
        let mut settled = line.settled.subscribe();
        if *settled.borrow() >= told {
            return true;
        }
        if !line.redis.is_up() || !line.listens.load(Ordering::SeqCst) {
            return false;
        }
        let all_heard = settled.wait_for(|settled| *settled >= told);
        if tokio::time::timeout(PATIENCE, all_heard).await.is_ok() {
            return true;
        }
        line.learn(|receipts| receipts.give_up(told));
        false
    }

    /// Publishes what is told, until it is dropped.
    pub async fn pass_on(&self) {
        let Some(line) = &self.0 else { return };
        loop {
            if line.flush().await {
                line.told.notified().await;
            } else {
                tokio::time::sleep(jittered(PAUSE)).await;
            }
        }
    }

    /// Gives what others tell to `hear`, one after the other, until it is dropped.
    pub async fn listen<F: Future<Output = ()>>(&self, hear: impl Fn(Told<N>) -> F) {
        let Some(line) = &self.0 else { return };
        let mut failing = false;
        loop {
            match line.redis.subscribe(&[NAME, &receipts_for(line.own)]).await {
                Ok(subscription) => {
                    if failing {
                        tracing::info!("other instances are heard again");
                    }
                    failing = false;
                    line.hear_all(subscription, &hear).await;
                }
                Err(error) if !failing => {
                    failing = true;
                    tracing::warn!(
                        error,
                        "other instances are not heard for now: their changes show later"
                    );
                }
                Err(_) => {}
            }
            tokio::time::sleep(jittered(PAUSE)).await;
        }
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
        let mut number = 0;
        self.learn(|receipts| {
            number = receipts.send(told);
            None
        });
        // Who looks at everything needs no more news.
        let news = if missing { Vec::new() } else { news };
        let message = Message {
            from: self.own,
            number: Some(number),
            missing,
            news,
        };
        let listeners = self.publish(NAME, &message).await;
        self.learn(|receipts| match listeners {
            Some(listeners) => receipts.published(number, listeners),
            None => receipts.failed(number),
        });
        let sent = listeners.is_some();
        let mut outbox = self.outbox();
        outbox.sending = false;
        outbox.missing |= !sent;
        sent && outbox.waiting.is_empty() && !outbox.missing
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

    /// Hears everything until the connection is gone.
    async fn hear_all<F: Future<Output = ()>>(
        &self,
        mut subscription: Subscription,
        hear: &impl Fn(Told<N>) -> F,
    ) {
        // What was told before is not known.
        hear(Told::Missing).await;
        let _listening = Listening::begin(&self.listens);
        while let Some(heard) = subscription.next().await {
            let Read { told, from } = match heard {
                Heard::Message { name, text } if name == NAME => self.read(&text),
                Heard::Message { text, .. } => {
                    self.take_receipt(&text);
                    continue;
                }
                Heard::Gap => Read::anything(),
            };
            for told in told {
                hear(told).await;
            }
            match from {
                Some((from, number)) if from == self.own => {
                    self.learn(|receipts| receipts.heard(number, from));
                }
                Some((from, number)) => {
                    let receipt = Receipt { by: self.own, number };
                    self.publish(&receipts_for(from), &receipt).await;
                }
                None => {}
            }
        }
    }

    fn take_receipt(&self, text: &[u8]) {
        match serde_json::from_slice::<Receipt>(text) {
            Ok(Receipt { by, number }) => self.learn(|receipts| receipts.heard(number, by)),
            Err(error) => tracing::warn!(error = %error, "another instance's receipt cannot be read"),
        }
    }

    /// What nobody here can read was written by a newer version: anything may have happened.
    fn read(&self, text: &[u8]) -> Read<N> {
        let Ok(message) = serde_json::from_slice::<Message<N>>(text) else {
            return Read::anything();
        };
        let told = if message.from == self.own {
            Vec::new()
        } else if message.missing {
            vec![Told::Missing]
        } else {
            message.news.into_iter().map(Told::News).collect()
        };
        let from = message.number.map(|number| (message.from, number));
        Read { told, from }
    }
}

impl<N> Read<N> {
    fn anything() -> Self {
        Self {
            told: vec![Told::Missing],
            from: None,
        }
    }
}
