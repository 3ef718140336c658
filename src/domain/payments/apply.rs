//! Applying what a gateway says: to the payment, its order, and the order's stock, under their locks and once, however
//! often it is said.

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{ColumnTrait as _, DatabaseTransaction, EntityTrait as _, QueryFilter as _};

use super::hand::Case;
use super::hear::{News, hear, is_all_back};
use super::operation::{First, Task, is_pending, write};
use super::returned::returned_elsewhere;
use super::stop::give_back;
use crate::domain::context::Context;
use crate::domain::inventory::hold::{Held, Quantities, Why, reserve_in_txn};
use crate::domain::orders::change::OrderInHand;
use crate::entity::order_event::OrderEventType;
use crate::entity::payment::{self, PaymentGatewayName, PaymentStatus};
use crate::entity::payment_operation::OperationKind;
use crate::entity::shop_order::OrderStatus;
use crate::infra::gateways::{Stage, State};
use crate::kernel::error::Result;
use crate::kernel::id::PaymentId;

pub(super) const REVIEW_AMOUNT: &str = "A payment differs from what was asked for. We are looking at it.";
const REVIEW_ENDED: &str = "A payment came after the order had ended. It goes back.";
const REVIEW_DOUBLE: &str = "The order was paid twice. The second payment goes back.";
const REVIEW_LOST: &str = "The payment that confirmed the order is gone. We are looking at it.";

/// Applies how a payment stands, or stood when its gateway was asked.
pub(super) async fn apply(
    txn: &DatabaseTransaction,
    ctx: &Context,
    case: &mut Case,
    told: &State,
    asked_at: DateTime<Utc>,
) -> Result<()> {
    let id = case.id;
    let taken = case.payments.live_beside(id);
    let told = &unshared(txn, case.payment()?, told).await?;
    let row = case.payments.change(id)?;
    let news = hear(row, told, taken)?;
    row.look_at = next_look(ctx, row);
    let status = row.status;
    case.payments.count_into(&mut case.order);
    if news == News::Double || (news == News::Moved && status == PaymentStatus::Captured) {
        captured(&mut case.order);
    }
    // Before the money does anything: some of it may be gone already.
    returned_elsewhere(txn, ctx, case, told.refunded, asked_at).await?;
    match news {
        News::Nothing => {}
        News::Unwanted => release(txn, ctx, id).await?,
        News::Tried => {
            let message = "A try to pay failed. It can be tried again.";
            case.order.happened(OrderEventType::PaymentFailed, message);
        }
        News::Ready => complete(txn, ctx, case).await?,
        News::Moved => moved(txn, ctx, case, status).await?,
        News::Double => {
            review(&mut case.order, REVIEW_DOUBLE);
            send_back(txn, ctx, case).await?;
        }
        News::Mismatch => {
            tracing::warn!(payment = %id, money = ?told.money, stage = ?told.stage, doubt = ?told.doubt, "a gateway speaks of something else than was asked for");
            review(&mut case.order, REVIEW_AMOUNT);
        }
    }
    Ok(())
}

/// What is told, unless it is about money that was taken for another payment: the index on receipts would refuse that for
/// as long as it is told.
async fn unshared(txn: &DatabaseTransaction, row: &payment::Model, told: &State) -> Result<State> {
    let mut told = told.clone();
    let Some(receipt) = told.receipt.as_deref().filter(|_| row.gateway_receipt.is_none()) else {
        return Ok(told);
    };
    let taken_before = payment::Entity::find()
        .filter(payment::Column::Gateway.eq(row.gateway))
        .filter(payment::Column::GatewayReceipt.eq(receipt))
        .filter(payment::Column::Id.ne(row.id))
        .one(txn)
        .await?;
    if taken_before.is_some() {
        told.receipt = None;
        told.doubt = Some("its money was taken for another payment".to_owned());
    }
    Ok(told)
}

/// Has its gateway give up what it promises although nobody waits for it any more.
async fn release(txn: &DatabaseTransaction, ctx: &Context, payment: PaymentId) -> Result<()> {
    if is_pending(txn, payment, OperationKind::Void).await? {
        return Ok(());
    }
    let task = Task::void(payment);
    write(txn, task, First::Anybody, ctx.now()).await?;
    Ok(())
}

