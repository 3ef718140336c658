//! What the shop has of the products of a batch: a fixed number of statements, however many there are.

use std::collections::HashMap;

use sea_orm::{
    ColumnTrait as _, ConnectionTrait, EntityTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _,
};

use crate::entity::{
    category, category_ancestor, inventory_level, product, product_image, product_option, product_tag,
    product_variant,
};
use crate::kernel::error::{Error, Result};
use crate::kernel::id::{CategoryId, ProductId};

/// A product of the shop with everything that a file can say of it, each list in its order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Existing {
    pub product: product::Model,
    pub tags: Vec<String>,
    pub options: Vec<String>,
    pub images: Vec<product_image::Model>,
    pub variants: Vec<(product_variant::Model, inventory_level::Model)>,
    /// The names from the top down to its category.
    pub category: Vec<String>,
}

/// The products with these slugs, as they are now.
pub(super) async fn by_slugs(connection: &impl ConnectionTrait, slugs: &[&str]) -> Result<Vec<Existing>> {
    let find = product::Entity::find().filter(product::Column::Slug.is_in(slugs.iter().copied()));
    complete(connection, find.all(connection).await?, false).await
}

/// The same, held until the transaction ends: nobody else changes these products or their stock meanwhile.
/// (SQLite has one writer at a time anyway.)
pub(super) async fn by_slugs_locked(
    connection: &impl ConnectionTrait,
    slugs: &[&str],
) -> Result<Vec<Existing>> {
    // In the order of ids, so that two who lock several do not wait for each other.
    let find = product::Entity::find()
        .filter(product::Column::Slug.is_in(slugs.iter().copied()))
        .order_by_asc(product::Column::Id)
        .lock_exclusive();
    complete(connection, find.all(connection).await?, true).await
}

/// Adds everything below these products.
pub(super) async fn complete(
    connection: &impl ConnectionTrait,
    products: Vec<product::Model>,
    lock: bool,
) -> Result<Vec<Existing>> {
    if products.is_empty() {
        return Ok(Vec::new());
    }
    let ids: Vec<ProductId> = products.iter().map(|product| product.id).collect();
    let paths = paths(
        connection,
        products
            .iter()
            .filter_map(|product| product.category_id)
            .collect(),
    )
    .await?;
    let mut all: HashMap<ProductId, Existing> = products
        .iter()
        .map(|product| {
            let category = product
                .category_id
                .and_then(|id| paths.get(&id))
                .cloned()
                .unwrap_or_default();
            let existing = Existing {
                product: product.clone(),
                tags: Vec::new(),
                options: Vec::new(),
                images: Vec::new(),
                variants: Vec::new(),
                category,
            };
            (product.id, existing)
        })
        .collect();
    add_rows(connection, &ids, &mut all).await?;
    add_variants(connection, &ids, &mut all, lock).await?;
    Ok(ids.iter().filter_map(|id| all.remove(id)).collect())
}

async fn add_rows(
    connection: &impl ConnectionTrait,
    ids: &[ProductId],
    all: &mut HashMap<ProductId, Existing>,
) -> Result<()> {
    let tags = product_tag::Entity::find()
        .filter(product_tag::Column::ProductId.is_in(ids.iter().copied()))
        .order_by_asc(product_tag::Column::Position);
    for row in tags.all(connection).await? {
        if let Some(existing) = all.get_mut(&row.product_id) {
            existing.tags.push(row.tag);
        }
    }
    let options = product_option::Entity::find()
        .filter(product_option::Column::ProductId.is_in(ids.iter().copied()))
        .order_by_asc(product_option::Column::Position);
    for row in options.all(connection).await? {
        if let Some(existing) = all.get_mut(&row.product_id) {
            existing.options.push(row.name);
        }
    }
    let images = product_image::Entity::find()
        .filter(product_image::Column::ProductId.is_in(ids.iter().copied()))
        .order_by_asc(product_image::Column::Position)
        .order_by_asc(product_image::Column::Id);
    for row in images.all(connection).await? {
        if let Some(existing) = all.get_mut(&row.product_id) {
            existing.images.push(row);
        }
    }
    Ok(())
}

async fn add_variants(
    connection: &impl ConnectionTrait,
    ids: &[ProductId],
    all: &mut HashMap<ProductId, Existing>,
    lock: bool,
) -> Result<()> {
    let variants = product_variant::Entity::find()
        .filter(product_variant::Column::ProductId.is_in(ids.iter().copied()))
        .order_by_asc(product_variant::Column::Position)
        .order_by_asc(product_variant::Column::Id)
        .all(connection)
        .await?;
    let of_products = product_variant::Entity::find()
        .select_only()
        .column(product_variant::Column::Id)
        .filter(product_variant::Column::ProductId.is_in(ids.iter().copied()));
    let mut levels = inventory_level::Entity::find()
        .filter(inventory_level::Column::VariantId.in_subquery(sea_orm::QueryTrait::into_query(of_products)))
        .order_by_asc(inventory_level::Column::VariantId);
    if lock {
        levels = levels.lock_exclusive();
    }
    let mut levels: HashMap<_, _> = levels
        .all(connection)
        .await?
        .into_iter()
        .map(|level| (level.variant_id, level))
        .collect();
    for variant in variants {
        let level = levels.remove(&variant.id).ok_or_else(|| {
            Error::internal(anyhow::anyhow!("variant {} has no inventory level", variant.id))
        })?;
        if let Some(existing) = all.get_mut(&variant.product_id) {
            existing.variants.push((variant, level));
        }
    }
    Ok(())
}

/// The names from the top down to each of these categories.
async fn paths(
    connection: &impl ConnectionTrait,
    mut ids: Vec<CategoryId>,
) -> Result<HashMap<CategoryId, Vec<String>>> {
    ids.sort_unstable();
    ids.dedup();
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let above = category_ancestor::Entity::find()
        .filter(category_ancestor::Column::CategoryId.is_in(ids))
        .order_by_desc(category_ancestor::Column::Distance)
        .all(connection)
        .await?;
    let mut named: Vec<CategoryId> = above.iter().map(|row| row.ancestor_id).collect();
    named.sort_unstable();
    named.dedup();
    let names = category::Entity::find()
        .filter(category::Column::Id.is_in(named))
        .all(connection)
        .await?;
    let names: HashMap<_, _> = names
        .into_iter()
        .map(|category| (category.id, category.name))
        .collect();
    let mut paths: HashMap<CategoryId, Vec<String>> = HashMap::new();
    for row in above {
        if let Some(name) = names.get(&row.ancestor_id) {
            paths.entry(row.category_id).or_default().push(name.clone());
        }
    }
    Ok(paths)
}
