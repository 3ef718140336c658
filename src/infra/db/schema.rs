//! The state of the database's schema against the steps that this program knows.

use std::collections::BTreeSet;

use migration::{Migrator, MigratorTrait as _};
use sea_orm::{ConnectionTrait as _, DatabaseTransaction, DbErr, Statement, TryGetable as _};

use super::{Db, lock};

/// The steps that a database has and has not taken, by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchemaState {
    pub applied: Vec<String>,
    pub pending: Vec<String>,
    /// Taken by a newer or another program: this one must not touch the database.
    pub unknown: Vec<String>,
}

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
