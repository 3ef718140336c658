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
    products: Vec<Product>,
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
struct Product {
    slug: String,
    name: String,
    category: String,
    vendor: String,
    product_type: String,
    #[serde(default)]
    status: Status,
    tags: Vec<String>,
    description: String,
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

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::kernel::text::slugify;

    fn products(currency: &str) -> Vec<NewProduct> {
        let catalog = Catalog::read().unwrap();
        let shelves = catalog
            .shelves()
            .iter()
            .map(|shelf| (shelf.slug, CategoryId::new()))
            .collect();
        catalog.products(&shelves, currency.parse().unwrap()).unwrap()
    }

    fn unique<T: std::hash::Hash + Eq + std::fmt::Debug>(things: impl IntoIterator<Item = T>) {
        let mut seen = HashSet::new();
        for thing in things {
            let text = format!("{thing:?}");
            assert!(seen.insert(thing), "{text} is there twice");
        }
    }

    #[test]
    fn the_shop_has_something_of_everything() {
        let products = products("USD");
        let some =
            |what: &str, test: &dyn Fn(&NewProduct) -> bool| assert!(products.iter().any(test), "{what}");
        let variant = |what: &str, test: &dyn Fn(&NewVariant) -> bool| {
            assert!(
                products.iter().flat_map(|product| &product.variants).any(test),
                "{what}"
            );
        };
        assert!((30..40).contains(&products.len()), "{}", products.len());
        for status in [ProductStatus::Draft, ProductStatus::Archived] {
            assert_eq!(
                products.iter().filter(|product| product.status == status).count(),
                1,
                "{status:?}"
            );
        }
        for options in 0..=3 {
            some("each number of options", &|product| {
                product.options.len() == options
            });
        }
        some("twelve variants", &|product| product.variants.len() == 12);
        some("several images", &|product| product.images.len() > 2);
        some("an accent", &|product| product.name.starts_with('É'));
        some("sold out", &|product| {
            product.status == ProductStatus::Active
                && product.variants.iter().all(|v| v.tracked && v.on_hand == 0)
        });
        some("made to order", &|product| {
            product.variants.iter().all(|v| !v.tracked)
        });
        some("a range of prices", &|product| {
            product
                .variants
                .iter()
                .map(|v| v.price)
                .collect::<HashSet<_>>()
                .len()
                > 3
        });
        variant("reduced", &|v| v.compare_at_price.is_some());
        variant("without a SKU", &|v| v.sku.is_none());
        variant("with an image", &|v| v.image.is_some());
    }

    #[test]
    fn shelves_stand_three_deep_in_order_and_none_is_bare() {
        let catalog = Catalog::read().unwrap();
        let shelves = catalog.shelves();
        unique(shelves.iter().map(|shelf| shelf.slug));
        unique(shelves.iter().map(|shelf| (shelf.parent, shelf.name)));
        let mut depths: HashMap<&str, usize> = HashMap::new();
        for shelf in &shelves {
            assert_eq!(slugify(shelf.slug, 255), shelf.slug);
            assert!((1..=255).contains(&shelf.name.chars().count()), "{}", shelf.slug);
            depths.insert(shelf.slug, shelf.parent.map_or(1, |parent| depths[parent] + 1));
            let is_leaf = shelves.iter().all(|other| other.parent != Some(shelf.slug));
            let is_used = catalog
                .products
                .iter()
                .any(|product| product.category == shelf.slug);
            assert_eq!(
                is_leaf, is_used,
                "{}: goods lie on the lowest shelves",
                shelf.slug
            );
        }
        assert_eq!(depths.values().max(), Some(&3));
    }

    #[test]
    fn nothing_is_there_twice() {
        let products = products("USD");
        unique(products.iter().map(|product| &product.slug));
        unique(products.iter().map(|product| &product.name));
        unique(
            products
                .iter()
                .flat_map(|product| &product.variants)
                .filter_map(|variant| variant.sku.as_deref()),
        );
        for product in &products {
            unique(&product.tags);
            unique(&product.options);
            unique(product.images.iter().map(|image| &image.url));
            unique(product.variants.iter().map(|variant| &variant.options));
        }
    }

    #[test]
    fn the_database_has_room_for_all_of_it() {
        let fits = |text: &str, max: usize| assert!((1..=max).contains(&text.chars().count()), "{text:?}");
        for product in products("USD") {
            assert_eq!(slugify(&product.slug, 255), product.slug);
            fits(&product.name, 255);
            fits(product.vendor.as_deref().unwrap(), 255);
            fits(product.product_type.as_deref().unwrap(), 255);
            assert!(product.options.len() <= 3 && !product.images.is_empty() && !product.tags.is_empty());
            product
                .tags
                .iter()
                .chain(&product.options)
                .for_each(|text| fits(text, 255));
            for image in &product.images {
                fits(&image.url, 2048);
                assert!(
                    image.url.starts_with("https://")
                        && url::Url::parse(&image.url).unwrap().as_str() == image.url
                );
                fits(image.alt_text.as_deref().unwrap(), 1000);
            }
            assert!((1..=12).contains(&product.variants.len()));
            for variant in &product.variants {
                let (values, beyond) = variant.options.split_at(product.options.len());
                values.iter().for_each(|value| fits(value, 255));
                assert!(
                    beyond.iter().all(String::is_empty),
                    "{}: {:?}",
                    product.slug,
                    variant.options
                );
                fits(&variant.title, 800);
                variant.sku.iter().for_each(|sku| fits(sku, 255));
                assert!(variant.image.is_none_or(|index| index < product.images.len()));
                assert!((0..=i64::from(i32::MAX)).contains(&variant.on_hand));
            }
        }
    }

    #[test]
    fn descriptions_are_clean_as_they_are_written() {
        for product in &Catalog::read().unwrap().products {
            assert_eq!(sanitise(&product.description), product.description);
            assert!(product.description.starts_with("<p>"), "{}", product.slug);
        }
    }

    #[test]
    fn prices_are_in_the_currency_of_the_shop() {
        let lamp = |currency: &str| {
            let products = products(currency);
            let lamp = products
                .iter()
                .find(|product| product.slug == "fes-blue-oil-lamp")
                .unwrap();
            assert_eq!(lamp.currency.code(), currency);
            lamp.variants[0].price
        };
        assert_eq!((lamp("USD"), lamp("KWD")), (2_750, 27_500));
        assert_eq!(lamp("JPY"), 28, "rounded up to what the currency has");
    }

    #[test]
    fn what_is_reduced_was_dearer_in_every_currency() {
        for currency in ["USD", "JPY", "KWD"] {
            for variant in products(currency).iter().flat_map(|product| &product.variants) {
                assert!(variant.price > 0);
                assert!(
                    variant
                        .compare_at_price
                        .is_none_or(|before| before > variant.price),
                    "{:?}",
                    variant.sku
                );
            }
        }
    }
}
