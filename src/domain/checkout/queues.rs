//! What is due and not yet done, of everything that is done later: how much, and for how long.

use chrono::{DateTime, Utc};
use sea_orm::{ColumnTrait as _, EntityTrait, QueryFilter as _, QuerySelect as _, Select};

use crate::domain::context::Context;
use crate::entity::payment_operation::OperationStatus;
use crate::entity::{gateway_event, order_event, payment, payment_operation, shop_order};
use crate::kernel::error::Result;

/// One of the tables that tell what is due.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Queue {
    pub name: &'static str,
    pub depth: u64,
    /// How long the oldest of it has been due, in seconds.
    pub age: f64,
}

/// All of them. Each is a look into the index that the worker goes by.
///
/// # Errors
/// The database does not answer.
pub async fn look(ctx: &Context) -> Result<[Queue; 5]> {
    use payment_operation::Column::{AttemptAt, Status};
    let now = ctx.now();
    Ok([
        queue::<payment_operation::Entity>(ctx, "payment_operations", AttemptAt, |all| {
            all.filter(Status.eq(OperationStatus::Pending))
                .filter(AttemptAt.lte(now))
        })
        .await?,
        queue::<payment::Entity>(ctx, "payments", payment::Column::LookAt, |all| {
            all.filter(payment::Column::LookAt.lte(now))
        })
        .await?,
        queue::<gateway_event::Entity>(ctx, "gateway_events", gateway_event::Column::AttemptAt, |all| {
            all.filter(gateway_event::Column::AttemptAt.lte(now))
        })
        .await?,
        queue::<shop_order::Entity>(ctx, "holds", shop_order::Column::HoldExpiresAt, |all| {
            all.filter(shop_order::Column::HoldExpiresAt.lte(now))
        })
        .await?,
        queue::<order_event::Entity>(ctx, "order_events", order_event::Column::OccurredAt, |all| {
            all.filter(order_event::Column::Position.is_null())
        })
        .await?,
    ])
}

/// How many rows are due, and how long the one has been that was due first by this column.
async fn queue<E: EntityTrait>(
    ctx: &Context,
    name: &'static str,
    due_at: E::Column,
    due: impl FnOnce(Select<E>) -> Select<E>,
) -> Result<Queue> {
    let row: Option<(i64, Option<DateTime<Utc>>)> = due(E::find())
        .select_only()
        .column_as(due_at.count(), "depth")
        .column_as(due_at.min(), "first")
        .into_tuple()
        .one(ctx.fresh())
        .await?;
    let (depth, first) = row.unwrap_or_default();
    let age = first.map_or(0.0, |first| (ctx.now() - first).as_seconds_f64().max(0.0));
    Ok(Queue {
        name,
        depth: u64::try_from(depth).unwrap_or_default(),
        age,
    })
}
