//! A variant as clients see it.

use std::sync::Arc;

use async_graphql::{Context, ID, Object, SimpleObject};

use super::product::{Image, Product, currency};
use crate::domain::inventory::levels;
use crate::domain::permission::Permission;
use crate::entity::{inventory_level, product, product_variant};
use crate::graphql::context::ContextExt as _;
use crate::graphql::error::Result;
use crate::graphql::inventory::{InventoryLevel, int};
use crate::graphql::list::List;
use crate::graphql::loaders::{ImagesByProduct, LevelByVariant, OptionsByProduct};
use crate::graphql::money::Money;
use crate::kernel::money;

/// A variant, around its row and that of its product, which has its currency and its visibility.
#[derive(Clone, Debug)]
pub struct ProductVariant {
    row: Arc<product_variant::Model>,
    product: Arc<product::Model>,
}

impl ProductVariant {
    pub fn new(row: Arc<product_variant::Model>, product: Arc<product::Model>) -> Self {
        Self { row, product }
    }

    fn money(&self, minor: i64) -> Result<Money> {
        Ok(money::Money::new(minor, currency(&self.product)?).into())
    }

    async fn level(&self, ctx: &Context<'_>) -> Result<Option<inventory_level::Model>> {
        ctx.loaders()?.load_one(LevelByVariant(self.row.id)).await
    }

    async fn find_image(&self, ctx: &Context<'_>) -> Result<Option<Image>> {
        let Some(id) = self.row.image_id else {
            return Ok(None);
        };
        let images = ctx
            .loaders()?
            .load_one(ImagesByProduct(self.product.id))
            .await?
            .unwrap_or_default();
        images
            .iter()
            .find(|image| image.id == id)
            .map(|image| Image::try_from(image.as_ref()))
            .transpose()
    }

    async fn find_available(&self, ctx: &Context<'_>) -> Result<Option<i32>> {
        Ok(self
            .level(ctx)
            .await?
            .as_ref()
            .and_then(levels::available)
            .map(int))
    }

    async fn find_inventory(&self, ctx: &Context<'_>) -> Result<Option<InventoryLevel>> {
        if !ctx.domain()?.may(Permission::ReadUnpublished) {
            return Ok(None);
        }
        Ok(self
            .level(ctx)
            .await?
            .filter(|level| level.tracked)
            .as_ref()
            .map(InventoryLevel::from))
    }
}

/// The value that a variant has for the option in this place.
pub(super) fn option_value(variant: &product_variant::Model, position: i32) -> &str {
    match position {
        1 => &variant.option1,
        2 => &variant.option2,
        _ => &variant.option3,
    }
}

/// What is really sold: a product in one of its forms, with its own price and stock.
#[Object(cache_control(max_age = 30))]
impl ProductVariant {
    /// Identifies the variant for as long as it exists, e.g. `variant_01kb…`.
    pub async fn id(&self) -> ID {
        self.row.id.to_string().into()
    }

    /// The shop's own article number. Not a key: shops repeat it and leave it out. Null when not given.
    async fn sku(&self) -> Option<&str> {
        self.row.sku.as_deref()
    }

    /// What tells this variant from the others, e.g. `Red / XL`; `Default Title` when there is nothing to tell.
    async fn title(&self) -> &str {
        &self.row.title
    }

    /// Its value for each option of the product, in their order. Empty when the product has no options.
    async fn selected_options(&self, ctx: &Context<'_>) -> Result<List<SelectedOption>> {
        let options = ctx
            .loaders()?
            .load_one(OptionsByProduct(self.product.id))
            .await?
            .unwrap_or_default();
        let selected = options.iter().map(|option| SelectedOption {
            name: option.name.clone(),
            value: option_value(&self.row, option.position).to_owned(),
        });
        Ok(selected.filter(|selected| !selected.value.is_empty()).collect())
    }

    /// What it costs.
    async fn price(&self) -> Result<Money> {
        self.money(self.row.price)
    }

    /// What it cost before, to be shown struck through; null when not given. Real shops also keep prices
    /// here that are below `price`.
    async fn compare_at_price(&self) -> Option<Result<Money>> {
        Some(self.money(self.row.compare_at_price?))
    }

    /// The picture of this very variant; null when it has none of its own.
    async fn image(&self, ctx: &Context<'_>) -> Option<Result<Image>> {
        self.find_image(ctx).await.transpose()
    }

    /// Whether it can be had now. Always true when the shop does not count this variant.
    #[graphql(cache_control(max_age = 5))]
    async fn in_stock(&self, ctx: &Context<'_>) -> Result<bool> {
        Ok(self.level(ctx).await?.as_ref().is_some_and(levels::in_stock))
    }

    /// How many can be had now; null when the shop does not count this variant.
    #[graphql(cache_control(max_age = 5))]
    async fn available_quantity(&self, ctx: &Context<'_>) -> Option<Result<i32>> {
        self.find_available(ctx).await.transpose()
    }

    /// Its stock, for staff; null for everyone else, and when the shop does not count this variant.
    #[graphql(cache_control(private))]
    async fn inventory(&self, ctx: &Context<'_>) -> Option<Result<InventoryLevel>> {
        self.find_inventory(ctx).await.transpose()
    }

    /// The product that this is a variant of.
    async fn product(&self) -> Product {
        Product::new(Arc::clone(&self.product))
    }
}

/// The value that a variant has for one of the product's options.
#[derive(Clone, Debug, PartialEq, Eq, SimpleObject)]
#[graphql(cache_control(max_age = 30))]
pub(crate) struct SelectedOption {
    /// The option, e.g. `Size`.
    name: String,
    /// The value, e.g. `XL`.
    value: String,
}
