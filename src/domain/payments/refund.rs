//! Giving money back, for staff; and writing down that it is to go back, whoever says so.

use sea_orm::{
    ColumnTrait as _, DatabaseTransaction, EntityTrait as _, IntoActiveModel as _, QueryFilter as _,
    QuerySelect as _,
};
use serde_json::{Value, json};

use super::amount::{Amount, within};
use super::asked::{Claimed, claim, open};
use super::drive::carry_out_now;
use super::hand::{Case, currency, money};
use super::operation::{First, Task, write};
use super::returned::apply_refund;
use crate::domain::audit::record::{Deed, record};
use crate::domain::context::Context;
use crate::domain::orders::change::{OrderInHand, commit};
use crate::domain::permission::Permission;
use crate::entity::order_event::OrderEventType;
use crate::entity::payment;
use crate::entity::payment_operation::{self, OperationKind};
use crate::entity::refund::{self, RefundStatus};
use crate::infra::gateways::{Return, ReturnStage};
use crate::infra::idempotency::Request;
use crate::kernel::check::Checker;
use crate::kernel::error::{Error, ErrorCode, Refusal, Result};
use crate::kernel::id::{PaymentId, RefundId};

#[derive(Clone, Debug)]
pub struct CreateRefund {
    pub payment: PaymentId,
    /// All that is left when None.
    pub amount: Option<Amount>,
    pub reason: Option<String>,
    pub idempotency_key: String,
}

/// Gives back what a payment has taken, or a part of it. The refund, and why the gateway refused it, if it did.
///
/// # Errors
/// NOT_FOUND, AMOUNT_EXCEEDS_REFUNDABLE, those of amounts, and those of the idempotency key.
pub async fn refund(ctx: &Context, command: &CreateRefund) -> Result<(RefundId, Option<Refusal>)> {
    ctx.require(Permission::WritePayments)?;
    let mut checker = Checker::default();
    let reason = checker.optional_text("reason", command.reason.as_deref());
    let input = (command.payment.0, command.amount.map(Amount::canonical), &reason);
    let request = Request::new(&ctx.actor, "refundCreate", &command.idempotency_key, &input);
    checker.include(&request);
    checker.finish()?;
    let request = request?;
    let id = match claim(ctx, &request).await? {
        Claimed::Done(result) => remembered(&result)?,
        Claimed::New(txn) => {
            let (id, written) = begin(&txn, ctx, command, reason).await?;
            let result = json!({"refundId": id.to_string()});
            request.remember(&txn, result).await?;
            commit(ctx, txn).await?;
            if let Some(operation) = written {
                carry_out_now(ctx, operation).await;
            }
            id
        }
    };
    Ok((id, refusal(ctx, id).await?))
}

fn remembered(result: &Value) -> Result<RefundId> {
    let id = result.get("refundId").and_then(Value::as_str);
    id.unwrap_or_default().parse().map_err(Error::internal)
}

async fn begin(
    txn: &DatabaseTransaction,
    ctx: &Context,
    command: &CreateRefund,
    reason: Option<String>,
) -> Result<(RefundId, Option<payment_operation::Model>)> {
    let mut case = open(txn, ctx, command.payment).await?;
    let row = case.payments.get(case.id)?;
    let refundable = money(row, left(txn, row).await?)?;
    let code = ErrorCode::AmountExceedsRefundable;
    let amount = within(command.amount, refundable, code, "refundable")?;
    in_units(ctx, row, amount)?;
    let what = (amount, reason.clone());
    let (id, written) = if gives_back(ctx, row) {
        let (id, operation) = write_refund(txn, ctx, &mut case.order, row, what, First::Writer).await?;
        (id, Some(operation))
    } else {
        (paid_by_hand(txn, ctx, &mut case, what).await?, None)
    };
    let row = case.payment()?;
    let amount = money(row, amount)?;
    let after = json!({"paymentId": row.id.to_string(), "amount": amount.to_decimal().to_string(),
        "currency": amount.currency.code(), "reason": reason});
    record(txn, ctx, Deed::created("refundCreate", id, after)).await?;
    case.save(txn, ctx.now()).await?;
    Ok((id, written))
}

