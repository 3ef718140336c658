//! What is booked of payments and orders, to be compared with what they say themselves.

use sea_orm::sea_query::{Expr, ExprTrait as _};
use sea_orm::{ColumnTrait as _, ConnectionTrait, EntityTrait as _, QueryFilter as _, QuerySelect as _};

use super::balance::of_order;
use super::book::stands;
use crate::entity::ledger_transfer::{Account, Column, Entity, LedgerKind};
use crate::entity::shop_order;
use crate::kernel::error::Result;
use crate::kernel::id::{OrderId, PaymentId};

/// What is booked of a payment, in minor units.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OfPayment {
    pub captured: i64,
    pub refunded: i64,
    pub rounding: i64,
    /// With its own currency.
    pub fee: Option<(i64, String)>,
}

/// # Errors
/// The database does not answer, or has an account that this version does not know.
pub async fn of_payment<C: ConnectionTrait>(connection: &C, payment: PaymentId) -> Result<OfPayment> {
    let sums: Vec<(LedgerKind, Account, Account, String, i64)> = Entity::find()
        .select_only()
        .columns([Column::Kind, Column::Debit, Column::Credit, Column::Currency])
        .column_as(Expr::col(Column::Amount).sum().cast_as("bigint"), "amount")
        .filter(Column::PaymentId.eq(payment))
        .group_by(Column::Kind)
        .group_by(Column::Debit)
        .group_by(Column::Credit)
        .group_by(Column::Currency)
        .into_tuple()
        .all(connection)
        .await?;
    let mut booked = OfPayment::default();
    for (kind, debit, credit, currency, amount) in sums {
        for (account, amount) in [(debit, amount), (credit, -amount)] {
            match account {
                Account::Clearing(_) => match kind {
                    LedgerKind::Capture => booked.captured += amount,
                    LedgerKind::Refund | LedgerKind::RefundReturned => booked.refunded -= amount,
                    LedgerKind::Fee | LedgerKind::Sale | LedgerKind::SaleUndone => {}
                },
                Account::Rounding => booked.rounding -= amount,
                Account::Fees(_) => booked.fee = Some((amount, currency.clone())),
                Account::Receivable
                | Account::Revenue
                | Account::Shipping
                | Account::Tax
                | Account::Refunds => {}
            }
        }
    }
    Ok(booked)
}

/// What an order is worth: what was sold by it, and what its buyer owes or had given back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OfOrder {
    pub sold: i64,
    pub owed: i64,
}

/// # Errors
/// As [`of_payment`].
pub async fn of_order_booked<C: ConnectionTrait>(connection: &C, order: OrderId) -> Result<OfOrder> {
    let balances = of_order(connection, order).await?;
    let on = |account| balances.get(&account).copied().unwrap_or_default();
    Ok(OfOrder {
        sold: -(on(Account::Revenue) + on(Account::Shipping) + on(Account::Tax)),
        owed: on(Account::Receivable) + on(Account::Refunds),
    })
}

/// The same as it must be, of which its payments have kept so much for the price.
pub fn expected(order: &shop_order::Model, kept: i64) -> OfOrder {
    let sold = if stands(order.status) { order.total } else { 0 };
    OfOrder {
        sold,
        owed: sold - kept,
    }
}
