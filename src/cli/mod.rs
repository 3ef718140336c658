//! The command line: `souk` is `souk serve`.
//!
//! Results go to standard output, everything else to standard error. A command ends with 0 when it is done, 1
//! when it failed, and 2 when it was called wrongly.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "what a command prints is its result"
)]

pub mod demo;
mod exchange;
pub mod export;
pub mod health;
pub mod import;
mod migrate;
mod payments;
mod schema;
mod serve;
mod user;
mod worker;

use std::process::ExitCode;
use std::sync::Arc;

use clap::{Parser, Subcommand};

use crate::app;
use crate::domain::context::Platform;
use crate::infra::telemetry;
use crate::kernel::clock::SystemClock;
use crate::kernel::config::{Config, Source};

/// A GraphQL commerce server.
#[derive(Debug, Parser)]
#[command(name = "souk", version, about, disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the shop: what `souk` does when nothing else is asked.
    Serve(serve::ServeArgs),
    /// Do the background work of a shop that other processes serve.
    Worker,
    /// Take the database's schema up or down, or say where it is.
    Migrate(migrate::MigrateArgs),
    /// Import products from another shop.
    Import(import::ImportArgs),
    /// Export products for another shop.
    Export(export::ExportArgs),
    /// Ask the server that listens on `SOUK_LISTEN` whether it is ready.
    Health,
    /// Compare payments with gateways and the ledger.
    Payments(payments::PaymentsArgs),
    /// Print the GraphQL schema, sorted.
    Schema,
    /// Open accounts, list them, change their roles.
    User(user::UserArgs),
}

/// Runs the command that the process was called with.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let outcome = match cli.command.unwrap_or(Command::Serve(serve::ServeArgs::default())) {
        Command::Schema => schema::run(),
        command => with_settings(command),
    };
    outcome.unwrap_or_else(|error| {
        // One line, causes and all.
        eprintln!("souk: {}", format!("{error:#}").replace('\n', " "));
        ExitCode::FAILURE
    })
}

fn with_settings(command: Command) -> anyhow::Result<ExitCode> {
    let source = Source::of_process()?;
    let config = Config::from_source(&source)?;
    telemetry::start(&config.log, config.traces.as_ref())?;
    if matches!(command, Command::Serve(_) | Command::Worker) {
        for name in source.strangers() {
            tracing::warn!(name, "this is no setting of the shop's, and has no effect");
        }
        for (setting, odd) in config.warnings() {
            tracing::warn!("{setting} {odd}");
        }
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let outcome = runtime.block_on(async {
        match command {
            Command::Serve(args) => serve::run(args, config).await,
            Command::Worker => worker::run(config).await,
            Command::Migrate(args) => migrate::run(args, config).await,
            Command::Import(args) => import::run(args, config).await,
            Command::Export(args) => export::run(args, config).await,
            Command::Health => health::run(config.http.listen, config.http.tls.is_some()).await,
            Command::Payments(args) => payments::run(args, config).await,
            Command::User(args) => user::run(args, config).await,
            Command::Schema => schema::run(),
        }
    });
    telemetry::end();
    outcome
}

/// The shop's database, migrated as `serve` would.
async fn platform(config: &Config) -> anyhow::Result<Arc<Platform>> {
    // One read at a time: further connections would only keep caches of their own.
    let mut config = config.clone();
    config.database.connections = 1;
    let db = app::connect(&config).await?;
    app::check_schema(&db, config.database.auto_migrate).await?;
    let platform = Platform::new(db, Arc::new(SystemClock), &config)?;
    Ok(Arc::new(platform))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_setting_is_in_the_help_of_serve() {
        let mut cli = Cli::command();
        let help = cli
            .find_subcommand_mut("serve")
            .unwrap()
            .render_long_help()
            .to_string();
        for setting in crate::kernel::config::SETTINGS {
            assert!(help.contains(setting.name), "{}", setting.name);
        }
    }
}
