//! Which images a product is to have, and what that changes.

use std::collections::{HashMap, HashSet};

use sea_orm::ActiveValue::{Set, Unchanged};

use super::load::Existing;
use super::product::{FileImage, FileProduct};
use super::report::{Counts, count};
use crate::domain::catalog::insert::NewImage;
use crate::entity::product_image;
use crate::kernel::id::{ProductId, ProductImageId};

#[derive(Debug, Default)]
pub(super) struct ImageChanges {
    pub removed: Vec<ProductImageId>,
    pub added: Vec<product_image::ActiveModel>,
    pub changed: Vec<product_image::ActiveModel>,
    /// The id of each image that the product has afterwards.
    pub ids: HashMap<String, ProductImageId>,
    pub counts: Counts,
}

impl ImageChanges {
    pub(super) fn any(&self) -> bool {
        !(self.removed.is_empty() && self.added.is_empty() && self.changed.is_empty())
    }
}

/// The file's images, those that only its variants name, and those of variants that it leaves out.
pub(super) fn wanted(
    file: &FileProduct,
    existing: Option<&Existing>,
    kept: &HashSet<ProductImageId>,
) -> Vec<FileImage> {
    let silent = |url: &str| FileImage {
        url: url.to_owned(),
        alt: None,
    };
    let have = existing
        .map(|existing| existing.images.as_slice())
        .unwrap_or_default();
    let mut wanted = match &file.images {
        Some(images) => images.clone(),
        None => have.iter().map(|image| silent(&image.url)).collect(),
    };
    let mut seen: HashSet<String> = wanted.iter().map(|image| image.url.clone()).collect();
    let of_variants = file
        .variants
        .iter()
        .filter_map(|variant| variant.image.as_deref())
        .filter(|url| !url.is_empty());
    let of_kept = have
        .iter()
        .filter(|image| kept.contains(&image.id))
        .map(|image| image.url.as_str());
    for url in of_variants.chain(of_kept) {
        if seen.insert(url.to_owned()) {
            wanted.push(silent(url));
        }
    }
    wanted
}

pub(super) fn new(wanted: Vec<FileImage>) -> Vec<NewImage> {
    wanted
        .into_iter()
        .map(|image| NewImage {
            url: image.url,
            alt_text: image.alt.flatten(),
        })
        .collect()
}

pub(super) fn changes(
    product_id: ProductId,
    have: &[product_image::Model],
    wanted: Vec<FileImage>,
) -> ImageChanges {
    let mut changes = ImageChanges::default();
    let by_url: HashMap<&str, &product_image::Model> =
        have.iter().map(|image| (image.url.as_str(), image)).collect();
    let same_order = have
        .iter()
        .map(|image| &image.url)
        .eq(wanted.iter().map(|image| &image.url));
    let urls: HashSet<&str> = wanted.iter().map(|image| image.url.as_str()).collect();
    changes.removed = have
        .iter()
        .filter(|image| !urls.contains(image.url.as_str()))
        .map(|image| image.id)
        .collect();
    for (position, image) in (1..).zip(&wanted) {
        let Some(had) = by_url.get(image.url.as_str()) else {
            let id = ProductImageId::new();
            changes.ids.insert(image.url.clone(), id);
            changes.added.push(product_image::ActiveModel {
                id: Set(id),
                product_id: Set(product_id),
                url: Set(image.url.clone()),
                alt_text: Set(image.alt.clone().flatten()),
                position: Set(position),
            });
            continue;
        };
        changes.ids.insert(image.url.clone(), had.id);
        let mut row = product_image::ActiveModel {
            id: Unchanged(had.id),
            ..Default::default()
        };
        let blank = |alt: &Option<String>| alt.clone().unwrap_or_default();
        let alt = image
            .alt
            .as_ref()
            .filter(|alt| blank(alt) != blank(&had.alt_text));
        if let Some(alt) = alt {
            row.alt_text = Set(alt.clone());
            changes.counts.updated += 1;
        } else {
            changes.counts.unchanged += 1;
        }
        if !same_order && had.position != position {
            row.position = Set(position);
        }
        if row.alt_text.is_set() || row.position.is_set() {
            changes.changed.push(row);
        }
    }
    changes.counts.created = count(changes.added.len());
    changes
}
