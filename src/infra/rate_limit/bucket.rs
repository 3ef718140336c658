//! One bucket, by arithmetic alone: what was taken and has not come back yet.

use std::time::Duration;

use super::Empty;
use crate::kernel::config::Rate;

/// It is full when nothing is owed. Counted in parts, of which a whole one has as many as the rate's period has
/// microseconds, so that nothing is ever rounded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Bucket {
    owed: u128,
    /// Up to when it has been restored, in microseconds.
    at: i64,
}

impl Bucket {
    /// What is left once `amount` is taken; no more is ever asked for than the whole bucket holds.
    pub(super) fn take(&mut self, rate: Rate, amount: u64, now: i64) -> Result<u64, Empty> {
        self.restore(rate, now);
        let (whole, part) = (parts(rate, capacity(rate)), parts(rate, 1));
        let asked = parts(rate, amount.min(capacity(rate)));
        let after = self.owed + asked;
        if after <= whole {
            self.owed = after;
            return Ok(number((whole - after) / part));
        }
        let micros = (after - whole).div_ceil(u128::from(rate.count));
        Err(Empty {
            available: number((whole - self.owed) / part),
            retry_after: Duration::from_micros(number(micros)),
        })
    }

    /// Never more than was taken.
    pub(super) fn give_back(&mut self, rate: Rate, amount: u64, now: i64) {
        self.restore(rate, now);
        self.owed = self.owed.saturating_sub(parts(rate, amount));
    }

    /// A clock that was set back restores nothing until it is where it was.
    fn restore(&mut self, rate: Rate, now: i64) {
        let passed = u128::try_from(now.saturating_sub(self.at)).unwrap_or_default();
        self.owed = self.owed.saturating_sub(passed * u128::from(rate.count));
        self.at = self.at.max(now);
    }
}

pub(super) fn capacity(rate: Rate) -> u64 {
    u64::from(rate.count)
}

fn parts(rate: Rate, amount: u64) -> u128 {
    u128::from(amount) * rate.per.as_micros()
}

fn number(value: u128) -> u64 {
    u64::try_from(value).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rates() -> impl Strategy<Value = Rate> {
        (1..200_000_u32, 1..10_000_000_u64).prop_map(|(count, micros)| Rate {
            count,
            per: Duration::from_micros(micros),
        })
    }

    #[derive(Clone, Copy, Debug)]
    enum Step {
        Wait(i64),
        Take(u64),
        GiveBack(u64),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            // Also into the past.
            (-1_000..2_000_000_i64).prop_map(Step::Wait),
            (0..250_000_u64).prop_map(Step::Take),
            (0..250_000_u64).prop_map(Step::GiveBack),
        ];
        proptest::collection::vec(step, 1..60)
    }

    proptest! {
        /// Over any time, no more is taken than the bucket holds and that time restores, beside what was given back.
        #[test]
        fn never_more_is_taken_than_there_is(rate in rates(), steps in steps()) {
            let (mut bucket, mut now, mut latest) = (Bucket::default(), 0_i64, 0_i64);
            let (mut taken, mut given) = (0_u128, 0_u128);
            for step in steps {
                match step {
                    Step::Wait(micros) => now = (now + micros).max(0),
                    Step::GiveBack(amount) => {
                        bucket.give_back(rate, amount, now);
                        given += u128::from(amount);
                    }
                    Step::Take(amount) => {
                        let whole = amount.min(capacity(rate));
                        match bucket.take(rate, amount, now) {
                            Ok(left) => {
                                prop_assert!(left + whole <= capacity(rate));
                                taken += u128::from(whole);
                            }
                            Err(empty) => {
                                prop_assert!(empty.available < whole);
                                // What it said is so: not a moment earlier, and then for certain.
                                let at = bucket.at + i64::try_from(empty.retry_after.as_micros()).unwrap();
                                prop_assert!(bucket.clone().take(rate, amount, at - 1).is_err());
                                prop_assert!(bucket.clone().take(rate, amount, at).is_ok());
                            }
                        }
                    }
                }
                latest = latest.max(now);
                let passed = u128::try_from(latest).unwrap() * u128::from(rate.count);
                let there_was = u128::from(rate.count) * rate.per.as_micros() + passed;
                prop_assert!(taken * rate.per.as_micros() <= there_was + given * rate.per.as_micros());
            }
        }

        #[test]
        fn giving_back_makes_it_no_larger(rate in rates(), amount in 0..u64::MAX) {
            let mut bucket = Bucket::default();
            bucket.take(rate, 1, 0).unwrap();
            bucket.give_back(rate, amount.max(1), 0);
            prop_assert_eq!(bucket.take(rate, capacity(rate), 0), Ok(0));
            prop_assert!(bucket.take(rate, 1, 0).is_err());
        }
    }

    #[test]
    fn it_is_restored_bit_by_bit() {
        let rate = Rate {
            count: 10,
            per: Duration::from_secs(1),
        };
        let mut bucket = Bucket::default();
        assert_eq!(bucket.take(rate, 7, 0), Ok(3));
        let retry_after = Duration::from_millis(200);
        assert_eq!(
            bucket.take(rate, 5, 0),
            Err(Empty {
                available: 3,
                retry_after
            })
        );
        assert_eq!(bucket.take(rate, 5, 200_000), Ok(0));
        // More than it holds is all of it.
        assert_eq!(bucket.take(rate, 99, 1_200_000), Ok(0));
    }
}
