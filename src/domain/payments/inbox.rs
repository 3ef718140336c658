//! What gateways tell: stored once, as it came, and dealt with afterwards.
//!
//! A message says that something may have happened, and not what: it may be old, or come twice, or before the answer to what
//! it is about. So the gateway is asked, and its answer applied as any other.

use chrono::{DateTime, Utc};
use futures_util::StreamExt as _;
use sea_orm::sea_query::{Expr, ExprTrait as _, OnConflict};
use sea_orm::{
    ActiveEnum as _, ColumnTrait as _, ConnectionTrait, DatabaseTransaction, EntityTrait as _,
    IntoActiveModel as _, QueryFilter as _, QueryOrder as _, QuerySelect as _,
};
use tracing::Instrument as _;

use super::drive::{conclude_refund, drive, patiently, told_of};
use super::hand::{Case, transaction_of};
use super::look::take_in;
use super::operation::LEASE;
use crate::domain::context::Context;
use crate::domain::news::News;
use crate::domain::orders::change::commit;
use crate::entity::gateway_event::{self, Column, Entity, GatewayEventStatus};
use crate::entity::order_event::OrderEventType;
use crate::entity::payment::{self, PaymentGatewayName};
use crate::entity::refund;
use crate::infra::gateways::{About, Event, Fault, Message, Names, PaymentGateway, Unverified, growing};
use crate::infra::telemetry::trace;
use crate::kernel::error::{Error, Result};
use crate::kernel::id::{PaymentId, RefundId};

/// How many messages one turn of the worker is about, and how many of them at once.
const TURN: u64 = 100;
const AT_ONCE: usize = 8;

/// How long a message is tried to be dealt with. What it was about is looked at without it as well.
const WORTH_TRYING: chrono::Duration = chrono::Duration::days(3);

/// How long it is remembered that a message has come: longer than any gateway sends it again.
const REMEMBERED: chrono::Duration = chrono::Duration::days(90);

/// The gateway that goes by this name in addresses.
pub fn named(name: &str) -> Option<PaymentGatewayName> {
    let is_lower = !name.bytes().any(|byte| byte.is_ascii_uppercase());
    let name = PaymentGatewayName::try_from_value(&name.to_ascii_uppercase());
    name.ok().filter(|_| is_lower)
}

/// What became of a message that came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Received {
    /// It is stored, and was if it has come before. What to answer.
    Stored(&'static str),
    /// The shop has no such gateway.
    Nobody,
    /// It is not genuine. For the log.
    Forged(String),
    /// Nobody can tell now whether it is: it has to come again. For the log.
    Undecided(String),
}

/// Stores a message that is genuine, and nothing else.
///
/// # Errors
/// The database does not answer: the gateway has to send it again.
pub async fn receive(ctx: &Context, name: PaymentGatewayName, message: &Message) -> Result<Received> {
    let Some(gateway) = ctx.platform.gateways.get(name) else {
        return Ok(Received::Nobody);
    };
    let event = match gateway.verify(message).await {
        Ok(event) => event,
        Err(Unverified::Forged(why)) => return Ok(Received::Forged(why)),
        Err(Unverified::Undecided(why)) => return Ok(Received::Undecided(why)),
    };
    let row = row(name, event, message, ctx.now())?;
    let known = OnConflict::columns([Column::Gateway, Column::Event])
        .do_nothing()
        .to_owned();
    let txn = ctx.db().begin().await?;
    Entity::insert(row.into_active_model())
        .on_conflict(known)
        .exec_without_returning(&txn)
        .await?;
    txn.commit().await?;
    ctx.platform.gateway_events.notify_one();
    ctx.platform.news.tell(|| News::GatewayEvents);
    Ok(Received::Stored(gateway.acknowledgement()))
}

fn row(
    gateway: PaymentGatewayName,
    event: Event,
    message: &Message,
    now: DateTime<Utc>,
) -> Result<gateway_event::Model> {
    let (status, body, attempt_at, note) = match &event.about {
        About::Nothing { why } => (GatewayEventStatus::Ignored, None, None, Some(why.clone())),
        About::Transaction { .. } | About::Refund { .. } | About::Dispute { .. } => (
            GatewayEventStatus::Pending,
            Some(message.body.to_vec()),
            Some(now),
            None,
        ),
    };
    Ok(gateway_event::Model {
        gateway,
        event: event.id,
        kind: event.kind,
        about: serde_json::to_value(&event.about).map_err(Error::internal)?,
        body,
        status,
        payment_id: None,
        attempts: 0,
        attempt_at,
        note,
        received_at: now,
    })
}

