//! Booking: what became of an order or a payment, compared with what it was.

use chrono::{DateTime, Utc};
use sea_orm::DatabaseTransaction;

use super::balance::{Balances, of_order, of_orders, of_refund};
use crate::entity::ledger_transfer::{self, Account, LedgerKind};
use crate::entity::payment;
use crate::entity::shop_order::{self, OrderStatus};
use crate::infra::db::many;
use crate::kernel::error::{Error, Result};
use crate::kernel::id::{LedgerBookingId, LedgerTransferId, OrderId, RefundId};

/// Money of a payment that went back, or that came again when it is negative.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Returned {
    pub refund: RefundId,
    pub amount: i64,
}

/// An order as it is now, and what its status was; None for one that is new.
#[derive(Clone, Copy, Debug)]
pub struct Became<'a> {
    pub order: &'a shop_order::Model,
    pub before: Option<OrderStatus>,
    pub now: DateTime<Utc>,
}

/// Books what became of orders, in as many statements as for one.
///
/// # Errors
/// One has been booked before, or the database does not answer.
pub async fn orders(txn: &DatabaseTransaction, became: &[Became<'_>]) -> Result<()> {
    let of = |from: bool, to: bool| {
        became
            .iter()
            .filter(move |one| (one.before.is_some_and(stands), stands(one.order.status)) == (from, to))
    };
    let mut bookings: Vec<Booking<'_>> = of(false, true).map(sale).collect();
    let undone: Vec<OrderId> = of(true, false).map(|one| one.order.id).collect();
    if !undone.is_empty() {
        let balances = of_orders(txn, &undone).await?;
        bookings.extend(of(true, false).map(|one| {
            let nothing = Balances::new();
            sale_undone(one, balances.get(&one.order.id).unwrap_or(&nothing))
        }));
    }
    write(txn, bookings).await
}

/// Whether the buyer owes what the order costs.
pub(super) fn stands(status: OrderStatus) -> bool {
    match status {
        OrderStatus::Confirmed | OrderStatus::Completed => true,
        OrderStatus::PendingPayment | OrderStatus::Cancelled | OrderStatus::Expired => false,
    }
}

fn sale<'a>(became: &Became<'a>) -> Booking<'a> {
    let order = became.order;
    let mut booking = Booking::new(LedgerKind::Sale, order, became.now);
    for (account, amount) in [
        (Account::Revenue, order.subtotal - order.discount_total),
        (Account::Shipping, order.shipping_total),
        (Account::Tax, order.tax_total),
    ] {
        booking.transfer(Account::Receivable, account, amount);
    }
    booking
}

/// Whatever the sale left on accounts goes back to where it came from, and so does what was given back for it: nothing
/// was sold, and what the buyer has paid is his.
fn sale_undone<'a>(became: &Became<'a>, balances: &Balances) -> Booking<'a> {
    let mut booking = Booking::new(LedgerKind::SaleUndone, became.order, became.now);
    for account in [
        Account::Revenue,
        Account::Shipping,
        Account::Tax,
        Account::Refunds,
    ] {
        let left = balances.get(&account).copied().unwrap_or_default();
        booking.transfer(Account::Receivable, account, left);
    }
    booking
}

/// What became of a payment. `order` is as it is now, and booked already.
#[derive(Clone, Copy, Debug)]
pub struct PaymentBecame<'a> {
    pub order: &'a shop_order::Model,
    pub before: &'a payment::Model,
    pub after: &'a payment::Model,
    pub returned: &'a [Returned],
}

/// Books what became of payments, in as many statements as for one; only what went back is looked at one by one.
///
/// # Errors
/// What went back is not what the refunds say, something has been booked before, or the database does not answer.
pub async fn payments(
    txn: &DatabaseTransaction,
    became: &[PaymentBecame<'_>],
    now: DateTime<Utc>,
) -> Result<()> {
    // With what was taken, and nothing else of what is new.
    let taken: Vec<payment::Model> = became
        .iter()
        .map(|one| payment::Model {
            captured: one.after.captured,
            ..one.before.clone()
        })
        .collect();
    let captures = became.iter().zip(&taken).map(|(one, row)| capture(one, row, now));
    write(txn, captures.collect()).await?;
    for (one, row) in became.iter().zip(&taken) {
        went_back(txn, one, row.clone(), now).await?;
    }
    write(txn, became.iter().filter_map(|one| fee(one, now)).collect()).await
}

fn capture<'a>(became: &PaymentBecame<'a>, row: &'a payment::Model, now: DateTime<Utc>) -> Booking<'a> {
    let clearing = Account::Clearing(row.gateway);
    let mut booking = Booking::of(LedgerKind::Capture, became.order, row, now);
    let above = rounding(row) - rounding(became.before);
    let taken = row.captured - became.before.captured;
    booking.transfer(clearing, Account::Receivable, taken - above);
    booking.transfer(clearing, Account::Rounding, above);
    booking
}

async fn went_back(
    txn: &DatabaseTransaction,
    became: &PaymentBecame<'_>,
    mut row: payment::Model,
    now: DateTime<Utc>,
) -> Result<()> {
    for returned in became.returned {
        let stood = rounding(&row);
        row.refunded += returned.amount;
        let above = stood - rounding(&row);
        let moved = Moved {
            above,
            price: returned.amount - above,
        };
        refund(txn, became.order, &row, returned.refund, moved, now).await?;
    }
    if row.refunded != became.after.refunded {
        let id = row.id;
        let error = anyhow::anyhow!("money of the payment {id} went back of which no refund knows");
        return Err(Error::internal(error));
    }
    Ok(())
}

fn fee<'a>(became: &PaymentBecame<'a>, now: DateTime<Utc>) -> Option<Booking<'a>> {
    let (before, after) = (became.before, became.after);
    let (None, Some(fee), Some(currency)) = (before.fee, after.fee, &after.fee_currency) else {
        return None;
    };
    let mut booking = Booking::of(LedgerKind::Fee, became.order, before, now);
    // Not always that of the payment: gateways pay out in one of their own.
    booking.currency.clone_from(currency);
    booking.transfer(
        Account::Fees(before.gateway),
        Account::Clearing(before.gateway),
        fee,
    );
    Some(booking)
}

