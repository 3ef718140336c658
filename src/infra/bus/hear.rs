//! Hears what other instances tell, and what they have heard.

use std::collections::{HashMap, HashSet};
use std::future::Future;
use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use futures_util::FutureExt as _;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use uuid::Uuid;

use super::{Line, Message, NAME, PAUSE, Receipt, Told, receipts_for};
use crate::infra::redis::{Heard, Subscription};
use crate::kernel::clock::jittered;

/// So many messages are heard before their senders have their receipts, when there are that many.
const AT_ONCE: usize = 64;

/// What a message says to one who listens.
struct Read<N> {
    told: Vec<Told<N>>,
    /// Whom to give a receipt, and for what.
    from: Option<(Uuid, u64)>,
}

/// A line is up until this is dropped.
struct Up<'a>(&'a AtomicUsize);

impl<'a> Up<'a> {
    fn begin(lines: &'a AtomicUsize) -> Self {
        lines.fetch_add(1, Ordering::SeqCst);
        Self(lines)
    }
}

impl Drop for Up<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// The receipts that are owed to those who were heard by one subscription.
#[derive(Default)]
struct Owed {
    /// The numbers of each, from the first that was heard.
    heard: HashMap<Uuid, RangeInclusive<u64>>,
    owed: HashSet<Uuid>,
}

impl Owed {
    fn note(&mut self, from: Uuid, number: u64) {
        let first = self.heard.get(&from).map_or(number, |numbers| *numbers.start());
        self.heard.insert(from, first..=number);
        self.owed.insert(from);
    }

    fn take(&mut self) -> Vec<(Uuid, RangeInclusive<u64>)> {
        let numbers = |from| Some((from, self.heard.get(&from)?.clone()));
        self.owed.drain().filter_map(numbers).collect()
    }
}

impl<N> Line<N>
where
    N: Serialize + DeserializeOwned + Send,
{
    pub(super) async fn hear_news<F: Future<Output = ()>>(&self, hear: &impl Fn(Told<N>) -> F) {
        let mut failing = false;
        loop {
            match self.redis.subscribe(NAME).await {
                Ok(subscription) => {
                    if failing {
                        tracing::info!("other instances are heard again");
                    }
                    failing = false;
                    self.hear_all(subscription, hear).await;
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

    /// Hears everything until the connection is gone.
    async fn hear_all<F: Future<Output = ()>>(
        &self,
        mut subscription: Subscription,
        hear: &impl Fn(Told<N>) -> F,
    ) {
        let _up = Up::begin(&self.lines);
        // What was told before is not known.
        hear(Told::Missing).await;
        let (mut owed, mut count) = (Owed::default(), 0);
        let mut next = subscription.next().await;
        while let Some(heard) = next {
            let Read { told, from } = self.read(heard);
            for told in told {
                hear(told).await;
            }
            if let Some((from, number)) = from {
                owed.note(from, number);
            }
            count += 1;
            // What lies there already is heard before any receipt, which then is for all of it.
            let at_hand = (count < AT_ONCE).then(|| subscription.next().now_or_never());
            next = at_hand.flatten().flatten();
            if next.is_none() {
                for (from, numbers) in owed.take() {
                    self.give_receipt(from, numbers).await;
                }
                count = 0;
                next = subscription.next().await;
            }
        }
    }

    async fn give_receipt(&self, from: Uuid, numbers: RangeInclusive<u64>) {
        if from == self.own {
            self.learn(|receipts| receipts.heard(&numbers, from, Instant::now()));
            return;
        }
        let receipt = Receipt {
            by: self.own,
            first: *numbers.start(),
            last: *numbers.end(),
        };
        // One that Redis did not take is made up for by the next.
        let _listeners = self.publish(&receipts_for(from), &receipt).await;
    }

    /// Those that others give for what was sent from here. One that is missed is made up for by the next.
    pub(super) async fn hear_receipts(&self) {
        loop {
            if let Ok(mut subscription) = self.redis.subscribe(&receipts_for(self.own)).await {
                let _up = Up::begin(&self.lines);
                while let Some(heard) = subscription.next().await {
                    if let Heard::Message(text) = heard {
                        self.take_receipt(&text);
                    }
                }
            }
            tokio::time::sleep(jittered(PAUSE)).await;
        }
    }

    fn take_receipt(&self, text: &[u8]) {
        match serde_json::from_slice::<Receipt>(text) {
            Ok(Receipt { by, first, last }) => {
                self.learn(|receipts| receipts.heard(&(first..=last), by, Instant::now()));
            }
            Err(error) => tracing::warn!(error = %error, "another instance's receipt cannot be read"),
        }
    }

    /// What nobody here can read was written by a newer version: anything may have happened.
    fn read(&self, heard: Heard) -> Read<N> {
        let nothing_known = Read {
            told: vec![Told::Missing],
            from: None,
        };
        let Heard::Message(text) = heard else {
            return nothing_known;
        };
        let Ok(message) = serde_json::from_slice::<Message<Value>>(&text) else {
            return nothing_known;
        };
        let told = if message.from == self.own {
            Vec::new()
        } else if message.missing {
            vec![Told::Missing]
        } else {
            let news = message
                .news
                .into_iter()
                .map(|one| serde_json::from_value(one).map(Told::News));
            news.collect::<Result<_, _>>()
                .unwrap_or_else(|_| vec![Told::Missing])
        };
        let from = message.number.map(|number| (message.from, number));
        Read { told, from }
    }
}
