//! The shop itself.

use async_graphql::{Context, Object};

use super::context::ContextExt as _;
use super::error::Result;
use super::list::List;
use super::payments::PaymentGateway;
use super::scalars::CurrencyCode;

/// The shop, out of the settings.
#[derive(Clone, Copy, Debug)]
pub struct Shop;

/// The shop behind this API.
#[Object(cache_control(max_age = 60))]
impl Shop {
    /// The name of the shop.
    async fn name<'a>(&self, ctx: &Context<'a>) -> Result<&'a str> {
        Ok(&ctx.domain()?.platform.shop.name)
    }

    /// The currency that the shop sells in: that of price filters, and of prices that staff enter.
    async fn currency_code(&self, ctx: &Context<'_>) -> Result<CurrencyCode> {
        Ok(CurrencyCode(ctx.domain()?.platform.shop.currency))
    }

    /// The ways in which orders can be paid, in the order in which to show them.
    async fn payment_gateways(&self, ctx: &Context<'_>) -> Result<List<PaymentGateway>> {
        let platform = &ctx.domain()?.platform;
        let currency = platform.shop.currency;
        let offered = platform.gateways.all_offered();
        let usable = offered.filter(|(_, gateway)| gateway.takes(currency));
        let gateway = usable.map(|(name, gateway)| PaymentGateway {
            name: name.into(),
            display_name: gateway.display_name(),
            currencies: vec![CurrencyCode(currency)],
            flows: gateway
                .capabilities()
                .flows
                .iter()
                .map(|flow| (*flow).into())
                .collect(),
        });
        Ok(gateway.collect())
    }
}

#[derive(Debug, Default)]
pub struct ShopQuery;

#[Object]
impl ShopQuery {
    /// The shop behind this API.
    #[graphql(cache_control(max_age = 60))]
    async fn shop(&self) -> Shop {
        Shop
    }
}
