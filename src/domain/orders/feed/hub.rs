//! Hands each event to those who wait for it, through a channel of bounded size for each.
//!
//! Nobody keeps the others waiting: whose channel is full is let go, and may come back with what was read last. Tens of
//! thousands wait, most of them with nothing in their channel: one of the usual kind has room for 32 from the start, ours
//! for none.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use chrono::{DateTime, Utc};

use super::{Happening, Whose};

/// Events that may wait for one reader.
pub(super) const CHANNEL: usize = 256;

/// So many are nothing unusual: the room for them is kept.
const FEW: usize = 4;

/// Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(super) struct Hub(Arc<Mutex<Waiting>>);

#[derive(Debug, Default)]
struct Waiting {
    /// The place of the last event that was handed out.
    position: i64,
    last_number: u64,
    /// Those who wait for the same stand together.
    readers: BTreeMap<(Whose, u64), Arc<Channel>>,
}

#[derive(Debug, Default)]
struct Channel(Mutex<Line>);

/// What waits for one reader.
#[derive(Debug, Default)]
struct Line {
    events: VecDeque<Arc<Happening>>,
    /// Whoever waits for more.
    waker: Option<Waker>,
    /// When there was no room for another, which was the last moment of the channel.
    let_go_at: Option<DateTime<Utc>>,
}

impl Channel {
    fn line(&self) -> MutexGuard<'_, Line> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the reader is still one.
    fn send(&self, happening: &Arc<Happening>, now: DateTime<Utc>) -> bool {
        let mut line = self.line();
        let has_room = line.events.len() < CHANNEL;
        if has_room {
            line.events.push_back(Arc::clone(happening));
        } else {
            line.let_go_at = Some(now);
        }
        let waker = line.waker.take();
        drop(line);
        if let Some(waker) = waker {
            waker.wake();
        }
        has_room
    }
}

/// A place at the hub, given back when it is dropped.
#[derive(Debug)]
pub(super) struct Seat {
    channel: Arc<Channel>,
    /// The last place that was told, or that the hub had at first.
    pub(super) position: i64,
    hub: Hub,
    whose: Whose,
    number: u64,
}

impl Seat {
    /// What comes after the place that the hub had. Its end means that there was too much of it.
    pub(super) fn poll_next(&self, cx: &mut Context<'_>) -> Poll<Option<Arc<Happening>>> {
        let mut line = self.channel.line();
        if let Some(next) = line.events.pop_front() {
            if line.events.is_empty() && line.events.capacity() > FEW {
                line.events = VecDeque::new();
            }
            return Poll::Ready(Some(next));
        }
        if line.let_go_at.is_some() {
            return Poll::Ready(None);
        }
        if !line
            .waker
            .as_ref()
            .is_some_and(|waker| waker.will_wake(cx.waker()))
        {
            line.waker = Some(cx.waker().clone());
        }
        Poll::Pending
    }

    /// When the channel was full, if it was.
    pub(super) fn let_go_at(&self) -> Option<DateTime<Utc>> {
        self.channel.line().let_go_at
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.hub.waiting().readers.remove(&(self.whose, self.number));
    }
}

impl Hub {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From where on there is something to hand out.
    pub(super) fn start(&self, position: i64) {
        self.waiting().position = position;
    }

    pub(super) fn sit_down(&self, whose: Whose) -> Seat {
        let channel = Arc::<Channel>::default();
        let mut waiting = self.waiting();
        waiting.last_number += 1;
        let (number, position) = (waiting.last_number, waiting.position);
        waiting.readers.insert((whose, number), Arc::clone(&channel));
        drop(waiting);
        Seat {
            channel,
            position,
            hub: self.clone(),
            whose,
            number,
        }
    }

    pub(super) fn publish(&self, happening: &Arc<Happening>, position: i64, now: DateTime<Utc>) {
        let mut waiting = self.waiting();
        waiting.position = position;
        let event = &happening.event;
        let whose = [
            Some(Whose::Order(event.order_id)),
            event.user_id.map(Whose::User),
            Some(Whose::Everybody),
        ];
        for whose in whose.into_iter().flatten() {
            waiting.hand_to(whose, happening, now);
        }
    }

    /// Goes on to this place without handing out what lies before it; only while nobody waits.
    pub(super) fn pass_by(&self, position: i64) -> bool {
        let mut waiting = self.waiting();
        let is_alone = waiting.readers.is_empty();
        if is_alone {
            waiting.position = position;
        }
        is_alone
    }

    /// How many wait.
    pub(super) fn len(&self) -> usize {
        self.waiting().readers.len()
    }
}

impl Waiting {
    fn hand_to(&mut self, whose: Whose, happening: &Arc<Happening>, now: DateTime<Utc>) {
        let readers = self.readers.range((whose, 0)..=(whose, u64::MAX));
        let sent = readers.map(|(key, channel)| (*key, channel.send(happening, now)));
        let gone: Vec<_> = sent.filter(|(_, goes_on)| !goes_on).map(|(key, _)| key).collect();
        for key in gone {
            self.readers.remove(&key);
        }
    }
}
