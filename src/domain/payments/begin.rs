//! Beginning payments, those that wait at the same moment together, in one transaction: each is written down before its
//! gateway is asked. What a gateway answers that asks nobody itself is applied in the same transaction, since there is no moment in
//! which it is open what has come of it.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait as _, DatabaseTransaction, EntityTrait as _, QueryFilter as _};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

use super::actions::{can_be_replaced, stands_in_the_way};
use super::apply::apply;
use super::create::CreatePayment;
use super::drive::verdict;
use super::hand::{Case, Journey, Payments, transaction};
use super::operation::{First, Task, draft, insert};
use super::terms::{Terms, terms};
use crate::domain::context::Context;
use crate::domain::orders::change::{OrderInHand, commit_all};
use crate::domain::orders::policy::{doer, holds_token, sees_order};
use crate::domain::orders::state::OrderAction;
use crate::entity::order_event::OrderEventType;
use crate::entity::payment::{self, PaymentFlow, PaymentGatewayName, PaymentStatus};
use crate::entity::payment_operation::{self, OperationKind};
use crate::entity::shop_order;
use crate::infra::db::lock::Patience;
use crate::infra::db::many::among;
use crate::infra::gateways::{Stage, State};
use crate::infra::group::{Answers, Broken, Member};
use crate::infra::idempotency::{Claim, Request, claim_all, forget};
use crate::infra::secret;
use crate::kernel::error::{Error, ErrorCode, Refusal, Result};
use crate::kernel::id::{OrderId, PaymentId};

/// Somebody who begins to pay an order.
#[derive(Clone, Debug)]
pub struct Begin {
    pub(super) ctx: Context,
    pub(super) command: Arc<CreatePayment>,
    pub(super) phone: Option<String>,
    pub(super) request: Request<'static>,
    /// What the payment is to be called.
    pub(super) id: PaymentId,
    /// What he has given up to pay otherwise.
    pub(super) given_up: Option<PaymentId>,
    /// Whether somebody else is about to give that up.
    pub(super) ends_soon: bool,
    /// When he may begin another payment, if he may not now.
    pub(super) throttled: Option<Duration>,
}

/// What has come of it.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "made once, and taken apart at once")]
pub enum Begun {
    /// It was begun before by the same key.
    Before(PaymentId),
    /// Written down: its gateway is to be asked now, unless it has answered.
    Written {
        payment: payment::Model,
        order: shop_order::Model,
        to_ask: Option<payment_operation::Model>,
    },
    /// Another payment, which waits for its buyer and can be given up for this one.
    InTheWay(PaymentId),
}

impl Member for Begin {
    type Answer = Begun;

    const KIND: &'static str = "paymentCreate";

    fn apart(&self) -> Vec<u64> {
        let mut order = DefaultHasher::new();
        self.command.order.hash(&mut order);
        vec![self.request.number(), order.finish()]
    }

    async fn run(members: Vec<Self>, patience: Patience) -> Result<Answers<Self>, Broken> {
        let Some(first) = members.first() else {
            return Ok(Vec::new());
        };
        let txn = first.ctx.db().begin().await.map_err(Broken::not_begun)?;
        let answers = begin(&txn, &members, first.ctx.now(), patience).await?;
        let is_written = |answer: &Result<Begun>| matches!(answer, Ok(Begun::Written { .. }));
        if answers.iter().any(is_written) {
            commit_all(members.iter().map(|member| &member.ctx), txn)
                .await
                .map_err(Broken::Unknown)?;
        } else {
            txn.rollback().await?;
        }
        Ok(answers)
    }
}

fn not_found() -> Error {
    Error::refused(ErrorCode::NotFound, "orderId", "there is no such order")
}

/// Begins all of them, in as many statements as for one. Who is refused leaves nothing behind.
async fn begin(
    txn: &DatabaseTransaction,
    members: &[Begin],
    now: DateTime<Utc>,
    patience: Patience,
) -> Result<Answers<Begin>> {
    let mut answers: HashMap<PaymentId, Result<Begun>> = HashMap::new();
    let claimed = claimed(txn, members, &mut answers, now, patience).await?;
    let wanted: Vec<_> = claimed.iter().map(|one| (&one.ctx, one.command.order)).collect();
    let mut orders = OrderInHand::lock_many(txn, &wanted).await?;
    let ids: Vec<OrderId> = orders.keys().copied().collect();
    let mut payments = Payments::lock_many(txn, &ids).await?;
    let (mut drafts, mut refused) = (Vec::new(), Vec::new());
    for member in claimed {
        let order = orders.remove(&member.command.order);
        let payments = payments.remove(&member.command.order).unwrap_or_default();
        match member.decide(txn, order, payments).await {
            Ok(Decided::Draft(draft)) => drafts.push(*draft),
            Ok(Decided::InTheWay(other)) => {
                refused.push(&member.request);
                answers.insert(member.id, Ok(Begun::InTheWay(other)));
            }
            Err(error @ (Error::Refused(_) | Error::Throttled { .. })) => {
                refused.push(&member.request);
                answers.insert(member.id, Err(error));
            }
            // What else went wrong may have ended the transaction.
            Err(error) => return Err(error),
        }
    }
    // Where nothing is written there is nothing to keep, the claims least of all.
    if !drafts.is_empty() {
        forget(txn, &refused).await?;
    }
    for (id, written) in write_down(txn, drafts, now).await? {
        answers.insert(id, Ok(written));
    }
    let missing = || Err(Error::internal(anyhow::anyhow!("a payment has not been decided")));
    let answer = |member: &Begin| answers.remove(&member.id).unwrap_or_else(missing);
    Ok(members.iter().map(answer).collect())
}

