//! The demo shop: a small bazaar for a catalog that has nothing in it yet, so that the first query of a
//! newcomer has an answer.

mod goods;
pub mod people;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::Arc;

use crate::domain::catalog::insert::insert_products;
use crate::domain::catalog::shelves::insert_category;
use crate::domain::catalog::state;
use crate::domain::context::Platform;
use crate::infra::db::lock;
use crate::kernel::actor::Actor;
use crate::kernel::error::Result;

use goods::Catalog;
use people::PEOPLE;

/// The reason that the first stock is booked for.
const REASON: &str = "demo";

/// Fills an empty catalog with the demo shop, and adds its people; whether it was empty. Of several instances that start at
/// once on one database, one does it and the others find it done.
///
/// # Errors
/// Only faults: of the database, or of the catalog that is built in.
pub async fn load_if_empty(platform: &Arc<Platform>) -> Result<bool> {
    // Without a transaction first: most starts find a catalog, and need not queue for the right to write.
    if !state::is_empty(platform.db.fresh()).await? {
        return Ok(false);
    }
    let catalog = Catalog::read()?;
    let now = platform.clock.now();
    let ctx = people::context(platform);
    let mut everybody = Vec::new();
    for person in PEOPLE {
        everybody.push(people::prepare(&ctx, person).await?);
    }
    let txn = platform.db.begin().await?;
    lock::exclusive(&txn, "demo").await?;
    if !state::is_empty(&txn).await? {
        return Ok(false);
    }
    let mut shelves = HashMap::new();
    for shelf in catalog.shelves() {
        let parent = shelf.parent.and_then(|slug| shelves.get(slug).copied());
        let id = insert_category(&txn, shelf.name, shelf.slug, parent, now).await?;
        shelves.insert(shelf.slug, id);
    }
    let products = catalog.products(&shelves, platform.shop.currency)?;
    insert_products(&txn, &products, &Actor::System, REASON, now).await?;
    people::add_missing(&txn, &ctx, &everybody).await?;
    txn.commit().await?;
    platform.db.analyse().await?;
    Ok(true)
}
