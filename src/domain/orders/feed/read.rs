//! Reads events out of the table, in the order of their places.

use std::sync::Arc;

use sea_orm::sea_query::{Expr, ExprTrait as _, Query};
use sea_orm::{
    ColumnTrait as _, ConnectionTrait, EntityTrait as _, JoinType, QueryFilter as _, QueryOrder as _,
    QuerySelect as _, QueryTrait as _,
};

use super::written::Written;
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

/// One statement, and two looks into indexes.
pub(super) async fn head(connection: &impl ConnectionTrait) -> Result<Head> {
    let new = Query::select()
        .expr(Expr::val(1))
        .from(order_event::Entity)
        .and_where(Expr::col(Column::Position).is_null())
        .to_owned();
    let select = Query::select()
        .expr_as(last_position(), "last")
        .expr_as(Expr::exists(new), "more")
        .to_owned();
    let row = connection.query_one(&select).await?;
    let row = row.ok_or_else(|| Error::internal(anyhow::anyhow!("one row was asked for, and none came")))?;
    let position: Option<i64> = row.try_get("", "last")?;
    Ok(Head {
        position: position.unwrap_or_default(),
        more: row.try_get("", "more")?,
    })
}

/// The last place that was given, which is null before the first.
fn last_position() -> Expr {
    Expr::SubQuery(None, Box::new(last().into_query().into()))
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

/// The events of somebody's that lie behind a place: a page of them, with their orders, in one statement.
pub(super) async fn after(db: &Db, whose: Whose, position: i64) -> Result<Vec<Arc<Happening>>> {
    let order = order_event::Entity::belongs_to(shop_order::Entity)
        .from(Column::OrderId)
        .to(shop_order::Column::Id);
    let rows = of(whose)
        .filter(Column::Position.gt(position))
        .order_by_asc(Column::Position)
        .limit(PAGE)
        .join(JoinType::InnerJoin, order.into())
        .select_also(shop_order::Entity)
        .all(db.fresh())
        .await?;
    let happening = |(event, order): (order_event::Model, Option<shop_order::Model>)| {
        // A foreign key says that it is there.
        let order = order.ok_or_else(|| Error::internal(anyhow::anyhow!("an event has no order")))?;
        Ok(Arc::new(Happening {
            event: Arc::new(event),
            order: Arc::new(order),
            written: Written::default(),
        }))
    };
    rows.into_iter().map(happening).collect()
}

fn of(whose: Whose) -> sea_orm::Select<order_event::Entity> {
    let events = order_event::Entity::find();
    match whose {
        Whose::Order(id) => events.filter(Column::OrderId.eq(id)),
        Whose::User(id) => events.filter(Column::UserId.eq(id)),
        Whose::Everybody => events,
    }
}
