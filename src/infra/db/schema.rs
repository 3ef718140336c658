//! The state of the database's schema against the steps that this program knows.
//!
//! Steps expand, or they contract. An older program lives with a schema that was expanded: nothing that it uses is missing or
//! asks for more. So old and new instances run side by side while a new version is rolled out, and what nobody uses any more
//! is taken away a release later, by a step that says so in its name.

use std::collections::BTreeSet;

use migration::{Migrator, MigratorTrait as _};
use sea_orm::{ConnectionTrait as _, DatabaseTransaction, DbErr, Statement, TryGetable as _};

use super::{Db, lock};

/// The steps that a database has and has not taken, by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchemaState {
    pub applied: Vec<String>,
    pub pending: Vec<String>,
    /// Taken by a newer or another program.
    pub unknown: Vec<String>,
}

/// What the name of a step has that takes something away, or asks for more than before.
pub const CONTRACTS: &str = "_contract_";

impl SchemaState {
    pub async fn of(db: &Db) -> Result<Self, DbErr> {
        if let Ok(state) = Self::read(db).await {
            return Ok(state);
        }
        let txn = alone(db).await?;
        Migrator::install(&txn).await?;
        txn.commit().await?;
        Self::read(db).await
    }

    /// The same without writing anything: fails where no step has ever been taken.
    pub async fn read(db: &Db) -> Result<Self, DbErr> {
        let taken = taken(db).await?;
        let known: Vec<String> = Migrator::migrations()
            .iter()
            .map(|step| step.name().to_owned())
            .collect();
        let (applied, pending) = known.iter().cloned().partition(|step| taken.contains(step));
        let unknown = taken.into_iter().filter(|step| !known.contains(step)).collect();
        Ok(Self {
            applied,
            pending,
            unknown,
        })
    }

    pub fn is_current(&self) -> bool {
        self.pending.is_empty() && self.unknown.is_empty()
    }

    /// Whether this program does its work on it: it has all that the program needs, and is at most newer.
    pub fn serves(&self) -> bool {
        self.pending.is_empty() && self.contracted().next().is_none()
    }

    /// What a newer program took away, and this one cannot live with.
    pub fn contracted(&self) -> impl Iterator<Item = &str> {
        self.unknown
            .iter()
            .map(String::as_str)
            .filter(|step| step.contains(CONTRACTS))
    }
}

async fn taken(db: &Db) -> Result<BTreeSet<String>, DbErr> {
    let sql = "SELECT version FROM seaql_migrations";
    let rows = db
        .fresh()
        .query_all_raw(Statement::from_string(db.backend(), sql))
        .await?;
    rows.iter()
        .map(|row| String::try_get(row, "", "version").map_err(DbErr::from))
        .collect()
}

/// Takes all pending steps, or none. Of several instances that start at once one takes them, and the others find that it has.
pub async fn migrate_up(db: &Db) -> Result<(), DbErr> {
    let txn = alone(db).await?;
    Migrator::up(&txn, None).await?;
    txn.commit().await
}

/// Takes back the last `steps` steps, with the data that only they held.
pub async fn migrate_down(db: &Db, steps: u32) -> Result<(), DbErr> {
    let txn = alone(db).await?;
    Migrator::down(&txn, Some(steps)).await?;
    txn.commit().await
}

/// A transaction in which nobody else takes a step: on PostgreSQL not even `CREATE TABLE IF NOT EXISTS` bears a second one.
async fn alone(db: &Db) -> Result<DatabaseTransaction, DbErr> {
    let txn = db.begin().await?;
    lock::exclusive(&txn, "migrations").await?;
    Ok(txn)
}
