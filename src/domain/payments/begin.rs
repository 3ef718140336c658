//! Beginning payments in one transaction: each is written down before its gateway is asked. What a gateway answers that asks
//! nobody itself is applied in the same transaction, since there is no moment in which it is open what has come of it.

use chrono::{DateTime, Utc};
use sea_orm::DatabaseTransaction;
use secrecy::ExposeSecret as _;
use serde_json::json;

use super::actions::{can_be_replaced, stands_in_the_way};
use super::apply::apply;
use super::create::CreatePayment;
use super::drive::verdict;
use super::hand::{Case, Journey, Payments, transaction};
use super::operation::{First, Task, draft, insert};
use super::terms::{Terms, terms};
use crate::domain::context::Context;
use crate::domain::orders::change::OrderInHand;
use crate::domain::orders::policy::doer;
use crate::domain::orders::state::OrderAction;
use crate::entity::order_event::OrderEventType;
use crate::entity::payment::{self, PaymentFlow, PaymentGatewayName, PaymentStatus};
use crate::entity::payment_operation::{self, OperationKind};
use crate::entity::shop_order;
use crate::infra::gateways::{Stage, State};
use crate::infra::secret;
use crate::kernel::error::{Error, ErrorCode, Refusal, Result};
use crate::kernel::id::PaymentId;

pub(super) enum Begun {
    /// Written down: its gateway is to be asked after the commit, unless it has answered.
    Written {
        payment: payment::Model,
        order: shop_order::Model,
        to_ask: Option<payment_operation::Model>,
    },
    /// Another payment, which waits for its buyer and can be given up for this one.
    InTheWay(PaymentId),
}

pub(super) fn not_found() -> Error {
    Error::refused(ErrorCode::NotFound, "orderId", "there is no such order")
}

/// Begins the payment `id`, by whoever sees the order.
pub(super) async fn begin(
    txn: &DatabaseTransaction,
    ctx: &Context,
    (id, command, phone): (PaymentId, &CreatePayment, Option<&str>),
    given_up: Option<PaymentId>,
) -> Result<Begun> {
    let found = OrderInHand::lock(txn, ctx, command.order).await?;
    let order = found.ok_or_else(not_found)?;
    let payments = Payments::lock(txn, order.row.id).await?;
    let terms = terms(ctx, command, &order.row, phone)?;
    if let Some(other) = payable(ctx, &order, &payments)? {
        if given_up == Some(other.id) || !can_be_replaced(&ctx.platform.gateways, other) {
            return Err(in_the_way(ctx, &order, other));
        }
        return Ok(Begun::InTheWay(other.id));
    }
    let mut case = Case { order, payments, id };
    case.payments.begin(row(ctx, command, &case, terms)?);
    if command.gateway == PaymentGatewayName::Manual && command.flow == PaymentFlow::Charge {
        // A transfer takes days.
        let end = ctx.now() + ctx.platform.orders.manual_hold;
        let hold = case.order.row.hold_expires_at;
        case.order.row.hold_expires_at = hold.map(|hold| hold.max(end));
    }
    let event = OrderEventType::PaymentPending;
    case.order.happened(event, "A payment was begun.");
    let mut operation = draft(Task::create(id), First::Writer, 1, ctx.now());
    let answered = match known_at_once(ctx, &case)? {
        Some(told) => {
            settle(txn, ctx, &mut case, &mut operation, &told).await?;
            true
        }
        None => false,
    };
    let (payment, order) = case.save(txn, ctx.now()).await?;
    insert(txn, std::slice::from_ref(&operation)).await?;
    Ok(Begun::Written {
        payment,
        order,
        to_ask: (!answered).then_some(operation),
    })
}

/// What the gateway says that asks nobody.
fn known_at_once(ctx: &Context, case: &Case) -> Result<Option<State>> {
    let row = case.payment()?;
    let Some(gateway) = ctx.platform.gateways.get(row.gateway) else {
        return Ok(None);
    };
    let told = gateway.known_at_once(&transaction(ctx, row, &case.order.row)?);
    Ok(told.filter(is_settled))
}

