//! What was ordered of one variant, as clients see it.

use std::sync::Arc;

use async_graphql::{Context, ID, Object};

use super::order::in_currency;
use crate::domain::catalog::rows;
use crate::entity::{order_line, shop_order};
use crate::graphql::catalog::ProductVariant;
use crate::graphql::context::ContextExt as _;
use crate::graphql::error::Result;
use crate::graphql::loaders::{ProductById, VariantById};
use crate::graphql::money::Money;
use crate::graphql::told::{Asked, Tell, Text, Told};

/// A line, around its row and that of its order, which has its currency.
#[derive(Clone, Debug)]
pub struct OrderLine {
    row: Arc<order_line::Model>,
    order: Arc<shop_order::Model>,
}

impl OrderLine {
    pub fn new(row: Arc<order_line::Model>, order: Arc<shop_order::Model>) -> Self {
        Self { row, order }
    }
}

/// What was ordered of one variant, as it was called and cost when the order was placed.
#[Object]
impl OrderLine {
    /// Identifies the line for good, e.g. `order_line_01kb…`.
    pub async fn id(&self) -> ID {
        self.row.id.to_string().into()
    }

    /// What the product was called.
    async fn product_name(&self) -> &str {
        &self.row.product_name
    }

    /// What the variant was called.
    async fn variant_title(&self) -> &str {
        &self.row.variant_title
    }

    /// The article number that it had; null when it had none.
    async fn sku(&self) -> Option<&str> {
        self.row.sku.as_deref()
    }

    /// How many were ordered.
    async fn quantity(&self) -> i32 {
        self.row.quantity
    }

    /// How many of them were sent.
    async fn fulfilled_quantity(&self) -> i32 {
        self.row.fulfilled_quantity
    }

    /// What one cost.
    async fn unit_price(&self) -> Result<Told<Money>> {
        in_currency(self.row.unit_price, &self.order.currency).map(Told)
    }

    /// What all of them cost.
    async fn line_total(&self) -> Result<Told<Money>> {
        in_currency(self.row.line_total, &self.order.currency).map(Told)
    }

    /// The variant as it is today; null once it is deleted, or no longer for sale.
    async fn variant(&self, ctx: &Context<'_>) -> Result<Option<Told<ProductVariant>>> {
        let Some(id) = self.row.variant_id else {
            return Ok(None);
        };
        let loaders = ctx.loaders()?;
        let Some(row) = loaders.load_one(VariantById(id)).await? else {
            return Ok(None);
        };
        let product = loaders.load_one(ProductById(row.product_id)).await?;
        Ok(product.map(|product| Told(ProductVariant::new(row, product))))
    }
}

impl Tell for OrderLine {
    fn tell(&self, field: &str, asked: &Asked<'_>, text: &mut Text) -> Option<()> {
        let row = self.row.as_ref();
        let money = |minor| in_currency(minor, &self.order.currency).ok();
        match field {
            "id" => text.shown(row.id),
            "productName" => text.string(&row.product_name),
            "variantTitle" => text.string(&row.variant_title),
            "sku" => text.optional(row.sku.as_deref()),
            "quantity" => text.integer(row.quantity),
            "fulfilledQuantity" => text.integer(row.fulfilled_quantity),
            "unitPrice" => text.object(asked, &money(row.unit_price)?),
            "lineTotal" => text.object(asked, &money(row.line_total)?),
            "variant" => {
                let Some(id) = row.variant_id else {
                    return text.null();
                };
                match rows::variant_at_hand(asked.domain, id)? {
                    Some((variant, product)) => text.object(asked, &ProductVariant::new(variant, product)),
                    None => text.null(),
                }
            }
            _ => None,
        }
    }
}
