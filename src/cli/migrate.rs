//! `souk migrate`

use std::process::ExitCode;

use anyhow::Context as _;
use clap::Subcommand;

use crate::app::connect;
use crate::infra::db::Db;
use crate::infra::db::schema::{CONTRACTS, SchemaState, migrate_down, migrate_up};
use crate::kernel::config::Config;

#[derive(Debug, clap::Args)]
pub(super) struct MigrateArgs {
    #[command(subcommand)]
    direction: Direction,
}

#[derive(Clone, Copy, Debug, Subcommand)]
enum Direction {
    /// Take all steps that are missing.
    Up,
    /// Take back the last step, with the data that only it holds.
    Down {
        /// How many steps to take back.
        #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
        steps: u32,
    },
    /// List the steps: taken, missing, and those of a newer version, which this one can live with or not. Fails when some are
    /// missing, or cannot be lived with.
    Status,
}

pub(super) async fn run(args: MigrateArgs, config: Config) -> anyhow::Result<ExitCode> {
    let db = connect(&config).await?;
    let done = go(&db, args.direction).await;
    db.close().await.context("the database did not close in order")?;
    done
}

async fn go(db: &Db, direction: Direction) -> anyhow::Result<ExitCode> {
    let before = SchemaState::of(db)
        .await
        .context("cannot read which migrations the database has")?;
    match direction {
        Direction::Up => {
            // Of a rolling upgrade: the newer version has been here first.
            if before.serves() {
                println!("0 steps taken: the database has all that this version needs.");
                return Ok(ExitCode::SUCCESS);
            }
            refuse_unknown(&before)?;
            migrate_up(db).await.context("a migration failed")?;
            println!(
                "{} steps taken, {} in all.",
                before.pending.len(),
                before.applied.len() + before.pending.len()
            );
            Ok(ExitCode::SUCCESS)
        }
        Direction::Down { steps } => {
            refuse_unknown(&before)?;
            migrate_down(db, steps).await.context("a migration failed")?;
            let after = SchemaState::of(db).await?;
            println!(
                "{} steps taken back, {} left.",
                before.applied.len() - after.applied.len(),
                after.applied.len()
            );
            Ok(ExitCode::SUCCESS)
        }
        Direction::Status => {
            for (steps, word) in [(&before.applied, "taken"), (&before.pending, "missing")] {
                for step in steps {
                    println!("{word:<8} {step}");
                }
            }
            for step in &before.unknown {
                let contracts = step.contains(CONTRACTS);
                println!("{:<8} {step}", if contracts { "too new" } else { "newer" });
            }
            Ok(if before.serves() {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            })
        }
    }
}

fn refuse_unknown(state: &SchemaState) -> anyhow::Result<()> {
    anyhow::ensure!(
        state.unknown.is_empty(),
        "the database has migrations that this version of souk does not know ({}): use the version that made them",
        state.unknown.join(", ")
    );
    Ok(())
}