/// Whether nothing has to be asked or done about what is told of a payment that has just been made: an operation that followed
/// could not be written before the payment is.
fn is_settled(told: &State) -> bool {
    let is_plain = told.receipt.is_none() && told.refunded.is_none();
    is_plain
        && match told.stage {
            Stage::RequiresAction(_)
            | Stage::Processing
            | Stage::Authorized
            | Stage::Captured(_)
            | Stage::Declined(_) => true,
            Stage::Ready | Stage::Voided | Stage::Expired => false,
        }
}

/// Applies what a gateway has said of a payment that is being begun.
async fn settle(
    txn: &DatabaseTransaction,
    ctx: &Context,
    case: &mut Case,
    operation: &mut payment_operation::Model,
    told: &State,
) -> Result<()> {
    apply(txn, ctx, case, told, ctx.now()).await?;
    let ended = verdict(OperationKind::Create, case.payment()?);
    ended
        .ok_or_else(|| Error::internal(anyhow::anyhow!("a payment was made and is still to be made")))?
        .note(operation);
    Journey::hide_phone(case.payments.change(case.id)?)
}

/// Tries to pay one order. Each is looked at with the others, and whoever needs more of them tries cards that are not theirs.
const MOST: usize = 20;

/// Whether the order can be paid now, or which payment stands in the way. Under its lock nobody else makes a payment for
/// it; the index `uq_payment_live` would refuse a second one anyhow.
fn payable<'a>(
    ctx: &Context,
    order: &OrderInHand,
    payments: &'a Payments,
) -> Result<Option<&'a payment::Model>> {
    // What went back of it, such as a second payment, pays for nothing.
    if order.row.paid - order.row.refunded >= order.row.total {
        let message = "the order has been paid";
        return Err(Error::refused(ErrorCode::AlreadyPaid, "orderId", message));
    }
    let doer = doer(ctx, &order.row);
    order.standing().require(OrderAction::Pay, doer, "orderId")?;
    if payments.all().len() >= MOST {
        let message = format!("there have been {MOST} tries to pay the order: place a new one");
        return Err(Error::refused(ErrorCode::TransitionInvalid, "orderId", message));
    }
    Ok(payments.all().iter().find(|row| stands_in_the_way(row)))
}

fn in_the_way(ctx: &Context, order: &OrderInHand, other: &payment::Model) -> Error {
    let message = "another payment of the order is under way: finish it, or wait until it has failed";
    let refusal = Refusal::new(ErrorCode::TransitionInvalid, "orderId", message);
    let allowed: Vec<_> = order
        .standing()
        .allowed(doer(ctx, &order.row))
        .into_iter()
        .filter(|action| *action != "PAY")
        .collect();
    let params = json!({"paymentId": other.id.to_string(), "allowed": allowed});
    refusal.with_params(params).into()
}

/// The payment that is to be begun.
fn row(ctx: &Context, command: &CreatePayment, case: &Case, terms: Terms) -> Result<payment::Model> {
    let order = &case.order.row;
    let now: DateTime<Utc> = ctx.now();
    let mut row = payment::Model {
        id: case.id,
        order_id: order.id,
        gateway: command.gateway,
        flow: command.flow,
        status: PaymentStatus::Processing,
        currency: order.currency.clone(),
        amount: terms.money.minor,
        authorized: 0,
        captured: 0,
        refunded: 0,
        rounding: terms.money.minor - order.total,
        fee: None,
        fee_currency: None,
        gateway_reference: None,
        gateway_receipt: None,
        action: None,
        failure_code: None,
        failure_message: None,
        test_outcome: command.test_outcome,
        look_at: None,
        looks: 0,
        looked_at: None,
        created_at: now,
        updated_at: now,
    };
    let journey = Journey {
        secret: secret::random()?.expose_secret().to_owned(),
        return_url: command.return_url.as_ref().map(ToString::to_string),
        phone: terms.phone,
        next: None,
    };
    journey.store(&mut row)?;
    Ok(row)
}
