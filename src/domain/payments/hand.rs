//! An order together with its payments, all locked: what is known of each, and what they come to.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sea_orm::{
    ConnectionTrait as _, DatabaseTransaction, EntityTrait as _, QueryFilter as _, QueryOrder as _,
    QuerySelect as _,
};
use serde::{Deserialize, Serialize};

use crate::domain::context::Context;
use crate::domain::ledger::book::{self, Returned};
use crate::domain::orders::change::{OrderInHand, save_many};
use crate::entity::payment::{PaymentGatewayName, PaymentStatus};
use crate::entity::{payment, shop_order};
use crate::infra::db::many::{self, among};
use crate::infra::gateways::{Action, Transaction, masked};
use crate::infra::metric::PAYMENTS;
use crate::kernel::error::{Error, Result};
use crate::kernel::id::{OrderId, PaymentId, RefundId};
use crate::kernel::money::{Currency, Money};

/// Where buyers come back from pages of gateways, below the shop's own address.
pub const RETURN: &str = "/payments/return";

/// The payments of an order, of which each has its own amounts.
#[derive(Debug, Default)]
pub(super) struct Payments {
    rows: Vec<payment::Model>,
    /// As the database has them, or as it is to be begun.
    stored: Vec<payment::Model>,
    /// The one that the database has not yet.
    begun: Option<PaymentId>,
    /// What of which went back, or came again.
    returned: Vec<(PaymentId, Returned)>,
}

impl Payments {
    /// Locks all payments of an order that is locked already.
    pub(super) async fn lock(txn: &DatabaseTransaction, order: OrderId) -> Result<Self> {
        let mut found = Self::lock_many(txn, &[order]).await?;
        Ok(found.remove(&order).unwrap_or_default())
    }

    /// The same of several orders. One that has none is not there.
    pub(super) async fn lock_many(
        txn: &DatabaseTransaction,
        orders: &[OrderId],
    ) -> Result<HashMap<OrderId, Self>> {
        use payment::Column::{CreatedAt, Id, OrderId as Order};
        if orders.is_empty() {
            return Ok(HashMap::new());
        }
        let rows = payment::Entity::find()
            .filter(among(txn.get_database_backend(), Order, orders.iter().copied())?)
            .order_by_asc(Order)
            .order_by_asc(CreatedAt)
            .order_by_asc(Id)
            .lock_exclusive()
            .all(txn)
            .await?;
        let mut found: HashMap<OrderId, Self> = HashMap::new();
        for row in rows {
            let of_order = found.entry(row.order_id).or_default();
            of_order.stored.push(row.clone());
            of_order.rows.push(row);
        }
        Ok(found)
    }

    /// Adds one that is to be begun.
    pub(super) fn begin(&mut self, row: payment::Model) {
        self.begun = Some(row.id);
        self.stored.push(row.clone());
        self.rows.push(row);
    }

    /// Whether nobody can know of a payment yet, and so nothing else be under way about it.
    pub(super) fn is_begun(&self, id: PaymentId) -> bool {
        self.begun == Some(id)
    }

    pub(super) fn all(&self) -> &[payment::Model] {
        &self.rows
    }

    pub(super) fn get(&self, id: PaymentId) -> Result<&payment::Model> {
        self.rows.iter().find(|row| row.id == id).ok_or_else(vanished)
    }

    pub(super) fn change(&mut self, id: PaymentId) -> Result<&mut payment::Model> {
        self.rows.iter_mut().find(|row| row.id == id).ok_or_else(vanished)
    }

    /// Counts what went back of a payment by a refund, or came again when it is negative. No other way changes it: the
    /// ledger wants to know of each.
    pub(super) fn give_back(&mut self, id: PaymentId, refund: RefundId, amount: i64) -> Result<()> {
        self.change(id)?.refunded += amount;
        self.returned.push((id, Returned { refund, amount }));
        Ok(())
    }

    /// Whether another payment of the order than this one is under way or has taken money.
    pub(super) fn live_beside(&self, id: PaymentId) -> bool {
        self.rows.iter().any(|row| row.id != id && is_live(row.status))
    }

    /// Tells the order what its payments come to.
    pub(super) fn count_into(&self, order: &mut OrderInHand) {
        let sum = |amount: fn(&payment::Model) -> i64| self.rows.iter().map(amount).sum();
        order.money(
            sum(|row| row.authorized),
            sum(|row| row.captured),
            sum(|row| row.refunded),
        );
    }

    /// Whether what is promised and what was taken and kept pay for the order.
    pub(super) fn cover(&self, order: &shop_order::Model) -> bool {
        let kept = |row: &payment::Model| row.authorized + row.captured - row.refunded;
        self.rows.iter().map(kept).sum::<i64>() >= order.total
    }

