//! What gateways are to do: written before they are asked, tried until it is known what came of it.

use chrono::{DateTime, Utc};
use sea_orm::sea_query::{Expr, ExprTrait as _};
use sea_orm::{
    ColumnTrait as _, ConnectionTrait, DatabaseTransaction, EntityTrait as _, QueryFilter as _,
    QueryOrder as _, QuerySelect as _,
};

use crate::domain::context::Context;
use crate::entity::payment_operation::{self, Column, OperationKind, OperationStatus};
use crate::infra::db::many;
use crate::kernel::error::Result;
use crate::kernel::id::{PaymentId, RefundId};

/// How long whoever tries has for it. Afterwards somebody else may, who takes him for dead.
pub(super) const LEASE: chrono::Duration = chrono::Duration::seconds(60);

/// What is to be done.
#[derive(Clone, Copy, Debug)]
pub(super) struct Task {
    pub(super) payment: PaymentId,
    pub(super) kind: OperationKind,
    pub(super) amount: Option<i64>,
    pub(super) refund: Option<RefundId>,
}

impl Task {
    /// The making of a payment, which is the first thing to be done about it and done once.
    pub(super) fn create(payment: PaymentId) -> Self {
        Self {
            payment,
            kind: OperationKind::Create,
            amount: None,
            refund: None,
        }
    }

    pub(super) fn void(payment: PaymentId) -> Self {
        Self {
            payment,
            kind: OperationKind::Void,
            amount: None,
            refund: None,
        }
    }
}

/// Who tries first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum First {
    /// Whoever writes it, right after the commit.
    Writer,
    /// Whoever comes upon it.
    Anybody,
}

/// Writes an operation down. The payment's order must be locked.
pub(super) async fn write(
    txn: &DatabaseTransaction,
    task: Task,
    first: First,
    now: DateTime<Utc>,
) -> Result<payment_operation::Model> {
    let last: Option<i32> = payment_operation::Entity::find()
        .select_only()
        .column_as(Expr::col(Column::Seq).max(), "last")
        .filter(Column::PaymentId.eq(task.payment))
        .filter(Column::Kind.eq(task.kind))
        .into_tuple()
        .one(txn)
        .await?
        .flatten();
    let row = draft(task, first, last.unwrap_or(0) + 1, now);
    insert(txn, std::slice::from_ref(&row)).await?;
    Ok(row)
}

/// An operation that is still to be done, and to be written down.
pub(super) fn draft(task: Task, first: First, seq: i32, now: DateTime<Utc>) -> payment_operation::Model {
    let (attempts, attempt_at) = match first {
        First::Writer => (1, now + LEASE),
        First::Anybody => (0, now),
    };
    payment_operation::Model {
        payment_id: task.payment,
        kind: task.kind,
        seq,
        status: OperationStatus::Pending,
        amount: task.amount,
        refund_id: task.refund,
        attempts,
        attempt_at: Some(attempt_at),
        error: None,
        created_at: now,
    }
}

/// Writes drafts down, by one statement. Their payments' orders must be locked.
pub(super) async fn insert(txn: &DatabaseTransaction, rows: &[payment_operation::Model]) -> Result<()> {
    many::insert::<payment_operation::Entity>(txn, rows, "").await?;
    Ok(())
}

/// The key that a gateway is asked by: the same each time.
pub(super) fn key(operation: &payment_operation::Model) -> String {
    let kind = match operation.kind {
        OperationKind::Create => "create",
        OperationKind::Complete => "complete",
        OperationKind::Capture => "capture",
        OperationKind::Void => "void",
        OperationKind::Refund => "refund",
    };
    format!("pay_{}_{kind}_{}", operation.payment_id, operation.seq)
}

/// Whether others wait until it is known what has come of it.
fn comes_first(kind: OperationKind) -> bool {
    match kind {
        OperationKind::Create | OperationKind::Complete => true,
        OperationKind::Capture | OperationKind::Void | OperationKind::Refund => false,
    }
}

/// What is still to be done about a payment: the making of it, then the oldest first.
pub(super) async fn pending<C: ConnectionTrait>(
    connection: &C,
    payment: PaymentId,
) -> Result<Vec<payment_operation::Model>> {
    let mut operations = payment_operation::Entity::find()
        .filter(Column::PaymentId.eq(payment))
        .filter(Column::Status.eq(OperationStatus::Pending))
        .order_by_asc(Column::CreatedAt)
        .order_by_asc(Column::Seq)
        .all(connection)
        .await?;
    operations.sort_by_key(|operation| !comes_first(operation.kind));
    Ok(operations)
}

/// Whether something of this kind is still to be done.
pub(super) async fn is_pending(
    txn: &DatabaseTransaction,
    payment: PaymentId,
    kind: OperationKind,
) -> Result<bool> {
    let operations = pending(txn, payment).await?;
    Ok(operations.iter().any(|operation| operation.kind == kind))
}

/// The last of its kind, if it has definitely failed.
pub(super) async fn failure(
    ctx: &Context,
    payment: PaymentId,
    kind: OperationKind,
    seq: i32,
) -> Result<Option<payment_operation::Model>> {
    let row = payment_operation::Entity::find_by_id((payment, kind, seq))
        .one(ctx.db().fresh())
        .await?;
    Ok(row.filter(|row| row.status == OperationStatus::Failed))
}

