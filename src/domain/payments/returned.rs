//! Money that goes back: what its gateway says of it, and what of it has gone without us.

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{
    ActiveModelTrait as _, ColumnTrait as _, DatabaseTransaction, EntityTrait as _, IntoActiveModel as _,
    PaginatorTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _,
};

use super::apply::{REVIEW_AMOUNT, review};
use super::hand::{Case, Payments, currency, money};
use super::refund::left;
use crate::domain::context::Context;
use crate::domain::orders::change::OrderInHand;
use crate::entity::order_event::OrderEventType;
use crate::entity::payment::PaymentStatus;
use crate::entity::payment_operation;
use crate::entity::refund::{self, RefundStatus};
use crate::entity::shop_order::OrderStatus;
use crate::infra::gateways::{Return, ReturnStage};
use crate::kernel::error::{Error, Result};
use crate::kernel::id::{PaymentId, RefundId};
use crate::kernel::money::Money;

const REVIEW_KEPT: &str = "Money is still here that should have gone back. We are looking at it.";
/// Why money went back of which we learnt afterwards.
const ELSEWHERE: &str = "refunded at the gateway";
const REVIEW_AWAITED: &str = "It is not known whether money has gone back. We are looking at it.";

/// How long what comes of a refund is awaited of a gateway that cannot be asked.
const TOLD_WITHIN: TimeDelta = TimeDelta::days(1);
/// Noted of an operation that people have been told of.
const OVERDUE: &str = "its gateway has not told what came of it: people look at it";

/// Applies how a refund stands; whether it is over.
pub(super) async fn apply_refund(
    txn: &DatabaseTransaction,
    ctx: &Context,
    case: &mut Case,
    id: RefundId,
    told: &Return,
) -> Result<bool> {
    let found = refund::Entity::find_by_id(id).lock_exclusive().one(txn).await?;
    let mut row = found.ok_or_else(|| Error::internal(anyhow::anyhow!("a refund is gone")))?;
    if row.status != RefundStatus::Pending {
        if row.status == RefundStatus::Succeeded && matches!(told.stage, ReturnStage::Failed(_)) {
            came_back(txn, ctx, case, row).await?;
        }
        return Ok(true);
    }
    let stored = row.clone();
    if row.gateway_reference.is_none() {
        row.gateway_reference.clone_from(&told.reference);
    }
    let over = if told.money == money(case.payment()?, row.amount)? {
        match &told.stage {
            ReturnStage::Pending => false,
            ReturnStage::Succeeded => {
                row.status = RefundStatus::Succeeded;
                refunded(&mut case.payments, case.id, &row)?;
                case.payments.count_into(&mut case.order);
                let event = OrderEventType::Refunded;
                case.order.happened(event, "Money has gone back.");
                true
            }
            ReturnStage::Failed(_) => {
                row.status = RefundStatus::Failed;
                let event = OrderEventType::RefundFailed;
                case.order.happened(event, "Money could not be sent back.");
                if has_ended(&case.order) {
                    review(&mut case.order, REVIEW_KEPT);
                }
                true
            }
        }
    } else {
        // It stays pending for good, and so counts: nobody knows how much has gone.
        tracing::warn!(refund = %id, ?told, "a gateway speaks of another amount than was to go back");
        let payment = case.payments.change(case.id)?;
        payment.status = PaymentStatus::RequiresReview;
        review(&mut case.order, REVIEW_AMOUNT);
        true
    };
    if row != stored {
        row.updated_at = ctx.now();
        let row = row.into_active_model().reset_all();
        refund::Entity::update(row).exec(txn).await?;
    }
    Ok(over)
}

/// What is to be noted of a refund that is not over yet. Nobody may ever be told what has come of it: once people are asked
/// to look.
pub(super) fn awaited(
    ctx: &Context,
    case: &mut Case,
    operation: &payment_operation::Model,
) -> Result<Option<String>> {
    let gateway = ctx.platform.gateways.get(case.payment()?.gateway);
    let is_silent = gateway.is_some_and(|gateway| !gateway.answers_for_refunds());
    if !is_silent || ctx.now() < operation.created_at + TOLD_WITHIN {
        return Ok(None);
    }
    if operation.error.as_deref() != Some(OVERDUE) {
        review(&mut case.order, REVIEW_AWAITED);
    }
    Ok(Some(OVERDUE.to_owned()))
}

