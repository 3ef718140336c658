//! Changes of a variant.

use rust_decimal::Decimal;
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _};

use super::create::title_of;
use super::deeds;
use super::derived;
use super::update::{lock_product, not_found, touch};
use super::validate::Checker;
use crate::domain::audit::record::{Deed, record};
use crate::domain::context::Context;
use crate::domain::permission::Permission;
use crate::entity::product_variant;
use crate::kernel::change::Change;
use crate::kernel::error::{Error, Result};
use crate::kernel::id::ProductVariantId;
use crate::kernel::money::Currency;

/// What is to change of a variant.
#[derive(Clone, Debug, Default)]
pub struct UpdateVariant {
    pub sku: Change<String>,
    pub title: Change<String>,
    pub price: Change<Decimal>,
    pub compare_at_price: Change<Decimal>,
}

/// Changes a variant, which makes a new version of its product.
///
/// # Errors
/// Refused with everything that is wrong with the input, or NOT_FOUND.
pub async fn update_variant(ctx: &Context, id: ProductVariantId, command: UpdateVariant) -> Result<()> {
    ctx.require(Permission::WriteCatalog)?;
    let txn = ctx.db().begin().await?;
    let find = || product_variant::Entity::find_by_id(id).one(&txn);
    let missing = || not_found("variantId", "variant");
    let product_id = find().await?.ok_or_else(missing)?.product_id;
    let product = lock_product(&txn, product_id).await?.ok_or_else(missing)?;
    // Read again: before the product was locked, somebody else may have changed it.
    let old = find().await?.ok_or_else(missing)?;
    let currency: Currency = product.currency.parse().map_err(Error::internal)?;
    let new = changed(&old, command, currency)?;
    if new == old {
        return Ok(());
    }
    let (before, after) = (deeds::variant(&old, currency), deeds::variant(&new, currency));
    let now = ctx.now();
    product_variant::Entity::update_many()
        .col_expr(product_variant::Column::Sku, Expr::val(new.sku))
        .col_expr(product_variant::Column::Title, Expr::val(new.title))
        .col_expr(product_variant::Column::Price, Expr::val(new.price))
        .col_expr(
            product_variant::Column::CompareAtPrice,
            Expr::val(new.compare_at_price),
        )
        .col_expr(product_variant::Column::UpdatedAt, Expr::val(now))
        .filter(product_variant::Column::Id.eq(id))
        .exec(&txn)
        .await?;
    touch(&txn, product.id, now).await?;
    derived::refresh(&txn, &[product.id]).await?;
    let deed = Deed::changed("productVariantUpdate", id, before, after);
    record(&txn, ctx, deed).await?;
    let committed = txn.commit().await;
    // Also when its answer was lost: it may have been heard, and what is read again costs little.
    ctx.platform.catalog_cache.forget_product(product.id, &[]).await;
    Ok(committed?)
}

fn changed(
    old: &product_variant::Model,
    command: UpdateVariant,
    currency: Currency,
) -> Result<product_variant::Model> {
    let mut checker = Checker::default();
    let mut new = old.clone();
    match command.sku {
        Change::Keep => {}
        Change::Clear => new.sku = None,
        Change::Set(sku) => new.sku = checker.optional_text("sku", Some(&sku)),
    }
    match command.title {
        Change::Keep => {}
        // Without one of its own a variant is called by its options.
        Change::Clear => {
            new.title = title_of(&[old.option1.clone(), old.option2.clone(), old.option3.clone()])
        }
        Change::Set(title) => new.title = checker.text("title", &title),
    }
    if let Some(price) = checker.required("price", command.price) {
        new.price = checker.price("price", price, currency);
    }
    match command.compare_at_price {
        Change::Keep => {}
        Change::Clear => new.compare_at_price = None,
        Change::Set(price) => new.compare_at_price = Some(checker.price("compareAtPrice", price, currency)),
    }
    checker.finish()?;
    Ok(new)
}
