//! An order together with its payments, all locked: what is known of each, and what they come to.

use chrono::{DateTime, Utc};
use sea_orm::{
    ActiveModelTrait as _, ColumnTrait as _, DatabaseTransaction, EntityTrait as _, IntoActiveModel as _,
    QueryFilter as _, QueryOrder as _, QuerySelect as _,
};
use serde::{Deserialize, Serialize};

use crate::domain::context::Context;
use crate::domain::ledger::book::{self, Returned};
use crate::domain::orders::change::OrderInHand;
use crate::entity::payment::{PaymentGatewayName, PaymentStatus};
use crate::entity::{payment, shop_order};
use crate::infra::gateways::{Action, Transaction, masked};
use crate::infra::metric::PAYMENTS;
use crate::kernel::error::{Error, Result};
use crate::kernel::id::{OrderId, PaymentId, RefundId};
use crate::kernel::money::{Currency, Money};

/// Where buyers come back from pages of gateways, below the shop's own address.
pub const RETURN: &str = "/payments/return";

/// The payments of an order, of which each has its own amounts.
#[derive(Debug)]
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
        let rows = payment::Entity::find()
            .filter(payment::Column::OrderId.eq(order))
            .order_by_asc(payment::Column::CreatedAt)
            .order_by_asc(payment::Column::Id)
            .lock_exclusive()
            .all(txn)
            .await?;
        Ok(Self {
            stored: rows.clone(),
            rows,
            begun: None,
            returned: Vec::new(),
        })
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

    /// Stores what has changed, and books it. `order` has been stored before.
    async fn save(
        &mut self,
        txn: &DatabaseTransaction,
        order: &shop_order::Model,
        now: DateTime<Utc>,
    ) -> Result<()> {
        for (row, stored) in self.rows.iter_mut().zip(&self.stored) {
            let begun = self.begun == Some(row.id);
            if row == stored && !begun {
                continue;
            }
            row.updated_at = now;
            let saved = row.clone().into_active_model();
            if begun {
                payment::Entity::insert(saved).exec_without_returning(txn).await?;
            } else {
                payment::Entity::update(saved.reset_all()).exec(txn).await?;
            }
            let of_this = self.returned.iter().filter(|(id, _)| *id == row.id);
            let returned: Vec<Returned> = of_this.map(|(_, returned)| *returned).collect();
            book::payment(txn, order, stored, row, &returned, now).await?;
            if row.status != stored.status {
                // Counted although it is not committed yet: of the few that are not, most are saved anew.
                PAYMENTS
                    .counter([gateway_word(stored.gateway), outcome_word(row.status)])
                    .increment(1);
            }
        }
        Ok(())
    }
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
    pub(super) async fn save(
        mut self,
        txn: &DatabaseTransaction,
        now: DateTime<Utc>,
    ) -> Result<(payment::Model, shop_order::Model)> {
        let order = self.order.save(txn).await?;
        self.payments.save(txn, &order, now).await?;
        Ok((self.payments.get(self.id)?.clone(), order))
    }
}

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
