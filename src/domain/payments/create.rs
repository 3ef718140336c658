//! Beginning to pay an order.

use std::sync::Arc;

use serde_json::{Value, json};
use url::Url;

use super::actions::can_be_replaced;
use super::asked::{Claimed, claim};
use super::begin::{Begun, begin, not_found};
use super::drive::{carry_out_begun, carry_out_now};
use super::find::{PaymentOfOrder, own_payment};
use super::hand::Case;
use super::look::look_again;
use super::operation::{First, Task, pending, write};
use super::turn::Turn;
use crate::domain::context::Context;
use crate::domain::orders::change::commit;
use crate::domain::orders::find::{self, OrderBy};
use crate::entity::payment::{self, PaymentFlow, PaymentGatewayName, PaymentStatus, TestOutcome};
use crate::infra::idempotency::Request;
use crate::kernel::check::Checker;
use crate::kernel::error::{Error, ErrorCode, Refusal, Result};
use crate::kernel::id::{OrderId, PaymentId};

#[derive(Clone, Debug)]
pub struct CreatePayment {
    pub order: OrderId,
    pub guest_token: Option<String>,
    pub gateway: PaymentGatewayName,
    pub flow: PaymentFlow,
    pub return_url: Option<Url>,
    pub phone: Option<String>,
    pub test_outcome: Option<TestOutcome>,
    pub idempotency_key: String,
}

/// Begins to pay an order, for whoever sees it: written down first, then asked of the gateway. The payment, and why it was
/// declined, if it was.
///
/// # Errors
/// NOT_FOUND, ALREADY_PAID, TRANSITION_INVALID, GATEWAY_NOT_CONFIGURED, CURRENCY_MISMATCH, INVALID, and those of the
/// idempotency key. Throttled when too many were begun; one that was begun before under the same key never is.
pub async fn create(ctx: &Context, command: &CreatePayment) -> Result<(PaymentOfOrder, Option<Refusal>)> {
    let created = made(ctx, command).await?;
    let refusal = refusal(&created.0);
    Ok((created, refusal))
}

async fn made(ctx: &Context, command: &CreatePayment) -> Result<PaymentOfOrder> {
    let mut checker = Checker::default();
    let phone = checker.optional_text("phone", command.phone.as_deref());
    if command.test_outcome.is_some() && command.gateway != PaymentGatewayName::Test {
        let message = "is for the gateway TEST alone";
        checker.refuse(ErrorCode::Invalid, "testOutcome", message);
    }
    let request = request(ctx, command, phone.as_deref());
    checker.include(&request);
    checker.finish()?;
    let request = request?;
    let by = OrderBy::Id(command.order);
    if find::order(ctx, &by, command.guest_token.as_deref())
        .await?
        .is_none()
    {
        return Err(not_found());
    }
    let turn = Turn::take(ctx).await;
    let mut given_up = None;
    loop {
        let txn = match claim(ctx, &request).await? {
            Claimed::New(txn) => txn,
            Claimed::Done(result) => {
                let id = remembered(&result)?;
                // Whoever asks again comes back from the gateway, or has waited.
                look_again(ctx, id).await;
                return own_payment(ctx, id).await;
            }
        };
        if let Some(retry_after) = turn.missing() {
            txn.rollback().await?;
            return Err(Error::Throttled { retry_after });
        }
        let id = PaymentId::new();
        match begin(&txn, ctx, (id, command, phone.as_deref()), given_up).await? {
            Begun::Written {
                payment,
                order,
                to_ask,
            } => {
                let result = json!({"paymentId": id.to_string()});
                request.remember(&txn, result).await?;
                commit(ctx, txn).await?;
                turn.used();
                let Some(operation) = to_ask else {
                    return Ok((Arc::new(payment), Arc::new(order)));
                };
                carry_out_begun(ctx, &operation, &payment, &order).await;
                return own_payment(ctx, id).await;
            }
            Begun::InTheWay(other) => {
                txn.rollback().await?;
                give_up(ctx, other).await?;
                given_up = Some(other);
            }
        }
    }
}

fn request<'a>(ctx: &Context, command: &'a CreatePayment, phone: Option<&str>) -> Result<Request<'a>> {
    const OPERATION: &str = "paymentCreate";
    let input = (
        command.order.0,
        command.gateway,
        command.flow,
        command.return_url.as_ref().map(Url::as_str),
        phone,
        command.test_outcome,
    );
    let key = &command.idempotency_key;
    if ctx.actor.user().is_some() {
        return Request::new(&ctx.actor, OPERATION, key, &input);
    }
    Request::of_guest(&format!("order {}", command.order), OPERATION, key, &input)
}

fn remembered(result: &Value) -> Result<PaymentId> {
    let id = result.get("paymentId").and_then(Value::as_str);
    id.unwrap_or_default().parse().map_err(Error::internal)
}

/// Gives up a payment that waits for its buyer, who pays otherwise now. What of it cannot be given up any more has been
/// paid, or may have been.
async fn give_up(ctx: &Context, id: PaymentId) -> Result<()> {
    let txn = ctx.db().begin().await?;
    let Some(case) = Case::open(&txn, ctx, id).await? else {
        return Ok(());
    };
    let free = pending(&txn, id).await?.is_empty();
    if !free || !can_be_replaced(&ctx.platform.gateways, case.payment()?) {
        return Ok(());
    }
    let task = Task::void(id);
    let written = write(&txn, task, First::Writer, ctx.now()).await?;
    commit(ctx, txn).await?;
    carry_out_now(ctx, written).await;
    Ok(())
}

/// Why a payment was declined, if it was.
fn refusal(row: &payment::Model) -> Option<Refusal> {
    (row.status == PaymentStatus::Failed).then(|| {
        let message = row.failure_message.clone().unwrap_or_default();
        let params = json!({"failureCode": row.failure_code});
        Refusal::new(ErrorCode::PaymentDeclined, "", message).with_params(params)
    })
}
