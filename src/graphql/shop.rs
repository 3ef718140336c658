//! The shop itself.

use async_graphql::{Context, Object};

use super::context::ContextExt as _;
use super::error::Result;
use super::scalars::CurrencyCode;

/// The shop, out of the settings.
#[derive(Clone, Copy, Debug)]
pub struct Shop;

/// The shop behind this API.
#[Object]
impl Shop {
    /// The name of the shop.
    async fn name<'a>(&self, ctx: &Context<'a>) -> Result<&'a str> {
        Ok(&ctx.domain()?.platform.shop.name)
    }

    /// The currency that the shop sells in: that of price filters, and of prices that staff enter.
    async fn currency_code(&self, ctx: &Context<'_>) -> Result<CurrencyCode> {
        Ok(CurrencyCode(ctx.domain()?.platform.shop.currency))
    }
}

#[derive(Debug, Default)]
pub struct ShopQuery;

#[Object]
impl ShopQuery {
    /// The shop behind this API.
    async fn shop(&self) -> Shop {
        Shop
    }
}
