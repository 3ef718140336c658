//! `souk user`

use std::io::{self, BufRead as _, BufReader, IsTerminal as _, Read as _, Write as _};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use clap::{Subcommand, ValueEnum};
use secrecy::{ExposeSecret as _, SecretString};

use super::demo::people::{self, Person};
use super::platform;
use crate::domain::accounts::create::{create_user, open_session};
use crate::domain::accounts::list::{self, UserFilter};
use crate::domain::accounts::register::Register;
use crate::domain::accounts::role::{shown, update_role};
use crate::domain::context::Context;
use crate::entity::user_account;
use crate::infra::token::Holder;
use crate::kernel::actor::{Actor, Origin, Role};
use crate::kernel::config::{Config, Environment, duration};
use crate::kernel::error::Error;
use crate::kernel::page::PageArgs;

#[derive(Debug, clap::Args)]
pub(super) struct UserArgs {
    #[command(subcommand)]
    command: UserCommand,
}

#[derive(Debug, Subcommand)]
enum UserCommand {
    /// Open an account. The password is asked for, or read from standard input: arguments are there for all to see.
    Create {
        #[arg(long)]
        email: String,
        #[arg(long)]
        role: RoleArg,
        /// What the person is called; without it what stands before the @.
        #[arg(long)]
        name: Option<String>,
    },
    /// List the accounts, the newest first.
    List {
        /// Only those with this role.
        #[arg(long)]
        role: Option<RoleArg>,
        /// As a JSON array of objects.
        #[arg(long)]
        json: bool,
    },
    /// Change what an account may do.
    SetRole {
        #[arg(long)]
        email: String,
        #[arg(long)]
        role: RoleArg,
    },
    /// Print an access token of the demo shop's customer, staff or admin (development only).
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

impl From<RoleArg> for Role {
    fn from(role: RoleArg) -> Self {
        match role {
            RoleArg::Customer => Self::Customer,
            RoleArg::Staff => Self::Staff,
            RoleArg::Admin => Self::Admin,
        }
    }
}

pub(super) async fn run(args: UserArgs, config: Config) -> anyhow::Result<ExitCode> {
    if let UserCommand::Token { .. } = args.command {
        // Before a database is made for nothing.
        anyhow::ensure!(
            config.environment == Environment::Development,
            "tokens are printed in development only (SOUK_ENV=development): whoever reads one is whoever it says"
        );
    }
    // Before the database too, which may take a while while somebody waits to type.
    let password = match args.command {
        UserCommand::Create { .. } => Some(password()?),
        UserCommand::List { .. } | UserCommand::SetRole { .. } | UserCommand::Token { .. } => None,
    };
    let ctx = Context::writing(Actor::System, Origin::default(), platform(&config).await?);
    let done = match args.command {
        UserCommand::Create { email, role, name } => {
            create(&ctx, email, role.into(), name, password.unwrap_or_default()).await
        }
        UserCommand::List { role, json } => list(&ctx, role.map(Into::into), json).await,
        UserCommand::SetRole { email, role } => set_role(&ctx, &email, role.into()).await,
        UserCommand::Token { role, ttl } => token(&ctx, role.into(), ttl).await,
    };
    ctx.platform.news.flush().await;
    let closed = ctx.db().clone().close().await;
    done?;
    closed.context("the database did not close in order")?;
    Ok(ExitCode::SUCCESS)
}

async fn create(
    ctx: &Context,
    email: String,
    role: Role,
    name: Option<String>,
    password: SecretString,
) -> anyhow::Result<()> {
    let before_at = || email.trim().split('@').next().unwrap_or_default().to_owned();
    let command = Register {
        name: name.unwrap_or_else(before_at),
        email,
        password,
    };
    let user = create_user(ctx, &command, role).await.map_err(told)?;
    println!("{}  {}", user.id, line(&user));
    Ok(())
}

/// All pages, one after the other: nobody's memory holds a shop's customers.
async fn list(ctx: &Context, role: Option<Role>, json: bool) -> anyhow::Result<()> {
    const PAGE: u64 = 100;
    let filter = UserFilter {
        role,
        ..UserFilter::default()
    };
    let mut out = io::stdout().lock();
    let mut after = None;
    let mut first = true;
    loop {
        let page = PageArgs {
            first: Some(i32::try_from(PAGE)?),
            after: after.take(),
            ..PageArgs::default()
        };
        let slice = list::list(ctx, &filter, &page.page(PAGE, list::SORT).map_err(told)?).await;
        let slice = slice.map_err(told)?;
        for user in &slice.items {
            match json {
                true => write!(out, "{}{}", if first { "[\n" } else { ",\n" }, object(user))?,
                false => writeln!(out, "{}", line(user))?,
            }
            first = false;
        }
        match slice.items.last().filter(|_| slice.has_next) {
            Some(last) => after = Some(list::cursor(last).encode()),
            None => break,
        }
    }
    if json {
        writeln!(out, "{}", if first { "[]" } else { "\n]" })?;
    }
    Ok(())
}

async fn set_role(ctx: &Context, email: &str, role: Role) -> anyhow::Result<()> {
    let filter = UserFilter {
        email: Some(email.parse().context("--email")?),
        ..UserFilter::default()
    };
    let page = PageArgs::default().page(1, list::SORT).map_err(told)?;
    let found = list::list(ctx, &filter, &page).await.map_err(told)?;
    let user = found
        .items
        .first()
        .with_context(|| format!("nobody has an account with the email {email:?}"))?;
    update_role(ctx, user.id, role).await.map_err(told)?;
    println!("{} is {} now", user.email, shown(role));
    Ok(())
}

async fn token(ctx: &Context, role: Role, ttl: Duration) -> anyhow::Result<()> {
    let user = people::find_or_add(&ctx.platform, Person::of(role)).await?;
    anyhow::ensure!(
        Role::from(user.role) == role,
        "{} is {} by now: give it its role back with `souk user set-role`",
        user.email,
        shown(user.role)
    );
    let holder = Holder {
        user: user.id,
        session: open_session(ctx, user.id).await?,
        role,
    };
    let token = ctx.platform.tokens.issue(&holder, ttl)?;
    println!("{}", token.token.expose_secret());
    Ok(())
}

fn line(user: &user_account::Model) -> String {
    let name: String = user
        .name
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    format!("{:<8}  {}  {name}", shown(user.role), user.email)
}

fn object(user: &user_account::Model) -> serde_json::Value {
    serde_json::json!({
        "id": user.id.to_string(),
        "email": user.email,
        "name": user.name,
        "role": shown(user.role),
        "createdAt": user.created_at.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true),
    })
}

