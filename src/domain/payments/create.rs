//! Beginning to pay an order.

use sea_orm::{DatabaseTransaction, EntityTrait as _, IntoActiveModel as _};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use url::Url;

use super::actions::{can_be_replaced, stands_in_the_way};
use super::asked::{Claimed, claim};
use super::drive::carry_out_now;
use super::hand::{Case, Journey, Payments};
use super::look::look_again;
use super::operation::{First, Task, pending, write};
use super::turn::Turn;
use crate::domain::context::Context;
use crate::domain::orders::change::{OrderInHand, commit};
use crate::domain::orders::find::{self, OrderBy};
use crate::domain::orders::policy::doer;
use crate::domain::orders::state::OrderAction;
use crate::entity::order_event::OrderEventType;
use crate::entity::payment::{self, PaymentFlow, PaymentGatewayName, PaymentStatus, TestOutcome};
use crate::entity::payment_operation::{self, OperationKind};
use crate::entity::shop_order;
use crate::infra::gateways::charged;
use crate::infra::idempotency::Request;
use crate::infra::secret;
use crate::kernel::check::Checker;
use crate::kernel::error::{Error, ErrorCode, Refusal, Result};
use crate::kernel::id::{OrderId, PaymentId};
use crate::kernel::money::{Currency, Money};

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
pub async fn create(ctx: &Context, command: &CreatePayment) -> Result<(PaymentId, Option<Refusal>)> {
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
    let id = loop {
        let txn = match claim(ctx, &request).await? {
            Claimed::New(txn) => txn,
            Claimed::Done(result) => {
                let id = remembered(&result)?;
                // Whoever asks again comes back from the gateway, or has waited.
                look_again(ctx, id).await;
                break id;
            }
        };
        if let Turn::None { retry_after } = turn {
            txn.rollback().await?;
            return Err(Error::Throttled { retry_after });
        }
        match begin(&txn, ctx, command, phone.as_deref(), given_up).await? {
            Begun::Written(id, written) => {
                let result = json!({"paymentId": id.to_string()});
                request.remember(&txn, result).await?;
                commit(ctx, txn).await?;
                turn.used();
                carry_out_now(ctx, written).await;
                break id;
            }
            Begun::InTheWay(other) => {
                txn.rollback().await?;
                give_up(ctx, other).await?;
                given_up = Some(other);
            }
        }
    };
    Ok((id, refusal(ctx, id).await?))
}

fn not_found() -> Error {
    Error::refused(ErrorCode::NotFound, "orderId", "there is no such order")
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

enum Begun {
    Written(PaymentId, payment_operation::Model),
    /// Another payment, which waits for its buyer and can be given up for this one.
    InTheWay(PaymentId),
}

async fn begin(
    txn: &DatabaseTransaction,
    ctx: &Context,
    command: &CreatePayment,
    phone: Option<&str>,
    given_up: Option<PaymentId>,
) -> Result<Begun> {
    let found = OrderInHand::lock(txn, ctx, command.order).await?;
    let mut order = found.ok_or_else(not_found)?;
    let payments = Payments::lock(txn, order.row.id).await?;
    let terms = terms(ctx, command, &order.row, phone)?;
    if let Some(other) = payable(ctx, &order, &payments)? {
        if given_up == Some(other.id) || !can_be_replaced(&ctx.platform.gateways, other) {
            return Err(in_the_way(ctx, &order, other));
        }
        return Ok(Begun::InTheWay(other.id));
    }
    let row = draft(ctx, command, &order.row, terms)?;
    let id = row.id;
    payment::Entity::insert(row.into_active_model())
        .exec_without_returning(txn)
        .await?;
    let task = Task {
        payment: id,
        kind: OperationKind::Create,
        amount: None,
        refund: None,
    };
    let written = write(txn, task, First::Writer, ctx.now()).await?;
    if command.gateway == PaymentGatewayName::Manual && command.flow == PaymentFlow::Charge {
        // A transfer takes days.
        let end = ctx.now() + ctx.platform.orders.manual_hold;
        order.row.hold_expires_at = order.row.hold_expires_at.map(|hold| hold.max(end));
    }
    let event = OrderEventType::PaymentPending;
    order.happened(event, "A payment was begun.");
    order.save(txn).await?;
    Ok(Begun::Written(id, written))
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

/// What a gateway takes for an order.
struct Terms {
    money: Money,
    phone: Option<String>,
}

/// Whether the shop offers this way to pay the order, and what it comes to.
fn terms(
    ctx: &Context,
    command: &CreatePayment,
    order: &shop_order::Model,
    phone: Option<&str>,
) -> Result<Terms> {
    let refused = |code, path, message: String| Err(Error::refused(code, path, message));
    let Some(gateway) = ctx.platform.gateways.offered(command.gateway) else {
        let message = "the shop does not offer this gateway".to_owned();
        return refused(ErrorCode::GatewayNotConfigured, "gateway", message);
    };
    let currency: Currency = order.currency.parse().map_err(Error::internal)?;
    if !gateway.takes(currency) {
        let message = format!("this gateway does not take {currency}");
        return refused(ErrorCode::CurrencyMismatch, "gateway", message);
    }
    if !gateway.capabilities().flows.contains(&command.flow) {
        let message = "this gateway does not have this flow".to_owned();
        return refused(ErrorCode::Invalid, "flow", message);
    }
    if !leads_home(ctx, command.return_url.as_ref()) {
        let message = "is at none of the shop's own addresses: see SOUK_RETURN_ORIGINS".to_owned();
        return refused(ErrorCode::Invalid, "returnUrl", message);
    }
    let Some(money) = charged(gateway, Money::new(order.total, currency)) else {
        let message = "the order costs more than this gateway can take".to_owned();
        return refused(ErrorCode::OutOfRange, "gateway", message);
    };
    match gateway.phone(phone) {
        Ok(phone) => Ok(Terms { money, phone }),
        Err(message) if phone.is_none() => refused(ErrorCode::Required, "phone", message),
        Err(message) => refused(ErrorCode::Invalid, "phone", message),
    }
}

/// Whether buyers may be sent on there: else anybody could make an address of the shop's that leads to his own.
fn leads_home(ctx: &Context, url: Option<&Url>) -> bool {
    match (url, &ctx.platform.orders.return_origins) {
        (Some(url), Some(allowed)) => allowed.contains(&url.origin().ascii_serialization()),
        (None, _) | (_, None) => true,
    }
}

fn draft(
    ctx: &Context,
    command: &CreatePayment,
    order: &shop_order::Model,
    terms: Terms,
) -> Result<payment::Model> {
    let now = ctx.now();
    let mut row = payment::Model {
        id: PaymentId::new(),
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
        return_url: command.return_url.as_ref().map(Url::to_string),
        phone: terms.phone,
        next: None,
    };
    journey.store(&mut row)?;
    Ok(row)
}

/// Why a payment was declined, if it was.
async fn refusal(ctx: &Context, id: PaymentId) -> Result<Option<Refusal>> {
    let row = payment::Entity::find_by_id(id).one(ctx.db().fresh()).await?;
    let declined = row.filter(|row| row.status == PaymentStatus::Failed);
    Ok(declined.map(|row| {
        let message = row.failure_message.unwrap_or_default();
        let params = json!({"failureCode": row.failure_code});
        Refusal::new(ErrorCode::PaymentDeclined, "", message).with_params(params)
    }))
}
