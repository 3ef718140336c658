//! The history of one order, the first event first.

use std::collections::HashMap;
use std::sync::Arc;

use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _};

use crate::domain::context::Context;
use crate::entity::order_event::{Column, Entity, Model};
use crate::infra::db::MAX_BINDS;
use crate::infra::db::many::among;
use crate::kernel::error::{Error, Result};
use crate::kernel::id::{OrderEventId, OrderId};
use crate::kernel::page::{Cursor, Direction, Page, Slice, SortKey};

/// The sort of the list, which cursors of events are bound to wherever they are used.
pub const SORT: &str = "ORDER_EVENT";

/// A page of what happened to an order, for those who have it already.
///
/// # Errors
/// BadInput for the cursor of another order's event.
pub async fn list(ctx: &Context, order: OrderId, page: &Page) -> Result<Slice<Arc<Model>>> {
    let mut query = Entity::find()
        .filter(Column::OrderId.eq(order))
        .limit(page.fetch());
    if let Some(after) = &page.after {
        query = query.filter(Column::Seq.gt(seq(after, order, "after")?));
    }
    if let Some(before) = &page.before {
        query = query.filter(Column::Seq.lt(seq(before, order, "before")?));
    }
    let query = match page.direction {
        Direction::Forward => query.order_by_asc(Column::Seq),
        Direction::Backward => query.order_by_desc(Column::Seq),
    };
    let rows = query.all(ctx.fresh()).await?;
    Ok(page.slice(rows.into_iter().map(Arc::new).collect()))
}

/// Events by id, whoever may see them: show them only with their order.
pub async fn events_by_ids(ctx: &Context, ids: &[OrderEventId]) -> Result<HashMap<OrderEventId, Arc<Model>>> {
    let mut found = HashMap::new();
    for ids in ids.chunks(MAX_BINDS) {
        let rows = Entity::find()
            .filter(among(ctx.db().backend(), Column::Id, ids.iter().copied())?)
            .all(ctx.fresh())
            .await?;
        found.extend(rows.into_iter().map(|row| (row.id, Arc::new(row))));
    }
    Ok(found)
}

/// Which event it is, in the form that every `after` takes: its order, and its place in it.
pub fn cursor(event: &Model) -> Cursor {
    Cursor {
        sort: SORT.to_owned(),
        key: SortKey::Int(event.seq.into()),
        id: event.order_id.0,
    }
}

fn seq(cursor: &Cursor, order: OrderId, argument: &str) -> Result<i64> {
    match cursor.key {
        SortKey::Int(seq) if cursor.id == order.0 && i32::try_from(seq).is_ok() => Ok(seq),
        SortKey::Int(_) | SortKey::Text(_) | SortKey::Time(_) => Err(Error::bad_input(
            argument,
            "is not the cursor of an event of this order",
        )),
    }
}
