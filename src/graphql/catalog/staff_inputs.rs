//! What staff say of products and categories.

use async_graphql::{ID, InputObject, MaybeUndefined};

use super::ProductStatus;
use crate::domain::catalog::create::{CreateProduct, CreateVariant};
use crate::domain::catalog::create_category::CreateCategory;
use crate::domain::catalog::update::UpdateProduct;
use crate::domain::catalog::update_variant::UpdateVariant;
use crate::graphql::ids::parse_id;
use crate::graphql::scalars::{Decimal, Url};
use crate::kernel::change::Change;
use crate::kernel::error::Result;
use crate::kernel::id::CategoryId;

/// A new product.
#[derive(Clone, Debug, InputObject)]
pub struct ProductCreateInput {
    /// What it is called. 1 to 255 characters.
    name: String,
    /// Its part of a web address: 1 to 255 lower-case letters, digits, `-` and `_`, not used by another product
    /// (else TAKEN). When null, one is made from the name, with a number behind it if need be.
    slug: Option<String>,
    /// HTML of at most 100,000 characters. Scripts, styles and event handlers are taken out.
    description: Option<String>,
    /// Who makes it. At most 255 characters.
    vendor: Option<String>,
    /// What kind of thing it is, in the shop's own words. At most 255 characters.
    product_type: Option<String>,
    /// Free labels. At most 250, each of 1 to 255 characters; repeated ones are kept once.
    tags: Option<Vec<String>>,
    /// Whether customers see it at once.
    #[graphql(default_with = "Some(ProductStatus::Draft)")]
    status: Option<ProductStatus>,
    /// The category that it stands in; none when null.
    category_id: Option<ID>,
    /// Its pictures, in their order. At most 250; repeated ones are kept once.
    image_urls: Option<Vec<Url>>,
    /// The forms that it is sold in: 1 to 250. All must name the same options in the same order, and no two may have
    /// the same values.
    variants: Vec<ProductVariantInput>,
}

/// A new variant.
#[derive(Clone, Debug, InputObject)]
pub struct ProductVariantInput {
    /// The shop's own article number. At most 255 characters; need not be unique.
    sku: Option<String>,
    /// What it is called. At most 255 characters. When null, the values of its options, e.g. `Red / XL`.
    title: Option<String>,
    /// Its value for each option of the product. At most three.
    selected_options: Option<Vec<SelectedOptionInput>>,
    /// What it costs, in the currency of the shop: from 0 to 1,000,000,000,000 minor units (cents), with no more decimals than
    /// the currency has.
    price: Decimal,
    /// What it cost before, to be shown struck through. With the limits of `price`.
    compare_at_price: Option<Decimal>,
    /// Whether its stock is counted. When false it can always be had.
    #[graphql(default_with = "Some(true)")]
    tracks_inventory: Option<bool>,
    /// How many there are, when its stock is counted. 0 to 2,147,483,647.
    #[graphql(default_with = "Some(0)")]
    on_hand: Option<i32>,
}

/// The value of a variant for an option.
#[derive(Clone, Debug, InputObject)]
pub struct SelectedOptionInput {
    /// The option, e.g. `Size`. 1 to 255 characters.
    name: String,
    /// The value, e.g. `XL`. 1 to 255 characters.
    value: String,
}

/// Changes of a product. What is left out stays as it is.
#[derive(Clone, Debug, InputObject)]
pub struct ProductUpdateInput {
    /// The product.
    product_id: ID,
    /// The `version` that you read. When the product has another one by now, nothing is changed and STALE_OBJECT tells
    /// which. When null, the last to write wins.
    expected_version: Option<i32>,
    /// A new name. 1 to 255 characters; cannot be null.
    name: MaybeUndefined<String>,
    /// A new part of its web address, not used by another product (else TAKEN); cannot be null.
    slug: MaybeUndefined<String>,
    /// A new description, as HTML of at most 100,000 characters; null empties it.
    description: MaybeUndefined<String>,
    /// Another maker; null for none.
    vendor: MaybeUndefined<String>,
    /// Another kind of thing; null for none.
    product_type: MaybeUndefined<String>,
    /// All its labels, in place of those that it has; null for none. At most 250.
    tags: MaybeUndefined<Vec<String>>,
    /// Whether it is for sale; cannot be null.
    status: MaybeUndefined<ProductStatus>,
    /// Another category; null for none.
    category_id: MaybeUndefined<ID>,
    /// All its pictures, in place of those that it has; null for none. At most 250. One that stays keeps its text, and the variants that
    /// show it.
    image_urls: MaybeUndefined<Vec<Url>>,
}

