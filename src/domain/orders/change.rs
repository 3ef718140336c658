//! Changing an order: under its lock, with an event for each thing that happens, all in one transaction.
//!
//! Whoever locks several things locks them in this order, so that nobody waits in a circle: cart, order, payments,
//! stock (by the variants' ids).

use chrono::{DateTime, Utc};
use sea_orm::sea_query::{CaseStatement, Expr, ExprTrait as _, OnConflict};
use sea_orm::{
    ActiveModelTrait as _, ColumnTrait as _, DatabaseTransaction, EntityTrait as _, IntoActiveModel,
    QueryFilter as _, QueryOrder as _, QuerySelect as _,
};

use super::state::{self, Standing};
use crate::domain::context::Context;
use crate::domain::ledger::book;
use crate::entity::order_event::OrderEventType;
use crate::entity::shop_order::{OrderStatus, PaymentProgress};
use crate::entity::{order_event, order_line, shop_order};
use crate::kernel::error::{Error, Result};
use crate::kernel::id::{OrderEventId, OrderId};

/// An order whose row is locked by the transaction, or that it has just made.
#[derive(Debug)]
pub struct OrderInHand {
    pub row: shop_order::Model,
    /// In their order. Their quantities change, through [`OrderInHand::save`] alone, and nothing else of them.
    pub lines: Vec<order_line::Model>,
    /// As the database has them; None for an order that it has not yet.
    stored: Option<(shop_order::Model, Vec<order_line::Model>)>,
    events: Vec<order_event::Model>,
    actor: String,
    now: DateTime<Utc>,
}

impl OrderInHand {
    /// Locks an order, whoever may see it: ask the room's policy first.
    pub async fn lock(txn: &DatabaseTransaction, ctx: &Context, id: OrderId) -> Result<Option<Self>> {
        let row = shop_order::Entity::find_by_id(id)
            .lock_exclusive()
            .one(txn)
            .await?;
        let Some(row) = row else { return Ok(None) };
        let lines = order_line::Entity::find()
            .filter(order_line::Column::OrderId.eq(id))
            .order_by_asc(order_line::Column::Position)
            .all(txn)
            .await?;
        let stored = Some((row.clone(), lines.clone()));
        Ok(Some(Self {
            stored,
            ..Self::draft(ctx, row, lines)
        }))
    }

    /// An order that is to be made.
    pub fn draft(ctx: &Context, row: shop_order::Model, lines: Vec<order_line::Model>) -> Self {
        Self {
            row,
            lines,
            stored: None,
            events: Vec::new(),
            actor: ctx.actor.key(),
            now: ctx.now(),
        }
    }

    pub fn standing(&self) -> Standing {
        Standing::of(&self.row)
    }

    /// Moves the lifecycle on; to where it is already is no move.
    ///
    /// # Errors
    /// Internal: callers ask [`Standing::require`] first, which refuses in words.
    pub fn become_status(&mut self, to: OrderStatus) -> Result<()> {
        if self.row.status == to {
            return Ok(());
        }
        if !state::may_become(self.row.status, to) {
            let from = self.row.status;
            return Err(Error::internal(anyhow::anyhow!(
                "an order cannot become {to:?} from {from:?}"
            )));
        }
        self.row.status = to;
        self.row.hold_expires_at = None;
        Ok(())
    }

    /// What payments promise, took and gave back in all.
    pub fn money(&mut self, authorized: i64, paid: i64, refunded: i64) {
        self.row.paid = paid;
        self.row.refunded = refunded;
        self.row.payment_status = state::payment_progress(self.row.total, authorized, paid, refunded);
    }

    /// Writes down that something happened. Its statuses are those of this moment: change the order first.
    pub fn happened(&mut self, kind: OrderEventType, message: impl Into<String>) {
        self.row.last_seq += 1;
        self.events.push(order_event::Model {
            id: OrderEventId::new(),
            order_id: self.row.id,
            seq: self.row.last_seq,
            position: None,
            user_id: self.row.user_id,
            kind,
            status: self.row.status,
            payment_status: self.row.payment_status,
            fulfillment_status: self.row.fulfillment_status,
            message: message.into(),
            actor: self.actor.clone(),
            occurred_at: self.now,
        });
    }

