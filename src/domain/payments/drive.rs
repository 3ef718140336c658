//! Asking gateways to do what is written down, and how payments stand that are under way. No lock is held meanwhile.

use std::collections::HashSet;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::StreamExt as _;
use sea_orm::{
    ColumnTrait as _, ConnectionTrait, DatabaseTransaction, EntityTrait as _, QueryFilter as _,
    QueryOrder as _, QuerySelect as _,
};
use tracing::{Instrument as _, Span};

use super::apply::{apply, end_review};
use super::hand::{Case, Journey, money, transaction, transaction_of};
use super::look::look;
use super::operation::{Ended, end, key, pending, take};
use super::returned::{apply_refund, awaited};
use crate::domain::context::Context;
use crate::domain::orders::change::commit;
use crate::entity::order_event::OrderEventType;
use crate::entity::payment::{self, PaymentGatewayName, PaymentStatus};
use crate::entity::payment_operation::{self, OperationKind, OperationStatus};
use crate::entity::refund::{self, RefundStatus};
use crate::entity::shop_order;
use crate::infra::gateways::{
    Fault, PaymentGateway, Reason, Refund, Return, ReturnStage, Stage, State, Transaction, growing,
};
use crate::infra::telemetry::trace;
use crate::kernel::error::{Error, Result};
use crate::kernel::id::{OrderId, PaymentId, RefundId};

/// How long a gateway may take. Well within the lease, or somebody else would begin meanwhile.
const PATIENCE: Duration = Duration::from_secs(30);

/// How much is done about one payment at a time. What is left is done at the next turn.
const STEPS: usize = 10;

/// How long to wait before a gateway is asked what it has certainly not heard: as long as has been waited for it so far.
const SHORTEST_PAUSE: TimeDelta = TimeDelta::seconds(2);
const LONGEST_PAUSE: TimeDelta = TimeDelta::minutes(15);

/// When a payment is asked after once more that was given up while its gateway may have been completing it.
const ONCE_MORE: TimeDelta = TimeDelta::minutes(15);
const GIVEN_UP: &str = "the payment is being given up";

/// How many payments one turn of the worker is about, and how many of them at once.
const TURN: u64 = 100;
const AT_ONCE: usize = 8;

/// Does what is to be done about these payments now. What does not succeed is tried again later, by the worker.
pub async fn drive(ctx: &Context, payments: &[PaymentId]) {
    for id in payments {
        logged(*id, steps(ctx, *id).await);
    }
}

/// Does what its writer is the first to try, and what follows from it.
pub(super) async fn carry_out_now(ctx: &Context, operation: payment_operation::Model) {
    let id = operation.payment_id;
    logged(id, carry_out(ctx, &operation).await);
    drive(ctx, &[id]).await;
}

/// The same of a payment that has just been begun, and so is at hand.
pub(super) async fn carry_out_begun(
    ctx: &Context,
    operation: &payment_operation::Model,
    row: &payment::Model,
    order: &shop_order::Model,
) {
    let asked = async {
        let transaction = transaction(ctx, row, order)?;
        ask_and_conclude(ctx, operation, row, &transaction).await
    };
    logged(row.id, asked.await);
    drive(ctx, &[row.id]).await;
}

/// Does what is due about all payments: what is to be done, and how those stand that are under way. About how many.
///
/// # Errors
/// The database does not answer.
pub async fn drive_due(ctx: &Context) -> Result<u64> {
    use payment::Column::LookAt;
    use payment_operation::Column::{AttemptAt, PaymentId as Payment, Status};
    let now = ctx.now();
    let due: HashSet<PaymentId> = payment_operation::Entity::find()
        .select_only()
        .column(Payment)
        .filter(Status.eq(OperationStatus::Pending))
        .filter(AttemptAt.lte(now))
        .order_by_asc(AttemptAt)
        .limit(TURN)
        .into_tuple()
        .all(ctx.db().fresh())
        .await?
        .into_iter()
        .collect();
    let under_way = payment::Entity::find()
        .filter(LookAt.lte(now))
        .order_by_asc(LookAt)
        .limit(TURN)
        .all(ctx.db().fresh())
        .await?;
    let count = due.len() + under_way.len();
    futures_util::stream::iter(due)
        .for_each_concurrent(AT_ONCE, |id| async move {
            logged(id, steps(ctx, id).instrument(worked_on(id)).await)
        })
        .await;
    futures_util::stream::iter(under_way)
        .for_each_concurrent(AT_ONCE, |row| async move {
            let (id, span) = (row.id, worked_on(row.id));
            logged(id, look(ctx, row).instrument(span).await);
        })
        .await;
    Ok(u64::try_from(count).unwrap_or(u64::MAX))
}

