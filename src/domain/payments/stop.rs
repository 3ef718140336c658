//! What becomes of the payments of an order that ends: what is promised is released, what was taken goes back.

use sea_orm::{ColumnTrait as _, DatabaseTransaction, EntityTrait as _, QueryFilter as _};

use super::hand::Payments;
use super::operation::{First, Task, is_pending, pending, write};
use super::refund::{left, write_refund};
use crate::domain::context::Context;
use crate::domain::orders::change::OrderInHand;
use crate::entity::payment::{self, PaymentGatewayName, PaymentStatus};
use crate::entity::payment_operation::OperationKind;
use crate::kernel::error::Result;
use crate::kernel::id::{OrderId, PaymentId};

/// Gives back the money of an order that the caller has locked and is about to end. Of which payments something is to be
/// done now: [`super::drive::drive`] does it, after the commit.
pub async fn stop_in_txn(
    txn: &DatabaseTransaction,
    ctx: &Context,
    order: &mut OrderInHand,
) -> Result<Vec<PaymentId>> {
    let payments = Payments::lock(txn, order.row.id).await?;
    let mut stopped = Vec::new();
    for row in payments.all() {
        give_back(txn, ctx, order, row).await?;
        if !pending(txn, row.id).await?.is_empty() {
            stopped.push(row.id);
        }
    }
    Ok(stopped)
}

/// Whether it is not known what has come of a payment of the order: an order that may have been paid, or is being paid on
/// a phone in this moment, does not expire. Bank transfers are awaited until the order's hold ends, and no longer.
pub async fn unknown_in_txn(txn: &DatabaseTransaction, ctx: &Context, order: OrderId) -> Result<bool> {
    let under_way = payment::Entity::find()
        .filter(payment::Column::OrderId.eq(order))
        .filter(payment::Column::Status.is_in([PaymentStatus::Processing, PaymentStatus::RequiresAction]))
        .all(txn)
        .await?;
    for row in under_way {
        if row.status == PaymentStatus::RequiresAction {
            let gateway = ctx.platform.gateways.get(row.gateway);
            if gateway.is_some_and(|gateway| !gateway.capabilities().revocable) {
                return Ok(true);
            }
            continue;
        }
        // One by hand is known as soon as it is made.
        if row.gateway != PaymentGatewayName::Manual || is_pending(txn, row.id, OperationKind::Create).await?
        {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Writes down that a payment is to be released, or that all that is left of it is to go back. Twice is once.
pub(super) async fn give_back(
    txn: &DatabaseTransaction,
    ctx: &Context,
    order: &mut OrderInHand,
    row: &payment::Model,
) -> Result<()> {
    let left = left(txn, row).await?;
    if left > 0 {
        write_refund(txn, ctx, order, row, (left, None), First::Anybody).await?;
        return Ok(());
    }
    match row.status {
        PaymentStatus::RequiresAction | PaymentStatus::Processing | PaymentStatus::Authorized => {
            if !is_pending(txn, row.id, OperationKind::Void).await? {
                let task = Task::void(row.id);
                write(txn, task, First::Anybody, ctx.now()).await?;
            }
        }
        PaymentStatus::Captured
        | PaymentStatus::PartiallyRefunded
        | PaymentStatus::Refunded
        | PaymentStatus::Failed
        | PaymentStatus::Voided
        | PaymentStatus::Expired
        | PaymentStatus::RequiresReview => {}
    }
    Ok(())
}
