//! Who has heard what was published: everybody that Redis counts as a listener says so, with the numbers of the messages that he
//! has heard since he listens. So a receipt that was lost is made up for by the next one.
//!
//! Whoever listens and says nothing in time, since he hangs, is slow, or is of a version that knows no receipts, is waited for
//! once. From then on those are waited for who do answer, until he answers in time or listeners come and go.

use std::collections::{HashSet, VecDeque};
use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

use uuid::Uuid;

/// How long one waits for the others to hear. They do within a millisecond, or two when they are busy.
pub(super) const PATIENCE: Duration = Duration::from_secs(1);

/// How much of what was told is settled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Settled {
    /// Until here nothing is waited for any more.
    pub(super) told: u64,
    /// The last of it that somebody may not have heard.
    pub(super) unheard: u64,
}

/// What was published, or is about to be.
#[derive(Debug)]
struct Sent {
    number: u64,
    at: Instant,
    /// What had been told until then is in it, or in one before it.
    told: u64,
    /// How many listen. Not known at first, and a receipt may be here before.
    listeners: Option<usize>,
    heard_by: HashSet<Uuid>,
}

impl Sent {
    fn is_heard_by_all(&self) -> bool {
        self.listeners
            .is_some_and(|listeners| listeners > 0 && self.heard_by.len() >= listeners)
    }
}

/// Of so many listeners these answer.
#[derive(Debug)]
struct Answering {
    listeners: usize,
    who: HashSet<Uuid>,
}

impl Answering {
    fn have_heard(&self, sent: &Sent) -> bool {
        sent.listeners == Some(self.listeners) && self.who.is_subset(&sent.heard_by)
    }
}

/// The messages that somebody has not heard yet.
#[derive(Debug, Default)]
pub(super) struct Receipts {
    sent: VecDeque<Sent>,
    last_number: u64,
    /// When the last messages were sent, those of `PATIENCE`: a receipt for an older one is too late.
    recent: VecDeque<(u64, Instant)>,
    /// While some do not answer.
    answering: Option<Answering>,
    settled: Settled,
}

impl Receipts {
    pub(super) fn settled(&self) -> Settled {
        self.settled
    }

    /// A message is about to be published, with all that has been `told`: its number.
    pub(super) fn send(&mut self, told: u64, now: Instant) -> u64 {
        self.give_up(now);
        self.last_number += 1;
        self.recent.push_back((self.last_number, now));
        self.sent.push_back(Sent {
            number: self.last_number,
            at: now,
            told,
            listeners: None,
            heard_by: HashSet::new(),
        });
        self.last_number
    }

    /// It was published to so many; to none also where Redis did not take it.
    pub(super) fn published(&mut self, number: u64, listeners: usize) {
        self.answering
            .take_if(|answering| listeners > 0 && answering.listeners != listeners);
        if let Some(sent) = self.sent.iter_mut().find(|sent| sent.number == number) {
            sent.listeners = Some(listeners);
        }
        self.settle();
    }

    /// Somebody has heard all from the one to the other.
    pub(super) fn heard(&mut self, numbers: &RangeInclusive<u64>, by: Uuid, now: Instant) {
        self.forget_old(now);
        if *numbers.end() >= self.oldest_in_time() {
            let all_again = |answering: &mut Answering| {
                answering.who.insert(by);
                answering.who.len() >= answering.listeners
            };
            self.answering.take_if(all_again);
        }
        for sent in self.sent.iter_mut().filter(|sent| numbers.contains(&sent.number)) {
            sent.heard_by.insert(by);
        }
        self.settle();
    }

    /// What was sent too long ago is not waited for.
    pub(super) fn give_up(&mut self, now: Instant) {
        self.forget_old(now);
        let oldest = self.oldest_in_time();
        let overdue = self.sent.iter().take_while(|sent| sent.number < oldest).count();
        for sent in self.sent.drain(..overdue) {
            self.settled = Settled {
                told: sent.told,
                unheard: sent.told,
            };
            // Where nobody has answered it is we who did not listen.
            if let Some(listeners) = sent.listeners.filter(|_| !sent.heard_by.is_empty()) {
                self.answering = Some(Answering {
                    listeners,
                    who: sent.heard_by,
                });
            }
        }
        self.settle();
    }

    /// When the oldest message that is waited for has been waited for long enough.
    pub(super) fn overdue_at(&self) -> Option<Instant> {
        self.sent.front().map(|sent| sent.at + PATIENCE)
    }

    fn oldest_in_time(&self) -> u64 {
        self.recent.front().map_or(u64::MAX, |(number, _)| *number)
    }

    fn forget_old(&mut self, now: Instant) {
        let is_old = |(_, at): &mut (u64, Instant)| now.duration_since(*at) >= PATIENCE;
        while self.recent.pop_front_if(is_old).is_some() {}
    }