    /// What has changed of them, and is to be stored.
    fn changed(&mut self, now: DateTime<Utc>) -> impl Iterator<Item = Changed<'_>> {
        let (begun, returned) = (self.begun, &self.returned);
        let rows = self.rows.iter_mut().zip(&self.stored);
        rows.filter_map(move |(row, stored)| {
            let is_begun = begun == Some(row.id);
            if row == stored && !is_begun {
                return None;
            }
            row.updated_at = now;
            let of_this = returned.iter().filter(|(id, _)| *id == row.id);
            Some(Changed {
                row,
                stored,
                is_begun,
                returned: of_this.map(|(_, returned)| *returned).collect(),
            })
        })
    }
}

/// A payment that is to be stored.
struct Changed<'a> {
    row: &'a payment::Model,
    stored: &'a payment::Model,
    is_begun: bool,
    returned: Vec<Returned>,
}

/// Stores what has changed of the payments of these orders, and books it, in as many statements as for one. The orders have
/// been stored before.
async fn save_payments(
    txn: &DatabaseTransaction,
    all: &mut [(Payments, &shop_order::Model)],
    now: DateTime<Utc>,
) -> Result<()> {
    let changed: Vec<(Changed<'_>, &shop_order::Model)> = all
        .iter_mut()
        .flat_map(|(payments, order)| payments.changed(now).map(|changed| (changed, *order)))
        .collect();
    let rows = |is_begun: bool| -> Vec<payment::Model> {
        let some = changed.iter().filter(|(one, _)| one.is_begun == is_begun);
        some.map(|(one, _)| one.row.clone()).collect()
    };
    many::insert::<payment::Entity>(txn, &rows(true), "").await?;
    let pairs = changed.iter().filter(|(one, _)| !one.is_begun);
    let columns = many::differing(pairs.map(|(one, _)| (one.row, one.stored)));
    many::update::<payment::Entity>(txn, payment::Column::Id, &columns, &rows(false)).await?;
    let became: Vec<book::PaymentBecame<'_>> = changed
        .iter()
        .map(|(one, order)| book::PaymentBecame {
            order,
            before: one.stored,
            after: one.row,
            returned: &one.returned,
        })
        .collect();
    book::payments(txn, &became, now).await?;
    for (one, _) in changed {
        if one.row.status != one.stored.status {
            // Counted although it is not committed yet: of the few that are not, most are saved anew.
            PAYMENTS
                .counter([gateway_word(one.row.gateway), outcome_word(one.row.status)])
                .increment(1);
        }
    }
    Ok(())
}

/// What metrics call a gateway.
fn gateway_word(gateway: PaymentGatewayName) -> &'static str {
    match gateway {
        PaymentGatewayName::Stripe => "stripe",
        PaymentGatewayName::Paypal => "paypal",
        PaymentGatewayName::Mpesa => "mpesa",
        PaymentGatewayName::Manual => "manual",
        PaymentGatewayName::Test => "test",
    }
}

/// The same of what a payment came to.
fn outcome_word(status: PaymentStatus) -> &'static str {
    match status {
        PaymentStatus::RequiresAction => "requires_action",
        PaymentStatus::Processing => "processing",
        PaymentStatus::Authorized => "authorized",
        PaymentStatus::Captured => "captured",
        PaymentStatus::PartiallyRefunded => "partially_refunded",
        PaymentStatus::Refunded => "refunded",
        PaymentStatus::Failed => "failed",
        PaymentStatus::Voided => "voided",
        PaymentStatus::Expired => "expired",
        PaymentStatus::RequiresReview => "requires_review",
    }
}

fn vanished() -> Error {
    Error::internal(anyhow::anyhow!("a payment is not among those of its order"))
}

/// A payment that is looked at or changed, with its order and the order's other payments.
#[derive(Debug)]
pub(super) struct Case {
    pub(super) order: OrderInHand,
    pub(super) payments: Payments,
    pub(super) id: PaymentId,
}

impl Case {
    pub(super) async fn open(
        txn: &DatabaseTransaction,
        ctx: &Context,
        id: PaymentId,
    ) -> Result<Option<Self>> {
        // Which order it is of never changes, so it may be read before that is locked.
        let Some(row) = payment::Entity::find_by_id(id).one(txn).await? else {
            return Ok(None);
        };
        Self::open_of(txn, ctx, row.order_id, id).await
    }

    /// The same by who knows of which order it is.
    pub(super) async fn open_of(
        txn: &DatabaseTransaction,
        ctx: &Context,
        order: OrderId,
        id: PaymentId,
    ) -> Result<Option<Self>> {
        let Some(order) = OrderInHand::lock(txn, ctx, order).await? else {
            return Ok(None);
        };
        let payments = Payments::lock(txn, order.row.id).await?;
        Ok(Some(Self { order, payments, id }))
    }

    pub(super) fn payment(&self) -> Result<&payment::Model> {
        self.payments.get(self.id)
    }

    /// Stores all changes. The payment and the order as they are now.
    pub(super) async fn save(self, txn: &DatabaseTransaction, now: DateTime<Utc>) -> Result<Saved> {
        let saved = Self::save_many(txn, vec![self], now).await?;
        saved.into_iter().next().ok_or_else(vanished)
    }