/// Those who see their order and have the key that they came with; what the others are told goes to `answers`.
async fn claimed<'a>(
    txn: &DatabaseTransaction,
    members: &'a [Begin],
    answers: &mut HashMap<PaymentId, Result<Begun>>,
    now: DateTime<Utc>,
    patience: Patience,
) -> Result<Vec<&'a Begin>> {
    // Without a lock: whoever does not see an order keeps nobody waiting.
    let ids = members.iter().map(|member| member.command.order);
    let rows = shop_order::Entity::find()
        .filter(among(txn.get_database_backend(), shop_order::Column::Id, ids)?)
        .all(txn)
        .await?;
    let rows: HashMap<OrderId, shop_order::Model> = rows.into_iter().map(|row| (row.id, row)).collect();
    let sees = |member: &&Begin| {
        let (ctx, token) = (&member.ctx, member.command.guest_token.as_deref());
        rows.get(&member.command.order).is_some_and(|order| {
            sees_order(ctx, order) || token.is_some_and(|token| holds_token(order, token))
        })
    };
    let (seeing, others): (Vec<&Begin>, Vec<&Begin>) = members.iter().partition(sees);
    answers.extend(others.iter().map(|member| (member.id, Err(not_found()))));
    let claims: Vec<(&Request<'_>, Value)> = seeing
        .iter()
        .map(|member| (&member.request, json!({"paymentId": member.id.to_string()})))
        .collect();
    let mut claimed = Vec::new();
    for (member, claim) in seeing
        .into_iter()
        .zip(claim_all(txn, &claims, now, patience).await?)
    {
        match claim {
            Ok(Claim::New) => claimed.push(member),
            Ok(Claim::Done(result)) => {
                let before = remembered(&result).map(Begun::Before);
                answers.insert(member.id, before);
            }
            Err(error) => {
                answers.insert(member.id, Err(error));
            }
        }
    }
    Ok(claimed)
}

fn remembered(result: &Value) -> Result<PaymentId> {
    let id = result.get("paymentId").and_then(Value::as_str);
    id.unwrap_or_default().parse().map_err(Error::internal)
}

enum Decided {
    Draft(Box<Draft>),
    InTheWay(PaymentId),
}

/// A payment that is to be written down.
struct Draft {
    case: Case,
    operation: payment_operation::Model,
    answered: bool,
}

impl Begin {
    /// In memory: nothing is written before all have been decided.
    async fn decide(
        &self,
        txn: &DatabaseTransaction,
        order: Option<OrderInHand>,
        payments: Payments,
    ) -> Result<Decided> {
        if let Some(retry_after) = self.throttled {
            return Err(Error::Throttled { retry_after });
        }
        let (ctx, command) = (&self.ctx, &self.command);
        let order = order.ok_or_else(not_found)?;
        let terms = terms(ctx, command, &order.row, self.phone.as_deref())?;
        if let Some(other) = payable(ctx, &order, &payments)? {
            if self.given_up == Some(other.id) || !can_be_replaced(&ctx.platform.gateways, other) {
                return Err(in_the_way(ctx, &order, other, self.ends_soon));
            }
            return Ok(Decided::InTheWay(other.id));
        }
        let id = self.id;
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
        let told = known_at_once(ctx, &case)?;
        if let Some(told) = &told {
            settle(txn, ctx, &mut case, &mut operation, told).await?;
        }
        Ok(Decided::Draft(Box::new(Draft {
            case,
            operation,
            answered: told.is_some(),
        })))
    }
}

/// By a number of statements that does not depend on how many they are.
async fn write_down(
    txn: &DatabaseTransaction,
    drafts: Vec<Draft>,
    now: DateTime<Utc>,
) -> Result<Vec<(PaymentId, Begun)>> {
    let (mut cases, mut operations, mut answered) = (Vec::new(), Vec::new(), Vec::new());
    for draft in drafts {
        cases.push(draft.case);
        operations.push(draft.operation);
        answered.push(draft.answered);
    }
    let saved = Case::save_many(txn, cases, now).await?;
    insert(txn, &operations).await?;
    let written = saved.into_iter().zip(operations).zip(answered);
    Ok(written
        .map(|(((payment, order), operation), answered)| {
            let to_ask = (!answered).then_some(operation);
            let id = payment.id;
            let written = Begun::Written {
                payment,
                order,
                to_ask,
            };
            (id, written)
        })
        .collect())
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

fn in_the_way(ctx: &Context, order: &OrderInHand, other: &payment::Model, ends_soon: bool) -> Error {
    let code = ErrorCode::TransitionInvalid;
    let refusal = if ends_soon {
        let message = "another payment of the order is just being given up: ask again in a few seconds";
        Refusal::new(code, "orderId", message).retryable()
    } else {
        let message = "another payment of the order is under way: finish it, or wait until it has failed";
        Refusal::new(code, "orderId", message)
    };
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