/// What the worker does about one payment is a trace: its turns, which mostly find nothing, are none.
fn worked_on(payment: PaymentId) -> Span {
    tracing::trace_span!(target: trace::TARGET, "go on with a payment", souk.payment = %payment)
}

/// What fails here has been written down before, and is tried again.
pub(super) fn logged(payment: PaymentId, outcome: Result<()>) {
    if let Err(error) = outcome {
        let error = anyhow::Error::from(error);
        tracing::error!(%payment, error = format!("{error:#}"), "a payment could not be dealt with");
    }
}

async fn steps(ctx: &Context, id: PaymentId) -> Result<()> {
    for _ in 0..STEPS {
        let Some(operation) = take(ctx, id).await? else {
            break;
        };
        carry_out(ctx, &operation).await?;
    }
    Ok(())
}

/// What a gateway has said.
enum Told {
    State(State),
    Return(RefundId, Return),
    /// There is nothing left to ask for: it is so already, or cannot be any more.
    Nothing,
    /// It was not asked, because nobody wants it any more.
    Unwanted,
}

async fn carry_out(ctx: &Context, operation: &payment_operation::Model) -> Result<()> {
    let row = payment::Entity::find_by_id(operation.payment_id)
        .one(ctx.db().fresh())
        .await?;
    let row = row.ok_or_else(|| Error::internal(anyhow::anyhow!("an operation without its payment")))?;
    let transaction = transaction_of(ctx, &row).await?;
    ask_and_conclude(ctx, operation, &row, &transaction).await
}

async fn ask_and_conclude(
    ctx: &Context,
    operation: &payment_operation::Model,
    row: &payment::Model,
    transaction: &Transaction,
) -> Result<()> {
    let asked_at = ctx.now();
    let told = match ctx.platform.gateways.get(row.gateway) {
        Some(gateway) => ask(ctx, gateway, operation, (row, transaction)).await?,
        None => Err(Fault::Unknown("this gateway is not offered any more".to_owned())),
    };
    conclude(ctx, operation, row.order_id, (asked_at, told)).await
}

/// Asks within reason.
pub(super) async fn patiently<T>(asked: impl Future<Output = Result<T, Fault>>) -> Result<T, Fault> {
    match tokio::time::timeout(PATIENCE, asked).await {
        Ok(answer) => answer,
        Err(_) => Err(Fault::Unknown(format!(
            "no answer within {} seconds",
            PATIENCE.as_secs()
        ))),
    }
}

