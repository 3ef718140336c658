//! A product of the file beside what the shop has: what is to be done. Nothing is read or written here.

use chrono::{DateTime, Utc};
use sea_orm::ActiveValue::{Set, Unchanged};

use super::images::{self, ImageChanges};
use super::load::Existing;
use super::product::{FileCategory, FileProduct};
use super::report::{Counts, Note, Tally};
use super::row;
use super::variants::{self, Matched, VariantChanges};
use super::{NO_OPTION, NO_OPTION_VALUE};
use crate::domain::catalog::create::title_of;
use crate::domain::catalog::insert::{NewProduct, NewVariant};
use crate::domain::catalog::validate::MAX_IMAGES;
use crate::entity::product::{self, ProductStatus};
use crate::kernel::id::ProductId;
use crate::kernel::money::Currency;
use crate::kernel::text::sort_key;

/// What holds for the whole import.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules {
    pub currency: Currency,
    pub overwrite_stock: bool,
    pub now: DateTime<Utc>,
}

#[derive(Debug)]
pub(super) enum Plan {
    Create(Box<Creation>),
    Update(Box<Update>),
    Nothing(Tally),
    Reject(Note, Tally),
}

#[derive(Debug)]
pub(super) struct Creation {
    /// Without its category, which may have to be made first.
    pub product: NewProduct,
    pub category: Vec<String>,
    pub tally: Tally,
}

#[derive(Debug)]
pub(super) struct Update {
    pub id: ProductId,
    /// What of the product's own row changes, if anything but stock does.
    pub product: product::ActiveModel,
    /// Its new category by the names from the top; empty for none.
    pub category: Option<Vec<String>>,
    pub options: Option<Vec<String>>,
    pub tags: Option<Vec<String>>,
    pub images: ImageChanges,
    pub variants: VariantChanges,
    /// Whether anything but stock changes.
    pub new_version: bool,
    pub tally: Tally,
    pub warnings: Vec<Note>,
}

pub(super) fn plan(file: &FileProduct, existing: Option<&Existing>, rules: Rules) -> Plan {
    match existing {
        None => create(file, rules),
        Some(existing) => match as_the_shop_writes_it(file, existing) {
            Some(file) => update(&file, existing, rules),
            None => update(file, existing, rules),
        },
    }
}

fn reject(file: &FileProduct, reason: String) -> Plan {
    let images = images::wanted(file, None, &Default::default()).len();
    Plan::Reject(
        Note::new(file.line, reason),
        Tally::rejected(file.variants.len(), images),
    )
}

/// A product that really has an option "Title" with the one value "Default Title" looks in a file as if it
/// had none.
fn as_the_shop_writes_it(file: &FileProduct, existing: &Existing) -> Option<FileProduct> {
    let titled = existing.options.iter().eq([NO_OPTION])
        && existing
            .variants
            .iter()
            .map(|(variant, _)| variant.option1.as_str())
            .eq([NO_OPTION_VALUE]);
    if !titled || !file.options.is_empty() {
        return None;
    }
    let mut file = file.clone();
    file.options = existing.options.clone();
    let first = file
        .variants
        .first_mut()
        .and_then(|variant| variant.options.first_mut());
    first?.push_str(NO_OPTION_VALUE);
    Some(file)
}

fn filled(text: Option<&String>) -> Option<String> {
    text.filter(|text| !text.is_empty()).cloned()
}

fn create(file: &FileProduct, rules: Rules) -> Plan {
    let wanted = images::wanted(file, None, &Default::default());
    if wanted.len() > MAX_IMAGES {
        return reject(file, format!("has more than {MAX_IMAGES} images"));
    }
    let variants: Vec<_> = file
        .variants
        .iter()
        .map(|variant| NewVariant {
            sku: filled(variant.sku.as_ref()),
            title: title_of(&variant.options),
            options: variant.options.clone(),
            price: variant.price,
            compare_at_price: variant.compare_at.flatten(),
            image: wanted
                .iter()
                .position(|image| Some(&image.url) == variant.image.as_ref()),
            tracked: variant.tracked.unwrap_or(false),
            on_hand: variant.quantity.unwrap_or(0),
            imported_on_hand: variant.quantity,
        })
        .collect();
    let tally = Tally {
        products: Counts::created(1),
        variants: Counts::created(variants.len()),
        images: Counts::created(wanted.len()),
    };
    let category = match &file.category {
        FileCategory::Named(path) | FileCategory::Typed(path) => path.clone(),
        FileCategory::Open => Vec::new(),
    };
    let product = NewProduct {
        slug: file.handle.clone(),
        name: file.title.clone(),
        description: file.body.clone().unwrap_or_default(),
        vendor: filled(file.vendor.as_ref()),
        product_type: filled(file.product_type.as_ref()),
        tags: file.tags.clone().unwrap_or_default(),
        status: status(file, None),
        category_id: None,
        currency: rules.currency,
        options: file.options.clone(),
        images: images::new(wanted),
        variants,
    };
    Plan::Create(Box::new(Creation {
        product,
        category,
        tally,
    }))
}

