//! Beginning to pay an order.

use std::sync::Arc;

use serde_json::json;
use url::Url;

use super::actions::can_be_replaced;
use super::begin::{Begin, Begun};
use super::drive::{carry_out_begun, carry_out_now};
use super::find::{PaymentOfOrder, own_payment};
use super::hand::Case;
use super::look::look_again;
use super::operation::{First, Task, pending, write};
use super::turn::Turn;
use crate::domain::context::Context;
use crate::domain::orders::change::commit;
use crate::entity::payment::{self, PaymentFlow, PaymentGatewayName, PaymentStatus, TestOutcome};
use crate::infra::idempotency::Request;
use crate::kernel::check::Checker;
use crate::kernel::error::{ErrorCode, Refusal, Result};
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

impl Begin {
    /// # Errors
    /// All that is wrong with the input.
    pub fn new(ctx: &Context, command: &CreatePayment) -> Result<Self> {
        let mut checker = Checker::default();
        let phone = checker.optional_text("phone", command.phone.as_deref());
        if command.test_outcome.is_some() && command.gateway != PaymentGatewayName::Test {
            let message = "is for the gateway TEST alone";
            checker.refuse(ErrorCode::Invalid, "testOutcome", message);
        }
        let request = request(ctx, command, phone.as_deref());
        checker.include(&request);
        checker.finish()?;
        Ok(Self {
            ctx: ctx.clone(),
            request: request?.into_owned(),
            command: Arc::new(command.clone()),
            phone,
            id: PaymentId::new(),
            given_up: None,
            ends_soon: false,
            throttled: None,
        })
    }
}

async fn made(ctx: &Context, command: &CreatePayment) -> Result<PaymentOfOrder> {
    let mut begin = Begin::new(ctx, command)?;
    let turn = Turn::take(ctx).await;
    begin.throttled = turn.missing();
    loop {
        match ctx.platform.payments.join(begin.clone()).await? {
            Begun::Before(id) => {
                // Whoever asks again comes back from the gateway, or has waited.
                look_again(ctx, id).await;
                return own_payment(ctx, id).await;
            }
            Begun::Written {
                payment,
                order,
                to_ask,
            } => {
                turn.used();
                let Some(operation) = to_ask else {
                    return Ok((Arc::new(payment), Arc::new(order)));
                };
                carry_out_begun(ctx, &operation, &payment, &order).await;
                return own_payment(ctx, payment.id).await;
            }
            Begun::InTheWay(other) => {
                begin.ends_soon = give_up(ctx, other).await? == GivenUp::Soon;
                begin.given_up = Some(other);
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

/// What came of giving up a payment.
#[derive(PartialEq)]
enum GivenUp {
    /// It is, or cannot be: it has been paid, or may have been.
    Done,
    /// Somebody else is at it, perhaps an earlier try of the same request.
    Soon,
}

/// Gives up a payment that waits for its buyer, who pays otherwise now.
async fn give_up(ctx: &Context, id: PaymentId) -> Result<GivenUp> {
    let txn = ctx.db().begin().await?;
    let Some(case) = Case::open(&txn, ctx, id).await? else {
        return Ok(GivenUp::Done);
    };
    if !can_be_replaced(&ctx.platform.gateways, case.payment()?) {
        return Ok(GivenUp::Done);
    }
    if !pending(&txn, id).await?.is_empty() {
        return Ok(GivenUp::Soon);
    }
    let task = Task::void(id);
    let written = write(&txn, task, First::Writer, ctx.now()).await?;
    commit(ctx, txn).await?;
    carry_out_now(ctx, written).await;
    Ok(GivenUp::Done)
}

/// Why a payment was declined, if it was.
fn refusal(row: &payment::Model) -> Option<Refusal> {
    (row.status == PaymentStatus::Failed).then(|| {
        let message = row.failure_message.clone().unwrap_or_default();
        let params = json!({"failureCode": row.failure_code});
        Refusal::new(ErrorCode::PaymentDeclined, "", message).with_params(params)
    })
}
