//! Taking an order back before anything of it is sent.

use std::sync::Arc;

use sea_orm::{ActiveEnum as _, EntityTrait as _};
use serde_json::json;

use super::stock::release;
use crate::domain::audit::record::{Deed, record};
use crate::domain::context::Context;
use crate::domain::orders::change::{OrderInHand, commit};
use crate::domain::orders::policy::{doer, sees_order};
use crate::domain::orders::state::OrderAction;
use crate::domain::payments::{drive, stop};
use crate::domain::permission::Permission;
use crate::entity::order_event::OrderEventType;
use crate::entity::shop_order::{self, OrderStatus};
use crate::kernel::actor::Role;
use crate::kernel::check::Checker;
use crate::kernel::error::{Error, ErrorCode, Result};
use crate::kernel::id::OrderId;

/// Cancels an order: its stock is free again, and its money goes back. Of an order that is cancelled already nothing is
/// changed.
///
/// # Errors
/// NOT_FOUND, TRANSITION_INVALID once something was sent or the order has ended otherwise.
pub async fn cancel(ctx: &Context, id: OrderId, reason: &str) -> Result<Arc<shop_order::Model>> {
    ctx.require(Permission::OwnAccount)?;
    let mut checker = Checker::default();
    let reason = checker.text("reason", reason);
    checker.finish()?;
    let txn = ctx.db().begin().await?;
    let order = OrderInHand::lock(&txn, ctx, id).await?;
    let Some(mut order) = order.filter(|order| sees_order(ctx, &order.row)) else {
        let message = "there is no such order, or none that you may see";
        return Err(Error::refused(ErrorCode::NotFound, "orderId", message));
    };
    if order.row.status == OrderStatus::Cancelled {
        return Ok(Arc::new(order.row));
    }
    order
        .standing()
        .require(OrderAction::Cancel, doer(ctx, &order.row), "orderId")?;
    let before = json!({"status": order.row.status.to_value()});
    order.become_status(OrderStatus::Cancelled)?;
    order.row.cancel_reason = Some(reason.clone());
    order.happened(
        OrderEventType::Cancelled,
        format!("The order was cancelled: {reason}"),
    );
    let payments = stop::stop_in_txn(&txn, ctx, &mut order).await?;
    release(&txn, ctx, &mut order, "cancelled").await?;
    let row = order.save(&txn).await?;
    if ctx.actor.role() >= Some(Role::Staff) {
        let after = json!({"status": row.status.to_value(), "reason": reason});
        record(&txn, ctx, Deed::changed("orderCancel", id, before, after)).await?;
    }
    commit(ctx, txn).await?;
    // What of it the gateways did not do now, the worker has them do later.
    drive::drive(ctx, &payments).await;
    if payments.is_empty() {
        return Ok(Arc::new(row));
    }
    let row = shop_order::Entity::find_by_id(id).one(ctx.db().fresh()).await?;
    let row = row.ok_or_else(|| Error::internal(anyhow::anyhow!("a cancelled order is gone")))?;
    Ok(Arc::new(row))
}
