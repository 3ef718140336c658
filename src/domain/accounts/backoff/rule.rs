//! What a count allows: arithmetic without a database.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use crate::entity::sign_in_attempt::{Model, Pending};
use crate::kernel::config::Rate;

/// How many attempts of one account from one address need not wait.
const FREE: i32 = 5;
const FIRST_WAIT: TimeDelta = TimeDelta::seconds(30);
const LONGEST_WAIT: TimeDelta = TimeDelta::minutes(15);
/// When they are forgotten, counted from the last.
pub(super) const FORGOTTEN: TimeDelta = TimeDelta::days(1);

/// Of an account, from where its owner has not been.
pub(super) const FROM_STRANGERS: Rate = Rate {
    count: 100,
    per: Duration::from_secs(60 * 60),
};

/// After this an attempt whose end nobody has told is lost: its process has died.
const LOST: TimeDelta = TimeDelta::minutes(1);

#[derive(Clone, Copy, Debug)]
pub(super) enum Rule {
    /// So many, then a wait that doubles.
    Growing,
    /// So many in a window that begins with the first.
    Within(Rate),
    /// The same, of which those that were lost are none.
    KnownWithin(Rate),
}

/// Why an attempt may not be made now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// Too many have failed.
    Until(DateTime<Utc>),
    /// Too many would have, if all that are being looked at fail.
    InFlight,
}

impl Rule {
    /// Lets one more attempt begin. Those that failed and those in flight together are never more than may fail.
    pub(super) fn begin(self, row: &mut Model, attempt: Uuid, now: DateTime<Utc>) -> Result<(), Stop> {
        self.give_up_lost(row, now);
        let is_fresh = row.counted == 0 && row.in_flight.0.is_empty();
        if is_fresh || self.is_over(row, now) {
            row.counted = 0;
            (row.since, row.last_at) = (now, now);
        }
        let (most, free_at) = self.bound(row);
        let room = match most - row.counted {
            room if room > 0 => room,
            // After each wait one.
            _ if free_at <= now => 1,
            _ => return Err(Stop::Until(free_at)),
        };
        if row.in_flight.0.len() >= usize::try_from(room).unwrap_or_default() {
            return Err(Stop::InFlight);
        }
        row.in_flight.0.push(Pending { attempt, since: now });
        Ok(())
    }

    /// One that has begun counts. Nothing happens when it was given up meanwhile: it counts already.
    pub(super) fn fail(self, row: &mut Model, attempt: Uuid, now: DateTime<Utc>) {
        if take_out(row, attempt) {
            self.add(row, now);
        }
    }

    fn give_up_lost(self, row: &mut Model, now: DateTime<Utc>) {
        let pending = std::mem::take(&mut row.in_flight.0);
        let (lost, pending): (Vec<_>, Vec<_>) = pending.into_iter().partition(|one| one.since + LOST <= now);
        row.in_flight.0 = pending;
        match self {
            // The process may have died after it answered: whoever could have attempts forgotten, by bringing a server
            // down, would guess for nothing.
            Self::Growing | Self::Within(_) => {
                for one in lost {
                    self.add(row, one.since);
                }
            }
            Self::KnownWithin(_) => {}
        }
    }

    fn add(self, row: &mut Model, at: DateTime<Utc>) {
        if row.counted == 0 || self.is_over(row, at) {
            row.counted = 0;
            row.since = at;
        }
        row.counted = row.counted.saturating_add(1);
        row.last_at = row.last_at.max(at);
    }

    /// How many may fail, and when the next one may be tried after that.
    fn bound(self, row: &Model) -> (i32, DateTime<Utc>) {
        match self {
            Self::Growing => {
                let doublings = u32::try_from(row.counted - FREE).unwrap_or_default().min(16);
                let wait = (FIRST_WAIT * 2_i32.pow(doublings)).min(LONGEST_WAIT);
                (FREE, row.last_at + wait)
            }
            Self::Within(rate) | Self::KnownWithin(rate) => {
                (i32::try_from(rate.count).unwrap_or(i32::MAX), end(row, rate))
            }
        }
    }

    fn is_over(self, row: &Model, now: DateTime<Utc>) -> bool {
        match self {
            Self::Growing => row.last_at + FORGOTTEN <= now,
            Self::Within(rate) | Self::KnownWithin(rate) => end(row, rate) <= now,
        }
    }
}

/// One that was none; whether it was still in flight.
pub(super) fn take_out(row: &mut Model, attempt: Uuid) -> bool {
    let before = row.in_flight.0.len();
    row.in_flight.0.retain(|one| one.attempt != attempt);
    row.in_flight.0.len() < before
}

fn end(row: &Model, rate: Rate) -> DateTime<Utc> {
    let end = row.since.checked_add_signed(length(rate));
    end.unwrap_or(DateTime::<Utc>::MAX_UTC)
}

