//! The shop into a file, page by page, oldest product first.

use std::path::{Path, PathBuf};

use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _};
use tokio::fs::File;
use tokio::io::AsyncWriteExt as _;

use super::error::ExchangeError;
use super::load::{self, Existing};
use super::report::count;
use super::{NO_OPTION, NO_OPTION_VALUE};
use crate::domain::catalog::create::title_of;
use crate::domain::context::Context;
use crate::domain::permission::Permission;
use crate::entity::product::{self, ProductStatus};
use crate::entity::{inventory_level, product_variant};
use crate::kernel::id::ProductId;
use crate::kernel::money::{Currency, Money};

/// Products of one round of statements.
const PAGE: u64 = 100;

/// Shopify's own columns, in the order of its template.
const HEADER: [&str; 42] = [
    "Handle",
    "Title",
    "Body (HTML)",
    "Vendor",
    "Product Category",
    "Type",
    "Tags",
    "Published",
    "Option1 Name",
    "Option1 Value",
    "Option2 Name",
    "Option2 Value",
    "Option3 Name",
    "Option3 Value",
    "Variant SKU",
    "Variant Grams",
    "Variant Inventory Tracker",
    "Variant Inventory Qty",
    "Variant Inventory Policy",
    "Variant Fulfillment Service",
    "Variant Price",
    "Variant Compare At Price",
    "Variant Requires Shipping",
    "Variant Taxable",
    "Variant Barcode",
    "Image Src",
    "Image Position",
    "Image Alt Text",
    "Gift Card",
    "SEO Title",
    "SEO Description",
    "Google Shopping / Google Product Category",
    "Google Shopping / Gender",
    "Google Shopping / Age Group",
    "Google Shopping / MPN",
    "Google Shopping / Condition",
    "Google Shopping / Custom Product",
    "Variant Image",
    "Variant Weight Unit",
    "Variant Tax Code",
    "Cost per item",
    "Status",
];

/// What was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exported {
    /// Of all prices: the file itself does not say it.
    pub currency: Currency,
    pub products: u64,
    pub variants: u64,
    pub images: u64,
    pub lossy: Lossy,
}

/// What the file has no way to say, counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lossy {
    /// Tags with a comma, which is what parts the tags of a file.
    pub split_tags: u64,
    /// Variants with a title of their own, which is not made of their options.
    pub titles: u64,
    /// Products below a category with `>` in its name, which is what parts the names of a file.
    pub split_categories: u64,
}

impl Lossy {
    fn add(&mut self, existing: &Existing) {
        let split = |tag: &&String| tag.contains(',');
        self.split_tags += count(existing.tags.iter().filter(split).count());
        let own = |variant: &product_variant::Model| {
            let [one, two, three] = [&variant.option1, &variant.option2, &variant.option3];
            variant.title != title_of(&[one.clone(), two.clone(), three.clone()])
        };
        let titled = existing.variants.iter().filter(|(variant, _)| own(variant));
        self.titles += count(titled.count());
        self.split_categories += u64::from(existing.category.iter().any(|name| name.contains('>')));
    }
}

/// Writes all products, or those priced in `currency`, as a product file of Shopify. The file is there
/// when it is complete, and not before.
///
/// # Errors
/// When the shop prices in several currencies and none is chosen, when the file cannot be written, when
/// the caller is not staff, and when the database fails.
pub async fn export(
    context: &Context,
    path: &Path,
    currency: Option<Currency>,
) -> Result<Exported, ExchangeError> {
    context.require(Permission::WriteCatalog)?;
    let currency = match currency {
        Some(currency) => currency,
        None => only_currency(context).await?,
    };
    let part = part_of(path)?;
    let written = write_all(context, &part, currency).await;
    let done = match written {
        Ok(exported) => match tokio::fs::rename(&part, path).await {
            Ok(()) => return Ok(exported),
            Err(error) => ExchangeError::writing(path, &error),
        },
        Err(error) => error,
    };
    // The first failure is the one to tell.
    let _ = tokio::fs::remove_file(&part).await;
    Err(done)
}

async fn only_currency(context: &Context) -> Result<Currency, ExchangeError> {
    let codes: Vec<String> = product::Entity::find()
        .select_only()
        .column(product::Column::Currency)
        .distinct()
        .order_by_asc(product::Column::Currency)
        .into_tuple()
        .all(context.reports())
        .await?;
    match codes.as_slice() {
        [] => Ok(context.platform.shop.currency),
        [code] => code
            .parse()
            .map_err(|error| ExchangeError::File(format!("prices of the shop: {error}"))),
        several => Err(ExchangeError::File(format!(
            "the shop has prices in {}, and a file of Shopify has one currency: choose it with --currency",
            several.join(", ")
        ))),
    }
}

/// The file as long as it is not complete: beside its place, so that it only has to be renamed.
fn part_of(path: &Path) -> Result<PathBuf, ExchangeError> {
    let name = path
        .file_name()
        .ok_or_else(|| ExchangeError::File(format!("{} is not a file", path.display())))?;
    let mut part = std::ffi::OsString::from(".");
    part.push(name);
    part.push(format!(".{}.part", std::process::id()));
    Ok(path.with_file_name(part))
}