/// Deals with the messages that are due; with how many.
///
/// # Errors
/// The database does not answer.
pub async fn apply_due(ctx: &Context) -> Result<u64> {
    let due = Entity::find()
        .filter(Column::AttemptAt.lte(ctx.now()))
        .order_by_asc(Column::AttemptAt)
        .limit(TURN)
        .all(ctx.db().fresh())
        .await?;
    let count = u64::try_from(due.len()).unwrap_or(u64::MAX);
    futures_util::stream::iter(due)
        .for_each_concurrent(AT_ONCE, |row| async move {
            let (gateway, event) = (row.gateway, row.event.clone());
            let span = tracing::trace_span!(target: trace::TARGET, "hear a gateway");
            if let Err(error) = deal_with(ctx, row).instrument(span).await {
                let error = format!("{:#}", anyhow::Error::from(error));
                tracing::error!(
                    ?gateway,
                    event,
                    error,
                    "a gateway's message could not be dealt with"
                );
            }
        })
        .await;
    Ok(count)
}

/// What dealing with a message came to.
enum Outcome {
    Applied(PaymentId),
    Ignored(String),
    /// To be tried again.
    Open(Option<PaymentId>, String),
}

async fn deal_with(ctx: &Context, row: gateway_event::Model) -> Result<()> {
    if !claim(ctx, &row).await? {
        return Ok(());
    }
    let about: About = serde_json::from_value(row.about.clone()).map_err(Error::internal)?;
    let outcome = match ctx.platform.gateways.get(row.gateway) {
        Some(gateway) => match outcome(ctx, gateway, &row, &about).await {
            Ok(outcome) => outcome,
            Err(error) => {
                let error = format!("{:#}", anyhow::Error::from(error));
                tracing::error!(gateway = ?row.gateway, event = row.event, error, "a gateway's message could not be applied");
                Outcome::Open(row.payment_id, "it could not be applied: see the log".to_owned())
            }
        },
        None => Outcome::Open(
            None,
            "the shop has no settings for this gateway any more".to_owned(),
        ),
    };
    let outcome = match outcome {
        Outcome::Open(_, why) if ctx.now() > row.received_at + WORTH_TRYING => {
            tracing::error!(gateway = ?row.gateway, event = row.event, why, "a gateway's message is given up");
            Outcome::Ignored(format!("given up: {why}"))
        }
        outcome => outcome,
    };
    finish(ctx, &row, outcome).await
}

/// Of two who want to deal with a message one does; the other finds it dealt with.
async fn claim(ctx: &Context, row: &gateway_event::Model) -> Result<bool> {
    let txn = ctx.db().begin().await?;
    let claimed = Entity::update_many()
        .col_expr(Column::AttemptAt, Expr::val(ctx.now() + LEASE))
        .col_expr(Column::Attempts, Expr::col(Column::Attempts).add(1))
        .filter(Column::Gateway.eq(row.gateway))
        .filter(Column::Event.eq(row.event.as_str()))
        .filter(Column::AttemptAt.eq(row.attempt_at))
        .exec(&txn)
        .await?;
    txn.commit().await?;
    Ok(claimed.rows_affected == 1)
}

async fn finish(ctx: &Context, row: &gateway_event::Model, outcome: Outcome) -> Result<()> {
    let txn = ctx.db().begin().await?;
    let (status, payment, attempt_at, note) = match outcome {
        Outcome::Applied(payment) => (GatewayEventStatus::Applied, Some(payment), None, None),
        Outcome::Ignored(why) => (GatewayEventStatus::Ignored, None, None, Some(why)),
        Outcome::Open(payment, why) => {
            let pause = growing(u32::try_from(row.attempts).unwrap_or(u32::MAX));
            (
                GatewayEventStatus::Pending,
                payment,
                Some(ctx.now() + pause),
                Some(why),
            )
        }
    };
    let mut update = Entity::update_many()
        .col_expr(Column::Status, status.into())
        .col_expr(Column::PaymentId, Expr::val(payment))
        .col_expr(Column::AttemptAt, Expr::val(attempt_at))
        .col_expr(Column::Note, Expr::val(note))
        .filter(Column::Gateway.eq(row.gateway))
        .filter(Column::Event.eq(row.event.as_str()))
        .filter(Column::Status.eq(GatewayEventStatus::Pending));
    if status != GatewayEventStatus::Pending {
        // It names people, and nothing needs it any more.
        update = update.col_expr(Column::Body, Expr::val(None::<Vec<u8>>));
    }
    update.exec(&txn).await?;
    txn.commit().await?;
    Ok(())
}

async fn outcome(
    ctx: &Context,
    gateway: &dyn PaymentGateway,
    row: &gateway_event::Model,
    about: &About,
) -> Result<Outcome> {
    let names = match about {
        About::Transaction { transaction }
        | About::Refund { transaction, .. }
        | About::Dispute { transaction } => transaction,
        About::Nothing { why } => return Ok(Outcome::Ignored(why.clone())),
    };
    let Some(payment) = find_payment(ctx.db().fresh(), row.gateway, names).await? else {
        return Ok(Outcome::Ignored("it is about no payment of ours".to_owned()));
    };
    let (reference, theirs) = (payment.gateway_reference.as_deref(), names.theirs.as_deref());
    if reference.is_some() && theirs.is_some() && reference != theirs {
        let why = format!("it names {} for another transaction", payment.id);
        return Ok(Outcome::Ignored(why));
    }
    let body = row.body.as_deref().unwrap_or_default();
    match about {
        About::Refund { refund: names, .. } => {
            if let Some(refund) = find_refund(ctx.db().fresh(), payment.id, names).await? {
                return refund_told(ctx, gateway, &payment, refund, body).await;
            }
            // Somebody has made it at the gateway: the payment tells.
        }
        About::Dispute { .. } => disputed(ctx, row, payment.id).await?,
        About::Transaction { .. } | About::Nothing { .. } => {}
    }
    let transaction = transaction_of(ctx, &payment).await?;
    let asked_at = ctx.now();
    match patiently(gateway.confirm(&transaction, body)).await {
        Ok(Some(state)) => {
            take_in(ctx, payment.id, asked_at, Ok(Some(state))).await?;
            drive(ctx, &[payment.id]).await;
            Ok(Outcome::Applied(payment.id))
        }
        Ok(None) => Ok(Outcome::Ignored("the gateway knows nothing of it".to_owned())),
        Err(fault) => Ok(left_open(payment.id, fault)),
    }
}

