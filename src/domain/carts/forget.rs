//! Carts that nobody has changed for so long that nobody will.

use sea_orm::sea_query::{LockBehavior, LockType};
use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _};

use crate::domain::context::Context;
use crate::entity::cart;
use crate::infra::db::MAX_BINDS;
use crate::kernel::error::{Error, Result};
use crate::kernel::id::CartId;

/// Deletes carts that were not changed during their life (`SOUK_CART_LIFE`), the longest idle first, and says how many: fewer than
/// `at_most` when no others are left. One short transaction; several instances may do it at once.
pub async fn forget_idle(ctx: &Context, at_most: u64) -> Result<u64> {
    let life = chrono::Duration::from_std(ctx.platform.orders.cart_life).map_err(Error::internal)?;
    // A life longer than the calendar is for ever.
    let Some(since) = ctx.now().checked_sub_signed(life) else {
        return Ok(0);
    };
    let at_most = at_most.min(u64::try_from(MAX_BINDS).unwrap_or(u64::MAX));
    let txn = ctx.db().begin().await?;
    // Those that somebody has in hand are not idle.
    let idle: Vec<CartId> = cart::Entity::find()
        .select_only()
        .column(cart::Column::Id)
        .filter(cart::Column::UpdatedAt.lt(since))
        .order_by_asc(cart::Column::UpdatedAt)
        .limit(at_most)
        .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked)
        .into_tuple()
        .all(&txn)
        .await?;
    if idle.is_empty() {
        return Ok(0);
    }
    let gone = cart::Entity::delete_many()
        .filter(cart::Column::Id.is_in(idle))
        .exec(&txn)
        .await?;
    txn.commit().await?;
    Ok(gone.rows_affected)
}
