//! What moved on each account, day by day, and what was on it in the evening.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use sea_orm::sea_query::{Expr, SelectStatement, UnionType};
use sea_orm::{
    ColumnTrait as _, EntityTrait as _, FromQueryResult, QueryFilter as _, QuerySelect as _, QueryTrait as _,
};

use crate::domain::context::Context;
use crate::domain::permission::Permission;
use crate::entity::ledger_transfer::{Account, Column, Entity};
use crate::kernel::error::{Error, Result};
use crate::kernel::money::{Currency, Money};

/// How many days can be asked for at once: a quarter of a year.
pub const MOST_DAYS: i64 = 92;

/// An account's day, in one currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Balance {
    pub account: Account,
    pub day: NaiveDate,
    pub debits: Money,
    pub credits: Money,
    /// Debits less credits of this day and all before it.
    pub closing: Money,
}

impl Balance {
    /// Debits less credits of the day alone.
    pub fn net(&self) -> Money {
        Money::new(self.debits.minor - self.credits.minor, self.debits.currency)
    }
}

/// What moved on one side of an account in one day, or before all days when it is None.
#[derive(Debug, FromQueryResult)]
struct Moved {
    day: Option<NaiveDate>,
    account: Account,
    currency: String,
    debits: i64,
    credits: i64,
}

/// The statement that reads it: of each side, each from an index alone, first what moved before and then day by day. One
/// statement, so that what is booked meanwhile is in all of it or in none.
pub fn statement(from: NaiveDate, to: NaiveDate) -> SelectStatement {
    let side = |side: Column, opening: bool, [debits, credits]: [&'static str; 2]| {
        let mut query = Entity::find().select_only();
        query = if opening {
            query
                .column_as(Expr::cust("CAST(NULL AS date)"), "day")
                .filter(Column::Day.lt(from))
        } else {
            query
                .column(Column::Day)
                .filter(Column::Day.between(from, to))
                .group_by(Column::Day)
        };
        query
            .column_as(Expr::col(side), "account")
            .column(Column::Currency)
            .column_as(Expr::cust(debits), "debits")
            .column_as(Expr::cust(credits), "credits")
            .group_by(side)
            .group_by(Column::Currency)
            .into_query()
    };
    let mut all = side(Column::Debit, true, [SUM, NOTHING]);
    for other in [
        side(Column::Credit, true, [NOTHING, SUM]),
        side(Column::Debit, false, [SUM, NOTHING]),
        side(Column::Credit, false, [NOTHING, SUM]),
    ] {
        all.union(UnionType::All, other);
    }
    all
}

const SUM: &str = "CAST(sum(amount) AS bigint)";
const NOTHING: &str = "CAST(0 AS bigint)";

/// Debits and credits of each day, and before all days.
type Days = BTreeMap<Option<NaiveDate>, (i64, i64)>;

/// Each account that moved on a day, and on the first day each that there was something on, by account, currency and day.
///
/// # Errors
/// Forbidden, or BadInput for days that are too many or in the wrong order.
pub async fn balances(ctx: &Context, from: NaiveDate, to: NaiveDate) -> Result<Vec<Balance>> {
    ctx.require(Permission::ReadLedger)?;
    if to < from {
        return Err(Error::bad_input("to", "is before `from`"));
    }
    if (to - from).num_days() >= MOST_DAYS {
        return Err(Error::bad_input(
            "to",
            format!("is too far from `from`: {MOST_DAYS} days can be asked for at once"),
        ));
    }
    let backend = ctx.db().backend();
    let moved = Moved::find_by_statement(backend.build(&statement(from, to)))
        .all(ctx.fresh())
        .await?;
    let mut accounts: BTreeMap<(Account, String), Days> = BTreeMap::new();
    for row in moved {
        let days = accounts.entry((row.account, row.currency)).or_default();
        let (debits, credits) = days.entry(row.day).or_default();
        *debits += row.debits;
        *credits += row.credits;
    }
    let mut balances = Vec::new();
    for ((account, currency), mut days) in accounts {
        let currency: Currency = currency.parse().map_err(Error::internal)?;
        let money = |minor| Money::new(minor, currency);
        let (debits, credits) = days.remove(&None).unwrap_or_default();
        let mut closing = debits - credits;
        if closing != 0 {
            days.entry(Some(from)).or_default();
        }
        for (day, (debits, credits)) in days {
            closing += debits - credits;
            balances.push(Balance {
                account,
                day: day.unwrap_or(from),
                debits: money(debits),
                credits: money(credits),
                closing: money(closing),
            });
        }
    }
    Ok(balances)
}
