//! What import and export have in common.

use std::sync::Arc;

use crate::domain::context::Platform;
use crate::infra::db::Db;
use crate::infra::db::schema::{SchemaState, migrate_up};
use crate::kernel::clock::SystemClock;
use crate::kernel::config::Config;
use crate::kernel::money::{Currency, MoneyError};

/// The shop's database, migrated as `serve` would.
pub(super) async fn platform(config: &Config) -> anyhow::Result<Arc<Platform>> {
    let db = Db::connect(&config.database).await?;
    let state = SchemaState::of(&db).await?;
    if !state.unknown.is_empty() {
        anyhow::bail!(
            "the database has steps that this version of souk does not know ({}): use the version that made them",
            state.unknown.join(", ")
        );
    }
    if !state.pending.is_empty() {
        if !config.database.auto_migrate {
            anyhow::bail!(
                "the database is {} steps behind: run `souk migrate up` first",
                state.pending.len()
            );
        }
        migrate_up(&db).await?;
    }
    Ok(Arc::new(Platform::new(
        db,
        Arc::new(SystemClock),
        config.shop.clone(),
        &config.cache,
    )))
}

/// A currency as it is typed, in either case.
pub(super) fn currency(text: &str) -> Result<Currency, MoneyError> {
    text.to_uppercase().parse()
}
