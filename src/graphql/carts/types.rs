//! Carts, their lines and what has changed about them, as clients see them.

use std::collections::HashMap;
use std::sync::Arc;

use async_graphql::{Context, Enum, ID, Object, SimpleObject};

use crate::domain::carts::find::Lines;
use crate::domain::carts::goods::Goods;
use crate::domain::carts::today::{self, Warning};
use crate::entity::{cart, cart_line};
use crate::graphql::catalog::ProductVariant;
use crate::graphql::context::ContextExt as _;
use crate::graphql::error::Result;
use crate::graphql::list::List;
use crate::graphql::loaders::{GoodsByVariant, LevelByVariant, LinesByCart};
use crate::graphql::money::Money;
use crate::graphql::scalars::{CurrencyCode, DateTime};
use crate::kernel::error::Error;

/// A cart, around its row.
#[derive(Clone, Debug)]
pub struct Cart {
    row: Arc<cart::Model>,
}

impl Cart {
    pub fn new(row: Arc<cart::Model>) -> Self {
        Self { row }
    }

    async fn rows(&self, ctx: &Context<'_>) -> Result<Lines> {
        let lines = ctx.loaders()?.load_one(LinesByCart(self.row.id)).await?;
        Ok(lines.unwrap_or_default())
    }
}

/// What the lines are about, of those whose goods are still there.
async fn goods(ctx: &Context<'_>, lines: &Lines) -> Result<HashMap<GoodsByVariant, Goods>> {
    let keys = lines.iter().map(|line| GoodsByVariant(line.variant_id));
    ctx.loaders()?.load_many(keys).await
}

/// What somebody is about to buy. It holds no stock and promises no price: both are looked at afresh each time. A guest's
/// cart may be used by whoever knows its id; a customer's only by that customer, not even by staff. A cart that nobody changes
/// for long is deleted, after 30 days unless the shop says otherwise.
#[Object]
impl Cart {
    /// Identifies the cart for as long as it exists, e.g. `cart_5ztr…`. Nobody can guess it: keep a guest's like a password.
    pub async fn id(&self) -> ID {
        self.row.id.to_string().into()
    }

    /// What is in the cart, in the order in which it was put in: each variant once. At most 250.
    async fn lines(&self, ctx: &Context<'_>) -> Result<List<CartLine>> {
        let lines = self.rows(ctx).await?;
        Ok(lines.iter().cloned().map(CartLine::new).collect())
    }

    /// How many things are in it, of all lines together.
    async fn total_quantity(&self, ctx: &Context<'_>) -> Result<i32> {
        Ok(self.rows(ctx).await?.iter().map(|line| line.quantity).sum())
    }

    /// What the lines cost together today. Lines that are not for sale any more (PRODUCT_UNAVAILABLE) count nothing; those of
    /// which too few are left count in full.
    async fn subtotal(&self, ctx: &Context<'_>) -> Result<Money> {
        let lines = self.rows(ctx).await?;
        let goods = goods(ctx, &lines).await?;
        let sold = lines
            .iter()
            .filter_map(|line| Some((&**line, goods.get(&GoodsByVariant(line.variant_id))?)));
        Ok(today::subtotal(&self.row, sold)?.into())
    }

    /// The currency of the cart: the shop's.
    async fn currency_code(&self) -> Result<CurrencyCode> {
        Ok(CurrencyCode(today::currency(&self.row)?))
    }

    /// What has changed since the lines were put in, in the order of the lines; at most two of each line. Empty when the
    /// cart can be bought as it is, for what it cost then. To change a line, even to the quantity that it has, takes note of
    /// its price.
    async fn warnings(&self, ctx: &Context<'_>) -> Result<Vec<CartWarning>> {
        let loaders = ctx.loaders()?;
        let lines = self.rows(ctx).await?;
        let goods = goods(ctx, &lines).await?;
        // Only now: `variant { inStock }` beside it comes to its levels no sooner, and is asked together with these.
        let keys = lines.iter().map(|line| LevelByVariant(line.variant_id));
        let levels = loaders.load_many(keys).await?;
        let mut warnings = Vec::new();
        for line in lines.iter() {
            let Some(goods) = goods.get(&GoodsByVariant(line.variant_id)) else {
                continue;
            };
            let level = levels.get(&LevelByVariant(line.variant_id));
            for warning in today::warnings(&self.row, line, goods, level)? {
                warnings.push(CartWarning::of(line, goods, &warning));
            }
        }
        Ok(warnings)
    }

    /// When something was last put in, changed or taken out.
    async fn updated_at(&self) -> DateTime {
        DateTime(self.row.updated_at)
    }
}

/// A line, around its row.
#[derive(Clone, Debug)]
pub struct CartLine {
    row: Arc<cart_line::Model>,
}

impl CartLine {
    pub fn new(row: Arc<cart_line::Model>) -> Self {
        Self { row }
    }

    async fn goods(&self, ctx: &Context<'_>) -> Result<Goods> {
        let goods = ctx
            .loaders()?
            .load_one(GoodsByVariant(self.row.variant_id))
            .await?;
        goods.ok_or_else(|| Error::internal(anyhow::anyhow!("the goods of a line are gone")).into())
    }
}

/// How many of a variant are in a cart.
#[Object]
impl CartLine {
    /// Identifies the line for as long as it is in this cart, e.g. `cart_line_01kb…`.
    pub async fn id(&self) -> ID {
        self.row.id.to_string().into()
    }

    /// What it is, also when it is no longer for sale and cannot be found elsewhere.
    async fn variant(&self, ctx: &Context<'_>) -> Result<ProductVariant> {
        let Goods { variant, product } = self.goods(ctx).await?;
        Ok(ProductVariant::new(variant, product))
    }

    /// How many: 1 to 10,000.
    async fn quantity(&self) -> i32 {
        self.row.quantity
    }

    /// What one of them costs today.
    async fn unit_price(&self, ctx: &Context<'_>) -> Result<Money> {
        Ok(today::unit_price(&self.goods(ctx).await?)?.into())
    }

    /// What all of them cost today.
    async fn line_total(&self, ctx: &Context<'_>) -> Result<Money> {
        Ok(today::line_total(&self.row, &self.goods(ctx).await?)?.into())
    }
}

/// Something that has changed since it was put into the cart.
#[derive(Clone, Debug, SimpleObject)]
pub(super) struct CartWarning {
    /// What kind of change it is, for programs.
    code: CartWarningCode,
    /// What has changed, in English, for people.
    message: String,
    /// The line that it is about; null when it is about the cart as a whole.
    line_id: Option<ID>,
}

/// What can have changed about a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub(super) enum CartWarningCode {
    /// The price is not what it was when the line was last changed. `unitPrice` is today's.
    PriceChanged,
    /// Fewer are left than are in the cart; the message says how many.
    InsufficientStock,
    /// The product is not for sale any more.
    ProductUnavailable,
}

impl CartWarning {
    fn of(line: &cart_line::Model, goods: &Goods, warning: &Warning) -> Self {
        Self {
            code: match warning {
                Warning::PriceChanged { .. } => CartWarningCode::PriceChanged,
                Warning::InsufficientStock { .. } => CartWarningCode::InsufficientStock,
                Warning::Unavailable => CartWarningCode::ProductUnavailable,
            },
            message: warning.message(&goods.product.name),
            line_id: Some(line.id.to_string().into()),
        }
    }
}
