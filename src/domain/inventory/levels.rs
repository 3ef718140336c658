//! Reading stock.

use std::collections::HashMap;

use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _};

use crate::domain::context::Context;
use crate::entity::inventory_level;
use crate::infra::db::MAX_BINDS;
use crate::kernel::error::Result;
use crate::kernel::id::ProductVariantId;

/// The levels of many variants at once.
pub async fn by_variants(
    ctx: &Context,
    ids: &[ProductVariantId],
) -> Result<HashMap<ProductVariantId, inventory_level::Model>> {
    let mut levels = HashMap::with_capacity(ids.len());
    for ids in ids.chunks(MAX_BINDS) {
        let rows = inventory_level::Entity::find()
            .filter(inventory_level::Column::VariantId.is_in(ids.iter().copied()))
            .all(ctx.fresh())
            .await?;
        levels.extend(rows.into_iter().map(|row| (row.variant_id, row)));
    }
    Ok(levels)
}

/// What can still be sold; None when the shop does not count this variant.
pub fn available(level: &inventory_level::Model) -> Option<i64> {
    level.tracked.then(|| level.on_hand - level.reserved)
}

/// Whether at least one can be had.
pub fn in_stock(level: &inventory_level::Model) -> bool {
    available(level).is_none_or(|available| available > 0)
}
