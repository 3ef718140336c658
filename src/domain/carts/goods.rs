//! What lines of carts are about, as it is now: variants with their products, whatever their status, and how many are left.
//!
//! Nothing is filtered here by who asks: whoever has something in his cart is told what became of it. Show it only in a
//! line of a cart that the actor may use.

use std::collections::HashMap;
use std::sync::Arc;

use sea_orm::{ConnectionTrait, DatabaseTransaction, EntityTrait as _, QueryFilter as _};

use crate::domain::context::Context;
use crate::domain::inventory::levels;
use crate::entity::product::{self, ProductStatus};
use crate::entity::{inventory_level, product_variant};
use crate::infra::db::MAX_BINDS;
use crate::infra::db::many::among;
use crate::kernel::error::Result;
use crate::kernel::id::{ProductId, ProductVariantId};

/// A variant with its product.
#[derive(Clone, Debug)]
pub struct Goods {
    pub variant: Arc<product_variant::Model>,
    pub product: Arc<product::Model>,
}

impl Goods {
    /// Whether it can be sold, to whomever, in a cart of this currency.
    pub fn is_for_sale(&self, currency: &str) -> bool {
        self.product.status == ProductStatus::Active && self.product.currency == currency
    }
}

/// The goods of lines, from where the last change is seen: not out of a cache, nor from a replica.
pub async fn by_variants(
    ctx: &Context,
    ids: &[ProductVariantId],
) -> Result<HashMap<ProductVariantId, Goods>> {
    read(ctx.db().fresh(), ids).await
}

/// The goods of lines, as a transaction sees them.
pub async fn in_txn(
    txn: &DatabaseTransaction,
    ids: &[ProductVariantId],
) -> Result<HashMap<ProductVariantId, Goods>> {
    read(txn, ids).await
}

async fn read<C: ConnectionTrait>(
    connection: &C,
    ids: &[ProductVariantId],
) -> Result<HashMap<ProductVariantId, Goods>> {
    let backend = connection.get_database_backend();
    let mut variants = Vec::with_capacity(ids.len());
    for ids in ids.chunks(MAX_BINDS) {
        let rows = product_variant::Entity::find()
            .filter(among(backend, product_variant::Column::Id, ids.iter().copied())?)
            .all(connection)
            .await?;
        variants.extend(rows);
    }
    let mut ids: Vec<ProductId> = variants.iter().map(|variant| variant.product_id).collect();
    ids.sort_unstable();
    ids.dedup();
    let mut products = HashMap::with_capacity(ids.len());
    for ids in ids.chunks(MAX_BINDS) {
        let rows = product::Entity::find()
            .filter(among(backend, product::Column::Id, ids.iter().copied())?)
            .all(connection)
            .await?;
        products.extend(rows.into_iter().map(|row| (row.id, Arc::new(row))));
    }
    let goods = variants.into_iter().filter_map(|variant| {
        let product = Arc::clone(products.get(&variant.product_id)?);
        let variant = Arc::new(variant);
        Some((variant.id, Goods { variant, product }))
    });
    Ok(goods.collect())
}

/// How many are left; None when the shop does not count them. A variant without a level is gone: there is none of it.
pub fn left(level: Option<&inventory_level::Model>) -> Option<i64> {
    level.map_or(Some(0), levels::available)
}

/// Goods and how many are left of them, as one transaction sees them.
#[derive(Debug)]
pub(super) struct Offer {
    goods: HashMap<ProductVariantId, Goods>,
    levels: HashMap<ProductVariantId, inventory_level::Model>,
}

impl Offer {
    pub(super) async fn in_txn(txn: &DatabaseTransaction, ids: &[ProductVariantId]) -> Result<Self> {
        let mut levels = HashMap::with_capacity(ids.len());
        for ids in ids.chunks(MAX_BINDS) {
            let rows = inventory_level::Entity::find()
                .filter(among(
                    txn.get_database_backend(),
                    inventory_level::Column::VariantId,
                    ids.iter().copied(),
                )?)
                .all(txn)
                .await?;
            levels.extend(rows.into_iter().map(|row| (row.variant_id, row)));
        }
        Ok(Self {
            goods: read(txn, ids).await?,
            levels,
        })
    }

    pub(super) fn goods(&self, id: ProductVariantId) -> Option<&Goods> {
        self.goods.get(&id)
    }

    pub(super) fn left(&self, id: ProductVariantId) -> Option<i64> {
        left(self.levels.get(&id))
    }
}
