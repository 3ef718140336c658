//! Taking money that is promised, for staff.

use sea_orm::DatabaseTransaction;
use serde_json::json;

use super::amount::{Amount, within};
use super::asked::{Claimed, claim, open, refusal, remember_and_do};
use super::hand::{Case, currency, money};
use super::operation::{First, Task, pending, write};
use crate::domain::audit::record::{Deed, record};
use crate::domain::context::Context;
use crate::domain::orders::state::Doer;
use crate::domain::permission::Permission;
use crate::entity::payment::{self, PaymentFlow, PaymentGatewayName, PaymentStatus};
use crate::entity::payment_operation::{self, OperationKind};
use crate::entity::shop_order::OrderStatus;
use crate::infra::idempotency::Request;
use crate::kernel::error::{Error, ErrorCode, Refusal, Result};
use crate::kernel::id::PaymentId;

#[derive(Clone, Debug)]
pub struct CapturePayment {
    pub payment: PaymentId,
    /// All that is promised when None.
    pub amount: Option<Amount>,
    pub idempotency_key: String,
}

/// Takes what is promised, or a part of it, which releases the rest; or says that a bank transfer has arrived. Why the
/// gateway refused, if it did.
///
/// # Errors
/// NOT_FOUND, TRANSITION_INVALID, AMOUNT_EXCEEDS_CAPTURABLE, those of amounts, and those of the idempotency key.
pub async fn capture(ctx: &Context, command: &CapturePayment) -> Result<Option<Refusal>> {
    ctx.require(Permission::WritePayments)?;
    let input = (command.payment.0, command.amount.map(Amount::canonical));
    let request = Request::new(&ctx.actor, "paymentCapture", &command.idempotency_key, &input)?;
    let result = match claim(ctx, &request).await? {
        Claimed::Done(result) => result,
        Claimed::New(txn) => {
            let case = open(&txn, ctx, command.payment).await?;
            let written = begin(&txn, ctx, &case, command.amount).await?;
            remember_and_do(txn, ctx, &request, written).await?
        }
    };
    refusal(ctx, command.payment, OperationKind::Capture, &result).await
}

async fn begin(
    txn: &DatabaseTransaction,
    ctx: &Context,
    case: &Case,
    amount: Option<Amount>,
) -> Result<Option<payment_operation::Model>> {
    let row = case.payment()?;
    let operations = pending(txn, row.id).await?;
    let under_way = operations
        .iter()
        .find(|operation| operation.kind != OperationKind::Refund);
    let asked = amount.map(|amount| amount.minor(currency(row)?));
    let asked = asked.transpose()?;
    let done = match under_way {
        Some(operation) if operation.kind == OperationKind::Capture => operation.amount,
        Some(_) | None => Some(row.captured).filter(|captured| *captured > 0),
    };
    if let Some(done) = done {
        if asked.is_none_or(|asked| asked == done) {
            return Ok(None);
        }
    } else {
        require(case, row, under_way.is_none())?;
    }
    let capturable = if done.is_some() {
        0
    } else if is_late_transfer(case, row) {
        row.amount
    } else {
        promised(row)
    };
    let code = ErrorCode::AmountExceedsCapturable;
    let taken = within(amount, money(row, capturable)?, code, "capturable")?;
    let unpaid = matches!(
        case.order.row.status,
        OrderStatus::PendingPayment | OrderStatus::Expired
    );
    if unpaid && taken < row.amount {
        let message =
            "the order is paid by nothing less than the whole: refund the transfer, or wait for the rest";
        return Err(Error::refused(ErrorCode::Invalid, "amount", message));
    }
    let gateway = ctx.platform.gateways.get(row.gateway);
    let whole_alone = gateway.is_some_and(|gateway| !gateway.capabilities().partial_capture);
    if whole_alone && taken < capturable {
        let message = "this gateway captures nothing less than the whole";
        return Err(Error::refused(ErrorCode::Invalid, "amount", message));
    }
    let task = Task {
        payment: row.id,
        kind: OperationKind::Capture,
        amount: Some(taken),
        refund: None,
    };
    let written = write(txn, task, First::Writer, ctx.now()).await?;
    let amount = money(row, taken)?;
    let after = json!({"operation": "CAPTURE", "amount": amount.to_decimal().to_string(), "currency": amount.currency.code()});
    record(txn, ctx, Deed::created("paymentCapture", row.id, after)).await?;
    Ok(Some(written))
}

/// What can be taken.
pub(super) fn promised(row: &payment::Model) -> i64 {
    match row.status {
        PaymentStatus::Authorized => row.authorized,
        PaymentStatus::Processing => row.amount,
        PaymentStatus::RequiresAction
        | PaymentStatus::Captured
        | PaymentStatus::PartiallyRefunded
        | PaymentStatus::Refunded
        | PaymentStatus::Failed
        | PaymentStatus::Voided
        | PaymentStatus::Expired
        | PaymentStatus::RequiresReview => 0,
    }
}

fn require(case: &Case, row: &payment::Model, is_free: bool) -> Result<()> {
    let transfer = row.gateway == PaymentGatewayName::Manual && row.status == PaymentStatus::Processing;
    let goes_on = match case.order.row.status {
        OrderStatus::PendingPayment | OrderStatus::Confirmed | OrderStatus::Completed => true,
        OrderStatus::Cancelled | OrderStatus::Expired => false,
    };
    if is_free && goes_on && (transfer || row.status == PaymentStatus::Authorized) {
        return Ok(());
    }
    if is_free && is_late_transfer(case, row) {
        return Ok(());
    }
    let message = "there is nothing to capture: the payment is neither authorized nor a bank transfer under way, or its order has ended";
    Err(transition_invalid(case, row, message))
}

/// A bank transfer that arrives after its order has expired: the money is there, whatever becomes of the order.
fn is_late_transfer(case: &Case, row: &payment::Model) -> bool {
    row.gateway == PaymentGatewayName::Manual
        && row.flow == PaymentFlow::Charge
        && row.status == PaymentStatus::Voided
        && case.order.row.status == OrderStatus::Expired
}

/// That a payment cannot go from its state to another one.
pub(super) fn transition_invalid(case: &Case, row: &payment::Model, message: &str) -> Error {
    use sea_orm::ActiveEnum as _;
    let allowed = case.order.standing().allowed(Doer::Staff);
    let params = json!({"status": row.status.to_value(), "allowed": allowed});
    let refusal = Refusal::new(ErrorCode::TransitionInvalid, "paymentId", message);
    refusal.with_params(params).into()
}
