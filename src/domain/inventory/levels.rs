//! Reading stock.

use std::collections::HashMap;

use sea_orm::{EntityTrait as _, QueryFilter as _};

use crate::domain::answers::{Part, Touched};
use crate::domain::context::Context;
use crate::entity::inventory_level;
use crate::infra::db::MAX_BINDS;
use crate::infra::db::many::among;
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
            .filter(among(
                ctx.db().backend(),
                inventory_level::Column::VariantId,
                ids.iter().copied(),
            )?)
            .all(ctx.fresh_of(Part::levels(ids)))
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

/// Notes that a level has changed to this one, of which so many more could be had before. Lists go by whether any can.
pub(super) fn note(touched: &Touched, level: &inventory_level::Model, more_before: i64) {
    let before = available(level).map(|available| available + more_before);
    let flips = before.is_some_and(|before| (before > 0) != in_stock(level));
    let lists = flips.then_some(Part::Stock);
    touched.note([Part::Level(level.variant_id.0)].into_iter().chain(lists));
}