/// Money that had gone back is at the gateway again: the buyer's bank did not take it.
async fn came_back(
    txn: &DatabaseTransaction,
    ctx: &Context,
    case: &mut Case,
    mut row: refund::Model,
) -> Result<()> {
    case.payments.give_back(case.id, row.id, -row.amount)?;
    let payment = case.payments.change(case.id)?;
    // Another payment may be live by now, and of two none can be: people sort it out.
    payment.status = PaymentStatus::RequiresReview;
    case.payments.count_into(&mut case.order);
    let event = OrderEventType::RefundFailed;
    case.order
        .happened(event, "Money that was sent back has been returned to us.");
    review(&mut case.order, REVIEW_KEPT);
    row.status = RefundStatus::Failed;
    row.updated_at = ctx.now();
    refund::Entity::update(row.into_active_model().reset_all())
        .exec(txn)
        .await?;
    Ok(())
}

/// Writes down what has gone back without us: somebody has refunded it at the gateway.
pub(super) async fn returned_elsewhere(
    txn: &DatabaseTransaction,
    ctx: &Context,
    case: &mut Case,
    told: Option<Money>,
    asked_at: DateTime<Utc>,
) -> Result<()> {
    let row = case.payment()?;
    let currency = currency(row)?;
    let Some(told) = told.filter(|told| told.currency == currency) else {
        return Ok(());
    };
    if told.minor < row.refunded {
        return failed_elsewhere(txn, ctx, case, told.minor, asked_at).await;
    }
    let missing = left(txn, row).await? - (row.captured - told.minor);
    if missing <= 0 {
        return Ok(());
    }
    let amount = missing.min(row.captured - row.refunded);
    // Some gateways count what they released among what went back.
    if amount <= 0 {
        return Ok(());
    }
    // A refund of ours that has failed since was among what the gateway spoke of.
    if changed_since(txn, row.id, asked_at).await? {
        case.payments.change(case.id)?.look_at = Some(ctx.now());
        return Ok(());
    }
    let refund = refund::Model {
        id: RefundId::new(),
        payment_id: row.id,
        amount,
        status: RefundStatus::Succeeded,
        reason: Some(ELSEWHERE.to_owned()),
        gateway_reference: None,
        created_at: ctx.now(),
        updated_at: ctx.now(),
    };
    refund::Entity::insert(refund.clone().into_active_model())
        .exec_without_returning(txn)
        .await?;
    refunded(&mut case.payments, case.id, &refund)?;
    case.payments.count_into(&mut case.order);
    case.order
        .happened(OrderEventType::Refunded, "Money has gone back.");
    Ok(())
}

/// A refund that somebody has made at the gateway has failed since: its money is there again.
async fn failed_elsewhere(
    txn: &DatabaseTransaction,
    ctx: &Context,
    case: &mut Case,
    told: i64,
    asked_at: DateTime<Utc>,
) -> Result<()> {
    let row = case.payment()?;
    let (id, mut gone) = (row.id, row.refunded - told);
    if changed_since(txn, id, asked_at).await? {
        case.payments.change(id)?.look_at = Some(ctx.now());
        return Ok(());
    }
    let made_there = refund::Entity::find()
        .filter(refund::Column::PaymentId.eq(id))
        .filter(refund::Column::Status.eq(RefundStatus::Succeeded))
        .filter(refund::Column::Reason.eq(ELSEWHERE))
        .filter(refund::Column::GatewayReference.is_null())
        .order_by_desc(refund::Column::CreatedAt)
        .lock_exclusive()
        .all(txn)
        .await?;
    // Of what we sent back ourselves its gateway tells by itself; it may only be counted late.
    gone = gone.min(made_there.iter().map(|refund| refund.amount).sum());
    for refund in made_there {
        if refund.amount <= gone {
            gone -= refund.amount;
            came_back(txn, ctx, case, refund).await?;
        }
    }
    if gone > 0 && case.payment()?.status != PaymentStatus::RequiresReview {
        // Several were found at once, and one of them has failed.
        case.payments.change(id)?.status = PaymentStatus::RequiresReview;
        review(&mut case.order, REVIEW_KEPT);
    }
    Ok(())
}

async fn changed_since(txn: &DatabaseTransaction, id: PaymentId, asked_at: DateTime<Utc>) -> Result<bool> {
    let changed = refund::Entity::find()
        .filter(refund::Column::PaymentId.eq(id))
        .filter(refund::Column::UpdatedAt.gt(asked_at))
        .count(txn)
        .await?;
    Ok(changed > 0)
}

fn has_ended(order: &OrderInHand) -> bool {
    match order.row.status {
        OrderStatus::Cancelled | OrderStatus::Expired => true,
        OrderStatus::PendingPayment | OrderStatus::Confirmed | OrderStatus::Completed => false,
    }
}

fn refunded(payments: &mut Payments, id: PaymentId, refund: &refund::Model) -> Result<()> {
    payments.give_back(id, refund.id, refund.amount)?;
    let row = payments.change(id)?;
    if row.refunded >= row.captured {
        row.status = PaymentStatus::Refunded;
    } else if row.status != PaymentStatus::RequiresReview {
        row.status = PaymentStatus::PartiallyRefunded;
    }
    Ok(())
}