async fn write_all(context: &Context, part: &Path, currency: Currency) -> Result<Exported, ExchangeError> {
    let failed = |error: &std::io::Error| ExchangeError::writing(part, error);
    let mut file = File::create(part).await.map_err(|error| failed(&error))?;
    let mut exported = Exported {
        currency,
        products: 0,
        variants: 0,
        images: 0,
        lossy: Lossy::default(),
    };
    let mut rows = rows()?;
    let mut after: Option<ProductId> = None;
    loop {
        let page = page(context, currency, after).await?;
        for existing in &page {
            exported.products += 1;
            exported.variants += count(existing.variants.len());
            exported.images += count(existing.images.len());
            exported.lossy.add(existing);
            write_product(&mut rows, existing, currency)?;
        }
        let bytes = rows.into_inner().map_err(|error| failed(error.error()))?;
        file.write_all(&bytes).await.map_err(|error| failed(&error))?;
        let Some(last) = page.last() else { break };
        after = Some(last.product.id);
        rows = csv::Writer::from_writer(Vec::new());
    }
    file.sync_all().await.map_err(|error| failed(&error))?;
    Ok(exported)
}

type Rows = csv::Writer<Vec<u8>>;

fn rows() -> Result<Rows, ExchangeError> {
    let mut rows = csv::Writer::from_writer(Vec::new());
    rows.write_record(HEADER)
        .map_err(|error| ExchangeError::File(error.to_string()))?;
    Ok(rows)
}

async fn page(
    context: &Context,
    currency: Currency,
    after: Option<ProductId>,
) -> Result<Vec<Existing>, ExchangeError> {
    let mut find = product::Entity::find()
        .filter(product::Column::Currency.eq(currency.code()))
        .order_by_asc(product::Column::Id)
        .limit(PAGE);
    if let Some(after) = after {
        find = find.filter(product::Column::Id.gt(after));
    }
    let products = find.all(context.reports()).await?;
    Ok(load::complete(context.reports(), products, false).await?)
}

/// A row for each variant and for each image: the first of both share one, and so on.
fn write_product(rows: &mut Rows, existing: &Existing, currency: Currency) -> Result<(), ExchangeError> {
    for index in 0..existing.variants.len().max(existing.images.len()) {
        let mut record = Record::new(&existing.product.slug);
        if index == 0 {
            record.add_product(existing);
        }
        if let Some((variant, level)) = existing.variants.get(index) {
            record.add_variant(existing, variant, level, currency);
        }
        if let Some(image) = existing.images.get(index) {
            record.set("Image Src", image.url.as_str());
            record.set("Image Position", (index + 1).to_string());
            record.set("Image Alt Text", image.alt_text.clone().unwrap_or_default());
        }
        rows.write_record(&record.0)
            .map_err(|error| ExchangeError::File(error.to_string()))?;
    }
    Ok(())
}

struct Record([String; HEADER.len()]);

impl Record {
    fn new(handle: &str) -> Self {
        let mut record = Self(std::array::from_fn(|_| String::new()));
        record.set("Handle", handle);
        record
    }

    fn set(&mut self, column: &str, value: impl Into<String>) {
        let found = HEADER.iter().zip(&mut self.0).find(|(name, _)| **name == column);
        if let Some((_, cell)) = found {
            *cell = value.into();
        }
    }

    fn add_product(&mut self, existing: &Existing) {
        let product = &existing.product;
        let status = match product.status {
            ProductStatus::Active => "active",
            ProductStatus::Draft => "draft",
            ProductStatus::Archived => "archived",
        };
        self.set("Title", product.name.as_str());
        self.set("Body (HTML)", product.description.as_str());
        self.set("Vendor", product.vendor.clone().unwrap_or_default());
        self.set("Product Category", existing.category.join(" > "));
        self.set("Type", product.product_type.clone().unwrap_or_default());
        self.set("Tags", existing.tags.join(", "));
        self.set("Published", truth(product.status == ProductStatus::Active));
        self.set("Gift Card", truth(false));
        self.set("Status", status);
        let names = existing.options.iter().map(String::as_str);
        let names = names.chain(existing.options.is_empty().then_some(NO_OPTION));
        for (column, name) in ["Option1 Name", "Option2 Name", "Option3 Name"]
            .into_iter()
            .zip(names)
        {
            self.set(column, name);
        }
    }

    fn add_variant(
        &mut self,
        existing: &Existing,
        variant: &product_variant::Model,
        level: &inventory_level::Model,
        currency: Currency,
    ) {
        let price = |minor| Money::new(minor, currency).to_decimal().to_string();
        let first = if existing.options.is_empty() {
            NO_OPTION_VALUE
        } else {
            &variant.option1
        };
        self.set("Option1 Value", first);
        self.set("Option2 Value", variant.option2.as_str());
        self.set("Option3 Value", variant.option3.as_str());
        self.set("Variant SKU", variant.sku.clone().unwrap_or_default());
        self.set(
            "Variant Inventory Tracker",
            if level.tracked { "shopify" } else { "" },
        );
        self.set("Variant Inventory Qty", level.on_hand.to_string());
        self.set("Variant Inventory Policy", "deny");
        self.set("Variant Fulfillment Service", "manual");
        self.set("Variant Price", price(variant.price));
        self.set(
            "Variant Compare At Price",
            variant.compare_at_price.map(price).unwrap_or_default(),
        );
        self.set("Variant Requires Shipping", truth(true));
        self.set("Variant Taxable", truth(true));
        let image = existing
            .images
            .iter()
            .find(|image| Some(image.id) == variant.image_id);
        self.set(
            "Variant Image",
            image.map(|image| image.url.clone()).unwrap_or_default(),
        );
    }
}

fn truth(is: bool) -> &'static str {
    if is { "TRUE" } else { "FALSE" }
}