/// Whether the gateway has amounts as small as this one.
fn in_units(ctx: &Context, row: &payment::Model, amount: i64) -> Result<()> {
    let currency = currency(row)?;
    let unit = ctx
        .platform
        .gateways
        .get(row.gateway)
        .map_or(1, |gateway| gateway.unit(currency));
    if amount % unit.max(1) == 0 {
        return Ok(());
    }
    let unit = money(row, unit)?.to_decimal();
    let message = format!("must be a multiple of {unit} {currency} with this gateway");
    Err(Error::refused(ErrorCode::Invalid, "amount", message))
}

/// What of a payment can still go back. What is on its way counts as gone.
pub(super) async fn left(txn: &DatabaseTransaction, row: &payment::Model) -> Result<i64> {
    let on_their_way: Vec<i64> = refund::Entity::find()
        .select_only()
        .column(refund::Column::Amount)
        .filter(refund::Column::PaymentId.eq(row.id))
        .filter(refund::Column::Status.eq(RefundStatus::Pending))
        .into_tuple()
        .all(txn)
        .await?;
    Ok(row.captured - row.refunded - on_their_way.iter().sum::<i64>())
}

fn gives_back(ctx: &Context, row: &payment::Model) -> bool {
    let gateway = ctx.platform.gateways.get(row.gateway);
    gateway.is_none_or(|gateway| gateway.capabilities().refunds)
}

/// What a gateway cannot give back, staff have given back by other means, and say so.
async fn paid_by_hand(
    txn: &DatabaseTransaction,
    ctx: &Context,
    case: &mut Case,
    (amount, reason): (i64, Option<String>),
) -> Result<RefundId> {
    let row = case.payment()?;
    let told = Return {
        reference: None,
        money: money(row, amount)?,
        stage: ReturnStage::Succeeded,
    };
    let id = insert(txn, ctx, row.id, (amount, reason)).await?;
    apply_refund(txn, ctx, case, id, &told).await?;
    Ok(id)
}

async fn insert(
    txn: &DatabaseTransaction,
    ctx: &Context,
    payment: PaymentId,
    (amount, reason): (i64, Option<String>),
) -> Result<RefundId> {
    let now = ctx.now();
    let id = RefundId::new();
    let refund = refund::Model {
        id,
        payment_id: payment,
        amount,
        status: RefundStatus::Pending,
        reason,
        gateway_reference: None,
        created_at: now,
        updated_at: now,
    };
    refund::Entity::insert(refund.into_active_model())
        .exec_without_returning(txn)
        .await?;
    Ok(id)
}

/// Writes down that this much is to go back, and why. The caller has locked the order and its payments.
pub(super) async fn write_refund(
    txn: &DatabaseTransaction,
    ctx: &Context,
    order: &mut OrderInHand,
    row: &payment::Model,
    (amount, reason): (i64, Option<String>),
    first: First,
) -> Result<(RefundId, payment_operation::Model)> {
    let id = insert(txn, ctx, row.id, (amount, reason)).await?;
    let task = Task {
        payment: row.id,
        kind: OperationKind::Refund,
        amount: Some(amount),
        refund: Some(id),
    };
    let written = write(txn, task, first, ctx.now()).await?;
    let event = OrderEventType::RefundPending;
    order.happened(event, "Money is on its way back.");
    Ok((id, written))
}

/// Why the gateway refused a refund, if it did.
async fn refusal(ctx: &Context, id: RefundId) -> Result<Option<Refusal>> {
    let row = refund::Entity::find_by_id(id).one(ctx.db().fresh()).await?;
    if row.is_none_or(|row| row.status != RefundStatus::Failed) {
        return Ok(None);
    }
    let operation = payment_operation::Entity::find()
        .filter(payment_operation::Column::RefundId.eq(id))
        .one(ctx.db().fresh())
        .await?;
    let message = operation
        .and_then(|operation| operation.error)
        .unwrap_or_default();
    Ok(Some(Refusal::new(
        ErrorCode::PaymentDeclined,
        "paymentId",
        message,
    )))
}
