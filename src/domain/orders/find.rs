//! Reading orders and what belongs to them. Lines, parcels and events are asked for by those who have the order already,
//! and so may see it.

use std::collections::HashMap;
use std::sync::Arc;

use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _};

use super::policy::{holds_token, sees_order};
use crate::domain::context::Context;
use crate::entity::{fulfillment, fulfillment_line, order_line, placed, shop_order};
use crate::infra::db::MAX_BINDS;
use crate::infra::db::many::among;
use crate::kernel::error::Result;
use crate::kernel::id::{FulfillmentId, OrderId, OrderLineId};

/// What an order can be looked up by.
#[derive(Clone, Debug)]
pub enum OrderBy {
    Id(OrderId),
    Number(String),
}

/// An order that the caller may see: as its customer, as staff, or with the token of its guest.
pub async fn order(
    ctx: &Context,
    by: &OrderBy,
    guest_token: Option<&str>,
) -> Result<Option<Arc<shop_order::Model>>> {
    let found = match by {
        OrderBy::Id(id) => shop_order::Entity::find_by_id(*id),
        OrderBy::Number(number) => {
            shop_order::Entity::find().filter(shop_order::Column::Number.eq(number.as_str()))
        }
    };
    let found = found.one(ctx.fresh()).await?;
    let visible = |order: &shop_order::Model| {
        sees_order(ctx, order) || guest_token.is_some_and(|token| holds_token(order, token))
    };
    Ok(found.filter(visible).map(Arc::new))
}

/// Orders that the caller may see without a token.
pub async fn orders_by_ids(
    ctx: &Context,
    ids: &[OrderId],
) -> Result<HashMap<OrderId, Arc<shop_order::Model>>> {
    let mut found = HashMap::new();
    for ids in ids.chunks(MAX_BINDS) {
        let these = among(ctx.db().backend(), shop_order::Column::Id, ids.iter().copied())?;
        let rows = placed::all(shop_order::Entity::find().filter(these), ctx.fresh()).await?;
        let visible = rows.into_iter().filter(|row| sees_order(ctx, row));
        found.extend(visible.map(|row| (row.id, Arc::new(row))));
    }
    Ok(found)
}

/// The lines of each order, in their order.
pub async fn lines_by_orders(
    ctx: &Context,
    ids: &[OrderId],
) -> Result<HashMap<OrderId, Vec<Arc<order_line::Model>>>> {
    let mut found: HashMap<_, Vec<_>> = HashMap::new();
    for ids in ids.chunks(MAX_BINDS) {
        let lines = order_line::Entity::find()
            .filter(among(
                ctx.db().backend(),
                order_line::Column::OrderId,
                ids.iter().copied(),
            )?)
            .order_by_asc(order_line::Column::Position);
        for row in placed::all(lines, ctx.fresh()).await? {
            found.entry(row.order_id).or_default().push(Arc::new(row));
        }
    }
    Ok(found)
}

/// Lines by id, whoever may see them: show them only with their order.
pub async fn lines_by_ids(
    ctx: &Context,
    ids: &[OrderLineId],
) -> Result<HashMap<OrderLineId, Arc<order_line::Model>>> {
    let mut found = HashMap::new();
    for ids in ids.chunks(MAX_BINDS) {
        let rows = order_line::Entity::find()
            .filter(among(
                ctx.db().backend(),
                order_line::Column::Id,
                ids.iter().copied(),
            )?)
            .all(ctx.fresh())
            .await?;
        found.extend(rows.into_iter().map(|row| (row.id, Arc::new(row))));
    }
    Ok(found)
}

/// Parcels by id, whoever may see them: show them only with their order.
pub async fn fulfillments_by_ids(
    ctx: &Context,
    ids: &[FulfillmentId],
) -> Result<HashMap<FulfillmentId, Arc<fulfillment::Model>>> {
    let mut found = HashMap::new();
    for ids in ids.chunks(MAX_BINDS) {
        let rows = fulfillment::Entity::find()
            .filter(among(
                ctx.db().backend(),
                fulfillment::Column::Id,
                ids.iter().copied(),
            )?)
            .all(ctx.fresh())
            .await?;
        found.extend(rows.into_iter().map(|row| (row.id, Arc::new(row))));
    }
    Ok(found)
}

/// The parcels of each order, the first one first.
pub async fn fulfillments_by_orders(
    ctx: &Context,
    ids: &[OrderId],
) -> Result<HashMap<OrderId, Vec<Arc<fulfillment::Model>>>> {
    let mut found: HashMap<_, Vec<_>> = HashMap::new();
    for ids in ids.chunks(MAX_BINDS) {
        let rows = fulfillment::Entity::find()
            .filter(among(
                ctx.db().backend(),
                fulfillment::Column::OrderId,
                ids.iter().copied(),
            )?)
            .order_by_asc(fulfillment::Column::CreatedAt)
            .order_by_asc(fulfillment::Column::Id)
            .all(ctx.fresh())
            .await?;
        for row in rows {
            found.entry(row.order_id).or_default().push(Arc::new(row));
        }
    }
    Ok(found)
}

/// What is in each parcel: the order's lines, in their order, and how many of each.
pub async fn lines_by_fulfillments(
    ctx: &Context,
    ids: &[FulfillmentId],
) -> Result<HashMap<FulfillmentId, Vec<(Arc<order_line::Model>, i32)>>> {
    let mut found: HashMap<_, Vec<_>> = HashMap::new();
    for ids in ids.chunks(MAX_BINDS) {
        let rows = fulfillment_line::Entity::find()
            .filter(among(
                ctx.db().backend(),
                fulfillment_line::Column::FulfillmentId,
                ids.iter().copied(),
            )?)
            .all(ctx.fresh())
            .await?;
        let line_ids: Vec<OrderLineId> = rows.iter().map(|row| row.order_line_id).collect();
        let lines = lines_by_ids(ctx, &line_ids).await?;
        for row in rows {
            if let Some(line) = lines.get(&row.order_line_id) {
                let entry: &mut Vec<_> = found.entry(row.fulfillment_id).or_default();
                entry.push((Arc::clone(line), row.quantity));
            }
        }
    }
    for lines in found.values_mut() {
        lines.sort_by_key(|(line, _)| line.position);
    }
    Ok(found)
}
