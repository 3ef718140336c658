//! Comparing payments with what their gateways say, and with what is booked. Nothing is changed by it.
//!
//! The shop goes on meanwhile. So what differs is looked at once more, and counts only if nothing has moved since.

mod compare;

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};
use futures_util::StreamExt as _;
use sea_orm::{
    ActiveEnum as _, ColumnTrait as _, Condition, EntityTrait as _, PaginatorTrait as _, QueryFilter as _,
    QueryOrder as _, QuerySelect as _, Select,
};
use serde::Serialize;

use super::drive::{patiently, told_of};
use super::hand::transaction;
use crate::domain::context::Context;
use crate::domain::ledger::booked::{of_order_booked, of_payment};
use crate::domain::permission::Permission;
use crate::entity::payment::{self, Column, PaymentGatewayName, PaymentStatus};
use crate::entity::refund::{self, RefundStatus};
use crate::entity::shop_order;
use crate::infra::gateways::{Fault, PaymentGateway};
use crate::kernel::error::{Error, Result};
use crate::kernel::id::PaymentId;

/// How many payments are read at a time, and of how many gateways are asked at once.
const BATCH: u64 = 100;
const AT_ONCE: usize = 4;

/// How often a payment is looked at that changes meanwhile.
const TRIES: usize = 5;

/// After so many payments in a row of which a gateway has not answered it is not asked any more.
const PATIENT: usize = 20;

/// Those that may still change, however old they are.
const OPEN: [PaymentStatus; 4] = [
    PaymentStatus::RequiresAction,
    PaymentStatus::Processing,
    PaymentStatus::Authorized,
    PaymentStatus::RequiresReview,
];

/// Which payments are looked at: those that are open, and those that have changed since.
#[derive(Clone, Copy, Debug)]
pub struct Scope {
    pub gateway: Option<PaymentGatewayName>,
    pub since: DateTime<Utc>,
}

/// Something that is not the same here and there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Difference {
    /// The id of a payment, a refund or an order.
    pub subject: String,
    pub what: &'static str,
    pub ours: String,
    pub theirs: String,
    /// Whose word it is: a gateway's name, or `ledger`.
    pub by: String,
    /// What to do about it.
    pub advice: &'static str,
}

/// What a gateway did not tell, or was not asked for want of settings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Silence {
    /// The id of a payment; None where it is about all of the gateway's.
    pub subject: Option<String>,
    pub by: String,
    pub why: String,
}

/// What came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    pub payments: u64,
    /// Those of them whose gateway was asked, by its name.
    pub asked: BTreeMap<String, u64>,
    /// Those whose gateway remembers nothing: they were compared with the ledger alone.
    pub not_asked: BTreeMap<String, u64>,
    /// Those whose gateway has no settings, and could not be asked.
    pub without_settings: BTreeMap<String, u64>,
    pub differences: u64,
    pub silences: u64,
}

impl Report {
    /// Whether everything was compared, and was the same.
    pub fn agrees(&self) -> bool {
        self.differences == 0 && self.silences == 0
    }
}

/// Hears of it as it goes on.
pub trait Watch {
    fn advanced(&mut self, done: u64, total: u64);
    fn differs(&mut self, difference: Difference);
    fn silent(&mut self, silence: Silence);
}

/// Compares payments, their refunds and their orders with gateways and the ledger.
///
/// # Errors
/// Forbidden, or the database does not answer.
pub async fn reconcile(ctx: &Context, scope: &Scope, watch: &mut (dyn Watch + Send)) -> Result<Report> {
    ctx.require(Permission::ReadLedger)?;
    let total = query(scope).count(ctx.db().fresh()).await?;
    let mut report = Report::default();
    let mut in_a_row: HashMap<PaymentGatewayName, usize> = HashMap::new();
    let mut after = None;
    loop {
        watch.advanced(report.payments, total.max(report.payments));
        let ids = page(ctx, scope, after).await?;
        let Some(last) = ids.last() else { break };
        after = Some(*last);
        let given_up = &in_a_row;
        let mut looked = futures_util::stream::iter(ids)
            .map(|id| async move {
                let tired = |gateway| given_up.get(&gateway).is_some_and(|silent| *silent >= PATIENT);
                look_at(ctx, id, tired).await
            })
            .buffered(AT_ONCE);
        let mut heard = Vec::new();
        while let Some(looked) = looked.next().await {
            let Some(Looked {
                gateway,
                source,
                found,
            }) = looked?
            else {
                continue;
            };
            report.payments += 1;
            let counted = match source {
                Source::Asked => &mut report.asked,
                Source::RemembersNothing => &mut report.not_asked,
                Source::WithoutSettings => &mut report.without_settings,
            };
            *counted.entry(gateway.to_value()).or_default() += 1;
            if source == Source::Asked {
                heard.push((gateway, found.silences.is_empty()));
            }
            for difference in found.differences {
                report.differences += 1;
                watch.differs(difference);
            }
            for silence in found.silences {
                report.silences += 1;
                watch.silent(silence);
            }
            watch.advanced(report.payments, total.max(report.payments));
        }
        drop(looked);
        for (gateway, answered) in heard {
            let silent = in_a_row.entry(gateway).or_default();
            *silent = if answered { 0 } else { *silent + 1 };
        }
    }
    for (gateway, count) in &report.without_settings {
        let payments = if *count == 1 {
            "payment was"
        } else {
            "payments were"
        };
        report.silences += 1;
        watch.silent(Silence {
            subject: None,
            by: gateway.clone(),
            why: format!("it has no settings, and {count} {payments} compared with the ledger alone"),
        });
    }
    Ok(report)
}