/// How long the fee of a payment is asked after, and how often.
const FEE_IS_TOLD_WITHIN: TimeDelta = TimeDelta::days(3);
const FEE_PAUSE: TimeDelta = TimeDelta::hours(6);

/// How often it is asked whether a promise still stands.
const PROMISE_PAUSE: TimeDelta = TimeDelta::hours(12);

/// When to look at a payment again, if at all.
pub(super) fn next_look(ctx: &Context, row: &payment::Model) -> Option<DateTime<Utc>> {
    let gateway = ctx.platform.gateways.get(row.gateway)?;
    match row.status {
        PaymentStatus::RequiresAction | PaymentStatus::Processing => {
            let pause = gateway.pause(u32::try_from(row.looks).unwrap_or(u32::MAX))?;
            Some(ctx.now() + pause)
        }
        PaymentStatus::Captured | PaymentStatus::PartiallyRefunded | PaymentStatus::Refunded => {
            let awaited = gateway.capabilities().fees
                && row.fee.is_none()
                && ctx.now() < row.created_at + FEE_IS_TOLD_WITHIN;
            awaited.then(|| ctx.now() + FEE_PAUSE)
        }
        // Promises end after days, and not every gateway tells.
        PaymentStatus::Authorized => gateway.pause(0).map(|_| ctx.now() + PROMISE_PAUSE),
        PaymentStatus::Failed
        | PaymentStatus::Voided
        | PaymentStatus::Expired
        | PaymentStatus::RequiresReview => None,
    }
}

/// Ends what people have looked at, as soon as its gateway keeps nothing of it; whether it did.
pub(super) fn end_review(case: &mut Case, told: &State) -> Result<bool> {
    let row = case.payments.change(case.id)?;
    if row.status != PaymentStatus::RequiresReview || row.captured > 0 {
        return Ok(false);
    }
    let is_over = match &told.stage {
        Stage::Voided | Stage::Declined(_) | Stage::Expired => true,
        Stage::Captured(_) => is_all_back(told),
        Stage::RequiresAction(_) | Stage::Ready | Stage::Processing | Stage::Authorized => false,
    };
    if is_over {
        row.status = PaymentStatus::Voided;
        case.order.happened(
            OrderEventType::PaymentVoided,
            "The payment was looked at and given up.",
        );
    }
    Ok(is_over)
}

/// What the buyer has agreed to is taken, once, unless nobody wants it any more.
async fn complete(txn: &DatabaseTransaction, ctx: &Context, case: &mut Case) -> Result<()> {
    let id = case.id;
    if is_pending(txn, id, OperationKind::Complete).await? || is_pending(txn, id, OperationKind::Void).await?
    {
        return Ok(());
    }
    let kind = match case.order.row.status {
        OrderStatus::PendingPayment => OperationKind::Complete,
        OrderStatus::Confirmed | OrderStatus::Completed | OrderStatus::Cancelled | OrderStatus::Expired => {
            OperationKind::Void
        }
    };
    let task = Task {
        payment: id,
        kind,
        amount: None,
        refund: None,
    };
    write(txn, task, First::Anybody, ctx.now()).await?;
    Ok(())
}

fn captured(order: &mut OrderInHand) {
    order.happened(OrderEventType::PaymentCaptured, "The payment has arrived.");
}

pub(super) fn review(order: &mut OrderInHand, message: &str) {
    order.happened(OrderEventType::ReviewRequired, message);
}

pub(super) async fn send_back(txn: &DatabaseTransaction, ctx: &Context, case: &mut Case) -> Result<()> {
    let row = case.payments.get(case.id)?;
    give_back(txn, ctx, &mut case.order, row).await?;
    Ok(())
}