fn status(file: &FileProduct, have: Option<ProductStatus>) -> ProductStatus {
    match (file.status, file.published, have) {
        (Some(status), _, _) => status,
        (None, Some(true), _) => ProductStatus::Active,
        // Archived is as unpublished as draft.
        (None, Some(false), Some(have)) if have != ProductStatus::Active => have,
        (None, Some(false), _) => ProductStatus::Draft,
        (None, None, have) => have.unwrap_or(ProductStatus::Active),
    }
}

fn update(file: &FileProduct, existing: &Existing, rules: Rules) -> Plan {
    let matched = match variants::matched(file, existing) {
        Ok(matched) => matched,
        Err(reason) => return reject(file, reason),
    };
    let id = existing.product.id;
    if let Some(reason) = mixed_currencies(&matched, existing, rules.currency) {
        return reject(file, reason);
    }
    let wanted = images::wanted(file, Some(existing), &matched.kept_images());
    if wanted.len() > MAX_IMAGES {
        return reject(file, format!("has more than {MAX_IMAGES} images"));
    }
    let images = images::changes(id, &existing.images, wanted);
    let variants = matched.changes(id, existing, &images, rules.overwrite_stock, rules.now);
    let (product, differs) = product_row(file, &existing.product, rules);
    let category = category(file, existing);
    let options = Some(&file.options)
        .filter(|options| **options != existing.options)
        .cloned();
    let tags = file
        .tags
        .as_ref()
        .filter(|tags| !same_tags(tags, &existing.tags))
        .cloned();
    let new_version = differs
        || category.is_some()
        || options.is_some()
        || tags.is_some()
        || images.any()
        || variants.any();
    let shows = new_version || variants.levels.iter().any(|level| level.shows);
    let one = Counts {
        updated: u64::from(shows),
        unchanged: u64::from(!shows),
        ..Counts::default()
    };
    let tally = Tally {
        products: one,
        variants: variants.counts,
        images: images.counts,
    };
    if !shows && variants.levels.is_empty() {
        return Plan::Nothing(tally);
    }
    let warnings = variants.warnings().collect();
    Plan::Update(Box::new(Update {
        id,
        product,
        category,
        options,
        tags,
        images,
        variants,
        new_version,
        tally,
        warnings,
    }))
}

/// Why the prices of the file would stand beside prices of another currency, if they would.
fn mixed_currencies(matched: &Matched<'_>, existing: &Existing, currency: Currency) -> Option<String> {
    let other = existing.product.currency != currency.code() && !matched.kept.is_empty();
    other.then(|| {
        format!(
            "is priced in {} in the shop, and {} of its variants are not in the file: it cannot become {currency}",
            existing.product.currency,
            matched.kept.len()
        )
    })
}

fn product_row(file: &FileProduct, have: &product::Model, rules: Rules) -> (product::ActiveModel, bool) {
    let mut row = product::ActiveModel {
        id: Unchanged(have.id),
        version: Set(have.version.saturating_add(1)),
        updated_at: Set(rules.now),
        ..Default::default()
    };
    let mut differs = false;
    if file.title != have.name.trim() {
        row.name = Set(file.title.clone());
        row.name_key = Set(sort_key(&file.title));
        differs = true;
    }
    if let Some(body) = file.body.as_ref().filter(|body| **body != have.description) {
        row.description = Set(body.clone());
        differs = true;
    }
    let other =
        |text: &&String, have: &Option<String>| text.as_str() != have.as_deref().unwrap_or_default().trim();
    if let Some(vendor) = file.vendor.as_ref().filter(|vendor| other(vendor, &have.vendor)) {
        row.vendor = Set(filled(Some(vendor)));
        differs = true;
    }
    if let Some(product_type) = file
        .product_type
        .as_ref()
        .filter(|text| other(text, &have.product_type))
    {
        row.product_type = Set(filled(Some(product_type)));
        differs = true;
    }
    let status = status(file, Some(have.status));
    if status != have.status {
        row.status = Set(status);
        differs = true;
    }
    if rules.currency.code() != have.currency {
        row.currency = Set(rules.currency.code().to_owned());
        differs = true;
    }
    (row, differs)
}

/// The new category, if it changes.
fn category(file: &FileProduct, existing: &Existing) -> Option<Vec<String>> {
    let new_type = file.product_type.as_ref().is_some_and(|product_type| {
        product_type.as_str()
            != existing
                .product
                .product_type
                .as_deref()
                .unwrap_or_default()
                .trim()
    });
    let wanted = match &file.category {
        FileCategory::Named(path) => path.as_slice(),
        FileCategory::Typed(path) if new_type => path.as_slice(),
        FileCategory::Open if new_type => &[],
        FileCategory::Typed(_) | FileCategory::Open => return None,
    };
    // As the file would write it: a name may hold the sign that parts the names.
    let have = row::category_path(&existing.category.join(" > "));
    let same = have
        .iter()
        .map(|name| sort_key(name))
        .eq(wanted.iter().map(|name| sort_key(name)));
    (!same).then(|| wanted.to_vec())
}

/// A tag may hold the comma that parts the tags of a file.
fn same_tags(file: &[String], have: &[String]) -> bool {
    row::tags(&have.join(", ")).is_ok_and(|have| have == file)
}