fn query(scope: &Scope) -> Select<payment::Entity> {
    let current = Condition::any()
        .add(Column::Status.is_in(OPEN))
        .add(Column::UpdatedAt.gte(scope.since));
    let mut query = payment::Entity::find().filter(current);
    if let Some(gateway) = scope.gateway {
        query = query.filter(Column::Gateway.eq(gateway));
    }
    query
}

async fn page(ctx: &Context, scope: &Scope, after: Option<PaymentId>) -> Result<Vec<PaymentId>> {
    let mut query = query(scope).select_only().column(Column::Id);
    if let Some(after) = after {
        query = query.filter(Column::Id.gt(after));
    }
    let ids = query.order_by_asc(Column::Id).limit(BATCH).into_tuple();
    Ok(ids.all(ctx.db().fresh()).await?)
}

/// A payment with all that belongs to it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Seen {
    payment: payment::Model,
    refunds: Vec<refund::Model>,
    order: shop_order::Model,
    /// Of the same order, this one too.
    payments: Vec<payment::Model>,
}

impl Seen {
    async fn read(ctx: &Context, id: PaymentId) -> Result<Option<Self>> {
        let database = ctx.db().fresh();
        let Some(payment) = payment::Entity::find_by_id(id).one(database).await? else {
            return Ok(None);
        };
        let order = shop_order::Entity::find_by_id(payment.order_id)
            .one(database)
            .await?;
        let order = order.ok_or_else(|| Error::internal(anyhow::anyhow!("a payment without its order")))?;
        let payments = payment::Entity::find()
            .filter(Column::OrderId.eq(order.id))
            .order_by_asc(Column::Id)
            .all(database)
            .await?;
        let refunds = refund::Entity::find()
            .filter(refund::Column::PaymentId.eq(id))
            .order_by_asc(refund::Column::Id)
            .all(database)
            .await?;
        Ok(Some(Self {
            payment,
            refunds,
            order,
            payments,
        }))
    }
}

/// What was found about one payment.
#[derive(Debug, Default)]
struct Found {
    differences: Vec<Difference>,
    silences: Vec<Silence>,
}

struct Looked {
    gateway: PaymentGatewayName,
    source: Source,
    found: Found,
}

/// What a gateway is to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    Asked,
    RemembersNothing,
    WithoutSettings,
}

impl Source {
    fn of(name: PaymentGatewayName, gateway: Option<&dyn PaymentGateway>) -> Self {
        use PaymentGatewayName as Name;
        match (gateway, name) {
            (Some(gateway), _) if gateway.remembers() => Self::Asked,
            // They need no settings, and know what they are told.
            (Some(_), _) | (None, Name::Manual | Name::Test) => Self::RemembersNothing,
            (None, Name::Stripe | Name::Paypal | Name::Mpesa) => Self::WithoutSettings,
        }
    }
}

async fn look_at(
    ctx: &Context,
    id: PaymentId,
    tired: impl Fn(PaymentGatewayName) -> bool,
) -> Result<Option<Looked>> {
    let Some(mut seen) = Seen::read(ctx, id).await? else {
        return Ok(None);
    };
    let name = seen.payment.gateway;
    let gateway = ctx.platform.gateways.get(name);
    let source = Source::of(name, gateway);
    let gateway = gateway.filter(|_| source == Source::Asked);
    let mut tries = 1;
    loop {
        let mut found = Found::default();
        compare::with_ledger(
            &mut found,
            &seen,
            &of_payment(ctx.db().fresh(), id).await?,
            of_order_booked(ctx.db().fresh(), seen.order.id).await?,
        )?;
        match gateway {
            Some(_) if tired(name) => found.silent(&seen, "not asked any more: it did not answer before"),
            Some(gateway) => ask(ctx, gateway, &seen, &mut found).await?,
            None => {}
        }
        let now = Seen::read(ctx, id).await?;
        match now {
            Some(now) if now != seen && !found.differences.is_empty() && tries < TRIES => seen = now,
            _ => {
                return Ok(Some(Looked {
                    gateway: name,
                    source,
                    found,
                }));
            }
        }
        tries += 1;
    }
}

impl Found {
    fn silent(&mut self, seen: &Seen, why: impl Into<String>) {
        self.silences.push(Silence {
            subject: Some(seen.payment.id.to_string()),
            by: seen.payment.gateway.to_value(),
            why: why.into(),
        });
    }
}

async fn ask(ctx: &Context, gateway: &dyn PaymentGateway, seen: &Seen, found: &mut Found) -> Result<()> {
    let told = transaction(ctx, &seen.payment, &seen.order)?;
    match patiently(gateway.retrieve(&told)).await {
        Ok(state) => compare::with_gateway(found, seen, state.as_ref())?,
        Err(fault) => {
            found.silent(seen, why(fault));
            return Ok(());
        }
    }
    for row in &seen.refunds {
        // What has no name yet cannot be asked after; what failed is asked for anew under another one.
        if row.gateway_reference.is_none() || row.status == RefundStatus::Failed {
            continue;
        }
        match patiently(gateway.retrieve_refund(&told, &told_of(&seen.payment, row)?)).await {
            Ok(state) => compare::refund(found, seen, row, &state)?,
            Err(fault) => found.silent(seen, format!("{}: {}", row.id, why(fault))),
        }
    }
    Ok(())
}

fn why(fault: Fault) -> String {
    match fault {
        Fault::Unknown(why) | Fault::Unsent(why) => why,
        Fault::Refused(reason) => format!("{} ({})", reason.message, reason.code),
    }
}
