//! What is on accounts.

use std::collections::HashMap;

use sea_orm::sea_query::{Expr, ExprTrait as _};
use sea_orm::{ColumnTrait as _, ConnectionTrait, EntityTrait as _, QueryFilter as _, QuerySelect as _};

use crate::entity::ledger_transfer::{Account, Column, Entity};
use crate::infra::db::many::among;
use crate::kernel::error::Result;
use crate::kernel::id::{OrderId, RefundId};

/// Debits less credits of each account. Fees aside, all that is booked of an order is in its own currency; those stand on
/// accounts that nobody asks for here.
pub(super) type Balances = HashMap<Account, i64>;

/// What an order has moved.
pub(super) async fn of_order<C: ConnectionTrait>(connection: &C, order: OrderId) -> Result<Balances> {
    balances(connection, Column::OrderId.eq(order)).await
}

/// What each of these orders has moved.
pub(super) async fn of_orders<C: ConnectionTrait>(
    connection: &C,
    orders: &[OrderId],
) -> Result<HashMap<OrderId, Balances>> {
    let which = among(
        connection.get_database_backend(),
        Column::OrderId,
        orders.iter().copied(),
    )?;
    let sums: Vec<(OrderId, Account, Account, i64)> = Entity::find()
        .select_only()
        .columns([Column::OrderId, Column::Debit, Column::Credit])
        .column_as(Expr::col(Column::Amount).sum().cast_as("bigint"), "amount")
        .filter(which)
        .group_by(Column::OrderId)
        .group_by(Column::Debit)
        .group_by(Column::Credit)
        .into_tuple()
        .all(connection)
        .await?;
    let mut balances: HashMap<OrderId, Balances> = HashMap::new();
    for (order, debit, credit, amount) in sums {
        let of_order = balances.entry(order).or_default();
        *of_order.entry(debit).or_default() += amount;
        *of_order.entry(credit).or_default() -= amount;
    }
    Ok(balances)
}

/// What a refund has moved.
pub(super) async fn of_refund<C: ConnectionTrait>(connection: &C, refund: RefundId) -> Result<Balances> {
    balances(connection, Column::RefundId.eq(refund)).await
}

async fn balances<C: ConnectionTrait>(connection: &C, which: Expr) -> Result<Balances> {
    let sums: Vec<(Account, Account, i64)> = Entity::find()
        .select_only()
        .columns([Column::Debit, Column::Credit])
        .column_as(Expr::col(Column::Amount).sum().cast_as("bigint"), "amount")
        .filter(which)
        .group_by(Column::Debit)
        .group_by(Column::Credit)
        .into_tuple()
        .all(connection)
        .await?;
    let mut balances = Balances::new();
    for (debit, credit, amount) in sums {
        *balances.entry(debit).or_default() += amount;
        *balances.entry(credit).or_default() -= amount;
    }
    Ok(balances)
}
