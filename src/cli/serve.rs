//! `souk serve`

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use tokio::net::TcpListener;

use super::demo;
use crate::app::App;
use crate::http::server;
use crate::http::tls::Tls;
use crate::kernel::config::{Config, Environment, LimitsConfig, SECRETS, SETTINGS};

#[derive(Debug, Default, clap::Args)]
#[command(after_help = "`souk serve --help` lists all settings.", after_long_help = settings())]
pub(super) struct ServeArgs {
    /// Answer requests only, and leave background work to other processes (`souk worker`).
    #[arg(long)]
    no_worker: bool,

    /// Execute only the operations of this folder: *.graphql files, and manifests *.json.
    #[arg(long, value_name = "DIR")]
    trusted_documents: Option<PathBuf>,
}

/// Open files that are not connections: the database's, the log, the listener.
const OTHER_FILES: u64 = 128;

pub(super) async fn run(args: ServeArgs, mut config: Config) -> anyhow::Result<ExitCode> {
    let address = config.http.listen;
    if args.trusted_documents.is_some() {
        config.http.trusted_documents = args.trusted_documents;
    }
    let page = config
        .http
        .public_url
        .join("graphiql")
        .context("SOUK_PUBLIC_URL has no place for a page")?;
    // Before the database, which may take a while: a second server on the port fails at once.
    let listener = TcpListener::bind(address)
        .await
        .with_context(|| format!("SOUK_LISTEN: cannot listen on {address}"))?;
    if let Some(files) = &config.http.tls {
        Tls::read(files)?;
    }
    make_room(&mut config.limits);
    let mut app = App::start(config).await?;
    app.works = !args.no_worker;
    if app.config.environment == Environment::Development && demo::load_if_empty(&app.platform).await? {
        tracing::info!("loaded the demo shop into the empty catalog");
    }
    // Before anybody is told that there is something to stop.
    let stop = server::signal();
    tracing::info!(address = %listener.local_addr()?, no_worker = args.no_worker, "listening");
    greet(&format!("GraphiQL: {page}{}\n", log_ins(&app).await?));
    app.serve(listener, stop).await?;
    Ok(ExitCode::SUCCESS)
}

/// Written in one piece, and to nobody if need be: whoever waits for the first line may be gone before the second, and
/// that is no reason to stop.
fn greet(text: &str) {
    let mut out = io::stdout().lock();
    if let Err(error) = out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        tracing::debug!(error = %error, "nobody reads the standard output");
    }
}

/// A line on whom a newcomer can sign in as. In production nobody should be able to, which goes to the log.
async fn log_ins(app: &App) -> anyhow::Result<String> {
    let people = demo::people::present(&app.platform).await?;
    if people.is_empty() {
        return Ok(String::new());
    }
    let emails: Vec<&str> = people.iter().map(|user| user.email.as_str()).collect();
    let emails = emails.join(", ");
    if app.config.environment == Environment::Development {
        return Ok(format!(
            "\nLog-ins: {emails} (password: {})",
            demo::people::PASSWORD
        ));
    }
    tracing::warn!(
        accounts = emails,
        "the demo shop's accounts are in this database: they cannot sign in here, but would where SOUK_ENV is development"
    );
    Ok(String::new())
}

/// Asks the system for as many open files as it will give, and promises no more connections than fit:
/// further ones wait, where accepting them would fail.
fn make_room(limits: &mut LimitsConfig) {
    let files = match rlimit::increase_nofile_limit(u64::MAX) {
        Ok(files) => files,
        Err(error) => {
            tracing::warn!(error = %error, "the limit on open files is unknown");
            return;
        }
    };
    let room = usize::try_from(files.saturating_sub(OTHER_FILES)).unwrap_or(usize::MAX);
    if room < limits.connections {
        let lowered = room.max(1);
        tracing::warn!(
            open_files = files,
            "SOUK_LIMIT_CONNECTIONS is taken as {lowered} instead of {}: the system allows this process no \
             more open files (ulimit -Hn)",
            limits.connections
        );
        limits.connections = lowered;
    }
}

/// All settings with what they are when nobody sets them.
fn settings() -> String {
    let mut text = "Settings, from the environment, .env (in development) or souk.toml:\n".to_owned();
    for setting in SETTINGS {
        let default = if setting.default.is_empty() {
            "none".to_owned()
        } else {
            setting.default.to_owned()
        };
        text.push_str(&format!(
            "\n  {} [default: {default}]\n      {}\n",
            setting.name, setting.meaning
        ));
    }
    let files: Vec<String> = SECRETS.iter().map(|name| format!("{name}_FILE")).collect();
    text.push_str(&format!(
        "\nSecrets may be in files instead, whose names are in:\n\n  {}\n",
        files.join("\n  ")
    ));
    text
}
