//! A new product.

use std::collections::HashSet;

use rust_decimal::Decimal;
use sea_orm::EntityTrait as _;
use url::Url;

use super::deeds;
use super::description::{MAX_DESCRIPTION, sanitise_bounded};
use super::insert::{NewImage, NewProduct, NewVariant, insert_products};
use super::slug;
use super::validate::Checker;
use crate::domain::audit::record::{Deed, record};
use crate::domain::context::Context;
use crate::domain::permission::Permission;
use crate::entity::category;
use crate::entity::product::{self, ProductStatus};
use crate::infra::db::violates_unique;
use crate::kernel::error::{Error, ErrorCode, Result};
use crate::kernel::id::{CategoryId, ProductId};
use crate::kernel::money::Currency;

/// Variants that can be given at once; an import may bring more.
pub const MAX_VARIANTS: usize = 250;
pub const MAX_OPTIONS: usize = 3;
/// The largest number of things of one kind: what GraphQL's Int can say.
pub const MAX_ON_HAND: i64 = 2_147_483_647;
/// The title of a variant that has nothing to tell it from others.
pub const ONLY_VARIANT: &str = "Default Title";

/// A product as staff describe it.
#[derive(Clone, Debug, Default)]
pub struct CreateProduct {
    pub name: String,
    pub slug: Option<String>,
    pub description: Option<String>,
    pub vendor: Option<String>,
    pub product_type: Option<String>,
    pub tags: Vec<String>,
    /// Draft when None.
    pub status: Option<ProductStatus>,
    pub category_id: Option<CategoryId>,
    pub image_urls: Vec<Url>,
    pub variants: Vec<CreateVariant>,
}

#[derive(Clone, Debug, Default)]
pub struct CreateVariant {
    pub sku: Option<String>,
    pub title: Option<String>,
    /// Pairs of the option's name and the variant's value.
    pub selected_options: Vec<(String, String)>,
    pub price: Decimal,
    pub compare_at_price: Option<Decimal>,
    pub tracks_inventory: bool,
    pub on_hand: i64,
}

/// Adds a product with its variants and their first stock.
///
/// # Errors
/// Refused with everything that is wrong with the input, TAKEN for a slug, NOT_FOUND for a category.
pub async fn create_product(ctx: &Context, command: CreateProduct) -> Result<ProductId> {
    ctx.require(Permission::WriteCatalog)?;
    let mut product = check(&command, ctx.platform.shop.currency)?;
    let slug_given = command.slug.is_some();
    let mut tries = 1;
    loop {
        match insert(ctx, &mut product, slug_given).await {
            // Somebody took the slug that was made while it was being made.
            Err(error) if !slug_given && tries < slug::TRIES && slug_clashes(&error) => tries += 1,
            outcome => return outcome.map_err(slug_taken),
        }
    }
}

async fn insert(ctx: &Context, product: &mut NewProduct, slug_given: bool) -> Result<ProductId> {
    let txn = ctx.db().begin().await?;
    if let Some(id) = product.category_id {
        require_category(&txn, id, "categoryId").await?;
    }
    if !slug_given {
        product.slug =
            slug::free::<product::Entity>(&txn, product::Column::Slug, &product.name, "product").await?;
    }
    let products = std::slice::from_ref(product);
    let ids = insert_products(&txn, products, &ctx.actor, "first stock", ctx.now()).await?;
    let id = ids.first().copied();
    let id = id.ok_or_else(|| Error::internal(anyhow::anyhow!("a product was not inserted")))?;
    let deed = Deed::created("productCreate", id, deeds::new_product(product));
    record(&txn, ctx, deed).await?;
    let committed = txn.commit().await;
    // Also when its answer was lost: it may have been heard, and what is read again costs little.
    ctx.platform
        .catalog_cache
        .forget_product(id, &[&product.slug])
        .await;
    committed?;
    Ok(id)
}

fn slug_clashes(error: &Error) -> bool {
    violates_unique(error, "product", "slug")
}

/// A clash of slugs, as the database found it.
pub(super) fn slug_taken(error: Error) -> Error {
    if slug_clashes(&error) {
        return Error::refused(ErrorCode::Taken, "slug", "another product has this slug");
    }
    error
}

pub(super) async fn require_category(
    txn: &sea_orm::DatabaseTransaction,
    id: CategoryId,
    path: &str,
) -> Result<category::Model> {
    let found = category::Entity::find_by_id(id).one(txn).await?;
    found.ok_or_else(|| Error::refused(ErrorCode::NotFound, path, "there is no such category"))
}

fn check(command: &CreateProduct, currency: Currency) -> Result<NewProduct> {
    let mut checker = Checker::default();
    let options = options(&mut checker, &command.variants);
    let product = NewProduct {
        slug: command
            .slug
            .as_deref()
            .map(|slug| checker.slug("slug", slug))
            .unwrap_or_default(),
        name: checker.text("name", &command.name),
        description: description(&mut checker, command.description.as_deref().unwrap_or_default()),
        vendor: checker.optional_text("vendor", command.vendor.as_deref()),
        product_type: checker.optional_text("productType", command.product_type.as_deref()),
        tags: checker.tags("tags", &command.tags),
        status: command.status.unwrap_or(ProductStatus::Draft),
        category_id: command.category_id,
        currency,
        images: images(checker.image_urls("imageUrls", &command.image_urls)),
        variants: variants(&mut checker, &command.variants, &options, currency),
        options,
    };
    checker.finish()?;
    Ok(product)
}

