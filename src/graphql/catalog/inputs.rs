//! What clients say of the products they want.

use std::collections::HashSet;

use async_graphql::{Enum, ID, InputObject, OneofObject};

use super::ProductStatus;
use crate::domain::catalog::listing::{self, CategoryRef, PriceRange};
use crate::graphql::ids::{parse_id, storable};
use crate::graphql::scalars::Decimal;
use crate::kernel::config::ShopConfig;
use crate::kernel::error::{Error, Result};
use crate::kernel::money::Money;
use crate::kernel::text::words;

/// Longer search texts are refused, and so are more words than a person types.
const MAX_TEXT: usize = 200;
const MAX_WORDS: usize = 16;

/// Names one product. Exactly one field must be given.
#[derive(Clone, Debug, OneofObject)]
pub enum ProductBy {
    /// By its id.
    Id(ID),
    /// By its part of a web address.
    Slug(String),
}

/// Names one category. Exactly one field must be given.
#[derive(Clone, Debug, OneofObject)]
pub enum CategoryBy {
    /// By its id.
    Id(ID),
    /// By its part of a web address.
    Slug(String),
}

/// Which products are wanted. All conditions that are given hold at once; an empty list matches nothing.
#[derive(Clone, Debug, Default, InputObject)]
pub struct ProductFilter {
    /// Only these. At most 250. Ids of products that you may not see are passed over.
    ids: Option<Vec<ID>>,
    /// Words that must all occur in name, vendor, type, tags or description, whatever their case, accents or
    /// plural `s`. At most 200 characters and 16 words.
    text: Option<String>,
    /// The category, or any below it. One that does not exist has no products.
    category: Option<CategoryBy>,
    /// Made by one of these, spelled as in `Product.vendor`. At most 250.
    vendors: Option<Vec<String>>,
    /// Of one of these types, spelled as in `Product.productType`. At most 250.
    product_types: Option<Vec<String>>,
    /// With at least one of these tags, spelled as in `Product.tags`. At most 250.
    tags: Option<Vec<String>>,
    /// With a variant at a price in this range.
    price: Option<PriceRangeInput>,
    /// True: at least one variant can be had now. False: none can.
    in_stock: Option<bool>,
    /// In one of these statuses, for staff. Everyone else sees ACTIVE products, and nothing when it is not among
    /// them.
    statuses: Option<Vec<ProductStatus>>,
}

/// A range of prices in the currency of the shop, both ends included.
#[derive(Clone, Copy, Debug, InputObject)]
pub(crate) struct PriceRangeInput {
    /// At least this much; no lower bound when null.
    min: Option<Decimal>,
    /// At most this much; no upper bound when null.
    max: Option<Decimal>,
}

/// The order of a list of products.
#[derive(Clone, Copy, Debug, InputObject)]
pub struct ProductSort {
    /// What to compare. Products that are equal in it are ordered by age.
    field: ProductSortField,
    /// Which way.
    #[graphql(default_with = "SortDirection::Asc")]
    direction: SortDirection,
}

/// What products can be sorted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "crate::domain::catalog::listing::SortField")]
pub enum ProductSortField {
    /// When the product was added. DESC: the newest first.
    CreatedAt,
    /// Its name, whatever its case and accents.
    Name,
    /// The lowest price of its variants. Prices in other currencies are compared by their number.
    Price,
    /// How well the words of `filter.text` match: a word in the name counts most, then vendor, type and tags, then
    /// the description. The best match always comes first, whatever the direction. Needs `filter.text`.
    Relevance,
}

/// Which way a list is sorted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub enum SortDirection {
    /// From small to large, old to new, A to Z.
    Asc,
    /// From large to small, new to old, Z to A.
    Desc,
}

impl From<ProductSort> for listing::Sort {
    fn from(sort: ProductSort) -> Self {
        Self {
            field: sort.field.into(),
            descending: sort.direction == SortDirection::Desc,
        }
    }
}

impl ProductFilter {
    /// The filter as the domain knows it.
    ///
    /// # Errors
    /// BadInput that names the field.
    pub(super) fn into_domain(self, shop: &ShopConfig) -> Result<listing::ProductFilter> {
        let ids = self.ids.map(|ids| {
            let parsed = (0..)
                .zip(&ids)
                .map(|(i, id): (usize, &ID)| parse_id(id, &format!("filter.ids.{i}")));
            parsed.collect::<Result<Vec<_>>>()
        });
        Ok(listing::ProductFilter {
            ids: ids.transpose()?,
            words: self.text.as_deref().map_or(Ok(None), text)?,
            category: self
                .category
                .map(|by| by.into_domain("filter.category"))
                .transpose()?,
            vendors: storable_all(self.vendors, "filter.vendors")?,
            product_types: storable_all(self.product_types, "filter.productTypes")?,
            tags: storable_all(self.tags, "filter.tags")?,
            price: self.price.map(|price| price.into_domain(shop)).transpose()?,
            in_stock: self.in_stock,
            statuses: self
                .statuses
                .map(|statuses| statuses.into_iter().map(Into::into).collect()),
        })
    }
}

fn storable_all(texts: Option<Vec<String>>, argument: &str) -> Result<Option<Vec<String>>> {
    let check = |(i, text): (usize, String)| storable(text, &format!("{argument}.{i}"));
    texts
        .map(|texts| texts.into_iter().enumerate().map(check).collect())
        .transpose()
}

/// The words of a search, each once; None when nothing was typed.
fn text(text: &str) -> Result<Option<Vec<String>>> {
    if text.chars().count() > MAX_TEXT {
        return Err(Error::bad_input(
            "filter.text",
            format!("has more than {MAX_TEXT} characters"),
        ));
    }
    if text.trim().is_empty() {
        return Ok(None);
    }
    let mut seen = HashSet::new();
    let words: Vec<_> = words(text)
        .into_iter()
        .filter(|word| seen.insert(word.clone()))
        .collect();
    if words.len() > MAX_WORDS {
        return Err(Error::bad_input(
            "filter.text",
            format!("has more than {MAX_WORDS} words"),
        ));
    }
    Ok(Some(words))
}

impl CategoryBy {
    pub(super) fn into_domain(self, argument: &str) -> Result<CategoryRef> {
        Ok(match self {
            Self::Id(id) => CategoryRef::Id(parse_id(&id, &format!("{argument}.id"))?),
            Self::Slug(slug) => CategoryRef::Slug(storable(slug, &format!("{argument}.slug"))?),
        })
    }
}

impl PriceRangeInput {
    fn into_domain(self, shop: &ShopConfig) -> Result<PriceRange> {
        let bound = |bound: Option<Decimal>, name: &str| {
            let argument = format!("filter.price.{name}");
            let money = bound.map(|Decimal(amount)| {
                if amount.is_sign_negative() && !amount.is_zero() {
                    return Err(Error::bad_input(&argument, "must not be negative"));
                }
                Money::from_decimal(amount, shop.currency)
                    .map(|money| money.minor)
                    .map_err(|error| Error::bad_input(&argument, error.to_string()))
            });
            money.transpose()
        };
        let range = PriceRange {
            min: bound(self.min, "min")?,
            max: bound(self.max, "max")?,
        };
        match (range.min, range.max) {
            (Some(min), Some(max)) if min > max => {
                Err(Error::bad_input("filter.price.max", "is below `min`"))
            }
            _ => Ok(range),
        }
    }
}
