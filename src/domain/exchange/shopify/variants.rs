//! Which variants a product is to have, and what that changes.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use sea_orm::ActiveValue::{Set, Unchanged};

use super::MAX_VARIANTS;
use super::images::ImageChanges;
use super::load::Existing;
use super::product::{FileProduct, FileVariant};
use super::report::{Counts, Note};
use super::stock::{self, LevelPlan};
use crate::domain::catalog::create::title_of;
use crate::entity::{inventory_level, product_variant};
use crate::kernel::id::{ProductId, ProductImageId, ProductVariantId};

/// The variants of the shop beside those of the file.
pub(super) struct Matched<'a> {
    /// For each variant of the file, in its order.
    pub pairs: Vec<(
        &'a FileVariant,
        Option<&'a (product_variant::Model, inventory_level::Model)>,
    )>,
    /// Those that the file leaves out.
    pub kept: Vec<&'a product_variant::Model>,
}

#[derive(Debug, Default)]
pub(super) struct VariantChanges {
    pub added: Vec<product_variant::ActiveModel>,
    pub changed: Vec<product_variant::ActiveModel>,
    pub first_levels: Vec<LevelPlan>,
    pub levels: Vec<LevelPlan>,
    pub counts: Counts,
}

impl VariantChanges {
    /// Whether any variant itself changes, its stock aside.
    pub(super) fn any(&self) -> bool {
        !(self.added.is_empty() && self.changed.is_empty())
    }
}

fn key(variant: &product_variant::Model) -> [&str; 3] {
    [&variant.option1, &variant.option2, &variant.option3].map(|value| value.trim())
}

/// Pairs variants by their option values.
///
/// # Errors
/// The reason why the file's variants and those that it leaves out cannot stand side by side.
pub(super) fn matched<'a>(file: &'a FileProduct, existing: &'a Existing) -> Result<Matched<'a>, String> {
    let mut have: HashMap<[&str; 3], _> = existing
        .variants
        .iter()
        .map(|pair| (key(&pair.0), pair))
        .collect();
    let mut pairs: Vec<_> = file
        .variants
        .iter()
        .map(|variant| {
            (
                variant,
                have.remove(&variant.options.each_ref().map(String::as_str)),
            )
        })
        .collect();
    let reshaped = file.options.len() != existing.options.len();
    // The only variant of a product that gets options, or loses them, becomes the first one, stock and
    // orders included.
    if let (true, [only]) = (reshaped, existing.variants.as_slice())
        && have.remove(&key(&only.0)).is_some()
        && let Some(first) = pairs.first_mut()
    {
        first.1 = Some(only);
    }
    let kept: Vec<_> = existing
        .variants
        .iter()
        .map(|pair| &pair.0)
        .filter(|variant| have.contains_key(&key(variant)))
        .collect();
    if reshaped && !kept.is_empty() {
        return Err(format!(
            "has {} options where the shop's product has {}, and leaves out {} of its variants",
            file.options.len(),
            existing.options.len(),
            kept.len()
        ));
    }
    if pairs.len() + kept.len() > MAX_VARIANTS {
        return Err(format!(
            "has more than {MAX_VARIANTS} variants together with those that it leaves out"
        ));
    }
    Ok(Matched { pairs, kept })
}