    fn settle(&mut self) {
        // All who listen have heard this one: they have heard those before, too, or came later and knew nothing old.
        if let Some(last) = self.sent.iter().rposition(Sent::is_heard_by_all) {
            self.settled.told = self.sent.drain(..=last).next_back().map_or(0, |sent| sent.told);
        }
        while let Some(sent) = self.sent.pop_front_if(|sent| {
            let answering = self.answering.as_ref();
            sent.listeners == Some(0) || answering.is_some_and(|answering| answering.have_heard(sent))
        }) {
            self.settled = Settled {
                told: sent.told,
                unheard: sent.told,
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANN: Uuid = Uuid::from_u128(1);
    const BEN: Uuid = Uuid::from_u128(2);
    const EVE: Uuid = Uuid::from_u128(3);

    struct Line {
        receipts: Receipts,
        now: Instant,
    }

    impl Line {
        fn new() -> Self {
            Self {
                receipts: Receipts::default(),
                now: Instant::now(),
            }
        }

        fn send(&mut self, told: u64, listeners: usize) -> u64 {
            let number = self.receipts.send(told, self.now);
            self.receipts.published(number, listeners);
            number
        }

        /// What is settled, and what of it not everybody has heard.
        fn heard(&mut self, number: u64, by: Uuid) -> (u64, u64) {
            self.heard_since(1, number, by)
        }

        fn heard_since(&mut self, first: u64, number: u64, by: Uuid) -> (u64, u64) {
            self.receipts.heard(&(first..=number), by, self.now);
            self.settled()
        }

        fn wait(&mut self) -> (u64, u64) {
            self.now += PATIENCE;
            self.receipts.give_up(self.now);
            self.settled()
        }

        fn settled(&self) -> (u64, u64) {
            let Settled { told, unheard } = self.receipts.settled();
            (told, unheard)
        }
    }

    #[test]
    fn what_all_listeners_have_heard_is_settled_in_its_order() {
        let mut line = Line::new();
        let first = line.receipts.send(3, line.now);
        assert_eq!(line.heard(first, ANN), (0, 0), "nobody knows how many there are");
        line.receipts.published(first, 2);
        let second = line.send(5, 2);
        assert_eq!(line.heard(first, ANN), (0, 0), "said twice");
        assert_eq!(line.heard(first, BEN), (3, 0));
        assert_eq!(line.heard(second, BEN), (3, 0));
        assert_eq!(line.heard(second, ANN), (5, 0));
        line.send(6, 0);
        assert_eq!(line.settled(), (6, 6), "nobody listens");
    }

    #[test]
    fn a_receipt_makes_up_for_those_that_were_lost() {
        let mut line = Line::new();
        let [first, second] = [1, 2].map(|told| line.send(told, 2));
        line.heard(first, ANN);
        assert_eq!(line.heard(second, BEN), (1, 0));
        assert_eq!(line.heard(second, ANN), (2, 0));
        line.send(3, 2);
        line.heard(3, ANN);
        assert_eq!(line.wait(), (3, 3), "by its age, whoever waits");
        assert!(line.receipts.sent.is_empty() && line.receipts.recent.is_empty());
    }

    #[test]
    fn who_says_nothing_is_waited_for_once_and_again_when_he_answers_in_time() {
        let mut line = Line::new();
        let first = line.send(1, 3);
        line.heard(first, ANN);
        line.heard(first, BEN);
        assert_eq!(line.wait(), (1, 1));
        let second = line.send(2, 3);
        assert_eq!(line.heard(second, ANN), (1, 1));
        assert_eq!(
            line.heard(second, BEN),
            (2, 2),
            "those who answer, which are not all"
        );
        assert_eq!(line.heard(first, EVE), (2, 2), "too late");
        let third = line.send(3, 3);
        line.heard(third, ANN);
        assert_eq!(line.heard(third, BEN), (3, 3));
        assert_eq!(line.heard(third, EVE), (3, 3), "in time");
        let fourth = line.send(4, 3);
        line.heard(fourth, ANN);
        assert_eq!(line.heard(fourth, BEN), (3, 3), "all are waited for again");
        assert_eq!(line.heard(fourth, EVE), (4, 3));
    }

    #[test]
    fn listeners_that_come_and_go_are_all_waited_for() {
        let mut line = Line::new();
        let first = line.send(1, 2);
        line.heard(first, ANN);
        assert_eq!(line.wait(), (1, 1));
        for (told, listeners) in [(2, 3), (3, 2)] {
            let number = line.send(told, listeners);
            assert_eq!(line.heard(number, ANN).0, told - 1, "{listeners}");
            assert_eq!(line.wait(), (told, told));
        }
    }

    #[test]
    fn who_came_later_has_not_heard_what_was_before() {
        let mut line = Line::new();
        let first = line.send(1, 3);
        line.heard(first, ANN);
        line.heard(first, BEN);
        let second = line.send(2, 4);
        let late = Uuid::from_u128(4);
        assert_eq!(
            line.heard_since(second, second, late),
            (0, 0),
            "that is not the third of the first"
        );
        line.heard(second, ANN);
        line.heard(second, BEN);
        assert_eq!(line.heard(second, EVE), (2, 0));
    }

    #[test]
    fn who_is_gone_keeps_nobody_waiting() {
        let mut line = Line::new();
        let first = line.send(1, 3);
        line.heard(first, ANN);
        let second = line.send(2, 2);
        line.heard(second, ANN);
        assert_eq!(line.heard(second, BEN), (2, 0));
    }

    #[test]
    fn where_nobody_answers_all_are_waited_for_again() {
        let mut line = Line::new();
        line.send(1, 2);
        assert_eq!(line.wait(), (1, 1));
        let second = line.send(2, 2);
        assert_eq!(line.heard(second, ANN), (1, 1));
        assert_eq!(line.heard(second, BEN), (2, 1));
    }

    #[test]
    fn what_nobody_waits_for_is_forgotten() {
        let mut line = Line::new();
        for told in 1..1_000 {
            line.send(told, 2);
            line.now += PATIENCE / 10;
        }
        assert!(line.receipts.sent.len() <= 11 && line.receipts.recent.len() <= 11);
    }
}
