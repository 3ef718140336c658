//! Changes of a product.
//!
//! The product's row is locked first and its version compared, so of two who read the same version and say so
//! only one can write. What changes nothing is not written, and is no new version.

use std::collections::{HashMap, HashSet};

use sea_orm::sea_query::{Expr, ExprTrait as _};
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, DatabaseTransaction, EntityTrait as _, QueryFilter as _,
    QueryOrder as _, QuerySelect as _,
};
use url::Url;

use super::create::{description, require_category, slug_taken};
use super::deeds;
use super::derived;
use super::insert::insert_all;
use super::validate::Checker;
use crate::domain::audit::record::{Deed, record};
use crate::domain::context::Context;
use crate::domain::permission::Permission;
use crate::entity::product::{self, ProductStatus};
use crate::entity::{product_image, product_tag};
use crate::kernel::change::Change;
use crate::kernel::error::{Error, ErrorCode, Refusal, Result};
use crate::kernel::id::{CategoryId, ProductId, ProductImageId};
use crate::kernel::text::sort_key;

/// What is to change of a product.
#[derive(Clone, Debug, Default)]
pub struct UpdateProduct {
    /// Refuse when the product has another version than this one.
    pub expected_version: Option<i32>,
    pub name: Change<String>,
    pub slug: Change<String>,
    pub description: Change<String>,
    pub vendor: Change<String>,
    pub product_type: Change<String>,
    pub tags: Change<Vec<String>>,
    pub status: Change<ProductStatus>,
    pub category_id: Change<CategoryId>,
    pub image_urls: Change<Vec<Url>>,
}

/// The update, checked: None is what stays.
struct Checked {
    name: Option<String>,
    slug: Option<String>,
    description: Option<String>,
    vendor: Option<Option<String>>,
    product_type: Option<Option<String>>,
    tags: Option<Vec<String>>,
    status: Option<ProductStatus>,
    category_id: Option<Option<CategoryId>>,
    image_urls: Option<Vec<String>>,
}

/// Changes a product.
///
/// # Errors
/// Refused with everything that is wrong with the input, NOT_FOUND, TAKEN for a slug, or STALE_OBJECT with the
/// version that the product has now.
pub async fn update_product(ctx: &Context, id: ProductId, command: UpdateProduct) -> Result<()> {
    ctx.require(Permission::WriteCatalog)?;
    let expected = command.expected_version;
    let change = check(command)?;
    let txn = ctx.db().begin().await?;
    let old = lock_product(&txn, id)
        .await?
        .ok_or_else(|| not_found("productId", "product"))?;
    if let Some(expected) = expected.filter(|expected| *expected != old.version) {
        return Err(stale(expected, old.version));
    }
    if let Some(Some(category)) = change.category_id {
        require_category(&txn, category, "categoryId").await?;
    }
    let new = changed(&old, &change);
    let (mut before, mut after) = (deeds::product(&old), deeds::product(&new));
    let mut touched = new != old;
    if let Some(tags) = &change.tags
        && let Some(old) = set_tags(&txn, id, tags).await?
    {
        touched = true;
        before.insert("tags".to_owned(), old.into());
        after.insert("tags".to_owned(), tags.clone().into());
    }
    if let Some(urls) = &change.image_urls
        && let Some(old) = set_images(&txn, id, urls).await?
    {
        touched = true;
        before.insert("imageUrls".to_owned(), old.into());
        after.insert("imageUrls".to_owned(), urls.clone().into());
    }
    if !touched {
        return Ok(());
    }
    let slugs = [old.slug.clone(), new.slug.clone()];
    write(&txn, new, ctx.now()).await.map_err(slug_taken)?;
    derived::refresh(&txn, &[id]).await?;
    let deed = Deed::changed("productUpdate", id, before.into(), after.into());
    record(&txn, ctx, deed).await?;
    let committed = txn.commit().await;
    // Also when its answer was lost: it may have been heard, and what is read again costs little.
    ctx.platform
        .catalog_cache
        .forget_product(id, &slugs.each_ref().map(String::as_str))
        .await;
    Ok(committed?)
}

/// The product's row, which nobody else can change until the transaction ends.
pub(super) async fn lock_product(txn: &DatabaseTransaction, id: ProductId) -> Result<Option<product::Model>> {
    Ok(product::Entity::find_by_id(id).lock_exclusive().one(txn).await?)
}

pub(super) fn not_found(path: &str, what: &str) -> Error {
    Error::refused(ErrorCode::NotFound, path, format!("there is no such {what}"))
}

fn stale(expected: i32, current: i32) -> Error {
    let message = format!("the product has version {current}, not {expected}: read it again, then change it");
    Refusal::new(ErrorCode::StaleObject, "expectedVersion", message)
        .with_params(serde_json::json!({"currentVersion": current}))
        .into()
}

fn check(command: UpdateProduct) -> Result<Checked> {
    let mut checker = Checker::default();
    let optional = |checker: &mut Checker, path: &str, change: Change<String>| match change {
        Change::Keep => None,
        Change::Clear => Some(None),
        Change::Set(text) => Some(checker.optional_text(path, Some(&text))),
    };
    let checked = Checked {
        name: checker
            .required("name", command.name)
            .map(|name| checker.text("name", &name)),
        slug: checker
            .required("slug", command.slug)
            .map(|slug| checker.slug("slug", &slug)),
        description: emptied(command.description).map(|html| description(&mut checker, &html)),
        vendor: optional(&mut checker, "vendor", command.vendor),
        product_type: optional(&mut checker, "productType", command.product_type),
        tags: emptied(command.tags).map(|tags| checker.tags("tags", &tags)),
        status: checker.required("status", command.status),
        category_id: match command.category_id {
            Change::Keep => None,
            Change::Clear => Some(None),
            Change::Set(id) => Some(Some(id)),
        },
        image_urls: emptied(command.image_urls).map(|urls| checker.image_urls("imageUrls", &urls)),
    };
    checker.finish()?;
    Ok(checked)
}

