//! One product, variant or category, if the actor may see it. Not visible is not found.

use std::sync::Arc;

use super::{rows, tree};
use crate::domain::context::Context;
use crate::entity::{category, product, product_variant};
use crate::kernel::error::Result;
use crate::kernel::id::{CategoryId, ProductId, ProductVariantId};

pub async fn product_by_id(ctx: &Context, id: ProductId) -> Result<Option<Arc<product::Model>>> {
    Ok(rows::products_by_ids(ctx, &[id]).await?.remove(&id))
}

pub async fn product_by_slug(ctx: &Context, slug: &str) -> Result<Option<Arc<product::Model>>> {
    let slugs = [slug.to_owned()];
    match rows::product_ids_by_slugs(ctx, &slugs).await?.remove(slug) {
        Some(id) => product_by_id(ctx, id).await,
        None => Ok(None),
    }
}

/// A variant with its product.
pub async fn variant_by_id(
    ctx: &Context,
    id: ProductVariantId,
) -> Result<Option<(Arc<product_variant::Model>, Arc<product::Model>)>> {
    let Some(variant) = rows::variants_by_ids(ctx, &[id]).await?.remove(&id) else {
        return Ok(None);
    };
    let product = product_by_id(ctx, variant.product_id).await?;
    Ok(product.map(|product| (variant, product)))
}

pub async fn category_by_id(ctx: &Context, id: CategoryId) -> Result<Option<Arc<category::Model>>> {
    Ok(rows::categories_by_ids(ctx, &[id]).await?.remove(&id))
}

pub async fn category_by_slug(ctx: &Context, slug: &str) -> Result<Option<Arc<category::Model>>> {
    tree::category_by_slug(ctx, slug).await
}