/// Changes of a variant. What is left out stays as it is.
#[derive(Clone, Debug, InputObject)]
pub struct ProductVariantUpdateInput {
    /// The variant.
    variant_id: ID,
    /// Another article number; null for none.
    sku: MaybeUndefined<String>,
    /// A new title; null for the values of its options.
    title: MaybeUndefined<String>,
    /// A new price, in the currency of the product: from 0 to 1,000,000,000,000 minor units (cents); cannot be null.
    price: MaybeUndefined<Decimal>,
    /// Another price from before; null for none.
    compare_at_price: MaybeUndefined<Decimal>,
}

/// A new category.
#[derive(Clone, Debug, InputObject)]
pub struct CategoryCreateInput {
    /// What it is called. 1 to 255 characters.
    name: String,
    /// Its part of a web address, not used by another category (else TAKEN). When null, one is made from the name.
    slug: Option<String>,
    /// The category to put it below; a root when null. Trees have at most ten levels.
    parent_id: Option<ID>,
}

impl ProductCreateInput {
    pub(super) fn into_domain(self) -> Result<CreateProduct> {
        Ok(CreateProduct {
            name: self.name,
            slug: self.slug,
            description: self.description,
            vendor: self.vendor,
            product_type: self.product_type,
            tags: self.tags.unwrap_or_default(),
            status: self.status.map(Into::into),
            category_id: category_id(self.category_id.as_ref(), "input.categoryId")?,
            image_urls: urls(self.image_urls.unwrap_or_default()),
            variants: self
                .variants
                .into_iter()
                .map(ProductVariantInput::into_domain)
                .collect(),
        })
    }
}

impl ProductVariantInput {
    fn into_domain(self) -> CreateVariant {
        let options = self.selected_options.unwrap_or_default();
        CreateVariant {
            sku: self.sku,
            title: self.title,
            selected_options: options
                .into_iter()
                .map(|option| (option.name, option.value))
                .collect(),
            price: self.price.0,
            compare_at_price: self.compare_at_price.map(|price| price.0),
            tracks_inventory: self.tracks_inventory.unwrap_or(true),
            on_hand: self.on_hand.unwrap_or(0).into(),
        }
    }
}

impl ProductUpdateInput {
    pub(super) fn product_id(&self) -> &ID {
        &self.product_id
    }

    pub(super) fn into_domain(self) -> Result<UpdateProduct> {
        Ok(UpdateProduct {
            expected_version: self.expected_version,
            name: self.name.into(),
            slug: self.slug.into(),
            description: self.description.into(),
            vendor: self.vendor.into(),
            product_type: self.product_type.into(),
            tags: self.tags.into(),
            status: Change::from(self.status).map(Into::into),
            category_id: match Change::from(self.category_id) {
                Change::Keep => Change::Keep,
                Change::Clear => Change::Clear,
                Change::Set(id) => Change::Set(parse_id(&id, "input.categoryId")?),
            },
            image_urls: Change::from(self.image_urls).map(urls),
        })
    }
}

impl ProductVariantUpdateInput {
    pub(super) fn variant_id(&self) -> &ID {
        &self.variant_id
    }

    pub(super) fn into_domain(self) -> UpdateVariant {
        UpdateVariant {
            sku: self.sku.into(),
            title: self.title.into(),
            price: Change::from(self.price).map(|price| price.0),
            compare_at_price: Change::from(self.compare_at_price).map(|price| price.0),
        }
    }
}

impl CategoryCreateInput {
    pub(super) fn into_domain(self) -> Result<CreateCategory> {
        let parent_id = category_id(self.parent_id.as_ref(), "input.parentId")?;
        Ok(CreateCategory {
            name: self.name,
            slug: self.slug,
            parent_id,
        })
    }
}

fn category_id(id: Option<&ID>, argument: &str) -> Result<Option<CategoryId>> {
    id.map(|id| parse_id(id, argument)).transpose()
}

fn urls(urls: Vec<Url>) -> Vec<url::Url> {
    urls.into_iter().map(|url| url.0).collect()
}
