//! What was measured, as Markdown.

use std::fmt;
use std::time::Duration;

use super::listen::Heard;
use anyhow::{Context as _, Result};

/// When something happened, and when it was committed or answered; microseconds since 1970.
#[derive(Clone, Copy, Debug)]
pub(super) struct Happened {
    pub(super) at: i64,
    pub(super) committed: i64,
}

pub(super) struct Report {
    pub(super) sockets: usize,
    pub(super) fanout: bool,
    /// So many of what happened are not timed.
    pub(super) warm_up: usize,
    pub(super) opened: Duration,
    /// Of all servers, in KiB.
    pub(super) before: u64,
    pub(super) with: u64,
    pub(super) happened: Vec<Happened>,
    pub(super) took: Duration,
    /// That the servers took meanwhile.
    pub(super) cpu: Duration,
    pub(super) heard: Vec<Heard>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let watched = if self.fanout {
            "all on one order"
        } else {
            "each on an order of its own"
        };
        let each = ratio(self.with.saturating_sub(self.before), self.sockets);
        let expected = if self.fanout {
            self.happened.len() * self.sockets
        } else {
            self.happened.len()
        };
        writeln!(f, "| sockets | {}, {watched} |", self.sockets)?;
        writeln!(f, "|---|---|")?;
        writeln!(f, "| opened within | {:.1} s |", self.opened.as_secs_f64())?;
        writeln!(
            f,
            "| memory before, with all of them, each | {} KiB, {} KiB, {each:.1} KiB |",
            self.before, self.with
        )?;
        let rate = ratio(u64::try_from(self.happened.len()).unwrap_or(u64::MAX), 1) / self.took.as_secs_f64();
        writeln!(
            f,
            "| updates, a second; of them to warm up, which are in all but the times | {}, {rate:.0}; {} |",
            self.happened.len(),
            self.warm_up
        )?;
        let share = self.cpu.as_secs_f64() / self.took.as_secs_f64() * 100.0;
        writeln!(
            f,
            "| the servers' processor time meanwhile | {share:.0} % of one core |"
        )?;
        writeln!(
            f,
            "| deliveries, of those that there were | {} of {expected} |",
            self.heard.len()
        )?;
        let from_beginning = self.latencies(|happened| happened.at);
        let from_commit = self.latencies(|happened| happened.committed);
        for (name, all) in [
            ("it began to happen", from_beginning),
            ("its commit", from_commit),
        ] {
            let [median, most, last] = [500, 990, 1000].map(|share| all.millis(share));
            writeln!(
                f,
                "| delivered after {name}: median, 99 %, at most | {median:.2}, {most:.2}, {last:.2} ms |"
            )?;
        }
        if self.fanout {
            let last = self.last_deliveries();
            let [median, most] = [500, 1000].map(|share| last.millis(share));
            writeln!(
                f,
                "| the last delivery of an event after its commit: median, at most | {median:.1}, {most:.1} ms |"
            )?;
        }
        Ok(())
    }
}

impl Report {
    fn latencies(&self, since: impl Fn(&Happened) -> i64) -> Sorted {
        let micros = |heard: &Heard| {
            let happened = self.happened.get(heard.number)?;
            Some(between(since(happened), heard.at))
        };
        let timed = self.heard.iter().filter(|heard| heard.number >= self.warm_up);
        Sorted::of(timed.filter_map(micros).collect())
    }

    fn last_deliveries(&self) -> Sorted {
        let mut last = vec![0; self.happened.len()];
        for heard in &self.heard {
            if let (Some(happened), Some(last)) =
                (self.happened.get(heard.number), last.get_mut(heard.number))
            {
                *last = between(happened.committed, heard.at).max(*last);
            }
        }
        Sorted::of(last.split_off(self.warm_up.min(last.len())))
    }
}

/// What was heard before whoever did it knew took no time.
fn between(since: i64, at: i64) -> u64 {
    u64::try_from(at - since).unwrap_or_default()
}

/// Microseconds.
struct Sorted(Vec<u64>);

impl Sorted {
    fn of(mut all: Vec<u64>) -> Self {
        all.sort_unstable();
        Self(all)
    }

    /// What so many in a thousand do not exceed, in milliseconds.
    fn millis(&self, per_mille: usize) -> f64 {
        let place = (self.0.len() * per_mille / 1000).min(self.0.len().saturating_sub(1));
        ratio(self.0.get(place).copied().unwrap_or_default(), 1000)
    }
}

fn ratio(of: u64, to: usize) -> f64 {
    let narrow = |number: u64| f64::from(u32::try_from(number).unwrap_or(u32::MAX));
    narrow(of) / narrow(u64::try_from(to).unwrap_or(u64::MAX).max(1))
}

/// What the processes have of the machine's memory, in KiB.
pub(super) fn memory(pids: &[u32]) -> Result<u64> {
    pids.iter()
        .map(|pid| {
            let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
            let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
            let number = line.and_then(|line| line.split_whitespace().next());
            Ok(number.context("no VmRSS")?.parse::<u64>()?)
        })
        .sum()
}

/// What they have had of its processors.
pub(super) fn processor_time(pids: &[u32]) -> Result<Duration> {
    /// Linux counts so for everybody, whatever it does itself.
    const TICK: Duration = Duration::from_millis(10);
    pids.iter()
        .map(|pid| {
            let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
            let (_, numbers) = stat.rsplit_once(')').context("no stat")?;
            // In its own code and in the system's: the 14th and the 15th, of which two come before the bracket.
            let ticks = numbers.split_whitespace().skip(11).take(2);
            let ticks: Vec<u32> = ticks.map(str::parse).collect::<Result<_, _>>()?;
            Ok(TICK * ticks.iter().sum::<u32>())
        })
        .sum()
}
