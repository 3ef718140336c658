//! Row by row: what is wrong with a product of the file.

use std::collections::{HashMap, HashSet};

use super::columns::{Column, Columns, OPTIONS};
use super::product::{FileCategory, FileImage, FileProduct, FileVariant, Group, is_variant};
use super::record::Record;
use super::report::Note;
use super::row::{self, MAX_ALT};
use super::{MAX_VARIANTS, NO_OPTION, NO_OPTION_VALUE};
use crate::domain::catalog::create::MAX_ON_HAND;
use crate::domain::catalog::description::{MAX_DESCRIPTION, sanitise_bounded};
use crate::domain::catalog::shelves::MAX_DEPTH;
use crate::domain::catalog::validate::{MAX_IMAGES, MAX_TEXT, is_slug};
use crate::kernel::money::Currency;

/// Reads a product, and collects what is wrong with it.
pub(super) struct Checker<'a> {
    columns: &'a Columns,
    currency: Currency,
    pub notes: Vec<Note>,
    pub warnings: Vec<Note>,
}

impl<'a> Checker<'a> {
    pub(super) fn new(columns: &'a Columns, currency: Currency) -> Self {
        Self {
            columns,
            currency,
            notes: Vec::new(),
            warnings: Vec::new(),
        }
    }

    /// None, or a product that is not to be used, when there are notes.
    pub(super) fn product(&mut self, group: &Group) -> Option<FileProduct> {
        let first = group.rows.first()?;
        for row in &group.rows {
            if let Some(reason) = self.damage(row) {
                self.notes.push(Note::new(row.line, reason));
            }
        }
        if group.dropped > 0 {
            self.notes.push(Note::new(
                group.line,
                format!("has more rows than {MAX_VARIANTS} variants and {MAX_IMAGES} images take"),
            ));
        }
        // What follows would only repeat in other words that the columns are out of step.
        if !self.notes.is_empty() {
            return None;
        }
        self.handle(first, group);
        let mut product = self.head(first, group);
        // Without the names every value would be one too many.
        let names = self.option_names(first)?;
        product.variants = self.variants(group, &names);
        product.images = self.images(group);
        product.options = names;
        forget_default_option(&mut product);
        if product.variants.len() > MAX_VARIANTS {
            self.notes.push(Note::new(
                group.line,
                format!("has more than {MAX_VARIANTS} variants"),
            ));
        }
        Some(product)
    }

    fn handle(&mut self, row: &Record, group: &Group) {
        let said = self.columns.filled(row, Column::Handle).unwrap_or_default();
        match row::limited(said, MAX_TEXT) {
            Err(reason) => self.notes.push(Note::new(row.line, format!("Handle {reason}"))),
            Ok(_) if !is_slug(&group.handle) => self.notes.push(Note::new(
                row.line,
                format!("Handle {said:?} has neither letters nor digits"),
            )),
            Ok(_) if said != group.handle => self.warnings.push(Note::new(
                row.line,
                format!(
                    "Handle {said:?} is no part of an address: imported as {:?}",
                    group.handle
                ),
            )),
            Ok(_) => {}
        }
    }

    fn damage(&self, row: &Record) -> Option<String> {
        if row.damage.is_some() {
            return row.damage.clone();
        }
        if row.len() != self.columns.width {
            return Some(format!(
                "has {} fields where the header has {}",
                row.len(),
                self.columns.width
            ));
        }
        let handle = self.columns.filled(row, Column::Handle).unwrap_or_default();
        // Brackets are those of a description whose quotes are missing.
        if handle.contains(|c: char| c.is_control() || "<>\"".contains(c)) {
            return Some("has a quote, a bracket or a line break in its Handle".to_owned());
        }
        if row.fields().any(|field| field.contains('\0')) {
            return Some("has a NUL character".to_owned());
        }
        let beyond = self.columns.beyond.iter().filter_map(|index| row.get(*index));
        if beyond.map(str::trim).any(|value| !value.is_empty()) {
            return Some("has more than three options".to_owned());
        }
        None
    }

    /// What is wrong goes to the notes, and is left out.
    fn or_note<T>(&mut self, row: &Record, what: &str, value: Result<T, String>) -> Option<T> {
        value
            .map_err(|reason| self.notes.push(Note::new(row.line, format!("{what} {reason}"))))
            .ok()
    }

    fn text(&mut self, row: &Record, column: Column, max: usize) -> Option<String> {
        let text = self.columns.get(row, column)?;
        self.or_note(row, column.name(), row::limited(text, max))
    }