fn left_open(payment: PaymentId, fault: Fault) -> Outcome {
    match fault {
        Fault::Unknown(why) | Fault::Unsent(why) => Outcome::Open(Some(payment), why),
        Fault::Refused(reason) => Outcome::Ignored(format!("the gateway refused: {}", reason.code)),
    }
}

async fn refund_told(
    ctx: &Context,
    gateway: &dyn PaymentGateway,
    payment: &payment::Model,
    refund: refund::Model,
    body: &[u8],
) -> Result<Outcome> {
    let transaction = transaction_of(ctx, payment).await?;
    let asked = told_of(payment, &refund)?;
    match patiently(gateway.confirm_refund(&transaction, &asked, body)).await {
        Ok(told) => {
            conclude_refund(ctx, payment, refund.id, told).await?;
            drive(ctx, &[payment.id]).await;
            Ok(Outcome::Applied(payment.id))
        }
        Err(fault) => Ok(left_open(payment.id, fault)),
    }
}

/// Tells people, who have to answer the bank: once, however often the message is tried.
async fn disputed(ctx: &Context, row: &gateway_event::Model, id: PaymentId) -> Result<()> {
    let txn = ctx.db().begin().await?;
    let first = Entity::update_many()
        .col_expr(Column::PaymentId, Expr::val(id))
        .filter(Column::Gateway.eq(row.gateway))
        .filter(Column::Event.eq(row.event.as_str()))
        .filter(Column::PaymentId.is_null())
        .exec(&txn)
        .await?;
    if first.rows_affected == 0 {
        return Ok(());
    }
    let Some(mut case) = Case::open(&txn, ctx, id).await? else {
        return Ok(());
    };
    let message = "The buyer disputes a payment at the bank. We are looking at it.";
    case.order.happened(OrderEventType::ReviewRequired, message);
    case.save(&txn, ctx.now()).await?;
    commit(ctx, txn).await
}

async fn find_payment<C: ConnectionTrait>(
    connection: &C,
    gateway: PaymentGatewayName,
    names: &Names,
) -> Result<Option<payment::Model>> {
    let ours: Option<PaymentId> = names.ours.as_deref().and_then(|id| id.parse().ok());
    let mut query = payment::Entity::find().filter(payment::Column::Gateway.eq(gateway));
    query = match (ours, names.theirs.as_deref()) {
        (Some(id), _) => query.filter(payment::Column::Id.eq(id)),
        // Where it says something else than a payment's id, it is another program's.
        (None, Some(reference)) if names.ours.is_none() && !reference.contains('\0') => {
            query.filter(payment::Column::GatewayReference.eq(reference))
        }
        (None, _) => return Ok(None),
    };
    Ok(query.one(connection).await?)
}

async fn find_refund<C: ConnectionTrait>(
    connection: &C,
    payment: PaymentId,
    names: &Names,
) -> Result<Option<refund::Model>> {
    let ours: Option<RefundId> = names.ours.as_deref().and_then(|id| id.parse().ok());
    let query = refund::Entity::find().filter(refund::Column::PaymentId.eq(payment));
    let query = match (ours, names.theirs.as_deref()) {
        (Some(id), _) => query.filter(refund::Column::Id.eq(id)),
        (None, Some(reference)) if !reference.contains('\0') => {
            query.filter(refund::Column::GatewayReference.eq(reference))
        }
        (None, _) => return Ok(None),
    };
    Ok(query.one(connection).await?)
}

/// Forgets messages that have long been dealt with; how many.
pub async fn forget_old(txn: &DatabaseTransaction, now: DateTime<Utc>, at_most: u64) -> Result<u64> {
    let old: Vec<(PaymentGatewayName, String)> = Entity::find()
        .select_only()
        .columns([Column::Gateway, Column::Event])
        .filter(Column::ReceivedAt.lt(now - REMEMBERED))
        .filter(Column::Status.ne(GatewayEventStatus::Pending))
        .limit(at_most)
        .into_tuple()
        .all(txn)
        .await?;
    let mut forgotten = 0;
    for key in old {
        forgotten += Entity::delete_by_id(key).exec(txn).await?.rows_affected;
    }
    Ok(forgotten)
}
