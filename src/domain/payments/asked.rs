//! What staff ask for: written down once for each key, then carried out at once.

use sea_orm::DatabaseTransaction;
use serde_json::{Value, json};

use super::drive::carry_out_now;
use super::hand::Case;
use super::operation::failure;
use crate::domain::context::Context;
use crate::domain::orders::change::commit;
use crate::entity::payment_operation::{self, OperationKind};
use crate::infra::idempotency::{Claim, Request};
use crate::kernel::error::{Error, ErrorCode, Refusal, Result};
use crate::kernel::id::PaymentId;

/// Whether a request is to be carried out.
pub(super) enum Claimed {
    /// In this transaction, which has the key.
    New(DatabaseTransaction),
    /// It has been, with this result. No transaction is open: who reads on would wait with one connection for another.
    Done(Value),
}

pub(super) async fn claim(ctx: &Context, request: &Request<'_>) -> Result<Claimed> {
    let txn = ctx.db().begin().await?;
    match request.claim(&txn, ctx.now()).await? {
        Claim::New => Ok(Claimed::New(txn)),
        Claim::Done(result) => {
            txn.rollback().await?;
            Ok(Claimed::Done(result))
        }
    }
}

pub(super) async fn open(txn: &DatabaseTransaction, ctx: &Context, id: PaymentId) -> Result<Case> {
    let not_found = || Error::refused(ErrorCode::NotFound, "paymentId", "there is no such payment");
    Case::open(txn, ctx, id).await?.ok_or_else(not_found)
}

/// Remembers and commits what is to be done, and does it. None: there is nothing to do, it is so already.
pub(super) async fn remember_and_do(
    txn: DatabaseTransaction,
    ctx: &Context,
    request: &Request<'_>,
    written: Option<payment_operation::Model>,
) -> Result<Value> {
    let seq = written.as_ref().map(|operation| operation.seq);
    let result = json!({ "seq": seq });
    request.remember(&txn, result.clone()).await?;
    commit(ctx, txn).await?;
    if let Some(operation) = written {
        carry_out_now(ctx, operation).await;
    }
    Ok(result)
}

/// Why the gateway refused what was remembered, if it did: the same each time that it is asked.
pub(super) async fn refusal(
    ctx: &Context,
    payment: PaymentId,
    kind: OperationKind,
    result: &Value,
) -> Result<Option<Refusal>> {
    let seq = result.get("seq").and_then(Value::as_i64);
    let Some(seq) = seq.and_then(|seq| i32::try_from(seq).ok()) else {
        return Ok(None);
    };
    let failed = failure(ctx, payment, kind, seq).await?;
    Ok(failed.map(|operation| {
        let message = operation.error.unwrap_or_default();
        Refusal::new(ErrorCode::PaymentDeclined, "paymentId", message)
    }))
}