/// Of its window.
pub(super) fn length(rate: Rate) -> TimeDelta {
    TimeDelta::from_std(rate.per).unwrap_or(TimeDelta::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entity::sign_in_attempt::InFlight;

    const START: DateTime<Utc> = DateTime::<Utc>::UNIX_EPOCH;

    fn none() -> Model {
        Model {
            key: String::new(),
            counted: 0,
            since: START,
            last_at: START,
            in_flight: InFlight::default(),
            throttled_until: None,
        }
    }

    fn begin(rule: Rule, row: &mut Model, now: DateTime<Utc>) -> Result<Uuid, Stop> {
        let attempt = Uuid::new_v4();
        rule.begin(row, attempt, now).map(|()| attempt)
    }

    fn fail(rule: Rule, row: &mut Model, now: DateTime<Utc>) {
        let attempt = begin(rule, row, now).unwrap();
        rule.fail(row, attempt, now);
    }

    fn until(rule: Rule, row: &Model, now: DateTime<Utc>) -> DateTime<Utc> {
        match begin(rule, &mut row.clone(), now) {
            Err(Stop::Until(until)) => until,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_wait_doubles_from_half_a_minute_to_a_quarter_of_an_hour() {
        let (mut now, mut row) = (START, none());
        for _ in 0..FREE {
            fail(Rule::Growing, &mut row, now);
        }
        let mut waits = Vec::new();
        for _ in 0..8 {
            let end = until(Rule::Growing, &row, now);
            assert_eq!(until(Rule::Growing, &row, end - TimeDelta::microseconds(1)), end);
            waits.push((end - now).num_seconds());
            now = end;
            fail(Rule::Growing, &mut row, now);
        }
        assert_eq!(waits, [30, 60, 120, 240, 480, 900, 900, 900]);
        row.counted = i32::MAX;
        assert_eq!(until(Rule::Growing, &row, now) - now, LONGEST_WAIT);
        fail(Rule::Growing, &mut row, now + FORGOTTEN);
        assert_eq!(row.counted, 1);
    }

    #[test]
    fn a_window_begins_with_its_first() {
        let rule = Rule::Within(Rate {
            count: 2,
            per: Duration::from_secs(60),
        });
        let later = |seconds| START + TimeDelta::days(1) + TimeDelta::seconds(seconds);
        let mut row = none();
        fail(rule, &mut row, later(0));
        fail(rule, &mut row, later(59));
        assert_eq!(until(rule, &row, later(59)), later(60));
        fail(rule, &mut row, later(60));
        assert_eq!((row.counted, row.since), (1, later(60)));
    }

    #[test]
    fn no_more_are_in_flight_than_may_fail() {
        let rule = Rule::Within(Rate {
            count: 20,
            per: Duration::from_secs(60),
        });
        for (rule, most) in [(Rule::Growing, 5), (rule, 20)] {
            let mut row = none();
            fail(rule, &mut row, START);
            let begun: Vec<_> = (1..most).map(|_| begin(rule, &mut row, START).unwrap()).collect();
            assert_eq!(begin(rule, &mut row, START), Err(Stop::InFlight));
            let (right, wrong) = begun.split_first().unwrap();
            assert!(take_out(&mut row, *right) && !take_out(&mut row, *right));
            let last = begin(rule, &mut row, START).unwrap();
            for attempt in wrong.iter().chain([&last]) {
                assert_eq!(begin(rule, &mut row, START), Err(Stop::InFlight));
                rule.fail(&mut row, *attempt, START);
            }
            assert_eq!(row.counted, most);
            let end = until(rule, &row, START);
            assert!(row.in_flight.0.is_empty());
            // Each wait is over for one of those who waited.
            if let Rule::Growing = rule {
                let one = begin(rule, &mut row, end).unwrap();
                assert_eq!(begin(rule, &mut row, end), Err(Stop::InFlight));
                rule.fail(&mut row, one, end);
                assert_eq!(until(rule, &row, end) - end, TimeDelta::seconds(60));
            }
        }
    }

    #[test]
    fn of_what_was_lost_nothing_counts_where_only_failures_that_are_known_do() {
        let rate = Rate {
            count: 20,
            per: Duration::from_secs(900),
        };
        for (rule, counted) in [(Rule::Within(rate), 20), (Rule::KnownWithin(rate), 1)] {
            let mut row = none();
            fail(rule, &mut row, START);
            for _ in 1..20 {
                begin(rule, &mut row, START).unwrap();
            }
            let soon = START + LOST - TimeDelta::microseconds(1);
            assert_eq!(begin(rule, &mut row, soon), Err(Stop::InFlight));
            let begun = begin(rule, &mut row, START + LOST);
            assert_eq!((row.counted, begun.is_ok()), (counted, counted < 20), "{rule:?}");
        }
    }

    #[test]
    fn what_never_ended_failed_when_it_began() {
        let mut row = none();
        let begun: Vec<_> = (0..FREE)
            .map(|_| begin(Rule::Growing, &mut row, START).unwrap())
            .collect();
        let soon = START + LOST - TimeDelta::microseconds(1);
        assert_eq!(begin(Rule::Growing, &mut row, soon), Err(Stop::InFlight));
        let later = START + LOST;
        let next = begin(Rule::Growing, &mut row, later).unwrap();
        assert_eq!((row.counted, row.last_at), (FREE, START));
        // Whose end is told after all counts once.
        for attempt in begun {
            Rule::Growing.fail(&mut row, attempt, later);
        }
        assert_eq!((row.counted, row.in_flight.0.len()), (FREE, 1));
        Rule::Growing.fail(&mut row, next, later);
        assert_eq!(until(Rule::Growing, &row, later) - later, TimeDelta::seconds(60));
    }
}
