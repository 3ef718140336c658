//! Reads events out of the table, in the order of their places.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use sea_orm::sea_query::{Expr, ExprTrait as _, Query};
use sea_orm::{
    ColumnTrait as _, ConnectionTrait, EntityTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _,
    QueryTrait as _,
};

use super::{Happening, Whose};
use crate::entity::order_event::{self, Column};
use crate::entity::shop_order;
use crate::infra::db::Db;
use crate::kernel::error::{Error, Result};
use crate::kernel::id::OrderId;

/// Events that are read at once.
pub(super) const PAGE: u64 = 500;

/// How far the table has come.
#[derive(Clone, Copy, Debug)]
pub(super) struct Head {
    /// The last place that was given; 0 before the first.
    pub(super) position: i64,
    /// Whether there are events without one.
    pub(super) more: bool,
}

/// Asked every few seconds by every process: one statement, and two looks into indexes.
pub(super) async fn head(db: &Db) -> Result<Head> {
    let last = Expr::SubQuery(None, Box::new(last().into_query().into()));
    let new = Query::select()
        .expr(Expr::val(1))
        .from(order_event::Entity)
        .and_where(Expr::col(Column::Position).is_null())
        .to_owned();
    let select = Query::select()
        .expr_as(last, "last")
        .expr_as(Expr::exists(new), "more")
        .to_owned();
    let row = db.fresh().query_one(&select).await?;
    let row = row.ok_or_else(|| Error::internal(anyhow::anyhow!("one row was asked for, and none came")))?;
    let position: Option<i64> = row.try_get("", "last")?;
    Ok(Head {
        position: position.unwrap_or_default(),
        more: row.try_get("", "more")?,
    })
}

/// The last place that was given; 0 before the first.
pub(super) async fn last_position(db: &impl ConnectionTrait) -> Result<i64> {
    let last: Option<i64> = last().into_tuple().one(db).await?;
    Ok(last.unwrap_or_default())
}

fn last() -> sea_orm::Select<order_event::Entity> {
    order_event::Entity::find()
        .select_only()
        .column(Column::Position)
        .filter(Column::Position.is_not_null())
        .order_by_desc(Column::Position)
        .limit(1)
}

/// The place of an event of somebody's; None when there is no such event, or it is not theirs.
pub(super) async fn position_of(db: &Db, whose: Whose, order: OrderId, seq: i32) -> Result<Option<i64>> {
    let position: Option<Option<i64>> = of(whose)
        .select_only()
        .column(Column::Position)
        .filter(Column::OrderId.eq(order))
        .filter(Column::Seq.eq(seq))
        .into_tuple()
        .one(db.fresh())
        .await?;
    Ok(position.flatten())
}

/// The events of somebody's that lie behind a place: a page of them, with their orders.
pub(super) async fn after(db: &Db, whose: Whose, position: i64) -> Result<Vec<Arc<Happening>>> {
    let events = of(whose)
        .filter(Column::Position.gt(position))
        .order_by_asc(Column::Position)
        .limit(PAGE)
        .all(db.fresh())
        .await?;
    if events.is_empty() {
        return Ok(Vec::new());
    }
    let ids: HashSet<OrderId> = events.iter().map(|event| event.order_id).collect();
    let orders = shop_order::Entity::find()
        .filter(shop_order::Column::Id.is_in(ids))
        .all(db.fresh())
        .await?;
    let orders: HashMap<OrderId, Arc<shop_order::Model>> = orders
        .into_iter()
        .map(|order| (order.id, Arc::new(order)))
        .collect();
    let happening = |event: order_event::Model| {
        let order = orders.get(&event.order_id);
        // A foreign key says that it is there.
        let order = order.ok_or_else(|| Error::internal(anyhow::anyhow!("an event has no order")))?;
        Ok(Arc::new(Happening {
            order: Arc::clone(order),
            event: Arc::new(event),
        }))
    };
    events.into_iter().map(happening).collect()
}

fn of(whose: Whose) -> sea_orm::Select<order_event::Entity> {
    let events = order_event::Entity::find();
    match whose {
        Whose::Order(id) => events.filter(Column::OrderId.eq(id)),
        Whose::User(id) => events.filter(Column::UserId.eq(id)),
        Whose::Everybody => events,
    }
}
