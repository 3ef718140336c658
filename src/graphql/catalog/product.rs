//! A product as clients see it.

use std::str::FromStr as _;
use std::sync::Arc;

use async_graphql::resolver_utils::enum_value;
use async_graphql::{Context, Enum, ID, Object, ScalarType as _, SimpleObject};

use super::{Category, ProductVariant};
use crate::domain::catalog::rows;
use crate::domain::inventory::levels;
use crate::entity::{product, product_image, product_option, product_variant};
use crate::graphql::context::ContextExt as _;
use crate::graphql::error::{ApiError, Result};
use crate::graphql::limits;
use crate::graphql::loaders::{
    CategoryById, ImagesByProduct, LevelByVariant, OptionsByProduct, TagsByProduct, VariantsByProduct,
};
use crate::graphql::money::MoneyRange;
use crate::graphql::scalars::{DateTime, Url};
use crate::graphql::told::{Asked, Tell, Text, Told, ToldList};
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

    fn variant(&self, row: &Arc<product_variant::Model>) -> ProductVariant {
        ProductVariant::new(Arc::clone(row), Arc::clone(&self.row))
    }

    fn prices(&self) -> Result<MoneyRange> {
        let currency = currency(&self.row)?;
        let money = |minor| Money::new(minor, currency).into();
        Ok(MoneyRange {
            min: money(self.row.price_min),
            max: money(self.row.price_max),
        })
    }
}

impl Tell for Product {
    fn tell(&self, field: &str, asked: &Asked<'_>, text: &mut Text) -> Option<()> {
        let row = self.row.as_ref();
        match field {
            "id" => text.shown(row.id),
            "slug" => text.string(&row.slug),
            "name" => text.string(&row.name),
            "description" => text.string(&row.description),
            "vendor" => text.optional(row.vendor.as_deref()),
            "productType" => text.optional(row.product_type.as_deref()),
            "tags" => {
                let tags = rows::tags_at_hand(asked.domain, row.id)?;
                text.strings(tags.iter().map(String::as_str))
            }
            "status" => text.value(&enum_value(ProductStatus::from(row.status))),
            "category" => text.category(asked, row.category_id),
            "options" => {
                let options = rows::options_at_hand(asked.domain, row.id)?;
                let variants = rows::variants_at_hand(asked.domain, row.id)?;
                text.list(asked, product_options(&options, &variants))
            }
            "variants" => {
                let count = limits::first(asked.number("first")?, DEFAULT_VARIANTS, MAX_VARIANTS).ok()?;
                let variants = rows::variants_at_hand(asked.domain, row.id)?;
                let shown = variants.iter().take(count);
                text.list(asked, shown.map(|variant| self.variant(variant)))
            }
            "images" => {
                let count = limits::first(asked.number("first")?, DEFAULT_IMAGES, MAX_IMAGES).ok()?;
                let images = rows::images_at_hand(asked.domain, row.id)?;
                text.list(asked, images.iter().take(count).map(Image::new))
            }
            "featuredImage" => {
                let images = rows::images_at_hand(asked.domain, row.id)?;
                match images.first() {
                    Some(image) => text.object(asked, &Image::new(image)),
                    None => text.null(),
                }
            }
            "priceRange" => text.object(asked, &self.prices().ok()?),
            "version" => text.integer(row.version),
            "createdAt" => text.value(&DateTime(row.created_at).to_value()),
            "updatedAt" => text.value(&DateTime(row.updated_at).to_value()),
            _ => None,
        }
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
    async fn category(&self, ctx: &Context<'_>) -> Option<Result<Told<Category>>> {
        let category = category(ctx, self.row.category_id?).await;
        category.map(|found| found.map(Told)).transpose()
    }

    /// What its variants differ in, such as size and colour. At most three; empty when it comes in one
    /// form only.
    async fn options(&self, ctx: &Context<'_>) -> Result<ToldList<ProductOption>> {
        let loaders = ctx.loaders()?;
        let (options, variants) = futures_util::try_join!(
            loaders.load_one(OptionsByProduct(self.row.id)),
            loaders.load_one(VariantsByProduct(self.row.id))
        )?;
        let variants = variants.unwrap_or_default();
        let options = options.unwrap_or_default();
        Ok(product_options(&options, &variants).collect())
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
    ) -> Result<ToldList<ProductVariant>> {
        let count = limits::first(first, DEFAULT_VARIANTS, MAX_VARIANTS)?;
        let variants = ctx
            .loaders()?
            .load_one(VariantsByProduct(self.row.id))
            .await?
            .unwrap_or_default();
        let shown = variants.iter().take(count);
        Ok(shown.map(|variant| self.variant(variant)).collect())
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
    ) -> Result<ToldList<Image>> {
        let count = limits::first(first, DEFAULT_IMAGES, MAX_IMAGES)?;
        let images = ctx
            .loaders()?
            .load_one(ImagesByProduct(self.row.id))
            .await?
            .unwrap_or_default();
        Ok(images.iter().take(count).map(Image::new).collect())
    }

    /// The first of its pictures; null when it has none.
    async fn featured_image(&self, ctx: &Context<'_>) -> Option<Result<Told<Image>>> {
        let image = featured_image(ctx, &self.row).await;
        image.map(|found| found.map(Told)).transpose()
    }

    /// The lowest and the highest price of its variants.
    async fn price_range(&self) -> Result<Told<MoneyRange>> {
        self.prices().map(Told)
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

/// A picture of a product, around its row.
#[derive(Clone, Debug)]
pub struct Image {
    row: Arc<product_image::Model>,
}

impl Image {
    pub(super) fn new(row: &Arc<product_image::Model>) -> Self {
        Self { row: Arc::clone(row) }
    }
}

/// A picture, by its address.
#[Object(cache_control(max_age = 30))]
impl Image {
    /// Where the picture is. An `http` or `https` address.
    async fn url(&self) -> Result<Url> {
        let url = url::Url::parse(&self.row.url).map_err(Error::internal)?;
        Ok(Url(url))
    }

    /// What the picture shows, for those who cannot see it; null when nobody has said.
    async fn alt_text(&self) -> Option<&str> {
        self.row.alt_text.as_deref()
    }

    /// Its place among the product's pictures, from 1.
    async fn position(&self) -> i32 {
        self.row.position
    }
}

impl Tell for Image {
    fn tell(&self, field: &str, _: &Asked<'_>, text: &mut Text) -> Option<()> {
        match field {
            "url" if !self.row.url.is_empty() => text.string(&self.row.url),
            "altText" => text.optional(self.row.alt_text.as_deref()),
            "position" => text.integer(self.row.position),
            _ => None,
        }
    }
}

impl Tell for ProductOption {
    fn tell(&self, field: &str, _: &Asked<'_>, text: &mut Text) -> Option<()> {
        match field {
            "name" => text.string(&self.name),
            "values" => text.strings(self.values.iter().map(String::as_str)),
            _ => None,
        }
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
    Ok(images.first().map(Image::new))
}

/// What its variants differ in.
fn product_options(
    options: &[product_option::Model],
    variants: &[Arc<product_variant::Model>],
) -> impl Iterator<Item = ProductOption> {
    options.iter().map(move |option| {
        let mut values: Vec<String> = Vec::new();
        for variant in variants {
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
}
