//! Who may make us ask PayPal about a webhook, and when. Anybody may send one, so a few are asked about at a time, fewer for
//! one sender, and the others wait a little: whoever sends many keeps himself waiting, and nobody else.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit};

use crate::kernel::actor::network;

/// How many are asked about at a time.
const AT_ONCE: usize = 8;
const AT_ONCE_OF_ONE: usize = 2;

/// Each holds a body while it waits.
const PRESENT: usize = 128;
const PRESENT_OF_ONE: usize = 32;

/// Who waits for longer comes again by himself.
const WAIT: Duration = Duration::from_secs(4);

#[derive(Debug)]
pub(super) struct Turns {
    wait: Duration,
    all: Semaphore,
    senders: Mutex<HashMap<String, Sender>>,
}

/// Somebody of whom there are webhooks, waiting or being asked about.
#[derive(Debug)]
struct Sender {
    turns: Arc<Semaphore>,
    present: usize,
}

/// While it is there, PayPal may be asked.
#[derive(Debug)]
pub(super) struct Turn<'a> {
    _all: SemaphorePermit<'a>,
    _own: OwnedSemaphorePermit,
    _place: Place<'a>,
}

/// One webhook of a sender's. Dropped, it is gone.
#[derive(Debug)]
struct Place<'a> {
    turns: &'a Turns,
    sender: String,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut senders = self.turns.senders();
        if let Some(sender) = senders.get_mut(&self.sender) {
            sender.present = sender.present.saturating_sub(1);
            if sender.present == 0 {
                senders.remove(&self.sender);
            }
        }
    }
}

impl Turns {
    pub(super) fn new() -> Self {
        Self::with(WAIT)
    }

    fn with(wait: Duration) -> Self {
        Self {
            wait,
            all: Semaphore::new(AT_ONCE),
            senders: Mutex::default(),
        }
    }

    /// None when it does not come soon enough. Those whose address is not known count as one.
    pub(super) async fn take(&self, sender: Option<IpAddr>) -> Option<Turn<'_>> {
        let (place, own) = self.enter(sender)?;
        let both = async {
            // His own first: of one sender no more than two stand before the others.
            let own = own.acquire_owned().await.ok()?;
            Some((own, self.all.acquire().await.ok()?))
        };
        let (own, all) = tokio::time::timeout(self.wait, both).await.ok()??;
        Some(Turn {
            _all: all,
            _own: own,
            _place: place,
        })
    }

    fn enter(&self, sender: Option<IpAddr>) -> Option<(Place<'_>, Arc<Semaphore>)> {
        let name = sender.map(network).unwrap_or_default();
        let mut senders = self.senders();
        let present: usize = senders.values().map(|sender| sender.present).sum();
        let of_one = senders.get(&name).map_or(0, |sender| sender.present);
        if present >= PRESENT || of_one >= PRESENT_OF_ONE {
            return None;
        }
        let own = senders.entry(name.clone()).or_insert_with(|| Sender {
            turns: Arc::new(Semaphore::new(AT_ONCE_OF_ONE)),
            present: 0,
        });
        own.present += 1;
        let place = Place {
            turns: self,
            sender: name,
        };
        Some((place, Arc::clone(&own.turns)))
    }

    fn senders(&self) -> MutexGuard<'_, HashMap<String, Sender>> {
        self.senders.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::task::Poll;

    use futures_util::poll;

    use super::*;

    const LONG: Duration = Duration::from_secs(600);

    fn address(last: u8) -> Option<IpAddr> {
        Some(IpAddr::from([192, 0, 2, last]))
    }

    /// Has so many wait, each of whom has tried once.
    async fn waiting(turns: &Turns, sender: Option<IpAddr>, count: usize) -> Vec<impl Future> {
        let mut all = Vec::new();
        for _ in 0..count {
            let mut one = Box::pin(turns.take(sender));
            assert!(poll!(&mut one).is_pending());
            all.push(one);
        }
        all
    }

    #[tokio::test]
    async fn one_sender_has_two_at_a_time() {
        let (own, neighbour) = ("2001:db8::1".parse().ok(), "2001:db8::2".parse().ok());
        for (one, other) in [(address(1), address(1)), (None, None), (own, neighbour)] {
            let turns = Turns::with(Duration::from_millis(20));
            let first = turns.take(one).await.unwrap();
            let second = turns.take(other).await.unwrap();
            assert!(turns.take(one).await.is_none(), "{one:?}");
            drop(first);
            let third = turns.take(other).await.unwrap();
            drop((second, third));
            assert!(turns.senders().is_empty());
        }
    }

    #[tokio::test]
    async fn whoever_comes_too_many_waits_for_his_turn() {
        let turns = Turns::with(LONG);
        let _first = turns.take(address(1)).await.unwrap();
        let second = turns.take(address(1)).await.unwrap();
        let mut third = Box::pin(turns.take(address(1)));
        assert!(poll!(&mut third).is_pending());
        drop(second);
        assert!(third.await.is_some());
    }

    #[tokio::test]
    async fn eight_are_asked_about_at_a_time() {
        let turns = Turns::with(LONG);
        let mut held = Vec::new();
        for last in [1, 2, 3, 4, 1, 2, 3, 4] {
            held.push(turns.take(address(last)).await.unwrap());
        }
        let mut ninth = Box::pin(turns.take(address(5)));
        assert!(poll!(&mut ninth).is_pending());
        held.pop();
        assert!(ninth.await.is_some());
    }

    #[tokio::test]
    async fn whoever_sends_many_keeps_nobody_else_waiting() {
        let turns = Turns::with(LONG);
        let _held = (turns.take(address(1)).await, turns.take(address(1)).await);
        let _more = waiting(&turns, address(1), 30).await;
        for _ in 0..10 {
            let mut other = Box::pin(turns.take(address(2)));
            assert!(matches!(poll!(&mut other), Poll::Ready(Some(_))));
        }
    }

    #[tokio::test]
    async fn there_is_room_for_so_many_and_whoever_hangs_up_leaves_his() {
        let turns = Turns::with(LONG);
        let mut held = Vec::new();
        let mut waiters = Vec::new();
        for last in 1..=4 {
            held.push((turns.take(address(last)).await, turns.take(address(last)).await));
            waiters.extend(waiting(&turns, address(last), 30).await);
            assert!(turns.take(address(last)).await.is_none(), "32 of one");
        }
        assert!(turns.take(address(5)).await.is_none(), "128 in all");
        waiters.pop();
        let mut last = Box::pin(turns.take(address(5)));
        assert!(poll!(&mut last).is_pending());
        drop((waiters, last, held));
        assert!(turns.senders().is_empty());
        assert_eq!(turns.all.available_permits(), AT_ONCE);
    }
}
