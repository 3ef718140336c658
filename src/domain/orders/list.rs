//! Lists of orders, the newest first: everybody's for staff, and one's own.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use sea_orm::{ColumnTrait as _, EntityTrait as _, PaginatorTrait as _, QueryFilter as _, Select};

use crate::domain::context::Context;
use crate::domain::permission::Permission;
use crate::entity::placed;
use crate::entity::shop_order::{Column, Entity, Model, OrderStatus, PaymentProgress};
use crate::infra::db::keyset::Newest;
use crate::kernel::error::Result;
use crate::kernel::id::UserId;
use crate::kernel::page::{Cursor, Page, Slice};

const NEWEST: Newest<Column> = Newest {
    sort: SORT,
    time: Column::PlacedAt,
    id: Column::Id,
};

/// The sort of the list, which its cursors are bound to.
pub const SORT: &str = "ORDER_PLACED_AT DESC";

/// Which orders are wanted: all that is given holds.
#[derive(Clone, Debug, Default)]
pub struct OrderFilter {
    /// Whose; None for everybody's.
    pub customer: Option<UserId>,
    pub statuses: Option<Vec<OrderStatus>>,
    pub payment_statuses: Option<Vec<PaymentProgress>>,
    /// From this time on.
    pub placed_after: Option<DateTime<Utc>>,
    /// Before this time.
    pub placed_before: Option<DateTime<Utc>>,
}

impl OrderFilter {
    fn query(&self) -> Select<Entity> {
        let mut query = Entity::find();
        if let Some(customer) = self.customer {
            query = query.filter(Column::UserId.eq(customer));
        }
        if let Some(statuses) = &self.statuses {
            query = query.filter(Column::Status.is_in(statuses.clone()));
        }
        if let Some(statuses) = &self.payment_statuses {
            query = query.filter(Column::PaymentStatus.is_in(statuses.clone()));
        }
        if let Some(from) = self.placed_after {
            query = query.filter(Column::PlacedAt.gte(from));
        }
        if let Some(to) = self.placed_before {
            query = query.filter(Column::PlacedAt.lt(to));
        }
        query
    }

    /// Customers list their own orders alone; a list of everybody's is for staff.
    fn check(&self, ctx: &Context) -> Result<()> {
        if self.customer.is_some() && self.customer == ctx.actor.user() {
            ctx.require(Permission::OwnAccount)
        } else {
            ctx.require(Permission::ReadOrders)
        }
    }
}

/// The statement of a page.
///
/// # Errors
/// BadInput for a forged cursor.
pub fn statement(filter: &OrderFilter, page: &Page) -> Result<Select<Entity>> {
    NEWEST.page(filter.query(), page)
}

/// A page of orders.
///
/// # Errors
/// Unauthenticated, Forbidden, or BadInput for a forged cursor.
pub async fn list(ctx: &Context, filter: &OrderFilter, page: &Page) -> Result<Slice<Arc<Model>>> {
    filter.check(ctx)?;
    let rows = placed::all(statement(filter, page)?, ctx.fresh()).await?;
    Ok(page.slice(rows.into_iter().map(Arc::new).collect()))
}

/// How many orders there are.
///
/// # Errors
/// Unauthenticated or Forbidden.
pub async fn count(ctx: &Context, filter: &OrderFilter) -> Result<u64> {
    filter.check(ctx)?;
    Ok(filter.query().count(ctx.fresh()).await?)
}

/// Where an order stands in [`list`].
pub fn cursor(order: &Model) -> Cursor {
    NEWEST.cursor(order.placed_at, order.id.0)
}
