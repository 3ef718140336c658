//! Which column is which: by name, whatever their order, case and spacing.

use std::borrow::Cow;
use std::collections::HashMap;

use super::record::Record;
use super::row;

macro_rules! columns {
    ($($column:ident: $($name:literal)|+;)*) => {
        /// A column that means something to us. The others of a file are passed over.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub(super) enum Column { $($column,)* }

        const NAMES: &[(Column, &[&str])] = &[$((Column::$column, &[$($name),+]),)*];
    };
}

// The first name is the one that is written and named in messages, the last of several is that of the
// template that Shopify hands out since 2024.
columns! {
    Handle: "Handle" | "URL handle";
    Title: "Title";
    Body: "Body (HTML)" | "Body HTML" | "Body" | "Description";
    Vendor: "Vendor";
    Category: "Product Category" | "Standardized Product Type" | "Standard Product Type" | "Standard(ized) Product Type";
    Type: "Type" | "Custom Product Type";
    Tags: "Tags";
    Published: "Published" | "Published on online store";
    Status: "Status";
    Option1Name: "Option1 Name";
    Option1Value: "Option1 Value";
    Option2Name: "Option2 Name";
    Option2Value: "Option2 Value";
    Option3Name: "Option3 Name";
    Option3Value: "Option3 Value";
    Sku: "Variant SKU" | "SKU";
    Tracker: "Variant Inventory Tracker" | "Inventory tracker";
    Quantity: "Variant Inventory Qty" | "Inventory quantity";
    Price: "Variant Price" | "Price";
    CompareAt: "Variant Compare At Price" | "Compare-at price";
    ImageSrc: "Image Src" | "Product image URL";
    ImagePosition: "Image Position";
    ImageAlt: "Image Alt Text";
    VariantImage: "Variant Image" | "Variant image URL";
}

/// Name and value of each of the three options.
pub(super) const OPTIONS: [(Column, Column, &str); 3] = [
    (Column::Option1Name, Column::Option1Value, "Option1"),
    (Column::Option2Name, Column::Option2Value, "Option2"),
    (Column::Option3Name, Column::Option3Value, "Option3"),
];

const REQUIRED: [Column; 3] = [Column::Handle, Column::Title, Column::Price];

/// Where each column stands in one file.
#[derive(Clone, Debug)]
pub(super) struct Columns {
    at: HashMap<Column, usize>,
    /// Values of a fourth option and further ones.
    pub beyond: Vec<usize>,
    /// How many fields a row has.
    pub width: usize,
}

impl Columns {
    /// Reads the header.
    ///
    /// # Errors
    /// What is missing, when the file is none of Shopify's.
    pub(super) fn of(header: &Record) -> Result<Self, String> {
        let names: Vec<String> = header.fields().map(normal).collect();
        let mut places: HashMap<&str, usize> = HashMap::new();
        for (index, name) in names.iter().enumerate() {
            places.entry(name).or_insert(index);
        }
        // Names as plain as "Price" and "SKU" stand in the files of every shop: they count in the
        // template that has a "URL handle" only.
        let plain = places.contains_key("urlhandle");
        let at: HashMap<Column, usize> = NAMES
            .iter()
            .filter_map(|(column, aliases)| {
                let known = aliases
                    .iter()
                    .filter(|alias| plain || !matches!(**alias, "Price" | "SKU" | "Description"));
                let mut found = known.filter_map(|alias| places.get(normal(alias).as_str()));
                found.next().map(|index| (*column, *index))
            })
            .collect();
        let missing: Vec<_> = REQUIRED
            .iter()
            .filter(|column| !at.contains_key(column))
            .map(|c| c.name())
            .collect();
        if !missing.is_empty() {
            return Err(refusal(&missing, &names));
        }
        let beyond = names
            .iter()
            .enumerate()
            .filter(|(_, name)| is_beyond(name))
            .map(|(index, _)| index)
            .collect();
        Ok(Self {
            at,
            beyond,
            width: header.len(),
        })
    }