async fn moved(
    txn: &DatabaseTransaction,
    ctx: &Context,
    case: &mut Case,
    status: PaymentStatus,
) -> Result<()> {
    let order = &mut case.order;
    match status {
        PaymentStatus::Authorized => {
            order.happened(OrderEventType::PaymentAuthorized, "The payment is promised.");
            arrived(txn, ctx, case).await
        }
        PaymentStatus::Captured => arrived(txn, ctx, case).await,
        PaymentStatus::Failed => {
            order.happened(OrderEventType::PaymentFailed, "The payment failed.");
            gone(ctx, case)
        }
        PaymentStatus::Expired => {
            order.happened(OrderEventType::PaymentFailed, "The payment was not made in time.");
            gone(ctx, case)
        }
        PaymentStatus::Voided => {
            order.happened(OrderEventType::PaymentVoided, "The payment was given up.");
            gone(ctx, case)
        }
        PaymentStatus::RequiresAction
        | PaymentStatus::Processing
        | PaymentStatus::PartiallyRefunded
        | PaymentStatus::Refunded
        | PaymentStatus::RequiresReview => Ok(()),
    }
}

/// What money does to the order that it was for: an order that has ended takes it only if its goods can still be had.
async fn arrived(txn: &DatabaseTransaction, ctx: &Context, case: &mut Case) -> Result<()> {
    // A promise that is being given back, by whoever ended the order or by staff, is nothing to build on.
    if case.payment()?.status == PaymentStatus::Authorized
        && !case.payments.is_begun(case.id)
        && is_pending(txn, case.id, OperationKind::Void).await?
    {
        return Ok(());
    }
    let covered = case.payments.cover(&case.order.row);
    match case.order.row.status {
        OrderStatus::PendingPayment => {
            if covered {
                confirm(&mut case.order)?;
            }
        }
        OrderStatus::Expired => {
            if covered && hold_again(txn, ctx, &mut case.order).await? {
                confirm(&mut case.order)?;
            } else {
                review(&mut case.order, REVIEW_ENDED);
                send_back(txn, ctx, case).await?;
            }
        }
        OrderStatus::Cancelled => {
            review(&mut case.order, REVIEW_ENDED);
            send_back(txn, ctx, case).await?;
        }
        OrderStatus::Confirmed | OrderStatus::Completed => {}
    }
    case.order.complete_if_done()
}

fn confirm(order: &mut OrderInHand) -> Result<()> {
    order.become_status(OrderStatus::Confirmed)?;
    order.happened(OrderEventType::Confirmed, "The order is confirmed.");
    Ok(())
}

/// Holds the stock of an order that has let it go; false when there is not enough of it any more.
async fn hold_again(txn: &DatabaseTransaction, ctx: &Context, order: &mut OrderInHand) -> Result<bool> {
    let mut wanted = Quantities::new();
    for line in &order.lines {
        // What was deleted cannot be had.
        let Some(variant) = line.variant_id else {
            return Ok(false);
        };
        *wanted.entry(variant).or_default() += i64::from(line.quantity);
    }
    let why = Why {
        reason: format!("{} paid late", order.row.id),
        actor: ctx.actor.key(),
        now: ctx.now(),
        touched: ctx.touched.clone(),
    };
    match reserve_in_txn(txn, &wanted, &why).await? {
        Held::TooFew(_) => Ok(false),
        Held::All(held) => {
            for line in &mut order.lines {
                if line.variant_id.is_some_and(|variant| held.contains_key(&variant)) {
                    line.held = line.quantity;
                }
            }
            Ok(true)
        }
    }
}

/// What it means to the order that nothing will come of a payment any more.
fn gone(ctx: &Context, case: &mut Case) -> Result<()> {
    let gateway = case.payments.get(case.id)?.gateway;
    let order = &mut case.order;
    match order.row.status {
        OrderStatus::PendingPayment => {
            // The long wait was for a bank transfer alone.
            if gateway == PaymentGatewayName::Manual {
                let end = ctx.now() + ctx.platform.orders.hold;
                order.row.hold_expires_at = order.row.hold_expires_at.map(|hold| hold.min(end));
            }
        }
        OrderStatus::Confirmed => review(order, REVIEW_LOST),
        OrderStatus::Completed | OrderStatus::Cancelled | OrderStatus::Expired => {}
    }
    Ok(())
}
