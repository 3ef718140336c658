//! News for the other instances, through Redis: hints, which nothing depends on.
//!
//! Whoever has news says so and goes on; a task takes what has come together and publishes it as one message. Nothing waits
//! without bound: where too much comes together, or where Redis did not take it, the others are told that something is missing,
//! as soon as they can be told anything. So is whoever could not listen for a while. They then look at everything anew.

use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;
use uuid::Uuid;

use super::redis::{Heard, Redis};
use crate::kernel::clock::jittered;

const NAME: &str = "news";

/// News that may wait to be published.
const WAITING: usize = 256;

/// Between two tries to listen, or to tell what could not be told.
const PAUSE: Duration = Duration::from_millis(500);

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
}

struct Outbox<N> {
    waiting: Vec<N>,
    /// Something could not wait, or was not taken.
    missing: bool,
    /// Something is on its way, or was when it was cut off.
    sending: bool,
}

/// As it is published.
#[derive(Debug, Serialize, Deserialize)]
struct Message<N> {
    from: Uuid,
    missing: bool,
    news: Vec<N>,
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
                    missing: false,
                    sending: false,
                }),
                told: Notify::new(),
                turn: tokio::sync::Mutex::default(),
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
            match line.redis.subscribe(NAME).await {
                Ok(mut subscription) => {
                    if failing {
                        tracing::info!("other instances are heard again");
                    }
                    failing = false;
                    // What was told before is not known.
                    hear(Told::Missing).await;
                    while let Some(heard) = subscription.next().await {
                        for told in line.read(heard) {
                            hear(told).await;
                        }
                    }
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

impl<N> Line<N>
where
    N: Serialize + DeserializeOwned + Send,
{
    async fn flush(&self) -> bool {
        let _turn = self.turn.lock().await;
        let (news, missing) = {
            let mut outbox = self.outbox();
            let missing = outbox.missing || outbox.sending;
            if outbox.waiting.is_empty() && !missing {
                return true;
            }
            outbox.missing = false;
            outbox.sending = true;
            (std::mem::take(&mut outbox.waiting), missing)
        };
        // Who looks at everything needs no more news.
        let news = if missing { Vec::new() } else { news };
        let message = Message {
            from: self.own,
            missing,
            news,
        };
        let sent = match serde_json::to_vec(&message) {
            Ok(text) => self.redis.call::<()>("PUBLISH", NAME, text).await.is_some(),
            Err(error) => {
                tracing::error!(error = %error, "news cannot be written");
                false
            }
        };
        let mut outbox = self.outbox();
        outbox.sending = false;
        outbox.missing |= !sent;
        sent && outbox.waiting.is_empty() && !outbox.missing
    }

    /// What nobody here can read was written by a newer version: anything may have happened.
    fn read(&self, heard: Heard) -> Vec<Told<N>> {
        let Heard::Message(text) = heard else {
            return vec![Told::Missing];
        };
        match serde_json::from_slice::<Message<N>>(&text) {
            Ok(message) if message.from == self.own => Vec::new(),
            Ok(message) if !message.missing => message.news.into_iter().map(Told::News).collect(),
            Ok(_) | Err(_) => vec![Told::Missing],
        }
    }
}
