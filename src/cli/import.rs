//! `souk import`: products from the file of another shop.

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use indicatif::{ProgressBar, ProgressStyle};

use super::exchange::currency;
use super::platform;
use crate::domain::context::Context;
use crate::domain::exchange::shopify::{Counts, Import, Note, Report, Watch, import};
use crate::kernel::actor::{Actor, Origin};
use crate::kernel::config::Config;
use crate::kernel::money::Currency;

#[derive(Debug, clap::Args)]
pub struct ImportArgs {
    #[command(subcommand)]
    from: From,
}

#[derive(Debug, clap::Subcommand)]
enum From {
    /// A product export of Shopify (CSV). Products are the same by their handle, variants by their option values
    Shopify(ShopifyArgs),
}

#[derive(Debug, clap::Args)]
struct ShopifyArgs {
    /// The CSV file
    file: PathBuf,
    /// The currency of its prices (ISO 4217), which the file does not say
    #[arg(long, value_parser = currency)]
    currency: Currency,
    /// Say what would happen, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Print the summary as one JSON object on standard output
    #[arg(long)]
    json: bool,
    /// Set stock to the file's numbers even where they are those of the last import
    #[arg(long)]
    overwrite_stock: bool,
}

/// Exit code 0 when all rows were good, 1 when some were left out.
///
/// # Errors
/// When the file or the database does not do at all.
pub async fn run(args: ImportArgs, config: Config) -> anyhow::Result<ExitCode> {
    let From::Shopify(args) = args.from;
    // Before a database is made for nothing.
    std::fs::File::open(&args.file).with_context(|| format!("cannot read {}", args.file.display()))?;
    let context = Context::writing(Actor::System, Origin::default(), platform(&config).await?);
    let order = Import {
        path: args.file,
        currency: args.currency,
        dry_run: args.dry_run,
        overwrite_stock: args.overwrite_stock,
    };
    let mut screen = Screen::new(args.json);
    let report = import(&context, &order, &mut screen).await;
    screen.bar.finish_and_clear();
    let report = report?;
    if !order.dry_run {
        context.db().analyse().await?;
    }
    if args.json {
        writeln!(io::stdout(), "{}", serde_json::to_string(&report)?)?;
    } else {
        summarise(&report, args.dry_run)?;
    }
    Ok(if report.rejected_rows.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Standard error: a bar where it is a terminal, and bad rows as they are found.
struct Screen {
    bar: ProgressBar,
    quiet: bool,
}

impl Screen {
    /// `quiet` when the notes are part of the answer on standard output.
    fn new(quiet: bool) -> Self {
        // Draws nothing where standard error is not a terminal.
        let bar = ProgressBar::new(0);
        let style = "{bar:40} {percent:>3} %  {bytes} of {total_bytes}  {elapsed}, {eta} left";
        if let Ok(style) = ProgressStyle::with_template(style) {
            bar.set_style(style);
        }
        Self { bar, quiet }
    }

    fn note(&self, kind: &str, row: &Note) {
        if !self.quiet {
            let line = format!("line {}: {kind}{}", row.line, row.reason);
            // A standard error that is gone takes no message.
            self.bar.suspend(|| drop(writeln!(io::stderr(), "{line}")));
        }
    }
}

impl Watch for Screen {
    fn advanced(&mut self, read: u64, total: u64) {
        self.bar.set_length(total);
        self.bar.set_position(read.min(total));
    }

    fn rejected(&mut self, row: &Note) {
        self.note("", row);
    }

    fn warned(&mut self, row: &Note) {
        self.note("warning: ", row);
    }
}

fn summarise(report: &Report, dry_run: bool) -> io::Result<()> {
    let mut out = io::stdout().lock();
    let rows = if report.rows == 1 { "row" } else { "rows" };
    let head = if dry_run {
        "Dry run, nothing is written. Would import"
    } else {
        "Imported"
    };
    writeln!(out, "{head} {} {rows}:", report.rows)?;
    writeln!(
        out,
        "{:10} {:>9} {:>9} {:>9} {:>9}",
        "", "created", "updated", "unchanged", "rejected"
    )?;
    for (name, counts) in [
        ("products", report.products),
        ("variants", report.variants),
        ("images", report.images),
    ] {
        let Counts {
            created,
            updated,
            unchanged,
            rejected,
        } = counts;
        writeln!(
            out,
            "{name:10} {created:>9} {updated:>9} {unchanged:>9} {rejected:>9}"
        )?;
    }
    if !report.rejected_rows.is_empty() {
        let (bad, s) = (
            report.rejected_rows.len(),
            if report.rejected_rows.len() == 1 { "" } else { "s" },
        );
        writeln!(
            out,
            "{bad} bad row{s}: their products are left out. Mend them and import the file again."
        )?;
    }
    Ok(())
}
