//! Giving up a payment that has taken nothing yet, for staff.

use sea_orm::DatabaseTransaction;
use serde_json::json;

use super::asked::{Claimed, claim, open, refusal, remember_and_do};
use super::capture::transition_invalid;
use super::hand::Case;
use super::operation::{First, Task, pending, write};
use crate::domain::audit::record::{Deed, record};
use crate::domain::context::Context;
use crate::domain::permission::Permission;
use crate::entity::payment::{PaymentGatewayName, PaymentStatus};
use crate::entity::payment_operation::{self, OperationKind};
use crate::entity::shop_order::OrderStatus;
use crate::infra::idempotency::Request;
use crate::kernel::error::{Refusal, Result};
use crate::kernel::id::PaymentId;

#[derive(Clone, Debug)]
pub struct VoidPayment {
    pub payment: PaymentId,
    pub idempotency_key: String,
}

/// Releases what is promised, gives up what has not come, or ends what people have looked at, so that the order can be paid
/// anew. Why the gateway refused, if it did.
///
/// # Errors
/// NOT_FOUND, TRANSITION_INVALID, and those of the idempotency key.
pub async fn void(ctx: &Context, command: &VoidPayment) -> Result<Option<Refusal>> {
    ctx.require(Permission::WritePayments)?;
    let input = command.payment.0;
    let request = Request::new(&ctx.actor, "paymentVoid", &command.idempotency_key, &input)?;
    let result = match claim(ctx, &request).await? {
        Claimed::Done(result) => result,
        Claimed::New(txn) => {
            let case = open(&txn, ctx, command.payment).await?;
            let written = begin(&txn, ctx, &case).await?;
            remember_and_do(txn, ctx, &request, written).await?
        }
    };
    refusal(ctx, command.payment, OperationKind::Void, &result).await
}

async fn begin(
    txn: &DatabaseTransaction,
    ctx: &Context,
    case: &Case,
) -> Result<Option<payment_operation::Model>> {
    let row = case.payment()?;
    let operations = pending(txn, row.id).await?;
    let is_under_way = |kind| operations.iter().any(|operation| operation.kind == kind);
    if row.status == PaymentStatus::Voided || is_under_way(OperationKind::Void) {
        return Ok(None);
    }
    let possible = match row.status {
        PaymentStatus::RequiresAction | PaymentStatus::Authorized => operations.is_empty(),
        // What may have been paid in this moment cannot be given up. A transfer that nobody has seen can.
        PaymentStatus::Processing => row.gateway == PaymentGatewayName::Manual && operations.is_empty(),
        PaymentStatus::Captured
        | PaymentStatus::PartiallyRefunded
        | PaymentStatus::Refunded
        | PaymentStatus::Failed
        | PaymentStatus::Voided
        | PaymentStatus::Expired => false,
        // Once people have sorted it out at the gateway.
        PaymentStatus::RequiresReview => row.captured == 0 && operations.is_empty(),
    };
    if !possible {
        let message = "the payment is over, or it is not known yet what has come of it";
        return Err(transition_invalid(case, row, message));
    }
    match case.order.row.status {
        // It would stay confirmed, and be sent out unpaid. What is looked at has confirmed nothing.
        OrderStatus::Confirmed | OrderStatus::Completed if row.status != PaymentStatus::RequiresReview => {
            let message = "the payment has confirmed the order: cancel the order, which releases it";
            return Err(transition_invalid(case, row, message));
        }
        OrderStatus::Confirmed
        | OrderStatus::Completed
        | OrderStatus::PendingPayment
        | OrderStatus::Cancelled
        | OrderStatus::Expired => {}
    }
    let task = Task::void(row.id);
    let written = write(txn, task, First::Writer, ctx.now()).await?;
    let after = json!({"operation": "VOID"});
    record(txn, ctx, Deed::created("paymentVoid", row.id, after)).await?;
    Ok(Some(written))
}