    /// The same of several, in as many statements as for one.
    pub(super) async fn save_many(
        txn: &DatabaseTransaction,
        cases: Vec<Self>,
        now: DateTime<Utc>,
    ) -> Result<Vec<Saved>> {
        let (mut orders, mut rest) = (Vec::new(), Vec::new());
        for case in cases {
            orders.push(case.order);
            rest.push((case.payments, case.id));
        }
        let orders = save_many(txn, orders).await?;
        let (payments, ids): (Vec<Payments>, Vec<PaymentId>) = rest.into_iter().unzip();
        let mut all: Vec<_> = payments.into_iter().zip(&orders).collect();
        save_payments(txn, &mut all, now).await?;
        let found: Vec<payment::Model> = all
            .iter()
            .zip(ids)
            .map(|((payments, _), id)| payments.get(id).cloned())
            .collect::<Result<_>>()?;
        Ok(found.into_iter().zip(orders).collect())
    }
}

/// A payment and its order as they have been stored.
type Saved = (payment::Model, shop_order::Model);

/// Whether a payment stands in the way of another one: the same as the condition of the index `uq_payment_live`.
pub fn is_live(status: PaymentStatus) -> bool {
    match status {
        PaymentStatus::RequiresAction
        | PaymentStatus::Processing
        | PaymentStatus::Authorized
        | PaymentStatus::Captured
        | PaymentStatus::PartiallyRefunded => true,
        PaymentStatus::Refunded
        | PaymentStatus::Failed
        | PaymentStatus::Voided
        | PaymentStatus::Expired
        | PaymentStatus::RequiresReview => false,
    }
}

/// What a payment's `action` holds: what its buyer brought along, and what he must do next.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Journey {
    pub(super) secret: String,
    pub(super) return_url: Option<String>,
    pub(super) phone: Option<String>,
    pub(super) next: Option<Action>,
}

impl Journey {
    pub(super) fn of(row: &payment::Model) -> Result<Self> {
        let stored = row.action.clone().unwrap_or_default();
        serde_json::from_value(stored).map_err(Error::internal)
    }

    pub(super) fn store(&self, row: &mut payment::Model) -> Result<()> {
        row.action = Some(serde_json::to_value(self).map_err(Error::internal)?);
        Ok(())
    }

    /// Keeps no more of a phone than what is shown, once its gateway has been told of it.
    pub(super) fn hide_phone(row: &mut payment::Model) -> Result<()> {
        let mut journey = Self::of(row)?;
        journey.phone = journey.phone.as_deref().map(masked);
        journey.store(row)
    }

    /// Keeps nothing that was for the buyer alone, once there is nothing left for him to do.
    pub(super) fn end(row: &mut payment::Model) -> Result<()> {
        let mut journey = Self::of(row)?;
        journey.next = None;
        journey.phone = journey.phone.as_deref().map(masked);
        journey.store(row)
    }
}

/// What its buyer must do now, if anything.
pub fn next_action(row: &payment::Model) -> Result<Option<Action>> {
    match row.status {
        PaymentStatus::RequiresAction | PaymentStatus::Processing => Ok(Journey::of(row)?.next),
        PaymentStatus::Authorized
        | PaymentStatus::Captured
        | PaymentStatus::PartiallyRefunded
        | PaymentStatus::Refunded
        | PaymentStatus::Failed
        | PaymentStatus::Voided
        | PaymentStatus::Expired
        | PaymentStatus::RequiresReview => Ok(None),
    }
}

pub fn currency(row: &payment::Model) -> Result<Currency> {
    row.currency.parse().map_err(Error::internal)
}

/// An amount in the payment's currency.
pub(super) fn money(row: &payment::Model, minor: i64) -> Result<Money> {
    Ok(Money::new(minor, currency(row)?))
}

/// The payment as its gateway is told of it.
pub(super) fn transaction(
    ctx: &Context,
    row: &payment::Model,
    order: &shop_order::Model,
) -> Result<Transaction> {
    let journey = Journey::of(row)?;
    let home = ctx.platform.public_url.as_str().trim_end_matches('/');
    Ok(Transaction {
        id: row.id.to_string(),
        reference: row.gateway_reference.clone(),
        receipt: row.gateway_receipt.clone(),
        flow: row.flow,
        money: money(row, row.amount)?,
        order: row.order_id.to_string(),
        order_number: order.number.clone(),
        return_url: format!("{home}{RETURN}/{}/{}", row.id, journey.secret),
        secret: journey.secret.into(),
        phone: journey.phone.map(Into::into),
        test_outcome: row.test_outcome,
        begun_at: row.created_at,
    })
}

/// The same of a payment whose order is not at hand.
pub(super) async fn transaction_of(ctx: &Context, row: &payment::Model) -> Result<Transaction> {
    let order = shop_order::Entity::find_by_id(row.order_id)
        .one(ctx.db().fresh())
        .await?;
    let order = order.ok_or_else(|| Error::internal(anyhow::anyhow!("a payment without its order")))?;
    transaction(ctx, row, &order)
}
