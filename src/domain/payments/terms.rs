//! Whether the shop takes a payment for an order in the way that is asked for, and what it comes to.

use url::Url;

use super::create::CreatePayment;
use crate::domain::context::Context;
use crate::entity::shop_order;
use crate::infra::gateways::charged;
use crate::kernel::error::{Error, ErrorCode, Result};
use crate::kernel::money::{Currency, Money};

/// What a gateway takes for an order.
pub(super) struct Terms {
    pub(super) money: Money,
    pub(super) phone: Option<String>,
}

/// Whether the shop offers this way to pay the order, and what it comes to.
pub(super) fn terms(
    ctx: &Context,
    command: &CreatePayment,
    order: &shop_order::Model,
    phone: Option<&str>,
) -> Result<Terms> {
    let refused = |code, path, message: String| Err(Error::refused(code, path, message));
    let Some(gateway) = ctx.platform.gateways.offered(command.gateway) else {
        let message = "the shop does not offer this gateway".to_owned();
        return refused(ErrorCode::GatewayNotConfigured, "gateway", message);
    };
    let currency: Currency = order.currency.parse().map_err(Error::internal)?;
    if !gateway.takes(currency) {
        let message = format!("this gateway does not take {currency}");
        return refused(ErrorCode::CurrencyMismatch, "gateway", message);
    }
    if !gateway.capabilities().flows.contains(&command.flow) {
        let message = "this gateway does not have this flow".to_owned();
        return refused(ErrorCode::Invalid, "flow", message);
    }
    if !leads_home(ctx, command.return_url.as_ref()) {
        let message = "is at none of the shop's own addresses: see SOUK_RETURN_ORIGINS".to_owned();
        return refused(ErrorCode::Invalid, "returnUrl", message);
    }
    let Some(money) = charged(gateway, Money::new(order.total, currency)) else {
        let message = "the order costs more than this gateway can take".to_owned();
        return refused(ErrorCode::OutOfRange, "gateway", message);
    };
    match gateway.phone(phone) {
        Ok(phone) => Ok(Terms { money, phone }),
        Err(message) if phone.is_none() => refused(ErrorCode::Required, "phone", message),
        Err(message) => refused(ErrorCode::Invalid, "phone", message),
    }
}

/// Whether buyers may be sent on there: else anybody could make an address of the shop's that leads to his own.
fn leads_home(ctx: &Context, url: Option<&Url>) -> bool {
    match (url, &ctx.platform.orders.return_origins) {
        (Some(url), Some(allowed)) => allowed.contains(&url.origin().ascii_serialization()),
        (None, _) | (_, None) => true,
    }
}
