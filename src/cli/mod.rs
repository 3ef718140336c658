//! Commands.

pub mod demo;
mod exchange;
pub mod export;
pub mod import;

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser;

use crate::kernel::config::Config;

/// A GraphQL commerce server.
#[derive(Debug, Parser)]
#[command(name = "souk", version)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Import products from another shop
    Import(import::ImportArgs),
    /// Export products for another shop
    Export(export::ExportArgs),
}

/// Runs the command that the arguments name.
pub async fn run() -> ExitCode {
    let cli = Cli::parse();
    let done = match Config::load() {
        Ok(config) => match cli.command {
            Command::Import(args) => import::run(args, config).await,
            Command::Export(args) => export::run(args, config).await,
        },
        Err(error) => Err(error.into()),
    };
    done.unwrap_or_else(|error| {
        drop(writeln!(std::io::stderr(), "souk: {error:#}"));
        ExitCode::FAILURE
    })
}
