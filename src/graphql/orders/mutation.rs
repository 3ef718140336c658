//! Mutations of orders.

use std::sync::Arc;

use async_graphql::{Context, Object};
use secrecy::ExposeSecret as _;

use super::inputs::{FulfillmentCreateInput, FulfillmentDeliverInput, OrderCancelInput, OrderPlaceInput};
use super::payloads::{
    FulfillmentCreatePayload, FulfillmentDeliverPayload, OrderCancelPayload, OrderPlacePayload,
};
use super::{Fulfillment, Order};
use crate::domain::checkout::fulfill::Sent;
use crate::domain::checkout::place::Placed;
use crate::domain::checkout::{cancel, deliver, fulfill, place};
use crate::domain::context::Context as DomainContext;
use crate::domain::permission::Permission;
use crate::entity::shop_order;
use crate::graphql::context::ContextExt as _;
use crate::graphql::error::Result;
use crate::graphql::guard::Requires;
use crate::graphql::ids::parse_id;
use crate::graphql::user_error::refused;

#[derive(Debug, Default)]
pub struct OrdersMutation;

async fn placed(ctx: &DomainContext, input: OrderPlaceInput) -> Result<Placed> {
    Ok(place::place(ctx, &input.into_domain()?).await?)
}

async fn cancelled(ctx: &DomainContext, input: OrderCancelInput) -> Result<Arc<shop_order::Model>> {
    let id = parse_id(&input.order_id, "input.orderId")?;
    Ok(cancel::cancel(ctx, id, &input.reason).await?)
}

async fn sent(ctx: &DomainContext, input: FulfillmentCreateInput) -> Result<Sent> {
    Ok(fulfill::fulfill(ctx, &input.into_domain()?).await?)
}

async fn delivered(ctx: &DomainContext, input: FulfillmentDeliverInput) -> Result<Sent> {
    let id = parse_id(&input.fulfillment_id, "input.fulfillmentId")?;
    Ok(deliver::deliver(ctx, id).await?)
}

fn shown(sent: Option<Sent>) -> (Option<Fulfillment>, Option<Order>) {
    sent.map(|(parcel, order)| (Fulfillment::new(parcel, Arc::clone(&order)), Order::new(order)))
        .unzip()
}

#[Object]
impl OrdersMutation {
    /// Makes an order of a cart: at today's prices, with its stock held until it is paid, for 15 minutes unless the shop is
    /// set up otherwise; then it is EXPIRED. An order that costs nothing is CONFIRMED at once. Refused with
    /// INSUFFICIENT_STOCK for each line of which there is too little (`params.available` is left), PRODUCT_UNAVAILABLE for what
    /// is not for sale any more, PRICE_CHANGED when the total is not the expected one, CART_EMPTY, and NOT_FOUND for a cart that
    /// is not yours or has been ordered already. Done once for each `idempotencyKey`, however often it is sent.
    async fn order_place(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The cart, and where it goes.")] input: OrderPlaceInput,
    ) -> Result<OrderPlacePayload> {
        let (placed, user_errors) = refused(placed(ctx.domain()?, input).await)?;
        let (order, guest_token) = placed
            .map(|Placed { order, guest_token }| (Order::new(order), guest_token))
            .unzip();
        let guest_token = guest_token
            .flatten()
            .map(|token| token.expose_secret().to_owned());
        Ok(OrderPlacePayload {
            order,
            guest_token,
            user_errors,
        })
    }

    /// Takes an order back before anything of it is sent: its stock is free again, and what was paid goes back. TRANSITION_INVALID
    /// once something was sent. Cancelling a cancelled order changes nothing. For its customer, and for staff.
    #[graphql(guard = "Requires(Permission::OwnAccount)")]
    async fn order_cancel(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The order, and why.")] input: OrderCancelInput,
    ) -> Result<OrderCancelPayload> {
        let (order, user_errors) = refused(cancelled(ctx.domain()?, input).await)?;
        let order = order.map(Order::new);
        Ok(OrderCancelPayload { order, user_errors })
    }

    /// Writes down that a parcel was sent: what is in it leaves the stock. TRANSITION_INVALID for an order that is not CONFIRMED or
    /// has nothing left to send; OUT_OF_RANGE for more of a line than is left. Done once for each `idempotencyKey`. Staff only.
    #[graphql(guard = "Requires(Permission::WriteOrders)")]
    async fn fulfillment_create(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The parcel.")] input: FulfillmentCreateInput,
    ) -> Result<FulfillmentCreatePayload> {
        let (sent, user_errors) = refused(sent(ctx.domain()?, input).await)?;
        let (fulfillment, order) = shown(sent);
        Ok(FulfillmentCreatePayload {
            fulfillment,
            order,
            user_errors,
        })
    }

    /// Writes down that a parcel has arrived. Once everything has, and is paid, the order is COMPLETED. A parcel that has
    /// arrived already is not changed. Staff only.
    #[graphql(guard = "Requires(Permission::WriteOrders)")]
    async fn fulfillment_deliver(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The parcel.")] input: FulfillmentDeliverInput,
    ) -> Result<FulfillmentDeliverPayload> {
        let (sent, user_errors) = refused(delivered(ctx.domain()?, input).await)?;
        let (fulfillment, order) = shown(sent);
        Ok(FulfillmentDeliverPayload {
            fulfillment,
            order,
            user_errors,
        })
    }
}
