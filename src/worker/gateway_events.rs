//! What gateways told long ago.

use crate::domain::context::Context;
use crate::domain::payments::inbox;
use crate::infra::db::lock;
use crate::kernel::error::Result;

pub(super) async fn forget_old(ctx: &Context, at_most: u64) -> Result<u64> {
    let txn = ctx.db().begin().await?;
    // Two that delete the same rows in another order would wait for each other.
    lock::exclusive(&txn, "forget gateway events").await?;
    let forgotten = inbox::forget_old(&txn, ctx.now(), at_most).await?;
    txn.commit().await?;
    Ok(forgotten)
}
