//! Queries of orders.

use async_graphql::{Context, Object};

use super::inputs::{OrderBy, OrderFilter};
use super::{Order, OrderConnection};
use crate::domain::orders::find;
use crate::domain::permission::Permission;
use crate::graphql::connection::page_args;
use crate::graphql::context::ContextExt as _;
use crate::graphql::error::Result;
use crate::graphql::guard::Requires;

#[derive(Debug, Default)]
pub struct OrdersQuery;

async fn one(ctx: &Context<'_>, by: OrderBy, guest_token: Option<String>) -> Result<Option<Order>> {
    let found = find::order(ctx.domain()?, &by.into_domain()?, guest_token.as_deref()).await?;
    Ok(found.map(Order::new))
}

#[Object]
impl OrdersQuery {
    /// An order by its id or its number; null when there is none, or none that you may see: your own, a guest's with its token,
    /// or any as staff.
    async fn order(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which order.")] by: OrderBy,
        #[graphql(desc = "What placing it as a guest answered.")] guest_token: Option<String>,
    ) -> Option<Result<Order>> {
        one(ctx, by, guest_token).await.transpose()
    }

    /// All orders, the newest first, a page at a time. Staff only; customers find theirs at `me.orders`.
    #[graphql(guard = "Requires(Permission::ReadOrders)")]
    async fn orders(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which orders; all when null.")] filter: Option<OrderFilter>,
        #[graphql(desc = "How many from the start of the list, or after `after`: 0 to 100, 20 when null.")]
        first: Option<i32>,
        #[graphql(desc = "A cursor of this list: start behind it.")] after: Option<String>,
        #[graphql(
            desc = "How many from the end of the list, or before `before`: 0 to 100. Not together with `first`."
        )]
        last: Option<i32>,
        #[graphql(desc = "A cursor of this list: end before it.")] before: Option<String>,
    ) -> Result<OrderConnection> {
        let filter = filter.unwrap_or_default().into_domain(None);
        OrderConnection::load(ctx, ctx.domain()?, filter, page_args(first, after, last, before)).await
    }
}