/// Null empties what can be empty.
fn emptied<T: Default>(change: Change<T>) -> Option<T> {
    match change {
        Change::Keep => None,
        Change::Clear => Some(T::default()),
        Change::Set(value) => Some(value),
    }
}

fn changed(old: &product::Model, change: &Checked) -> product::Model {
    let name = change.name.clone().unwrap_or_else(|| old.name.clone());
    product::Model {
        slug: change.slug.clone().unwrap_or_else(|| old.slug.clone()),
        name_key: sort_key(&name),
        name,
        description: change
            .description
            .clone()
            .unwrap_or_else(|| old.description.clone()),
        vendor: change.vendor.clone().unwrap_or_else(|| old.vendor.clone()),
        product_type: change
            .product_type
            .clone()
            .unwrap_or_else(|| old.product_type.clone()),
        status: change.status.unwrap_or(old.status),
        category_id: change.category_id.unwrap_or(old.category_id),
        ..old.clone()
    }
}

async fn write(
    txn: &DatabaseTransaction,
    new: product::Model,
    now: chrono::DateTime<chrono::Utc>,
) -> Result<()> {
    use product::Column as C;
    product::Entity::update_many()
        .col_expr(C::Slug, Expr::val(new.slug))
        .col_expr(C::Name, Expr::val(new.name))
        .col_expr(C::NameKey, Expr::val(new.name_key))
        .col_expr(C::Description, Expr::val(new.description))
        .col_expr(C::Vendor, Expr::val(new.vendor))
        .col_expr(C::ProductType, Expr::val(new.product_type))
        .col_expr(C::Status, Expr::val(new.status))
        .col_expr(C::CategoryId, Expr::val(new.category_id))
        .filter(C::Id.eq(new.id))
        .exec(txn)
        .await?;
    touch(txn, new.id, now).await
}

/// A new version of the product.
pub(super) async fn touch(
    txn: &DatabaseTransaction,
    id: ProductId,
    now: chrono::DateTime<chrono::Utc>,
) -> Result<()> {
    product::Entity::update_many()
        .col_expr(
            product::Column::Version,
            Expr::col(product::Column::Version).add(1),
        )
        .col_expr(product::Column::UpdatedAt, Expr::val(now))
        .filter(product::Column::Id.eq(id))
        .exec(txn)
        .await?;
    Ok(())
}

/// The old tags, if they were other ones.
async fn set_tags(txn: &DatabaseTransaction, id: ProductId, tags: &[String]) -> Result<Option<Vec<String>>> {
    let of_product = product_tag::Column::ProductId.eq(id);
    let old = product_tag::Entity::find()
        .filter(of_product.clone())
        .order_by_asc(product_tag::Column::Position);
    let old: Vec<String> = old.all(txn).await?.into_iter().map(|row| row.tag).collect();
    if old == tags {
        return Ok(None);
    }
    product_tag::Entity::delete_many()
        .filter(of_product)
        .exec(txn)
        .await?;
    let rows = (1..).zip(tags).map(|(position, tag)| product_tag::ActiveModel {
        product_id: Set(id),
        tag: Set(tag.clone()),
        position: Set(position),
    });
    insert_all(txn, rows.collect()).await?;
    Ok(Some(old))
}

/// The old images, if they were other ones. One whose address stays keeps its text, and the variants that show it.
async fn set_images(
    txn: &DatabaseTransaction,
    id: ProductId,
    urls: &[String],
) -> Result<Option<Vec<String>>> {
    let old = product_image::Entity::find()
        .filter(product_image::Column::ProductId.eq(id))
        .order_by_asc(product_image::Column::Position)
        .all(txn)
        .await?;
    let old: Vec<(String, ProductImageId)> = old.iter().map(|image| (shown(image), image.id)).collect();
    if old.iter().map(|(url, _)| url).eq(urls) {
        return Ok(None);
    }
    let wanted: HashSet<&String> = urls.iter().collect();
    let mut kept: HashMap<&String, ProductImageId> = HashMap::new();
    let mut gone = Vec::new();
    for (url, image) in &old {
        if !wanted.contains(url) || kept.contains_key(url) {
            gone.push(*image);
        } else {
            kept.insert(url, *image);
        }
    }
    if !gone.is_empty() {
        product_image::Entity::delete_many()
            .filter(product_image::Column::Id.is_in(gone))
            .exec(txn)
            .await?;
    }
    let mut added = Vec::new();
    for (position, url) in (1..).zip(urls) {
        match kept.get(url) {
            Some(image) => {
                product_image::Entity::update_many()
                    .col_expr(product_image::Column::Position, Expr::val::<i32>(position))
                    .filter(product_image::Column::Id.eq(*image))
                    .exec(txn)
                    .await?;
            }
            None => added.push(product_image::ActiveModel {
                id: Set(ProductImageId::new()),
                product_id: Set(id),
                url: Set(url.clone()),
                alt_text: Set(None),
                position: Set(position),
            }),
        }
    }
    insert_all(txn, added).await?;
    Ok(Some(old.into_iter().map(|(url, _)| url).collect()))
}

/// The address as clients read it and send it back: a file that was imported may have spelled it otherwise.
fn shown(image: &product_image::Model) -> String {
    Url::parse(&image.url).map_or_else(|_| image.url.clone(), String::from)
}
