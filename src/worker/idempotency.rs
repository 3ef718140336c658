//! Keys that need not be remembered any more.

use crate::domain::context::Context;
use crate::infra::db::lock;
use crate::infra::idempotency;
use crate::kernel::error::Result;

pub(super) async fn forget_old(ctx: &Context, at_most: u64) -> Result<u64> {
    let txn = ctx.db().begin().await?;
    // Two that delete the same keys in another order would wait for each other.
    lock::exclusive(&txn, "forget idempotency keys").await?;
    let forgotten = idempotency::forget_old(&txn, ctx.now(), at_most).await?;
    txn.commit().await?;
    Ok(forgotten)
}
