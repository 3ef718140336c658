//! `souk payments`: looking after what gateways took.

use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::process::ExitCode;
use std::str::FromStr as _;

use chrono::{DateTime, Utc};
use clap::Subcommand;
use indicatif::{ProgressBar, ProgressStyle};
use sea_orm::ActiveEnum as _;
use serde_json::json;

use super::platform;
use crate::domain::context::Context;
use crate::domain::payments::reconcile::{Difference, Report, Scope, Silence, Watch, reconcile};
use crate::entity::payment::PaymentGatewayName;
use crate::kernel::actor::{Actor, Origin};
use crate::kernel::clock::{Clock as _, SystemClock};
use crate::kernel::config::{Config, duration};

#[derive(Debug, clap::Args)]
pub(super) struct PaymentsArgs {
    #[command(subcommand)]
    command: PaymentsCommand,
}

#[derive(Debug, Subcommand)]
enum PaymentsCommand {
    /// Compare payments with their gateways and with the ledger, and say what differs. Changes nothing. Ends with 0 when
    /// all agree, and with 1 when something differs, or a gateway did not answer or has no settings
    Reconcile(ReconcileArgs),
}

#[derive(Debug, clap::Args)]
struct ReconcileArgs {
    /// Only those of this gateway: stripe, paypal, mpesa, manual, test
    #[arg(long, value_parser = gateway)]
    gateway: Option<PaymentGatewayName>,
    /// Those that changed since: an age such as 12h or 30d, a day, or a moment such as 2026-11-21T09:30:00Z. Those that are
    /// still open are always looked at
    #[arg(long, default_value = "7d", value_parser = since)]
    since: DateTime<Utc>,
    /// Print all as one JSON object
    #[arg(long)]
    json: bool,
}

fn gateway(text: &str) -> Result<PaymentGatewayName, String> {
    PaymentGatewayName::try_from_value(&text.to_uppercase())
        .map_err(|_| "there is no such gateway".to_owned())
}

fn since(text: &str) -> Result<DateTime<Utc>, String> {
    if let Ok(moment) = DateTime::parse_from_rfc3339(text) {
        return Ok(moment.to_utc());
    }
    if let Ok(day) = chrono::NaiveDate::from_str(text) {
        return Ok(day.and_time(chrono::NaiveTime::MIN).and_utc());
    }
    let age = duration("--since", text).ok();
    age.and_then(|age| chrono::TimeDelta::from_std(age).ok())
        .and_then(|age| SystemClock.now().checked_sub_signed(age))
        .ok_or_else(|| {
            "neither an age such as 7d, nor a day, nor a moment such as 2026-11-21T09:30:00Z".to_owned()
        })
}

pub(super) async fn run(args: PaymentsArgs, config: Config) -> anyhow::Result<ExitCode> {
    let PaymentsCommand::Reconcile(args) = args.command;
    let ctx = Context::writing(Actor::System, Origin::default(), platform(&config).await?);
    let scope = Scope {
        gateway: args.gateway,
        since: args.since,
    };
    let mut screen = Screen::new(args.json);
    let report = reconcile(&ctx, &scope, &mut screen).await;
    screen.bar.finish_and_clear();
    let closed = ctx.db().clone().close().await;
    let report = report?;
    closed?;
    if args.json {
        let all = json!({"report": report, "differences": screen.differences, "silences": screen.silences});
        writeln!(io::stdout(), "{all}")?;
    }
    summarise(&report)?;
    Ok(if report.agrees() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Standard output: a line for each difference as it is found. Standard error: a bar where it is a terminal, and who did
/// not answer.
struct Screen {
    bar: ProgressBar,
    /// Kept for the end instead, to be one answer.
    json: bool,
    differences: Vec<Difference>,
    silences: Vec<Silence>,
}

impl Screen {
    fn new(json: bool) -> Self {
        let bar = ProgressBar::new(0);
        let style = "{bar:40} {percent:>3} %  {pos} of {len} payments  {elapsed}, {eta} left";
        if let Ok(style) = ProgressStyle::with_template(style) {
            bar.set_style(style);
        }
        Self {
            bar,
            json,
            differences: Vec::new(),
            silences: Vec::new(),
        }
    }
}

impl Watch for Screen {
    fn advanced(&mut self, done: u64, total: u64) {
        self.bar.set_length(total);
        self.bar.set_position(done);
    }

    fn differs(&mut self, difference: Difference) {
        if self.json {
            self.differences.push(difference);
            return;
        }
        let Difference {
            subject,
            what,
            ours,
            theirs,
            by,
            advice,
        } = difference;
        let line = format!("{subject}: {what}: {ours} here, {theirs} by {by}. {advice}");
        // An output that is gone takes no line; the exit code tells all the same.
        self.bar.suspend(|| drop(writeln!(io::stdout(), "{line}")));
    }

    fn silent(&mut self, silence: Silence) {
        if self.json {
            self.silences.push(silence);
            return;
        }
        let Silence { subject, by, why } = silence;
        let line = match subject {
            Some(subject) => format!("{subject}: {by} did not answer: {why}"),
            None => format!("{by} was not asked: {why}"),
        };
        self.bar.suspend(|| drop(writeln!(io::stderr(), "{line}")));
    }
}

fn summarise(report: &Report) -> io::Result<()> {
    let mut out = io::stderr().lock();
    let s = |count: u64| if count == 1 { "" } else { "s" };
    let counted = |by: &BTreeMap<String, u64>| -> String {
        let all: Vec<String> = by.iter().map(|(name, count)| format!("{count} {name}")).collect();
        all.join(", ")
    };
    let Report {
        payments,
        asked,
        not_asked,
        without_settings: _,
        differences,
        silences,
    } = report;
    writeln!(
        out,
        "Compared {payments} payment{} with the ledger.",
        s(*payments)
    )?;
    if !asked.is_empty() {
        writeln!(out, "Asked gateways about them: {}.", counted(asked))?;
    }
    if !not_asked.is_empty() {
        let who = counted(not_asked);
        writeln!(out, "Of these the gateway remembers nothing: {who}.")?;
    }
    if report.agrees() {
        return writeln!(out, "Everything agrees.");
    }
    if *differences > 0 {
        let verb = if *differences == 1 { "differs" } else { "differ" };
        writeln!(out, "{differences} thing{} {verb}.", s(*differences))?;
    }
    if *silences > 0 {
        let verb = if *silences == 1 { "was" } else { "were" };
        writeln!(out, "{silences} question{} {verb} not answered.", s(*silences))?;
    }
    Ok(())
}
