//! A product as clients see it.

use std::str::FromStr as _;
use std::sync::Arc;

use async_graphql::{Context, Enum, ID, Object, SimpleObject};

use super::{Category, ProductVariant};
use crate::domain::inventory::levels;
use crate::entity::{product, product_image};
use crate::graphql::context::ContextExt as _;
use crate::graphql::error::{ApiError, Result};
use crate::graphql::limits;
use crate::graphql::list::List;
use crate::graphql::loaders::{
    CategoryById, ImagesByProduct, LevelByVariant, OptionsByProduct, TagsByProduct, VariantsByProduct,
};
use crate::graphql::money::MoneyRange;
use crate::graphql::scalars::{DateTime, Url};
use crate::kernel::error::Error;
use crate::kernel::money::{Currency, Money};

/// As many variants as a product can have.
pub(super) const MAX_VARIANTS: usize = 2048;
const DEFAULT_VARIANTS: usize = 100;
/// As many images as a product can have.
const MAX_IMAGES: usize = 250;
const DEFAULT_IMAGES: usize = 20;

/// Whether a product is for sale.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "crate::entity::product::ProductStatus")]
pub enum ProductStatus {
    /// Being prepared: only staff see it.
    Draft,
    /// For sale: everybody sees it.
    Active,
    /// No longer for sale: only staff see it.
    Archived,
}

/// A product, around its row.
#[derive(Clone, Debug)]
pub struct Product {
    row: Arc<product::Model>,
}

impl Product {
    pub fn new(row: Arc<product::Model>) -> Self {
        Self { row }
    }
}

/// The currency of a product's prices.
pub(super) fn currency(product: &product::Model) -> Result<Currency> {
    Currency::from_str(&product.currency)
        .map_err(Error::internal)
        .map_err(ApiError::from)
}

/// Something that the shop offers, in one or more variants.
#[Object(cache_control(max_age = 30))]
impl Product {
    /// Identifies the product for as long as it exists, e.g. `product_01kb…`.
    pub async fn id(&self) -> ID {
        self.row.id.to_string().into()
    }

    /// The product's part of a web address. Unique, but staff may change it.
    async fn slug(&self) -> &str {
        &self.row.slug
    }

    /// What the product is called. 1 to 255 characters.
    async fn name(&self) -> &str {
        &self.row.name
    }

    /// What the product is, as HTML that was sanitised when it was written: it holds no scripts, styles or
    /// event handlers. Empty when there is none.
    async fn description(&self) -> &str {
        &self.row.description
    }

    /// Who makes it; null when not given.
    async fn vendor(&self) -> Option<&str> {
        self.row.vendor.as_deref()
    }

    /// What kind of thing it is, in the shop's own words; null when not given.
    async fn product_type(&self) -> Option<&str> {
        self.row.product_type.as_deref()
    }

    /// Free labels, in the order in which staff gave them. At most 250.
    async fn tags(&self, ctx: &Context<'_>) -> Result<Vec<String>> {
        let tags = ctx.loaders()?.load_one(TagsByProduct(self.row.id)).await?;
        Ok(tags.map(|tags| tags.to_vec()).unwrap_or_default())
    }

    /// Whether it is for sale. Everyone but staff only ever sees ACTIVE.
    async fn status(&self) -> ProductStatus {
        self.row.status.into()
    }

    /// The category that it stands in; null when it stands in none.
    async fn category(&self, ctx: &Context<'_>) -> Option<Result<Category>> {
        category(ctx, self.row.category_id?).await.transpose()
    }

    /// What its variants differ in, such as size and colour. At most three; empty when it comes in one
    /// form only.
    async fn options(&self, ctx: &Context<'_>) -> Result<List<ProductOption>> {
        let loaders = ctx.loaders()?;
        let (options, variants) = futures_util::try_join!(
            loaders.load_one(OptionsByProduct(self.row.id)),
            loaders.load_one(VariantsByProduct(self.row.id))
        )?;
        let variants = variants.unwrap_or_default();
        let options = options.unwrap_or_default();
        Ok(options
            .iter()
            .map(|option| {
                let mut values: Vec<String> = Vec::new();
                for variant in variants.iter() {
                    let value = super::variant::option_value(variant, option.position);
                    if !value.is_empty() && !values.iter().any(|seen| seen == value) {
                        values.push(value.to_owned());
                    }
                }
                ProductOption {
                    name: option.name.clone(),
                    values,
                }
            })
            .collect())
    }