    /// What only a product's first row says.
    fn head(&mut self, row: &Record, group: &Group) -> FileProduct {
        let title = self.text(row, Column::Title, MAX_TEXT);
        if title.as_ref().is_some_and(String::is_empty) {
            self.notes.push(Note::new(
                row.line,
                "Title is blank on the first row of the product",
            ));
        }
        let body = self.columns.get(row, Column::Body).map(|html| {
            let clean = sanitise_bounded(html).map_err(|error| error.to_string())?;
            row::limited(&clean, MAX_DESCRIPTION)
        });
        let body = body.and_then(|body| self.or_note(row, Column::Body.name(), body));
        let tags = self.columns.get(row, Column::Tags).map(row::tags);
        let status = self.columns.filled(row, Column::Status).map(row::status);
        let published = self.columns.filled(row, Column::Published).map(row::yes_or_no);
        FileProduct {
            line: row.line,
            handle: group.handle.clone(),
            title: title.unwrap_or_default(),
            body,
            vendor: self.text(row, Column::Vendor, MAX_TEXT),
            product_type: self.text(row, Column::Type, MAX_TEXT),
            category: self.category(row),
            tags: tags.and_then(|tags| self.or_note(row, "Tags", tags)),
            status: status.and_then(|status| self.or_note(row, "Status", status)),
            published: published.and_then(|published| self.or_note(row, "Published", published)),
            options: Vec::new(),
            variants: Vec::new(),
            images: None,
        }
    }

    fn category(&mut self, row: &Record) -> FileCategory {
        // A bare number is a place in Shopify's own taxonomy, which is not in the file.
        let named = self
            .columns
            .filled(row, Column::Category)
            .filter(|text| text.parse::<u64>().is_err());
        let typed = self.columns.filled(row, Column::Type);
        let (column, path) = match (named, typed) {
            (Some(text), _) => (Column::Category, row::category_path(text)),
            (None, Some(text)) => (Column::Type, row::category_path(text)),
            (None, None) => return FileCategory::Open,
        };
        if path.len() > usize::try_from(MAX_DEPTH).unwrap_or_default() {
            let reason = format!("{} is more than {MAX_DEPTH} categories deep", column.name());
            self.notes.push(Note::new(row.line, reason));
        }
        for name in &path {
            self.or_note(row, column.name(), row::limited(name, MAX_TEXT));
        }
        match (column, path.is_empty()) {
            (_, true) => FileCategory::Open,
            (Column::Category, _) => FileCategory::Named(path),
            _ => FileCategory::Typed(path),
        }
    }

    /// The names of the options, which only the first row has to give.
    fn option_names(&mut self, row: &Record) -> Option<Vec<String>> {
        let mut names: Vec<String> = Vec::new();
        for (number, (name_column, value_column, option)) in (1_usize..).zip(OPTIONS) {
            let value = self.columns.filled(row, value_column);
            let name = match (self.columns.get(row, name_column), value) {
                (None | Some(""), None | Some(NO_OPTION_VALUE)) => continue,
                (Some(""), Some(_)) => {
                    self.notes.push(Note::new(
                        row.line,
                        format!("{option} Value has no {option} Name"),
                    ));
                    return None;
                }
                (None, Some(_)) => format!("Option {number}"),
                (Some(NO_OPTION), None) => continue,
                (Some(name), _) => self.or_note(row, name_column.name(), row::limited(name, MAX_TEXT))?,
            };
            if names.len() + 1 != number {
                self.notes.push(Note::new(
                    row.line,
                    format!("{option} is given without the option before it"),
                ));
                return None;
            }
            if names.contains(&name) {
                self.notes.push(Note::new(
                    row.line,
                    format!("{option} Name {name:?} is given twice"),
                ));
                return None;
            }
            names.push(name);
        }
        Some(names)
    }

    fn variants(&mut self, group: &Group, names: &[String]) -> Vec<FileVariant> {
        let mut seen: HashMap<[String; 3], u64> = HashMap::new();
        let mut variants = Vec::new();
        for (number, row) in group.rows.iter().enumerate() {
            if !is_variant(self.columns, row, number == 0) {
                if self.columns.filled(row, Column::ImageSrc).is_none() {
                    self.warnings.push(Note::new(
                        row.line,
                        "is neither a variant nor an image: passed over",
                    ));
                }
                continue;
            }
            let Some(options) = self.option_values(row, names) else {
                continue;
            };
            if let Some(line) = seen.insert(options.clone(), row.line) {
                let reason = if names.is_empty() {
                    format!("is a second variant of a product without options, beside line {line}")
                } else {
                    format!("has the same option values as line {line}")
                };
                self.notes.push(Note::new(row.line, reason));
                continue;
            }
            variants.extend(self.variant(row, options));
        }
        variants
    }

