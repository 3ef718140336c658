//! A variant as clients see it.

use std::sync::Arc;

use async_graphql::{Context, ID, Object, SimpleObject};

use super::product::{Image, Product, currency};
use crate::domain::catalog::rows;
use crate::domain::inventory::levels;
use crate::domain::permission::Permission;
use crate::entity::{inventory_level, product, product_option, product_variant};
use crate::graphql::context::ContextExt as _;
use crate::graphql::error::Result;
use crate::graphql::inventory::{InventoryLevel, int};
use crate::graphql::loaders::{ImagesByProduct, LevelByVariant, OptionsByProduct};
use crate::graphql::money::Money;
use crate::graphql::told::{Asked, Tell, Text, Told, ToldList};
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

    fn selected(&self, options: &[product_option::Model]) -> impl Iterator<Item = SelectedOption> {
        let selected = options.iter().map(|option| SelectedOption {
            name: option.name.clone(),
            value: option_value(&self.row, option.position).to_owned(),
        });
        selected.filter(|selected| !selected.value.is_empty())
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
        Ok(images.iter().find(|image| image.id == id).map(Image::new))
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

impl Tell for ProductVariant {
    fn tell(&self, field: &str, asked: &Asked<'_>, text: &mut Text) -> Option<()> {
        let row = self.row.as_ref();
        match field {
            "id" => text.shown(row.id),
            "sku" => text.optional(row.sku.as_deref()),
            "title" => text.string(&row.title),
            "selectedOptions" => {
                let options = rows::options_at_hand(asked.domain, self.product.id)?;
                text.list(asked, self.selected(&options))
            }
            "price" => text.object(asked, &self.money(row.price).ok()?),
            "compareAtPrice" => match row.compare_at_price {
                Some(price) => text.object(asked, &self.money(price).ok()?),
                None => text.null(),
            },
            "image" => {
                let Some(id) = row.image_id else {
                    return text.null();
                };
                let images = rows::images_at_hand(asked.domain, self.product.id)?;
                match images.iter().find(|image| image.id == id) {
                    Some(image) => text.object(asked, &Image::new(image)),
                    None => text.null(),
                }
            }
            "product" => text.object(asked, &Product::new(Arc::clone(&self.product))),
            _ => None,
        }
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
    async fn selected_options(&self, ctx: &Context<'_>) -> Result<ToldList<SelectedOption>> {
        let options = ctx
            .loaders()?
            .load_one(OptionsByProduct(self.product.id))
            .await?
            .unwrap_or_default();
        Ok(self.selected(&options).collect())
    }

    /// What it costs.
    async fn price(&self) -> Result<Told<Money>> {
        self.money(self.row.price).map(Told)
    }

    /// What it cost before, to be shown struck through; null when not given. Real shops also keep prices
    /// here that are below `price`.
    async fn compare_at_price(&self) -> Option<Result<Told<Money>>> {
        Some(self.money(self.row.compare_at_price?).map(Told))
    }

    /// The picture of this very variant; null when it has none of its own.
    async fn image(&self, ctx: &Context<'_>) -> Option<Result<Told<Image>>> {
        let image = self.find_image(ctx).await;
        image.map(|found| found.map(Told)).transpose()
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
    async fn product(&self) -> Told<Product> {
        Told(Product::new(Arc::clone(&self.product)))
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

impl Tell for SelectedOption {
    fn tell(&self, field: &str, _: &Asked<'_>, text: &mut Text) -> Option<()> {
        match field {
            "name" => text.string(&self.name),
            "value" => text.string(&self.value),
            _ => None,
        }
    }
}