    /// The forms that it is sold in, in the order of the shop. Never empty.
    async fn variants(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            default = 100,
            desc = "How many at most: 0 to 2048, which is as many as a product can have."
        )]
        first: Option<i32>,
    ) -> Result<List<ProductVariant>> {
        let count = limits::first(first, DEFAULT_VARIANTS, MAX_VARIANTS)?;
        let variants = ctx
            .loaders()?
            .load_one(VariantsByProduct(self.row.id))
            .await?
            .unwrap_or_default();
        let shown = variants.iter().take(count);
        Ok(shown
            .map(|variant| ProductVariant::new(Arc::clone(variant), Arc::clone(&self.row)))
            .collect())
    }

    /// Its pictures, in the order of the shop.
    async fn images(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            default = 20,
            desc = "How many at most: 0 to 250, which is as many as a product can have."
        )]
        first: Option<i32>,
    ) -> Result<List<Image>> {
        let count = limits::first(first, DEFAULT_IMAGES, MAX_IMAGES)?;
        let images = ctx
            .loaders()?
            .load_one(ImagesByProduct(self.row.id))
            .await?
            .unwrap_or_default();
        images
            .iter()
            .take(count)
            .map(|image| Image::try_from(image.as_ref()))
            .collect()
    }

    /// The first of its pictures; null when it has none.
    async fn featured_image(&self, ctx: &Context<'_>) -> Option<Result<Image>> {
        featured_image(ctx, &self.row).await.transpose()
    }

    /// The lowest and the highest price of its variants.
    async fn price_range(&self) -> Result<MoneyRange> {
        let currency = currency(&self.row)?;
        let money = |minor| Money::new(minor, currency).into();
        Ok(MoneyRange {
            min: money(self.row.price_min),
            max: money(self.row.price_max),
        })
    }

    /// Whether at least one of its variants can be had now.
    #[graphql(cache_control(max_age = 5))]
    async fn in_stock(&self, ctx: &Context<'_>) -> Result<bool> {
        let loaders = ctx.loaders()?;
        let variants = loaders
            .load_one(VariantsByProduct(self.row.id))
            .await?
            .unwrap_or_default();
        let levels = loaders
            .load_many(variants.iter().map(|variant| LevelByVariant(variant.id)))
            .await?;
        Ok(levels.values().any(levels::in_stock))
    }

    /// Grows by one with each change of the product, its variants or images. Send it back as `expectedVersion`
    /// to change the product only if nobody else did meanwhile.
    async fn version(&self) -> i32 {
        self.row.version
    }

    /// When the product was added.
    async fn created_at(&self) -> DateTime {
        DateTime(self.row.created_at)
    }

    /// When the product, its variants or images last changed. Stock does not count.
    async fn updated_at(&self) -> DateTime {
        DateTime(self.row.updated_at)
    }
}

/// Something that the variants of a product differ in.
#[derive(Clone, Debug, PartialEq, Eq, SimpleObject)]
#[graphql(cache_control(max_age = 30))]
pub(crate) struct ProductOption {
    /// What it is called, e.g. `Size`. Unique within the product.
    name: String,
    /// The values that the variants have, each once, in the order of the variants.
    values: Vec<String>,
}

/// A picture, by its address.
#[derive(Clone, Debug, PartialEq, Eq, SimpleObject)]
#[graphql(cache_control(max_age = 30))]
pub struct Image {
    /// Where the picture is. An `http` or `https` address.
    url: Url,
    /// What the picture shows, for those who cannot see it; null when nobody has said.
    alt_text: Option<String>,
    /// Its place among the product's pictures, from 1.
    position: i32,
}

impl TryFrom<&product_image::Model> for Image {
    type Error = ApiError;

    fn try_from(row: &product_image::Model) -> Result<Self> {
        let url = url::Url::parse(&row.url).map_err(Error::internal)?;
        Ok(Self {
            url: Url(url),
            alt_text: row.alt_text.clone(),
            position: row.position,
        })
    }
}

async fn category(ctx: &Context<'_>, id: crate::kernel::id::CategoryId) -> Result<Option<Category>> {
    Ok(ctx
        .loaders()?
        .load_one(CategoryById(id))
        .await?
        .map(Category::new))
}

async fn featured_image(ctx: &Context<'_>, product: &product::Model) -> Result<Option<Image>> {
    let images = ctx
        .loaders()?
        .load_one(ImagesByProduct(product.id))
        .await?
        .unwrap_or_default();
    images
        .first()
        .map(|image| Image::try_from(image.as_ref()))
        .transpose()
}
