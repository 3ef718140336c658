//! The rows of one handle to one product, or to the reasons why not.

use std::collections::HashSet;

use super::check::Checker;
use super::columns::{Column, Columns};
use super::record::Record;
use super::report::{Note, Tally};
use crate::entity::product::ProductStatus;
use crate::kernel::money::Currency;

/// A product as the file has it. None, wherever it stands, is what the file says nothing about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FileProduct {
    pub line: u64,
    pub handle: String,
    pub title: String,
    /// Sanitised.
    pub body: Option<String>,
    pub vendor: Option<String>,
    pub product_type: Option<String>,
    pub category: FileCategory,
    pub tags: Option<Vec<String>>,
    pub status: Option<ProductStatus>,
    pub published: Option<bool>,
    pub options: Vec<String>,
    pub variants: Vec<FileVariant>,
    /// In their order, each address once.
    pub images: Option<Vec<FileImage>>,
}

/// What the file says about the category.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum FileCategory {
    /// By its own column: the names from the top.
    Named(Vec<String>),
    /// Only as far as the type is one.
    Typed(Vec<String>),
    /// None, or nothing.
    Open,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FileVariant {
    pub line: u64,
    pub options: [String; 3],
    pub sku: Option<String>,
    pub price: i64,
    pub compare_at: Option<Option<i64>>,
    /// An address, blank for none.
    pub image: Option<String>,
    pub tracked: Option<bool>,
    /// Already between 0 and the most that the shop can hold.
    pub quantity: Option<i64>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FileImage {
    pub url: String,
    pub alt: Option<Option<String>>,
}

/// All rows of a handle, as long as they stand together.
#[derive(Debug)]
pub(super) struct Group {
    pub handle: String,
    pub line: u64,
    pub rows: Vec<Record>,
    /// More rows than a product can have: they are counted, and not kept.
    pub dropped: u64,
}

impl Group {
    /// Leaves it out with what may be of the same product.
    pub(super) fn doubt(&mut self) {
        if let Some(row) = self.rows.last_mut() {
            row.doubt();
        }
    }
}

/// A product of the file after all checks.
#[derive(Debug)]
pub(super) enum Checked {
    Good {
        product: Box<FileProduct>,
        warnings: Vec<Note>,
    },
    Bad {
        notes: Vec<Note>,
        tally: Tally,
    },
}

/// Checks every row of the group: all that is wrong is told at once, not one thing for each attempt.
pub(super) fn check(group: &Group, columns: &Columns, currency: Currency) -> Checked {
    let mut checker = Checker::new(columns, currency);
    match checker.product(group) {
        Some(product) if checker.notes.is_empty() => Checked::Good {
            product: Box::new(product),
            warnings: checker.warnings,
        },
        _ => Checked::Bad {
            notes: checker.notes,
            tally: tally(group, columns),
        },
    }
}

/// What the rows name, as far as can be told from rows that are not good.
pub(super) fn tally(group: &Group, columns: &Columns) -> Tally {
    let variants = group
        .rows
        .iter()
        .enumerate()
        .filter(|(n, row)| is_variant(columns, row, *n == 0))
        .count();
    let images: HashSet<_> = group
        .rows
        .iter()
        .filter_map(|row| columns.filled(row, Column::ImageSrc))
        .collect();
    Tally::rejected(
        variants + usize::try_from(group.dropped).unwrap_or_default(),
        images.len(),
    )
}

/// Whether the row is a variant; otherwise it only adds an image.
pub(super) fn is_variant(columns: &Columns, row: &Record, first: bool) -> bool {
    let any = |wanted: &[Column]| wanted.iter().any(|column| columns.filled(row, *column).is_some());
    let image = columns.filled(row, Column::ImageSrc).is_some();
    first
        || any(&[
            Column::Option1Value,
            Column::Option2Value,
            Column::Option3Value,
            Column::Sku,
            Column::Price,
        ])
        || (!image && any(&[Column::Quantity, Column::CompareAt, Column::VariantImage]))
}
