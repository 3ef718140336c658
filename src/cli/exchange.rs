//! What import and export have in common.

use std::sync::Arc;

use crate::app;
use crate::domain::context::Platform;
use crate::kernel::clock::SystemClock;
use crate::kernel::config::Config;
use crate::kernel::money::{Currency, MoneyError};

/// The shop's database, migrated as `serve` would.
pub(super) async fn platform(config: &Config) -> anyhow::Result<Arc<Platform>> {
    // One read at a time: further connections would only keep caches of their own.
    let mut config = config.clone();
    config.database.connections = 1;
    let db = app::connect(&config).await?;
    app::check_schema(&db, config.database.auto_migrate).await?;
    let platform = Platform::new(db, Arc::new(SystemClock), &config)?;
    Ok(Arc::new(platform))
}

/// A currency as it is typed, in either case.
pub(super) fn currency(text: &str) -> Result<Currency, MoneyError> {
    text.to_uppercase().parse()
}