async fn ask(
    ctx: &Context,
    gateway: &dyn PaymentGateway,
    operation: &payment_operation::Model,
    (row, transaction): (&payment::Model, &Transaction),
) -> Result<Result<Told, Fault>> {
    let key = key(operation);
    let some = money(row, operation.amount.unwrap_or(row.amount))?;
    let stopped = async || -> Result<bool> {
        let others = pending(ctx.db().fresh(), row.id).await?;
        Ok(others.iter().any(|other| other.kind == OperationKind::Void))
    };
    // Looked at by people, or promised after its end.
    let may_be_released = match row.status {
        PaymentStatus::RequiresReview => row.captured == 0,
        PaymentStatus::Failed | PaymentStatus::Voided | PaymentStatus::Expired => true,
        PaymentStatus::RequiresAction
        | PaymentStatus::Processing
        | PaymentStatus::Authorized
        | PaymentStatus::Captured
        | PaymentStatus::PartiallyRefunded
        | PaymentStatus::Refunded => false,
    };
    let is_late_transfer = row.gateway == PaymentGatewayName::Manual && row.status == PaymentStatus::Voided;
    let takes_nothing_yet = match row.status {
        PaymentStatus::RequiresAction | PaymentStatus::Processing | PaymentStatus::Authorized => true,
        PaymentStatus::Captured
        | PaymentStatus::PartiallyRefunded
        | PaymentStatus::Refunded
        | PaymentStatus::Failed
        | PaymentStatus::Voided
        | PaymentStatus::Expired
        | PaymentStatus::RequiresReview => false,
    };
    Ok(match operation.kind {
        OperationKind::Create => {
            let asked_before = operation.attempts > 1;
            let stopped = asked_before && stopped().await?;
            let made = make(gateway, &key, transaction, (asked_before, stopped));
            patiently(made).await.map(Told::State)
        }
        OperationKind::Void if may_be_released => {
            patiently(gateway.void(&key, transaction)).await.map(Told::State)
        }
        OperationKind::Capture if is_late_transfer => {
            let captured = gateway.capture(&key, transaction, some);
            patiently(captured).await.map(Told::State)
        }
        OperationKind::Complete | OperationKind::Capture | OperationKind::Void if !takes_nothing_yet => {
            Ok(Told::Nothing)
        }
        // Whoever ended the order meanwhile wants no money for it.
        OperationKind::Complete if stopped().await? => Ok(Told::Unwanted),
        OperationKind::Complete => {
            let completed = gateway.complete(&key, transaction);
            patiently(completed).await.map(Told::State)
        }
        OperationKind::Capture => {
            let captured = gateway.capture(&key, transaction, some);
            patiently(captured).await.map(Told::State)
        }
        OperationKind::Void => patiently(gateway.void(&key, transaction)).await.map(Told::State),
        OperationKind::Refund => {
            let refund = find_refund(ctx.db().fresh(), operation).await?;
            if refund.status != RefundStatus::Pending {
                return Ok(Ok(Told::Nothing));
            }
            let asked = told_of(row, &refund)?;
            let told = match asked.reference {
                Some(_) => patiently(gateway.retrieve_refund(transaction, &asked)).await,
                None if operation.attempts > 1 => {
                    patiently(gateway.refund_again(&key, transaction, &asked)).await
                }
                None => patiently(gateway.refund(&key, transaction, &asked)).await,
            };
            told.map(|told| Told::Return(refund.id, told))
        }
    })
}

/// A refund as its gateway is told of it.
pub(super) fn told_of(row: &payment::Model, refund: &refund::Model) -> Result<Refund> {
    Ok(Refund {
        id: refund.id.to_string(),
        reference: refund.gateway_reference.clone(),
        money: money(row, refund.amount)?,
    })
}

async fn find_refund<C: ConnectionTrait>(
    connection: &C,
    operation: &payment_operation::Model,
) -> Result<refund::Model> {
    let missing = || Error::internal(anyhow::anyhow!("an operation without its refund"));
    let id = operation.refund_id.ok_or_else(missing)?;
    let found = refund::Entity::find_by_id(id).one(connection).await?;
    found.ok_or_else(missing)
}

/// Makes a payment at its gateway. Where that may have happened before, it is asked after first; and what is to be given up
/// by now is not even begun.
async fn make(
    gateway: &dyn PaymentGateway,
    key: &str,
    transaction: &Transaction,
    (asked_before, stopped): (bool, bool),
) -> Result<State, Fault> {
    if asked_before {
        if let Some(state) = gateway.retrieve(transaction).await? {
            return Ok(state);
        }
        if stopped {
            return Ok(State::new(transaction.money, Stage::Voided));
        }
    }
    gateway.create(key, transaction).await
}

