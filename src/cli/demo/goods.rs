//! The goods of the demo shop, as `catalog.json` lists them.

use std::collections::HashMap;

use anyhow::Context as _;
use rust_decimal::{Decimal, RoundingStrategy};
use serde::Deserialize;

use crate::domain::catalog::description::sanitise;
use crate::domain::catalog::insert::{NewImage, NewProduct, NewVariant};
use crate::entity::product::ProductStatus;
use crate::kernel::error::{Error, Result};
use crate::kernel::id::CategoryId;
use crate::kernel::money::{Currency, Money};

const JSON: &str = include_str!("catalog.json");

/// The title of the only variant of a product without options.
const ONLY_VARIANT: &str = "Default Title";

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Catalog {
    categories: Vec<Category>,
    pub(super) products: Vec<Product>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Category {
    slug: String,
    name: String,
    #[serde(default)]
    children: Vec<Category>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Product {
    pub(super) slug: String,
    name: String,
    pub(super) category: String,
    vendor: String,
    product_type: String,
    #[serde(default)]
    status: Status,
    tags: Vec<String>,
    pub(super) description: String,
    #[serde(default)]
    options: Vec<String>,
    images: Vec<Image>,
    variants: Vec<Variant>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum Status {
    Draft,
    #[default]
    Active,
    Archived,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Image {
    url: String,
    alt: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Variant {
    sku: Option<String>,
    /// A value for each option of the product.
    #[serde(default)]
    options: Vec<String>,
    /// Decimal, in whatever currency the shop sells in, as is `compare_at`.
    price: Price,
    compare_at: Option<Price>,
    /// None where each piece is made to order: nothing is counted then.
    stock: Option<i64>,
    /// Which of the product's images, from 0.
    image: Option<usize>,
}

/// Written as a string, so that no float comes between.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "String")]
struct Price(Decimal);

/// A category to be; its parent comes before it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Shelf<'a> {
    pub(super) slug: &'a str,
    pub(super) name: &'a str,
    pub(super) parent: Option<&'a str>,
}

impl Catalog {
    /// # Errors
    /// None once the tests have passed: the file is part of the program.
    pub(super) fn read() -> Result<Self> {
        serde_json::from_str(JSON)
            .context("catalog.json of the demo shop")
            .map_err(Error::internal)
    }

    /// All categories, each after its parent.
    pub(super) fn shelves(&self) -> Vec<Shelf<'_>> {
        let mut shelves = Vec::new();
        put_shelves(&self.categories, None, &mut shelves);
        shelves
    }

    /// All products, for categories by their slugs.
    ///
    /// Prices keep their figures and take the shop's currency: they are made up. Where it has fewer
    /// decimals they are rounded up, so that nothing becomes free.
    pub(super) fn products(
        &self,
        shelves: &HashMap<&str, CategoryId>,
        currency: Currency,
    ) -> Result<Vec<NewProduct>> {
        self.products
            .iter()
            .map(|product| product.stocked(shelves, currency))
            .collect()
    }
}

fn put_shelves<'a>(categories: &'a [Category], parent: Option<&'a str>, shelves: &mut Vec<Shelf<'a>>) {
    for category in categories {
        shelves.push(Shelf {
            slug: &category.slug,
            name: &category.name,
            parent,
        });
        put_shelves(&category.children, Some(&category.slug), shelves);
    }
}

impl Product {
    fn stocked(&self, shelves: &HashMap<&str, CategoryId>, currency: Currency) -> Result<NewProduct> {
        let category = shelves.get(self.category.as_str());
        let category = category.with_context(|| format!("{}: no category {}", self.slug, self.category));
        let images = self.images.iter().map(|image| NewImage {
            url: image.url.clone(),
            alt_text: Some(image.alt.clone()),
        });
        let variants = self.variants.iter().map(|variant| variant.stocked(currency));
        Ok(NewProduct {
            slug: self.slug.clone(),
            name: self.name.clone(),
            description: sanitise(&self.description),
            vendor: Some(self.vendor.clone()),
            product_type: Some(self.product_type.clone()),
            tags: self.tags.clone(),
            status: self.status.into(),
            category_id: Some(*category.map_err(Error::internal)?),
            currency,
            options: self.options.clone(),
            images: images.collect(),
            variants: variants.collect::<Result<_>>()?,
        })
    }
}

impl Variant {
    fn stocked(&self, currency: Currency) -> Result<NewVariant> {
        let value = |index: usize| self.options.get(index).cloned().unwrap_or_default();
        let title = if self.options.is_empty() {
            ONLY_VARIANT.to_owned()
        } else {
            self.options.join(" / ")
        };
        Ok(NewVariant {
            sku: self.sku.clone(),
            title,
            options: [value(0), value(1), value(2)],
            price: self.price.minor(currency)?,
            compare_at_price: self.compare_at.map(|price| price.minor(currency)).transpose()?,
            image: self.image,
            tracked: self.stock.is_some(),
            on_hand: self.stock.unwrap_or(0),
            imported_on_hand: None,
        })
    }
}

impl Price {
    fn minor(self, currency: Currency) -> Result<i64> {
        let price = self
            .0
            .round_dp_with_strategy(currency.exponent(), RoundingStrategy::ToPositiveInfinity);
        Ok(Money::from_decimal(price, currency)
            .map_err(Error::internal)?
            .minor)
    }
}

impl TryFrom<String> for Price {
    type Error = rust_decimal::Error;

    fn try_from(text: String) -> std::result::Result<Self, Self::Error> {
        text.parse().map(Self)
    }
}

impl From<Status> for ProductStatus {
    fn from(status: Status) -> Self {
        match status {
            Status::Draft => Self::Draft,
            Status::Active => Self::Active,
            Status::Archived => Self::Archived,
        }
    }
}
