//! Rows of the catalog for many keys at once, out of the cache where they are hot. What the actor may
//! not see is left out here, so that nobody above can forget to.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _};

use super::cache::{Images, Options, Tags, Variants};
use super::policy;
use crate::domain::context::Context;
use crate::entity::{category, product, product_image, product_option, product_tag, product_variant};
use crate::kernel::error::{Error, Result};
use crate::kernel::id::{CategoryId, ProductId, ProductVariantId};

/// Products that the actor may see.
pub async fn products_by_ids(
    ctx: &Context,
    ids: &[ProductId],
) -> Result<HashMap<ProductId, Arc<product::Model>>> {
    let fill = |ids: Vec<ProductId>| async move {
        let rows = product::Entity::find()
            .filter(product::Column::Id.is_in(ids))
            .all(ctx.db().fresh())
            .await?;
        Ok::<_, Error>(rows.into_iter().map(|row| (row.id, Arc::new(row))).collect())
    };
    let products = ctx.platform.catalog_cache.products.get_many(ids, fill).await?;
    let visible = products
        .into_iter()
        .flatten()
        .filter(|product| policy::may_see(&ctx.actor, product));
    Ok(visible.map(|product| (product.id, product)).collect())
}

/// The ids behind slugs, whoever may see them.
pub async fn product_ids_by_slugs(ctx: &Context, slugs: &[String]) -> Result<HashMap<String, ProductId>> {
    let fill = |slugs: Vec<String>| async move {
        let rows: Vec<(String, ProductId)> = product::Entity::find()
            .select_only()
            .columns([product::Column::Slug, product::Column::Id])
            .filter(product::Column::Slug.is_in(slugs))
            .into_tuple()
            .all(ctx.db().fresh())
            .await?;
        Ok::<_, Error>(rows)
    };
    let ids = ctx
        .platform
        .catalog_cache
        .product_slugs
        .get_many(slugs, fill)
        .await?;
    Ok(slugs
        .iter()
        .cloned()
        .zip(ids)
        .filter_map(|(slug, id)| Some((slug, id?)))
        .collect())
}

/// All variants of each product, in their order.
pub async fn variants_by_products(ctx: &Context, ids: &[ProductId]) -> Result<HashMap<ProductId, Variants>> {
    let fill = |ids: Vec<ProductId>| async move {
        let rows = product_variant::Entity::find()
            .filter(product_variant::Column::ProductId.is_in(ids.iter().copied()))
            .order_by_asc(product_variant::Column::Position)
            .order_by_asc(product_variant::Column::Id)
            .all(ctx.db().fresh())
            .await?;
        Ok::<_, Error>(grouped(
            &ids,
            rows.into_iter().map(|row| (row.product_id, Arc::new(row))),
        ))
    };
    keyed(
        ids,
        ctx.platform.catalog_cache.variants.get_many(ids, fill).await?,
    )
}

/// All images of each product, in their order.
pub async fn images_by_products(ctx: &Context, ids: &[ProductId]) -> Result<HashMap<ProductId, Images>> {
    let fill = |ids: Vec<ProductId>| async move {
        let rows = product_image::Entity::find()
            .filter(product_image::Column::ProductId.is_in(ids.iter().copied()))
            .order_by_asc(product_image::Column::Position)
            .order_by_asc(product_image::Column::Id)
            .all(ctx.db().fresh())
            .await?;
        Ok::<_, Error>(grouped(
            &ids,
            rows.into_iter().map(|row| (row.product_id, Arc::new(row))),
        ))
    };
    keyed(ids, ctx.platform.catalog_cache.images.get_many(ids, fill).await?)
}

/// The options of each product, in their order.
pub async fn options_by_products(ctx: &Context, ids: &[ProductId]) -> Result<HashMap<ProductId, Options>> {
    let fill = |ids: Vec<ProductId>| async move {
        let rows = product_option::Entity::find()
            .filter(product_option::Column::ProductId.is_in(ids.iter().copied()))
            .order_by_asc(product_option::Column::Position)
            .all(ctx.db().fresh())
            .await?;
        Ok::<_, Error>(grouped(&ids, rows.into_iter().map(|row| (row.product_id, row))))
    };
    keyed(ids, ctx.platform.catalog_cache.options.get_many(ids, fill).await?)
}

/// The tags of each product, in the order that they were given.
pub async fn tags_by_products(ctx: &Context, ids: &[ProductId]) -> Result<HashMap<ProductId, Tags>> {
    let fill = |ids: Vec<ProductId>| async move {
        let rows = product_tag::Entity::find()
            .filter(product_tag::Column::ProductId.is_in(ids.iter().copied()))
            .order_by_asc(product_tag::Column::Position)
            .all(ctx.db().fresh())
            .await?;
        Ok::<_, Error>(grouped(
            &ids,
            rows.into_iter().map(|row| (row.product_id, row.tag)),
        ))
    };
    keyed(ids, ctx.platform.catalog_cache.tags.get_many(ids, fill).await?)
}

/// Variants by id, whoever may see them: show them only with their product, which is filtered.
pub async fn variants_by_ids(
    ctx: &Context,
    ids: &[ProductVariantId],
) -> Result<HashMap<ProductVariantId, Arc<product_variant::Model>>> {
    let rows = product_variant::Entity::find()
        .filter(product_variant::Column::Id.is_in(ids.iter().copied()))
        .all(ctx.fresh())
        .await?;
    Ok(rows.into_iter().map(|row| (row.id, Arc::new(row))).collect())
}

pub async fn categories_by_ids(
    ctx: &Context,
    ids: &[CategoryId],
) -> Result<HashMap<CategoryId, Arc<category::Model>>> {
    let fill = |ids: Vec<CategoryId>| async move {
        let rows = category::Entity::find()
            .filter(category::Column::Id.is_in(ids))
            .all(ctx.db().fresh())
            .await?;
        Ok::<_, Error>(rows.into_iter().map(|row| (row.id, Arc::new(row))).collect())
    };
    let rows = ctx.platform.catalog_cache.categories.get_many(ids, fill).await?;
    Ok(rows.into_iter().flatten().map(|row| (row.id, row)).collect())
}

/// Every key with its values in the order of the rows; a key without any has an empty list.
fn grouped<K, V>(keys: &[K], rows: impl Iterator<Item = (K, V)>) -> Vec<(K, Arc<[V]>)>
where
    K: Hash + Eq + Copy,
{
    let mut groups: HashMap<K, Vec<V>> = keys.iter().map(|key| (*key, Vec::new())).collect();
    for (key, value) in rows {
        groups.entry(key).or_default().push(value);
    }
    groups
        .into_iter()
        .map(|(key, values)| (key, values.into()))
        .collect()
}

fn keyed<K: Hash + Eq + Copy, V>(keys: &[K], values: Vec<Option<V>>) -> Result<HashMap<K, V>> {
    Ok(keys
        .iter()
        .copied()
        .zip(values)
        .filter_map(|(key, value)| Some((key, value?)))
        .collect())
}