/// What of a payment is here above the price of its order, which a gateway that takes whole units alone has rounded up.
pub fn rounding(row: &payment::Model) -> i64 {
    let price = row.amount - row.rounding;
    (row.captured - row.refunded - price).max(0)
}

/// What went back, or came again when both are negative: of what was paid above the price, and of the price.
#[derive(Clone, Copy, Debug)]
struct Moved {
    above: i64,
    price: i64,
}

/// What goes back of an order that stands is what the shop lost by it, unless the buyer had paid more than he owed, by two
/// payments for one order. Of an order that has ended, or that was never confirmed, all of it is the buyer's.
async fn refund(
    txn: &DatabaseTransaction,
    order: &shop_order::Model,
    row: &payment::Model,
    id: RefundId,
    Moved { above, price }: Moved,
    now: DateTime<Utc>,
) -> Result<()> {
    let kind = if above + price < 0 {
        LedgerKind::RefundReturned
    } else {
        LedgerKind::Refund
    };
    let owed = if !stands(order.status) {
        price
    } else if kind == LedgerKind::Refund {
        let receivable = of_order(txn, order.id).await?.get(&Account::Receivable).copied();
        price.min(-receivable.unwrap_or_default()).max(0)
    } else {
        // As much as had gone to the buyer as his own.
        let receivable = of_refund(txn, id).await?.get(&Account::Receivable).copied();
        price.max(-receivable.unwrap_or_default()).min(0)
    };
    let mut booking = Booking::of(kind, order, row, now);
    booking.refund = Some(id);
    let clearing = Account::Clearing(row.gateway);
    booking.transfer(Account::Receivable, clearing, owed);
    booking.transfer(Account::Refunds, clearing, price - owed);
    booking.transfer(Account::Rounding, clearing, above);
    booking.write(txn).await
}

/// What one event moves.
#[derive(Debug)]
struct Booking<'a> {
    kind: LedgerKind,
    order: &'a shop_order::Model,
    payment: Option<&'a payment::Model>,
    refund: Option<RefundId>,
    currency: String,
    now: DateTime<Utc>,
    transfers: Vec<(Account, Account, i64)>,
}

impl<'a> Booking<'a> {
    fn new(kind: LedgerKind, order: &'a shop_order::Model, now: DateTime<Utc>) -> Self {
        Self {
            kind,
            order,
            payment: None,
            refund: None,
            currency: order.currency.clone(),
            now,
            transfers: Vec::new(),
        }
    }

    fn of(
        kind: LedgerKind,
        order: &'a shop_order::Model,
        row: &'a payment::Model,
        now: DateTime<Utc>,
    ) -> Self {
        Self {
            payment: Some(row),
            currency: row.currency.clone(),
            ..Self::new(kind, order, now)
        }
    }

    /// Nothing moves nothing, and less than nothing moves the other way.
    fn transfer(&mut self, debit: Account, credit: Account, amount: i64) {
        match amount {
            0 => {}
            1.. => self.transfers.push((debit, credit, amount)),
            _ => self.transfers.push((credit, debit, amount.saturating_neg())),
        }
    }

    async fn write(self, txn: &DatabaseTransaction) -> Result<()> {
        write(txn, vec![self]).await
    }

    fn rows(self) -> impl Iterator<Item = ledger_transfer::Model> {
        let booking = LedgerBookingId::new();
        let payment = self.payment.map(|row| row.id);
        let subject = match (self.refund, payment) {
            (Some(refund), _) => refund.0,
            (None, Some(payment)) => payment.0,
            (None, None) => self.order.id.0,
        };
        let (order_id, now) = (self.order.id, self.now);
        let (kind, refund_id, currency) = (self.kind, self.refund, self.currency);
        let row = move |(debit, credit, amount)| ledger_transfer::Model {
            id: LedgerTransferId::new(),
            booking,
            kind,
            debit,
            credit,
            currency: currency.clone(),
            amount,
            order_id,
            payment_id: payment,
            refund_id,
            subject,
            day: now.date_naive(),
            booked_at: now,
        };
        self.transfers.into_iter().map(row)
    }
}

/// Writes all of them by one statement.
async fn write(txn: &DatabaseTransaction, bookings: Vec<Booking<'_>>) -> Result<()> {
    let rows: Vec<ledger_transfer::Model> = bookings.into_iter().flat_map(Booking::rows).collect();
    many::insert::<ledger_transfer::Entity>(txn, &rows, "").await?;
    Ok(())
}