impl Matched<'_> {
    /// The images that variants show of which the file says nothing.
    pub(super) fn kept_images(&self) -> HashSet<ProductImageId> {
        let silent = self.pairs.iter().filter(|(file, _)| file.image.is_none());
        let silent = silent.filter_map(|(_, have)| have.map(|(variant, _)| variant));
        self.kept
            .iter()
            .copied()
            .chain(silent)
            .filter_map(|variant| variant.image_id)
            .collect()
    }

    pub(super) fn changes(
        &self,
        product_id: ProductId,
        existing: &Existing,
        images: &ImageChanges,
        overwrite_stock: bool,
        now: DateTime<Utc>,
    ) -> VariantChanges {
        let mut changes = VariantChanges::default();
        let order = self
            .pairs
            .iter()
            .map(|(_, have)| have.map(|(variant, _)| variant.id));
        let order = order.chain(self.kept.iter().map(|variant| Some(variant.id)));
        let same_order = order.eq(existing.variants.iter().map(|(variant, _)| Some(variant.id)));
        for (position, (file, have)) in (1..).zip(&self.pairs) {
            let image = file.image.as_ref().map(|url| images.ids.get(url).copied());
            let Some((variant, level)) = have else {
                let id = ProductVariantId::new();
                changes.first_levels.push(stock::first(id, file));
                changes
                    .added
                    .push(added(id, product_id, position, file, image.flatten(), now));
                changes.counts.created += 1;
                continue;
            };
            let mut row = product_variant::ActiveModel {
                id: Unchanged(variant.id),
                ..Default::default()
            };
            let differs = differences(&mut row, variant, file, image);
            let level = stock::change(level, file, overwrite_stock);
            if differs || level.as_ref().is_some_and(|level| level.shows) {
                changes.counts.updated += 1;
            } else {
                changes.counts.unchanged += 1;
            }
            changes.levels.extend(level);
            let moves = !same_order && variant.position != position;
            changes.keep(row, differs, moves.then_some(position), now);
        }
        let after = i32::try_from(self.pairs.len())
            .unwrap_or(i32::MAX)
            .saturating_add(1);
        for (position, variant) in (after..).zip(&self.kept) {
            let row = product_variant::ActiveModel {
                id: Unchanged(variant.id),
                ..Default::default()
            };
            let moves = !same_order && variant.position != position;
            changes.keep(row, false, moves.then_some(position), now);
        }
        changes
    }
}

impl VariantChanges {
    fn keep(
        &mut self,
        mut row: product_variant::ActiveModel,
        differs: bool,
        position: Option<i32>,
        now: DateTime<Utc>,
    ) {
        if let Some(position) = position {
            row.position = Set(position);
        }
        if differs {
            row.updated_at = Set(now);
        }
        if differs || position.is_some() {
            self.changed.push(row);
        }
    }

    pub(super) fn warnings(&self) -> impl Iterator<Item = Note> {
        self.levels.iter().filter_map(|level| level.warning.clone())
    }
}

fn added(
    id: ProductVariantId,
    product_id: ProductId,
    position: i32,
    file: &FileVariant,
    image: Option<ProductImageId>,
    now: DateTime<Utc>,
) -> product_variant::ActiveModel {
    let [option1, option2, option3] = file.options.clone();
    product_variant::ActiveModel {
        id: Set(id),
        product_id: Set(product_id),
        position: Set(position),
        sku: Set(file.sku.clone().filter(|sku| !sku.is_empty())),
        title: Set(title_of(&file.options)),
        option1: Set(option1),
        option2: Set(option2),
        option3: Set(option3),
        price: Set(file.price),
        compare_at_price: Set(file.compare_at.flatten()),
        image_id: Set(image),
        created_at: Set(now),
        updated_at: Set(now),
    }
}

/// Sets what the file has otherwise. A variant's title is the shop's own, unless its options change.
#[expect(clippy::option_option, reason = "silent and none are two things")]
fn differences(
    row: &mut product_variant::ActiveModel,
    have: &product_variant::Model,
    file: &FileVariant,
    image: Option<Option<ProductImageId>>,
) -> bool {
    let mut differs = false;
    if file.options.each_ref().map(String::as_str) != key(have) {
        let [option1, option2, option3] = file.options.clone();
        row.option1 = Set(option1);
        row.option2 = Set(option2);
        row.option3 = Set(option3);
        row.title = Set(title_of(&file.options));
        differs = true;
    }
    let sku = file
        .sku
        .as_ref()
        .filter(|sku| sku.as_str() != have.sku.as_deref().unwrap_or_default());
    if let Some(sku) = sku {
        row.sku = Set(Some(sku.clone()).filter(|sku| !sku.is_empty()));
        differs = true;
    }
    if file.price != have.price {
        row.price = Set(file.price);
        differs = true;
    }
    if let Some(compare_at) = file
        .compare_at
        .filter(|compare_at| *compare_at != have.compare_at_price)
    {
        row.compare_at_price = Set(compare_at);
        differs = true;
    }
    if let Some(image) = image.filter(|image| *image != have.image_id) {
        row.image_id = Set(image);
        differs = true;
    }
    differs
}