    fn option_values(&mut self, row: &Record, names: &[String]) -> Option<[String; 3]> {
        let mut values: [String; 3] = Default::default();
        for (index, (slot, (name_column, value_column, option))) in values.iter_mut().zip(OPTIONS).enumerate()
        {
            let value = self.columns.filled(row, value_column);
            let repeated = self.columns.filled(row, name_column);
            let wrong = match (names.get(index), value) {
                (Some(name), _) if repeated.is_some_and(|repeated| repeated != name) => Some(format!(
                    "{option} Name is not {name:?}, as on the first row of the product"
                )),
                (Some(name), None) => {
                    Some(format!("{option} Value is blank, where the product has {name:?}"))
                }
                (None, Some(value)) if value != NO_OPTION_VALUE => Some(format!(
                    "{option} Value is given, where the product has no such option"
                )),
                (Some(_), Some(value)) => match row::limited(value, MAX_TEXT) {
                    Ok(value) => {
                        *slot = value;
                        None
                    }
                    Err(reason) => Some(format!("{option} Value {reason}")),
                },
                (None, _) => None,
            };
            if let Some(reason) = wrong {
                self.notes.push(Note::new(row.line, reason));
                return None;
            }
        }
        Some(values)
    }

    fn variant(&mut self, row: &Record, options: [String; 3]) -> Option<FileVariant> {
        let Some(price) = self.columns.filled(row, Column::Price) else {
            self.notes.push(Note::new(row.line, "Variant Price is blank"));
            return None;
        };
        let price = self.or_note(row, "Variant Price", row::price(price, self.currency))?;
        let compare_at = match self.columns.get(row, Column::CompareAt) {
            Some("") => Some(None),
            Some(text) => Some(self.or_note(row, Column::CompareAt.name(), row::price(text, self.currency))),
            None => None,
        };
        let image = match self.columns.get(row, Column::VariantImage) {
            Some("") => Some(String::new()),
            Some(text) => self.or_note(row, "Variant Image", row::image_url(text)),
            None => None,
        };
        let quantity = self.quantity(row)?;
        let tracked = match self.columns.get(row, Column::Tracker) {
            Some(tracker) => Some(!tracker.is_empty()),
            None => quantity.map(|_| true),
        };
        let sku = self.text(row, Column::Sku, MAX_TEXT);
        Some(FileVariant {
            line: row.line,
            options,
            sku,
            price,
            compare_at,
            image,
            tracked,
            quantity,
        })
    }

    /// Outer None when the cell is bad, inner None when it says nothing.
    #[expect(clippy::option_option, reason = "bad and silent are two things")]
    fn quantity(&mut self, row: &Record) -> Option<Option<i64>> {
        let Some(text) = self.columns.filled(row, Column::Quantity) else {
            return Some(None);
        };
        let quantity = self.or_note(row, Column::Quantity.name(), row::quantity(text))?;
        let held = quantity.clamp(0, MAX_ON_HAND);
        if held != quantity {
            let why = if quantity < 0 {
                "is below zero"
            } else {
                "is more than can be held"
            };
            self.warnings.push(Note::new(
                row.line,
                format!("Variant Inventory Qty {text} {why}: imported as {held}"),
            ));
        }
        Some(Some(held))
    }

    /// The images in their order, each address once; None when the file has no column of them.
    fn images(&mut self, group: &Group) -> Option<Vec<FileImage>> {
        if !self.columns.has(Column::ImageSrc) {
            return None;
        }
        let mut images: Vec<(u32, FileImage)> = Vec::new();
        let mut seen = HashSet::new();
        for row in &group.rows {
            let Some(url) = self.columns.filled(row, Column::ImageSrc) else {
                continue;
            };
            let Some(url) = self.or_note(row, "Image Src", row::image_url(url)) else {
                continue;
            };
            let alt = self.text(row, Column::ImageAlt, MAX_ALT);
            let alt = self
                .columns
                .has(Column::ImageAlt)
                .then(|| alt.filter(|alt| !alt.is_empty()));
            // Where it is not a number the place in the file counts.
            let position = self
                .columns
                .filled(row, Column::ImagePosition)
                .and_then(|text| text.parse().ok());
            if seen.insert(url.clone()) {
                images.push((position.unwrap_or(u32::MAX), FileImage { url, alt }));
            }
        }
        images.sort_by_key(|(position, _)| *position);
        if images.len() > MAX_IMAGES {
            self.notes.push(Note::new(
                group.line,
                format!("has more than {MAX_IMAGES} images"),
            ));
        }
        Some(images.into_iter().map(|(_, image)| image).collect())
    }
}

/// A single variant "Default Title" of an option "Title" is how Shopify writes that there are no options.
fn forget_default_option(product: &mut FileProduct) {
    if let ([name], [variant]) = (product.options.as_slice(), product.variants.as_mut_slice())
        && name == NO_OPTION
        && variant
            .options
            .first()
            .is_some_and(|value| value == NO_OPTION_VALUE)
    {
        variant.options = Default::default();
        product.options.clear();
    }
}