/// Takes on what is the next to be done now; None when there is nothing, or somebody else is at it. Nothing else is done
/// about a payment before it is known what came of making and completing it.
pub(super) async fn take(ctx: &Context, payment: PaymentId) -> Result<Option<payment_operation::Model>> {
    let now = ctx.now();
    let operations = pending(ctx.db().fresh(), payment).await?;
    let is_due = |operation: &payment_operation::Model| operation.attempt_at.is_some_and(|at| at <= now);
    let Some(due) = operations.iter().find(|operation| is_due(operation)) else {
        return Ok(None);
    };
    let making = operations
        .iter()
        .find(|operation| comes_first(operation.kind) && *operation != due);
    let txn = ctx.db().begin().await?;
    let taken = match making.and_then(|making| making.attempt_at) {
        Some(later) => {
            put_off(&txn, due, later, 0).await?;
            false
        }
        None => put_off(&txn, due, now + LEASE, 1).await?,
    };
    txn.commit().await?;
    Ok(taken.then(|| payment_operation::Model {
        attempts: due.attempts + 1,
        attempt_at: Some(now + LEASE),
        ..due.clone()
    }))
}

/// Moves a trial, unless somebody has moved it since it was read. Of two who try only one succeeds.
async fn put_off(
    txn: &DatabaseTransaction,
    operation: &payment_operation::Model,
    to: DateTime<Utc>,
    attempts: i32,
) -> Result<bool> {
    let moved = payment_operation::Entity::update_many()
        .col_expr(Column::AttemptAt, Expr::val(to))
        .col_expr(Column::Attempts, Expr::col(Column::Attempts).add(attempts))
        .filter(Column::PaymentId.eq(operation.payment_id))
        .filter(Column::Kind.eq(operation.kind))
        .filter(Column::Seq.eq(operation.seq))
        .filter(Column::Status.eq(OperationStatus::Pending))
        .filter(Column::AttemptAt.eq(operation.attempt_at))
        .exec(txn)
        .await?;
    Ok(moved.rows_affected == 1)
}

/// What waited until it was known what came of a payment waits no longer.
async fn hurry(txn: &DatabaseTransaction, payment: PaymentId, now: DateTime<Utc>) -> Result<()> {
    payment_operation::Entity::update_many()
        .col_expr(Column::AttemptAt, Expr::val(now))
        .filter(Column::PaymentId.eq(payment))
        .filter(Column::Kind.is_not_in([OperationKind::Create, OperationKind::Complete]))
        .filter(Column::Status.eq(OperationStatus::Pending))
        .filter(Column::Attempts.eq(0))
        .exec(txn)
        .await?;
    Ok(())
}

/// What came of trying.
#[derive(Clone, Debug)]
pub(super) enum Ended {
    Succeeded,
    Failed(String),
    /// It is not over: to be tried again then.
    Later(DateTime<Utc>, Option<String>),
    /// It has certainly not been heard: to be tried then, and this try does not count.
    Unsent(DateTime<Utc>, String),
}

impl Ended {
    pub(super) fn is_over(&self) -> bool {
        match self {
            Self::Succeeded | Self::Failed(_) => true,
            Self::Later(..) | Self::Unsent(..) => false,
        }
    }

    /// How an operation stands then, when to try it again, and what went wrong.
    fn stands(self) -> (OperationStatus, Option<DateTime<Utc>>, Option<String>) {
        match self {
            Self::Succeeded => (OperationStatus::Succeeded, None, None),
            Self::Failed(error) => (OperationStatus::Failed, None, Some(error)),
            Self::Later(at, error) => (OperationStatus::Pending, Some(at), error),
            Self::Unsent(at, error) => (OperationStatus::Pending, Some(at), Some(error)),
        }
    }

    /// The same of a draft.
    pub(super) fn note(self, draft: &mut payment_operation::Model) {
        (draft.status, draft.attempt_at, draft.error) = self.stands();
    }
}

/// Writes down what came of an operation, unless that is known already.
pub(super) async fn end(
    txn: &DatabaseTransaction,
    operation: &payment_operation::Model,
    ended: Ended,
    now: DateTime<Utc>,
) -> Result<()> {
    if comes_first(operation.kind) && ended.is_over() {
        hurry(txn, operation.payment_id, now).await?;
    }
    let uncounted = i32::from(matches!(ended, Ended::Unsent(..)));
    let (status, attempt_at, error) = ended.stands();
    payment_operation::Entity::update_many()
        .col_expr(Column::Status, status.into())
        .col_expr(Column::Attempts, Expr::col(Column::Attempts).sub(uncounted))
        .col_expr(Column::AttemptAt, Expr::val(attempt_at))
        .col_expr(Column::Error, Expr::val(error))
        .filter(Column::PaymentId.eq(operation.payment_id))
        .filter(Column::Kind.eq(operation.kind))
        .filter(Column::Seq.eq(operation.seq))
        .filter(Column::Status.eq(OperationStatus::Pending))
        .exec(txn)
        .await?;
    Ok(())
}