/// A refusal in the words of the command line, which has no `input`.
fn told(error: Error) -> anyhow::Error {
    match error {
        Error::Refused(refusals) => {
            let all: Vec<String> = refusals
                .iter()
                .map(|refusal| {
                    let path: Vec<&str> = refusal.path.iter().map(String::as_str).skip(1).collect();
                    format!("{}: {}", path.join("."), refusal.message)
                })
                .collect();
            anyhow::anyhow!(all.join("; "))
        }
        other => other.into(),
    }
}

/// Asked for twice at a terminal, without showing it; else the first line of standard input.
fn password() -> anyhow::Result<SecretString> {
    if io::stdin().is_terminal() {
        let first = SecretString::from(rpassword::prompt_password("Password: ")?);
        let again = SecretString::from(rpassword::prompt_password("Once more: ")?);
        anyhow::ensure!(
            first.expose_secret() == again.expose_secret(),
            "these are two different passwords"
        );
        return Ok(first);
    }
    const LONGEST: u64 = 64 * 1024;
    let mut line = String::new();
    BufReader::new(io::stdin().take(LONGEST))
        .read_line(&mut line)
        .context("cannot read the password from standard input")?;
    Ok(SecretString::from(line.trim_end_matches(['\r', '\n'])))
}

fn time_to_live(text: &str) -> Result<Duration, String> {
    match duration("--ttl", text) {
        Ok(time) if time >= Duration::from_secs(1) => Ok(time),
        Ok(_) => Err("must be at least 1s".to_owned()),
        Err(_) => Err("not a duration such as 30s, 15m, 1h or 7d".to_owned()),
    }
}
