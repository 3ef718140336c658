//! Who has heard what was published: everybody that Redis counts as a listener says so.
//!
//! Whoever listens and says nothing, since he hangs or is of a version that knows no receipts, is waited for once. From then on
//! those are waited for who do answer, until he says something or listeners come and go.

use std::collections::{HashSet, VecDeque};

use uuid::Uuid;

/// What was published, or is about to be.
#[derive(Debug)]
struct Sent {
    number: u64,
    /// What had been told until then is in it, or in one before it.
    told: u64,
    /// How many listen. Not known at first, and a receipt may be here before.
    listeners: Option<usize>,
    heard_by: HashSet<Uuid>,
}

/// Of so many listeners these answer.
#[derive(Debug)]
struct Answering {
    listeners: usize,
    who: HashSet<Uuid>,
}

impl Answering {
    fn all_of(&self, listeners: usize, heard_by: &HashSet<Uuid>) -> bool {
        self.listeners == listeners && self.who.is_subset(heard_by)
    }
}

/// The messages that somebody has not heard yet.
#[derive(Debug, Default)]
pub(super) struct Receipts {
    sent: VecDeque<Sent>,
    last_number: u64,
    /// While some do not answer.
    answering: Option<Answering>,
}

impl Receipts {
    /// A message is about to be published, with all that has been `told`: its number.
    pub(super) fn send(&mut self, told: u64) -> u64 {
        self.last_number += 1;
        self.sent.push_back(Sent {
            number: self.last_number,
            told,
            listeners: None,
            heard_by: HashSet::new(),
        });
        self.last_number
    }

    /// It was published to so many. Like all of these it says until where everything told is settled, where that has moved.
    pub(super) fn published(&mut self, number: u64, listeners: usize) -> Option<u64> {
        self.answering
            .take_if(|answering| answering.listeners != listeners);
        let sent = self.sent.iter_mut().find(|sent| sent.number == number)?;
        sent.listeners = Some(listeners);
        self.settle()
    }

    /// Nobody took it: there is nothing to wait for.
    pub(super) fn failed(&mut self, number: u64) -> Option<u64> {
        let sent = self.sent.iter_mut().find(|sent| sent.number == number)?;
        sent.listeners = Some(0);
        self.settle()
    }

    pub(super) fn heard(&mut self, number: u64, by: Uuid) -> Option<u64> {
        let all_again = |answering: &mut Answering| {
            answering.who.insert(by);
            answering.who.len() >= answering.listeners
        };
        self.answering.take_if(all_again);
        let sent = self.sent.iter_mut().find(|sent| sent.number == number)?;
        sent.heard_by.insert(by);
        self.settle()
    }

    /// What was told until here was waited for long enough.
    pub(super) fn give_up(&mut self, told: u64) -> Option<u64> {
        let overdue = self.sent.iter().take_while(|sent| sent.told <= told).count();
        let last = self.sent.drain(..overdue).next_back()?;
        self.answering = last.listeners.map(|listeners| Answering {
            listeners,
            who: last.heard_by,
        });
        self.settle().or(Some(last.told))
    }

    fn settle(&mut self) -> Option<u64> {
        let is_settled = |sent: &&Sent| {
            sent.listeners.is_some_and(|listeners| {
                sent.heard_by.len() >= listeners
                    || self
                        .answering
                        .as_ref()
                        .is_some_and(|answering| answering.all_of(listeners, &sent.heard_by))
            })
        };
        let settled = self.sent.iter().take_while(is_settled).count();
        let last = self.sent.drain(..settled).next_back()?;
        Some(last.told)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANN: Uuid = Uuid::from_u128(1);
    const BEN: Uuid = Uuid::from_u128(2);
    const EVE: Uuid = Uuid::from_u128(3);

    #[test]
    fn what_all_listeners_have_heard_is_settled_in_its_order() {
        let mut receipts = Receipts::default();
        let (first, second) = (receipts.send(3), receipts.send(5));
        assert_eq!(receipts.heard(first, ANN), None);
        assert_eq!(receipts.published(first, 2), None);
        assert_eq!(receipts.heard(first, ANN), None, "said twice");
        assert_eq!(receipts.published(second, 2), None);
        assert_eq!(receipts.heard(second, ANN), None);
        assert_eq!(receipts.heard(second, BEN), None, "the first is not");
        assert_eq!(receipts.heard(first, BEN), Some(5));
        let third = receipts.send(6);
        assert_eq!(receipts.published(third, 0), Some(6), "nobody listens");
        let fourth = receipts.send(7);
        assert_eq!(receipts.failed(fourth), Some(7));
        assert_eq!(receipts.heard(fourth, ANN), None, "too late");
    }

    #[test]
    fn who_says_nothing_is_waited_for_once() {
        let mut receipts = Receipts::default();
        let first = receipts.send(1);
        receipts.published(first, 3);
        receipts.heard(first, ANN);
        receipts.heard(first, BEN);
        let second = receipts.send(2);
        receipts.published(second, 3);
        assert_eq!(receipts.give_up(1), Some(1));
        assert_eq!(receipts.heard(second, ANN), None);
        assert_eq!(receipts.heard(second, BEN), Some(2), "those who answer");
        assert_eq!(receipts.heard(first, EVE), None, "it has found its tongue");
        let third = receipts.send(3);
        receipts.published(third, 3);
        receipts.heard(third, ANN);
        assert_eq!(receipts.heard(third, BEN), None, "all are waited for again");
        assert_eq!(receipts.heard(third, EVE), Some(3));
    }

    #[test]
    fn listeners_that_come_and_go_are_all_waited_for() {
        let mut receipts = Receipts::default();
        let first = receipts.send(1);
        receipts.published(first, 2);
        receipts.heard(first, ANN);
        assert_eq!(receipts.give_up(1), Some(1));
        for (told, listeners) in [(2, 3), (3, 2)] {
            let number = receipts.send(told);
            receipts.published(number, listeners);
            assert_eq!(receipts.heard(number, ANN), None, "{listeners}");
            assert_eq!(receipts.give_up(told), Some(told));
        }
    }

    #[test]
    fn what_is_not_published_yet_can_be_given_up() {
        let mut receipts = Receipts::default();
        let first = receipts.send(1);
        assert_eq!(receipts.give_up(1), Some(1));
        assert_eq!(receipts.published(first, 2), None);
        assert_eq!(receipts.give_up(1), None);
        let second = receipts.send(2);
        receipts.published(second, 2);
        assert_eq!(receipts.heard(second, ANN), None);
        assert_eq!(receipts.heard(second, BEN), Some(2));
    }
}
