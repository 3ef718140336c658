//! Asking for balances.

use async_graphql::{Context, Object};

use super::types::LedgerBalance;
use crate::domain::ledger::balances::balances;
use crate::domain::permission::Permission;
use crate::graphql::context::ContextExt as _;
use crate::graphql::error::Result;
use crate::graphql::guard::Requires;
use crate::graphql::list::List;
use crate::graphql::scalars::Date;

#[derive(Debug, Default)]
pub struct LedgerQuery;

#[Object]
impl LedgerQuery {
    /// The shop's books, day by day: what moved on each account, and what was on it in the evening. Sorted by account,
    /// gateway, currency and day. A day on which nothing moved on an account is not there, but for the first: then each
    /// account that has something on it is. Of all accounts together, debits are as much as credits in each currency and on
    /// each day. Staff only.
    #[graphql(guard = "Requires(Permission::ReadLedger)")]
    async fn ledger_balances(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The first day, in UTC.")] from: Date,
        #[graphql(
            desc = "The last day, which is shown too: `from` or later, and no more than 92 days in all."
        )]
        to: Date,
    ) -> Result<List<LedgerBalance>> {
        let found = balances(ctx.domain()?, from.0, to.0).await?;
        Ok(found.into_iter().map(LedgerBalance::new).collect())
    }
}