pub(super) fn description(checker: &mut Checker, html: &str) -> String {
    // Sanitising takes time in the length of its input, so that is bounded first.
    let html = checker.bounded("description", html, 0, MAX_DESCRIPTION);
    if html.chars().count() > MAX_DESCRIPTION {
        return String::new();
    }
    match sanitise_bounded(&html) {
        // Escaping can make it longer.
        Ok(clean) => checker.bounded("description", &clean, 0, MAX_DESCRIPTION),
        Err(error) => {
            checker.refuse(ErrorCode::TooLong, "description", error.to_string());
            String::new()
        }
    }
}

fn images(urls: Vec<String>) -> Vec<NewImage> {
    urls.into_iter()
        .map(|url| NewImage { url, alt_text: None })
        .collect()
}

/// The names of the options, which all variants must share in the same order.
fn options(checker: &mut Checker, variants: &[CreateVariant]) -> Vec<String> {
    if variants.is_empty() {
        checker.refuse(
            ErrorCode::Required,
            "variants",
            "a product needs at least one variant, which carries its price",
        );
    }
    if variants.len() > MAX_VARIANTS {
        checker.refuse(
            ErrorCode::TooLong,
            "variants",
            format!("{MAX_VARIANTS} variants at most are allowed"),
        );
    }
    let names = |variant: &CreateVariant| -> Vec<String> {
        variant
            .selected_options
            .iter()
            .map(|(name, _)| name.trim().to_owned())
            .collect()
    };
    let Some(first) = variants.first().map(names) else {
        return Vec::new();
    };
    if first.len() > MAX_OPTIONS {
        checker.refuse(
            ErrorCode::TooLong,
            "variants.0.selectedOptions",
            format!("{MAX_OPTIONS} options at most are allowed"),
        );
    }
    let mut distinct = HashSet::new();
    for (i, name) in first.iter().enumerate() {
        let path = format!("variants.0.selectedOptions.{i}.name");
        checker.text(&path, name);
        if !distinct.insert(name) {
            checker.refuse(ErrorCode::Taken, &path, "names an option twice");
        }
    }
    for (i, variant) in variants.iter().enumerate().skip(1) {
        if names(variant) != first {
            let path = format!("variants.{i}.selectedOptions");
            let message = format!(
                "must name the same options as the first variant, in the same order: {}",
                list(&first)
            );
            checker.refuse(ErrorCode::Invalid, &path, message);
        }
    }
    first
}

fn list(names: &[String]) -> String {
    if names.is_empty() {
        "none".to_owned()
    } else {
        names.join(", ").chars().take(200).collect()
    }
}

fn variants(
    checker: &mut Checker,
    variants: &[CreateVariant],
    options: &[String],
    currency: Currency,
) -> Vec<NewVariant> {
    if variants.len() > MAX_VARIANTS || options.len() > MAX_OPTIONS {
        return Vec::new();
    }
    let mut combinations = HashSet::new();
    let mut checked = Vec::with_capacity(variants.len());
    for (i, variant) in variants.iter().enumerate() {
        let new = self::variant(checker, &format!("variants.{i}"), variant, currency);
        if !combinations.insert(new.options.clone()) {
            let message = if options.is_empty() {
                "is a second variant without options: give `selectedOptions` that tell them apart"
            } else {
                "has the same options as a variant before it"
            };
            checker.refuse(
                ErrorCode::Taken,
                &format!("variants.{i}.selectedOptions"),
                message,
            );
        }
        checked.push(new);
    }
    checked
}

fn variant(checker: &mut Checker, path: &str, variant: &CreateVariant, currency: Currency) -> NewVariant {
    let at = |field: &str| format!("{path}.{field}");
    let mut options: [String; MAX_OPTIONS] = Default::default();
    for (i, (slot, (_, value))) in options.iter_mut().zip(&variant.selected_options).enumerate() {
        *slot = checker.text(&at(&format!("selectedOptions.{i}.value")), value);
    }
    if !(0..=MAX_ON_HAND).contains(&variant.on_hand) {
        checker.refuse(
            ErrorCode::OutOfRange,
            &at("onHand"),
            format!("must be between 0 and {MAX_ON_HAND}"),
        );
    }
    let title = checker.optional_text(&at("title"), variant.title.as_deref());
    NewVariant {
        sku: checker.optional_text(&at("sku"), variant.sku.as_deref()),
        title: title.unwrap_or_else(|| title_of(&options)),
        options,
        price: checker.price(&at("price"), variant.price, currency),
        compare_at_price: variant
            .compare_at_price
            .map(|price| checker.price(&at("compareAtPrice"), price, currency)),
        image: None,
        tracked: variant.tracks_inventory,
        on_hand: if variant.tracks_inventory {
            variant.on_hand
        } else {
            0
        },
        imported_on_hand: None,
    }
}

/// What a variant is called for its options.
pub fn title_of(options: &[String; MAX_OPTIONS]) -> String {
    let values: Vec<&str> = options
        .iter()
        .map(String::as_str)
        .filter(|value| !value.is_empty())
        .collect();
    if values.is_empty() {
        ONLY_VARIANT.to_owned()
    } else {
        values.join(" / ")
    }
}
