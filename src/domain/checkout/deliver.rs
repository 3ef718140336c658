//! Parcels that have arrived.

use std::collections::HashMap;
use std::sync::Arc;

use sea_orm::{
    ActiveModelTrait as _, ColumnTrait as _, EntityTrait as _, IntoActiveModel as _, QueryFilter as _,
};
use serde_json::json;

use super::fulfill::Sent;
use crate::domain::audit::record::{Deed, record};
use crate::domain::context::Context;
use crate::domain::orders::change::{OrderInHand, commit};
use crate::domain::orders::state;
use crate::domain::permission::Permission;
use crate::entity::fulfillment::FulfillmentStatus;
use crate::entity::order_event::OrderEventType;
use crate::entity::{fulfillment, fulfillment_line};
use crate::kernel::error::{Error, ErrorCode, Refusal, Result};
use crate::kernel::id::FulfillmentId;

/// Writes down that a parcel has arrived; once everything has, and is paid, the order is completed. Of a parcel that has
/// arrived already nothing is changed.
///
/// # Errors
/// NOT_FOUND; TRANSITION_INVALID for a parcel that was called back.
pub async fn deliver(ctx: &Context, id: FulfillmentId) -> Result<Sent> {
    ctx.require(Permission::WriteOrders)?;
    let not_found = || Error::refused(ErrorCode::NotFound, "fulfillmentId", "there is no such parcel");
    let txn = ctx.db().begin().await?;
    // Its order never changes, so it may be read before the order is locked; its state may.
    let parcel = fulfillment::Entity::find_by_id(id).one(&txn).await?;
    let order_id = parcel.ok_or_else(not_found)?.order_id;
    let order = OrderInHand::lock(&txn, ctx, order_id).await?;
    let mut order = order.ok_or_else(not_found)?;
    let parcel = fulfillment::Entity::find_by_id(id).one(&txn).await?;
    let mut parcel = parcel.ok_or_else(not_found)?;
    match parcel.status {
        FulfillmentStatus::Delivered => return Ok((Arc::new(parcel), Arc::new(order.row))),
        FulfillmentStatus::Cancelled => {
            let refusal = Refusal::new(
                ErrorCode::TransitionInvalid,
                "fulfillmentId",
                "the parcel was called back",
            );
            return Err(refusal.with_params(json!({"allowed": []})).into());
        }
        FulfillmentStatus::Shipped => {}
    }
    parcel.status = FulfillmentStatus::Delivered;
    parcel.delivered_at = Some(ctx.now());
    fulfillment::Entity::update(parcel.clone().into_active_model().reset_all())
        .exec(&txn)
        .await?;
    let arrived = fulfillment_line::Entity::find()
        .filter(fulfillment_line::Column::FulfillmentId.eq(id))
        .all(&txn)
        .await?;
    let arrived: HashMap<_, _> = arrived
        .into_iter()
        .map(|row| (row.order_line_id, row.quantity))
        .collect();
    for line in &mut order.lines {
        line.delivered_quantity += arrived.get(&line.id).copied().unwrap_or_default();
    }
    order.row.fulfillment_status = state::fulfillment_progress(&order.lines);
    order.happened(OrderEventType::Delivered, "A parcel has arrived.");
    order.complete_if_done()?;
    let order = order.save(&txn).await?;
    let (before, after) = (json!({"status": "SHIPPED"}), json!({"status": "DELIVERED"}));
    record(&txn, ctx, Deed::changed("fulfillmentDeliver", id, before, after)).await?;
    commit(ctx, txn).await?;
    Ok((Arc::new(parcel), Arc::new(order)))
}
