//! Forgetting what ended long ago, also of people who never come back. Those who do forget their own when they sign in.

use sea_orm::{ColumnTrait as _, Condition, EntityTrait as _, QueryFilter as _, QuerySelect as _};

use super::session::KEPT;
use crate::domain::context::Context;
use crate::entity::session;
use crate::infra::db::lock;
use crate::kernel::error::Result;
use crate::kernel::id::SessionId;

/// Deletes sessions that ended long ago, with their refresh tokens: `at_most` so many. How many.
pub async fn forget_sessions(ctx: &Context, at_most: u64) -> Result<u64> {
    let long_ago = ctx.now() - KEPT;
    let ended = Condition::any()
        .add(session::Column::RevokedAt.lt(long_ago))
        .add(session::Column::ExpiresAt.lt(long_ago));
    let txn = ctx.db().begin().await?;
    // Two that delete the same rows in another order would wait for each other.
    lock::exclusive(&txn, "forget sessions").await?;
    let ids: Vec<SessionId> = session::Entity::find()
        .select_only()
        .column(session::Column::Id)
        .filter(ended)
        .limit(at_most)
        .into_tuple()
        .all(&txn)
        .await?;
    if ids.is_empty() {
        return Ok(0);
    }
    let forgotten = session::Entity::delete_many()
        .filter(session::Column::Id.is_in(ids))
        .exec(&txn)
        .await?
        .rows_affected;
    txn.commit().await?;
    Ok(forgotten)
}