    /// Completes an order that is delivered and for which no more money is to come: what of an authorization was not captured is
    /// released, and what went back went back.
    pub fn complete_if_done(&mut self) -> Result<()> {
        use crate::entity::shop_order::FulfillmentProgress::Delivered;
        let settled = match self.row.payment_status {
            PaymentProgress::PartiallyPaid
            | PaymentProgress::Paid
            | PaymentProgress::PartiallyRefunded
            | PaymentProgress::Refunded => true,
            PaymentProgress::Unpaid | PaymentProgress::Authorized => false,
        };
        if self.row.status == OrderStatus::Confirmed && self.row.fulfillment_status == Delivered && settled {
            self.become_status(OrderStatus::Completed)?;
            self.happened(OrderEventType::Completed, "Everything has arrived.");
        }
        Ok(())
    }

    /// Stores all changes and events, and books what they are worth. The order as it is now.
    pub async fn save(mut self, txn: &DatabaseTransaction) -> Result<shop_order::Model> {
        let before = self.stored.as_ref().map(|(row, _)| row.status);
        match self.stored.take() {
            None => self.insert(txn).await?,
            Some((row, lines)) => self.update(txn, &row, &lines).await?,
        }
        if !self.events.is_empty() {
            let rows = self.events.into_iter().map(IntoActiveModel::into_active_model);
            order_event::Entity::insert_many(rows)
                .exec_without_returning(txn)
                .await?;
        }
        book::order(txn, &self.row, before, self.now).await?;
        Ok(self.row)
    }

    async fn insert(&mut self, txn: &DatabaseTransaction) -> Result<()> {
        for _ in 0..NUMBERS_TRIED {
            self.row.number = number()?;
            let taken = OnConflict::column(shop_order::Column::Number)
                .do_nothing()
                .to_owned();
            let inserted = shop_order::Entity::insert(self.row.clone().into_active_model())
                .on_conflict(taken)
                .exec_without_returning(txn)
                .await?;
            if inserted == 1 {
                let lines = self.lines.iter().cloned().map(IntoActiveModel::into_active_model);
                order_line::Entity::insert_many(lines)
                    .exec_without_returning(txn)
                    .await?;
                return Ok(());
            }
        }
        Err(Error::internal(anyhow::anyhow!("no free order number was found")))
    }

    async fn update(
        &mut self,
        txn: &DatabaseTransaction,
        stored_row: &shop_order::Model,
        stored_lines: &[order_line::Model],
    ) -> Result<()> {
        let changed: Vec<_> = self
            .lines
            .iter()
            .zip(stored_lines)
            .filter(|(line, stored)| line != stored)
            .map(|(line, _)| line)
            .collect();
        if !changed.is_empty() {
            update_quantities(txn, &changed).await?;
        }
        if self.row != *stored_row {
            self.row.updated_at = self.now;
            let row = self.row.clone().into_active_model().reset_all();
            shop_order::Entity::update(row).exec(txn).await?;
        }
        Ok(())
    }
}

/// By one statement, however many lines there are. The rest of a line is as it was ordered, for good.
async fn update_quantities(txn: &DatabaseTransaction, lines: &[&order_line::Model]) -> Result<()> {
    use order_line::Column::{DeliveredQuantity, FulfilledQuantity, Held, Id};
    let of_each = |quantity: fn(&order_line::Model) -> i32| -> Expr {
        let cases = lines.iter().fold(CaseStatement::new(), |cases, line| {
            cases.case(Expr::col(Id).eq(line.id), Expr::val(quantity(line)))
        });
        cases.into()
    };
    order_line::Entity::update_many()
        .col_expr(FulfilledQuantity, of_each(|line| line.fulfilled_quantity))
        .col_expr(DeliveredQuantity, of_each(|line| line.delivered_quantity))
        .col_expr(Held, of_each(|line| line.held))
        .filter(Id.is_in(lines.iter().map(|line| line.id)))
        .exec(txn)
        .await?;
    Ok(())
}

/// Of nine digits; all in use would be nine hundred million orders.
const FIRST_NUMBER: u32 = 100_000_000;
const NUMBERS: u32 = 900_000_000;
const NUMBERS_TRIED: u32 = 20;

/// A number that says nothing about how many orders there are. Counting on would, and would need one counter that all
/// orders wait for.
fn number() -> Result<String> {
    let random =
        getrandom::u32().map_err(|error| Error::internal(anyhow::anyhow!("no randomness: {error}")))?;
    Ok((FIRST_NUMBER + random % NUMBERS).to_string())
}

/// Commits what was done to orders, and wakes those who wait for events. Only a hint is lost when the process dies in
/// between: readers look by themselves now and then.
pub async fn commit(ctx: &Context, txn: DatabaseTransaction) -> Result<()> {
    txn.commit().await?;
    ctx.touched.tell(&ctx.platform.answers);
    ctx.platform.order_events.wake();
    Ok(())
}
