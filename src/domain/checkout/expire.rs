//! Ending orders that nobody paid in time.

use chrono::TimeDelta;
use sea_orm::sea_query::{LockBehavior, LockType};
use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _};
use tracing::Instrument as _;

use super::stock::release;
use crate::domain::context::Context;
use crate::domain::orders::change::{OrderInHand, commit};
use crate::domain::payments::stop;
use crate::entity::order_event::OrderEventType;
use crate::entity::shop_order::{Column, Entity, OrderStatus};
use crate::infra::telemetry::trace;
use crate::kernel::error::Result;
use crate::kernel::id::OrderId;

/// How many are ended before others have a turn.
const BATCH: u64 = 100;

/// How long an order waits for a gateway that does not know yet whether it took the money.
const UNKNOWN: TimeDelta = TimeDelta::seconds(60);

/// Ends the orders whose hold is over; how many. Whoever else does the same meanwhile takes others.
pub async fn expire_due(ctx: &Context) -> Result<u64> {
    let due: Vec<OrderId> = Entity::find()
        .select_only()
        .column(Column::Id)
        .filter(Column::HoldExpiresAt.lte(ctx.now()))
        .order_by_asc(Column::HoldExpiresAt)
        .limit(BATCH)
        .into_tuple()
        .all(ctx.db().fresh())
        .await?;
    let mut ended = 0;
    for id in due {
        let span = tracing::trace_span!(target: trace::TARGET, "end an order", souk.order = %id);
        match expire(ctx, id).instrument(span).await {
            Ok(true) => ended += 1,
            Ok(false) => {}
            // The others are not to wait for this one.
            Err(error) => {
                let error = anyhow::Error::from(error);
                tracing::error!(order = %id, error = format!("{error:#}"), "an order could not be expired");
            }
        }
    }
    Ok(ended)
}

async fn expire(ctx: &Context, id: OrderId) -> Result<bool> {
    let txn = ctx.db().begin().await?;
    // Locked by somebody who pays or cancels it, or by another instance: not our turn.
    let free = Entity::find_by_id(id)
        .filter(Column::HoldExpiresAt.lte(ctx.now()))
        .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked)
        .one(&txn)
        .await?;
    if free.is_none() {
        return Ok(false);
    }
    let Some(mut order) = OrderInHand::lock(&txn, ctx, id).await? else {
        return Ok(false);
    };
    if stop::unknown_in_txn(&txn, ctx, id).await? {
        order.row.hold_expires_at = Some(ctx.now() + UNKNOWN);
        order.save(&txn).await?;
        txn.commit().await?;
        return Ok(false);
    }
    order.become_status(OrderStatus::Expired)?;
    order.happened(OrderEventType::Expired, "The order was not paid in time.");
    // Gateways are asked by the worker that goes on with payments: one that is slow would keep all others from expiring.
    stop::stop_in_txn(&txn, ctx, &mut order).await?;
    release(&txn, ctx, &mut order, "expired").await?;
    order.save(&txn).await?;
    commit(ctx, txn).await?;
    Ok(true)
}
