//! Hands each event to those who wait for it, through a channel of bounded size for each.
//!
//! Nobody keeps the others waiting: whose channel is full is let go, and may come back with what was read last.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use chrono::{DateTime, Utc};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::mpsc::{Receiver, Sender, channel};

use super::{Happening, Whose};

/// Events that may wait for one reader.
pub(super) const CHANNEL: usize = 256;

/// Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(super) struct Hub(Arc<Mutex<Waiting>>);

#[derive(Debug, Default)]
struct Waiting {
    /// The place of the last event that was handed out.
    position: i64,
    last_number: u64,
    readers: HashMap<Whose, HashMap<u64, Reader>>,
}

#[derive(Debug)]
struct Reader {
    events: Sender<Arc<Happening>>,
    let_go_at: Arc<OnceLock<DateTime<Utc>>>,
}

/// A place at the hub, given back when it is dropped.
#[derive(Debug)]
pub(super) struct Seat {
    /// What comes after the place that the hub had. Its end means that there was too much of it.
    pub(super) events: Receiver<Arc<Happening>>,
    /// The last place that was told, or that the hub had at first.
    pub(super) position: i64,
    let_go_at: Arc<OnceLock<DateTime<Utc>>>,
    hub: Hub,
    whose: Whose,
    number: u64,
}

impl Seat {
    /// When the channel was full, if it was.
    pub(super) fn let_go_at(&self) -> Option<DateTime<Utc>> {
        self.let_go_at.get().copied()
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut waiting = self.hub.waiting();
        if let Some(readers) = waiting.readers.get_mut(&self.whose) {
            readers.remove(&self.number);
            if readers.is_empty() {
                waiting.readers.remove(&self.whose);
            }
        }
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
        let (sender, events) = channel(CHANNEL);
        let let_go_at = Arc::new(OnceLock::new());
        let mut waiting = self.waiting();
        waiting.last_number += 1;
        let (number, position) = (waiting.last_number, waiting.position);
        let reader = Reader {
            events: sender,
            let_go_at: Arc::clone(&let_go_at),
        };
        waiting.readers.entry(whose).or_default().insert(number, reader);
        drop(waiting);
        Seat {
            events,
            position,
            let_go_at,
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

    /// How many wait.
    pub(super) fn len(&self) -> usize {
        self.waiting().readers.values().map(HashMap::len).sum()
    }
}

impl Waiting {
    fn hand_to(&mut self, whose: Whose, happening: &Arc<Happening>, now: DateTime<Utc>) {
        let Some(readers) = self.readers.get_mut(&whose) else {
            return;
        };
        readers.retain(|_, reader| match reader.events.try_send(Arc::clone(happening)) {
            Ok(()) => true,
            Err(TrySendError::Full(_)) => {
                // Never set twice: it goes with its reader.
                let _ = reader.let_go_at.set(now);
                false
            }
            Err(TrySendError::Closed(_)) => false,
        });
    }
}