    pub(super) fn has(&self, column: Column) -> bool {
        self.at.contains_key(&column)
    }

    pub(super) fn index(&self, column: Column) -> Option<usize> {
        self.at.get(&column).copied()
    }

    /// The handle as the shop takes it; None where it is blank.
    pub(super) fn handle<'r>(&self, record: &'r Record) -> Option<Cow<'r, str>> {
        self.filled(record, Column::Handle).map(row::handle)
    }

    /// Whether these fields can hardly be anything else, a piece of a description for instance.
    pub(super) fn looks_like_row(&self, record: &Record) -> bool {
        let handle = self.filled(record, Column::Handle);
        let price = self.get(record, Column::Price).unwrap_or_default();
        record.len() == self.width
            && handle.is_some_and(|handle| {
                handle.contains(char::is_alphanumeric)
                    && !handle.contains(|c: char| c.is_control() || "<>\"".contains(c))
            })
            && price.chars().all(|c| c.is_ascii_digit() || ".,-".contains(c))
    }

    /// What stands there, without the space around it; None when the file has no such column.
    pub(super) fn get<'r>(&self, record: &'r Record, column: Column) -> Option<&'r str> {
        self.at
            .get(&column)
            .and_then(|index| record.get(*index))
            .map(str::trim)
    }

    /// The same, where blank is as good as missing.
    pub(super) fn filled<'r>(&self, record: &'r Record, column: Column) -> Option<&'r str> {
        self.get(record, column).filter(|text| !text.is_empty())
    }
}

impl Column {
    pub(super) fn name(self) -> &'static str {
        let names = NAMES
            .iter()
            .find(|(column, _)| *column == self)
            .map(|(_, names)| *names);
        names.and_then(|names| names.first()).copied().unwrap_or_default()
    }
}

fn normal(name: &str) -> String {
    name.chars()
        .filter(|c| !c.is_whitespace() && *c != '\u{feff}')
        .flat_map(char::to_lowercase)
        .collect()
}

fn is_beyond(name: &str) -> bool {
    let number = name
        .strip_prefix("option")
        .and_then(|rest| rest.strip_suffix("value"));
    number
        .and_then(|number| number.parse::<u32>().ok())
        .is_some_and(|number| number > 3)
}

fn refusal(missing: &[&str], names: &[String]) -> String {
    let columns = if missing.len() == 1 { "column" } else { "columns" };
    let message = format!(
        "the file is not a product export of Shopify: it lacks the {columns} {}",
        missing.join(", ")
    );
    match guess(names) {
        Some(guess) => format!("{message}. It seems to be {guess}"),
        None => message,
    }
}

/// Whose file it seems to be.
fn guess(names: &[String]) -> Option<&'static str> {
    let has = |wanted: &[&str]| wanted.iter().all(|name| names.iter().any(|n| n == name));
    let known: [(&[&str], &str); 11] = [
        (&["sku", "attribute_set_code"], "a product file of Magento"),
        (&["sku", "store_view_code"], "a product file of Magento"),
        (
            &["name", "conditions_serialized"],
            "a file of price rules of Magento",
        ),
        (&["sku", "rating_code"], "a file of reviews of Magento"),
        (&["slug", "sku", "option1_name"], "a product file of Spree"),
        (&["slug", "locale"], "a file of translations of Spree"),
        (
            &["first_name", "accepts_email_marketing"],
            "a file of customers of Spree",
        ),
        (&["sku", "regularprice"], "a product file of WooCommerce"),
        (
            &["handle", "onhand"],
            "an inventory export of Shopify, which has no prices",
        ),
        (&["lineitemname"], "an order export of Shopify"),
        (&["acceptsemailmarketing"], "a customer export of Shopify"),
    ];
    if names.first().is_some_and(|name| name.starts_with(['{', '['])) {
        return Some("JSON, not CSV");
    }
    known
        .iter()
        .find(|(wanted, _)| has(wanted))
        .map(|(_, guess)| *guess)
}
