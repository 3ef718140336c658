//! `souk user`

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::{Subcommand, ValueEnum};
use secrecy::ExposeSecret as _;

use crate::infra::token::{Holder, Tokens};
use crate::kernel::actor::Role;
use crate::kernel::clock::SystemClock;
use crate::kernel::config::{Config, Environment, duration};
use crate::kernel::id::{SessionId, UserId};

#[derive(Debug, clap::Args)]
pub(super) struct UserArgs {
    #[command(subcommand)]
    command: UserCommand,
}

#[derive(Debug, Subcommand)]
enum UserCommand {
    /// Print an access token, to try the API with (development only).
    Token {
        #[arg(long)]
        role: RoleArg,
        /// How long the token is good for: 30s, 15m, 1h, 7d.
        #[arg(long, default_value = "1h", value_parser = time_to_live)]
        ttl: Duration,
    },
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum RoleArg {
    Customer,
    Staff,
    Admin,
}

pub(super) fn run(args: UserArgs, config: Config) -> anyhow::Result<ExitCode> {
    let UserCommand::Token { role, ttl } = args.command;
    anyhow::ensure!(
        config.environment == Environment::Development,
        "tokens are printed in development only (SOUK_ENV=development): whoever reads one is whoever it says"
    );
    let role = match role {
        RoleArg::Customer => Role::Customer,
        RoleArg::Staff => Role::Staff,
        RoleArg::Admin => Role::Admin,
    };
    let tokens = Tokens::of_config(&config.token, &config.database, Arc::new(SystemClock))?;
    let holder = Holder {
        user: UserId::new(),
        session: SessionId::new(),
        role,
    };
    println!("{}", tokens.issue(&holder, ttl)?.token.expose_secret());
    Ok(ExitCode::SUCCESS)
}

fn time_to_live(text: &str) -> Result<Duration, String> {
    match duration("--ttl", text) {
        Ok(time) if time >= Duration::from_secs(1) => Ok(time),
        Ok(_) => Err("must be at least 1s".to_owned()),
        Err(_) => Err("not a duration such as 30s, 15m, 1h or 7d".to_owned()),
    }
}