/// Applies what has come of an operation, and writes down whether it is over.
async fn conclude(
    ctx: &Context,
    operation: &payment_operation::Model,
    order: OrderId,
    (asked_at, told): (DateTime<Utc>, Result<Told, Fault>),
) -> Result<()> {
    let txn = ctx.db().begin().await?;
    let found = Case::open_of(&txn, ctx, order, operation.payment_id).await?;
    let mut case = found.ok_or_else(|| Error::internal(anyhow::anyhow!("a payment is gone")))?;
    let later = |error| {
        let tries = u32::try_from(operation.attempts - 1).unwrap_or(0);
        Ended::Later(ctx.now() + growing(tries), error)
    };
    let ended = match told {
        Ok(Told::State(state)) => {
            if operation.kind != OperationKind::Void || !end_review(&mut case, &state)? {
                apply(&txn, ctx, &mut case, &state, asked_at).await?;
            }
            verdict(operation.kind, case.payment()?).unwrap_or_else(|| later(None))
        }
        Ok(Told::Return(refund, told)) => {
            let over = apply_refund(&txn, ctx, &mut case, refund, &told).await?;
            if matches!(told.stage, ReturnStage::Failed(_)) {
                look_soon(ctx, &mut case)?;
            }
            match told.stage {
                _ if !over => later(awaited(ctx, &mut case, operation)?),
                ReturnStage::Failed(reason) => Ended::Failed(reason.message),
                ReturnStage::Pending | ReturnStage::Succeeded => Ended::Succeeded,
            }
        }
        Ok(Told::Unwanted) => Ended::Failed(GIVEN_UP.to_owned()),
        Ok(Told::Nothing) => verdict(operation.kind, case.payment()?).unwrap_or_else(|| later(None)),
        Err(Fault::Refused(reason)) => {
            let message = reason.message.clone();
            refused(&txn, ctx, &mut case, operation, reason).await?;
            Ended::Failed(message)
        }
        Err(Fault::Unsent(error)) => {
            tracing::warn!(payment = %operation.payment_id, kind = ?operation.kind, error, "a gateway was not asked");
            // Tries that do not count cannot make the pauses grow. Time does.
            let pause = (ctx.now() - operation.created_at).clamp(SHORTEST_PAUSE, LONGEST_PAUSE);
            Ended::Unsent(ctx.now() + pause, error)
        }
        Err(Fault::Unknown(error)) => {
            tracing::warn!(payment = %operation.payment_id, kind = ?operation.kind, error, "a gateway left it open");
            later(Some(error))
        }
    };
    if operation.kind == OperationKind::Void && ended.is_over() && may_have_completed(&txn, operation).await?
    {
        case.payments.change(case.id)?.look_at = Some(ctx.now() + ONCE_MORE);
    }
    if operation.kind == OperationKind::Create && ended.is_over() {
        Journey::hide_phone(case.payments.change(case.id)?)?;
    }
    end(&txn, operation, ended, ctx.now()).await?;
    case.save(&txn, ctx.now()).await?;
    commit(ctx, txn).await
}

/// Whether a payment was given up while its gateway may have been completing it.
async fn may_have_completed(txn: &DatabaseTransaction, given_up: &payment_operation::Model) -> Result<bool> {
    use payment_operation::Column::{Attempts, Error as Why, Kind, PaymentId};
    let completing = payment_operation::Entity::find()
        .filter(PaymentId.eq(given_up.payment_id))
        .filter(Kind.eq(OperationKind::Complete))
        .filter(Why.eq(GIVEN_UP))
        .filter(Attempts.gt(1))
        .one(txn)
        .await?;
    Ok(completing.is_some())
}

