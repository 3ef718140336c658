//! Rows of the catalog for many keys at once, out of the cache where they are hot. What the actor may
//! not see is left out here, so that nobody above can forget to.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _};
use url::Url;

use super::cache::{Images, Options, Tags, Variants};
use super::policy;
use super::slug::is_too_long;
use crate::domain::answers::Part;
use crate::domain::context::Context;
use crate::entity::{category, product, product_image, product_option, product_tag, product_variant};
use crate::kernel::error::{Error, Result};
use crate::kernel::id::{CategoryId, ProductId, ProductVariantId};

/// A variant with its product.
pub type VariantOfProduct = (Arc<product_variant::Model>, Arc<product::Model>);

/// Products that the actor may see.
pub async fn products_by_ids(
    ctx: &Context,
    ids: &[ProductId],
) -> Result<HashMap<ProductId, Arc<product::Model>>> {
    ctx.reads(Part::products(ids));
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

/// The same in the order of the ids, if all of them are in memory: None for those that the actor may not see.
pub fn products_at_hand(
    ctx: &Context,
    ids: impl IntoIterator<Item = ProductId>,
) -> Option<Vec<Option<Arc<product::Model>>>> {
    let find = |id: ProductId| {
        ctx.reads([Part::Product(id.0)]);
        let product = ctx.platform.catalog_cache.products.at_hand(&id)?;
        Some(Some(product).filter(|product| policy::may_see(&ctx.actor, product)))
    };
    ids.into_iter().map(find).collect()
}

/// The ids behind slugs, whoever may see them.
pub async fn product_ids_by_slugs(ctx: &Context, slugs: &[String]) -> Result<HashMap<String, ProductId>> {
    // What is never there changes with nothing.
    let short = slugs.iter().filter(|slug| !is_too_long(slug));
    let slugs: &[String] = &short.cloned().collect::<Vec<_>>();
    ctx.reads(Part::slugs(slugs));
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

/// The id behind a slug, if it is in memory.
pub fn product_id_at_hand(ctx: &Context, slug: &str) -> Option<ProductId> {
    if is_too_long(slug) {
        return None;
    }
    ctx.reads([Part::Slug(slug.to_owned())]);
    let slugs = &ctx.platform.catalog_cache.product_slugs;
    slugs.at_hand(&slug.to_owned())
}

/// All variants of a product, if they are in memory.
pub fn variants_at_hand(ctx: &Context, id: ProductId) -> Option<Variants> {
    ctx.reads([Part::Product(id.0)]);
    ctx.platform.catalog_cache.variants.at_hand(&id)
}

/// All images of a product, if they are in memory.
pub fn images_at_hand(ctx: &Context, id: ProductId) -> Option<Images> {
    ctx.reads([Part::Product(id.0)]);
    ctx.platform.catalog_cache.images.at_hand(&id)
}

/// The options of a product, if they are in memory.
pub fn options_at_hand(ctx: &Context, id: ProductId) -> Option<Options> {
    ctx.reads([Part::Product(id.0)]);
    ctx.platform.catalog_cache.options.at_hand(&id)
}

/// The tags of a product, if they are in memory.
pub fn tags_at_hand(ctx: &Context, id: ProductId) -> Option<Tags> {
    ctx.reads([Part::Product(id.0)]);
    ctx.platform.catalog_cache.tags.at_hand(&id)
}

/// A category, if it is in memory.
pub fn category_at_hand(ctx: &Context, id: CategoryId) -> Option<Arc<category::Model>> {
    ctx.reads([Part::Categories]);
    ctx.platform.catalog_cache.categories.at_hand(&id)
}

/// All variants of each product, in their order.
pub async fn variants_by_products(ctx: &Context, ids: &[ProductId]) -> Result<HashMap<ProductId, Variants>> {
    ctx.reads(Part::products(ids));
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

/// All images of each product, in their order, with addresses as they are shown: one that is none is empty.
pub async fn images_by_products(ctx: &Context, ids: &[ProductId]) -> Result<HashMap<ProductId, Images>> {
    ctx.reads(Part::products(ids));
    let fill = |ids: Vec<ProductId>| async move {
        let mut rows = product_image::Entity::find()
            .filter(product_image::Column::ProductId.is_in(ids.iter().copied()))
            .order_by_asc(product_image::Column::Position)
            .order_by_asc(product_image::Column::Id)
            .all(ctx.db().fresh())
            .await?;
        for row in &mut rows {
            row.url = Url::parse(&row.url).map(String::from).unwrap_or_default();
        }
        Ok::<_, Error>(grouped(
            &ids,
            rows.into_iter().map(|row| (row.product_id, Arc::new(row))),
        ))
    };
    keyed(ids, ctx.platform.catalog_cache.images.get_many(ids, fill).await?)
}

/// The options of each product, in their order.
pub async fn options_by_products(ctx: &Context, ids: &[ProductId]) -> Result<HashMap<ProductId, Options>> {
    ctx.reads(Part::products(ids));
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
    ctx.reads(Part::products(ids));
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
    // Nothing public asks for them by their ids.
    ctx.reads_unknown();
    let cache = &ctx.platform.catalog_cache.variants_by_id;
    let begun = cache.begin();
    let mut found = HashMap::with_capacity(ids.len());
    let mut missing = Vec::new();
    for id in ids {
        match cache.get(id) {
            Some(row) => drop(found.insert(*id, row)),
            None => missing.push(*id),
        }
    }
    if missing.is_empty() {
        return Ok(found);
    }
    let rows = product_variant::Entity::find()
        .filter(product_variant::Column::Id.is_in(missing))
        .all(ctx.fresh())
        .await?;
    let rows: Vec<_> = rows.into_iter().map(Arc::new).collect();
    let owned = |row: &Arc<product_variant::Model>| (row.id, row.product_id, Arc::clone(row));
    cache.keep(begun, rows.iter().map(owned));
    found.extend(rows.into_iter().map(|row| (row.id, row)));
    Ok(found)
}

/// A variant with its product, if both are in memory; the inner None when the actor may not see the product.
pub fn variant_at_hand(ctx: &Context, id: ProductVariantId) -> Option<Option<VariantOfProduct>> {
    ctx.reads_unknown();
    let variant = ctx.platform.catalog_cache.variants_by_id.get(&id)?;
    let product = ctx.platform.catalog_cache.products.at_hand(&variant.product_id)?;
    Some(policy::may_see(&ctx.actor, &product).then_some((variant, product)))
}

pub async fn categories_by_ids(
    ctx: &Context,
    ids: &[CategoryId],
) -> Result<HashMap<CategoryId, Arc<category::Model>>> {
    ctx.reads([Part::Categories]);
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