/// Applies what a gateway says of a refund by itself, and ends what has waited for it.
pub(super) async fn conclude_refund(
    ctx: &Context,
    payment: &payment::Model,
    id: RefundId,
    told: Return,
) -> Result<()> {
    let operation = payment_operation::Entity::find()
        .filter(payment_operation::Column::RefundId.eq(id))
        .one(ctx.db().fresh())
        .await?;
    if let Some(operation) = operation.filter(|operation| operation.status == OperationStatus::Pending) {
        let told = (ctx.now(), Ok(Told::Return(id, told)));
        return conclude(ctx, &operation, payment.order_id, told).await;
    }
    let txn = ctx.db().begin().await?;
    let Some(mut case) = Case::open_of(&txn, ctx, payment.order_id, payment.id).await? else {
        return Ok(());
    };
    apply_refund(&txn, ctx, &mut case, id, &told).await?;
    case.save(&txn, ctx.now()).await?;
    commit(ctx, txn).await
}

/// Whether an operation is over, by how its payment stands now; None when it is not.
pub(super) fn verdict(kind: OperationKind, row: &payment::Model) -> Option<Ended> {
    let (promised, taken) = match row.status {
        PaymentStatus::RequiresAction | PaymentStatus::Processing | PaymentStatus::Authorized => {
            (true, false)
        }
        PaymentStatus::Captured | PaymentStatus::PartiallyRefunded | PaymentStatus::Refunded => (false, true),
        PaymentStatus::Failed
        | PaymentStatus::Voided
        | PaymentStatus::Expired
        | PaymentStatus::RequiresReview => (false, row.captured > 0),
    };
    let failed = |message: &str| Some(Ended::Failed(message.to_owned()));
    match kind {
        OperationKind::Create if row.status == PaymentStatus::Failed => failed("declined"),
        OperationKind::Create | OperationKind::Refund => Some(Ended::Succeeded),
        OperationKind::Complete if row.status == PaymentStatus::Processing => None,
        OperationKind::Complete if taken || row.status == PaymentStatus::Authorized => Some(Ended::Succeeded),
        OperationKind::Complete => failed("the buyer has to agree once more, or the payment is over"),
        OperationKind::Capture | OperationKind::Void if promised => None,
        OperationKind::Capture if taken => Some(Ended::Succeeded),
        OperationKind::Capture => failed("the payment is over: there is nothing left to capture"),
        OperationKind::Void if row.status == PaymentStatus::RequiresReview => {
            failed("the gateway still has money of it: give it back there, then try again")
        }
        OperationKind::Void if taken => failed("the payment has been captured: refund it"),
        OperationKind::Void => Some(Ended::Succeeded),
    }
}

/// What it means that a gateway has definitely not done something.
async fn refused(
    txn: &DatabaseTransaction,
    ctx: &Context,
    case: &mut Case,
    operation: &payment_operation::Model,
    reason: Reason,
) -> Result<()> {
    tracing::warn!(payment = %operation.payment_id, kind = ?operation.kind, ?reason, "a gateway refused");
    let row = case.payment()?;
    let told = |stage| -> Result<State> { Ok(State::new(money(row, row.amount)?, stage)) };
    match operation.kind {
        // What was refused once would be asked for again and again.
        OperationKind::Create | OperationKind::Complete => {
            let told = told(Stage::Declined(reason))?;
            apply(txn, ctx, case, &told, ctx.now()).await
        }
        OperationKind::Refund => {
            let refund = find_refund(txn, operation).await?;
            let told = Return {
                reference: None,
                money: money(row, refund.amount)?,
                stage: ReturnStage::Failed(reason),
            };
            apply_refund(txn, ctx, case, refund.id, &told).await?;
            // It may have gone back without us.
            look_soon(ctx, case)
        }
        OperationKind::Capture | OperationKind::Void => {
            // It stands otherwise than we think.
            look_soon(ctx, case)?;
            if operation.kind == OperationKind::Void {
                let event = OrderEventType::ReviewRequired;
                case.order
                    .happened(event, "A payment could not be given up. We are looking at it.");
            }
            Ok(())
        }
    }
}

fn look_soon(ctx: &Context, case: &mut Case) -> Result<()> {
    let row = case.payments.change(case.id)?;
    row.look_at = ctx
        .platform
        .gateways
        .get(row.gateway)
        .and_then(|gateway| gateway.pause(0))
        .map(|_| ctx.now());
    Ok(())
}
