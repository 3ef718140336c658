//! Reading payments and refunds. Those of an order are asked for by who has the order already, and so may see it.

use std::collections::HashMap;
use std::sync::Arc;

use sea_orm::{EntityTrait as _, QueryFilter as _, QueryOrder as _};

use crate::domain::context::Context;
use crate::domain::orders::find::orders_by_ids;
use crate::entity::{payment, placed, refund, shop_order};
use crate::infra::db::MAX_BINDS;
use crate::infra::db::many::among;
use crate::kernel::error::{Error, Result};
use crate::kernel::id::{OrderId, PaymentId, RefundId};

/// A payment with its order.
pub type PaymentOfOrder = (Arc<payment::Model>, Arc<shop_order::Model>);

/// The payments of each order, the first one first.
pub async fn payments_by_orders(
    ctx: &Context,
    ids: &[OrderId],
) -> Result<HashMap<OrderId, Vec<Arc<payment::Model>>>> {
    let mut found: HashMap<_, Vec<_>> = HashMap::new();
    for ids in ids.chunks(MAX_BINDS) {
        let payments = payment::Entity::find()
            .filter(among(
                ctx.db().backend(),
                payment::Column::OrderId,
                ids.iter().copied(),
            )?)
            .order_by_asc(payment::Column::CreatedAt)
            .order_by_asc(payment::Column::Id);
        for row in placed::all(payments, ctx.fresh()).await? {
            found.entry(row.order_id).or_default().push(Arc::new(row));
        }
    }
    Ok(found)
}

/// The refunds of each payment, the first one first.
pub async fn refunds_by_payments(
    ctx: &Context,
    ids: &[PaymentId],
) -> Result<HashMap<PaymentId, Vec<Arc<refund::Model>>>> {
    let mut found: HashMap<_, Vec<_>> = HashMap::new();
    for ids in ids.chunks(MAX_BINDS) {
        let rows = refund::Entity::find()
            .filter(among(
                ctx.db().backend(),
                refund::Column::PaymentId,
                ids.iter().copied(),
            )?)
            .order_by_asc(refund::Column::CreatedAt)
            .order_by_asc(refund::Column::Id)
            .all(ctx.fresh())
            .await?;
        for row in rows {
            found.entry(row.payment_id).or_default().push(Arc::new(row));
        }
    }
    Ok(found)
}

/// Payments of orders that the caller may see without a token.
pub async fn payments_by_ids(ctx: &Context, ids: &[PaymentId]) -> Result<HashMap<PaymentId, PaymentOfOrder>> {
    let mut found = HashMap::new();
    for ids in ids.chunks(MAX_BINDS) {
        let rows = payment::Entity::find()
            .filter(among(
                ctx.db().backend(),
                payment::Column::Id,
                ids.iter().copied(),
            )?)
            .all(ctx.fresh())
            .await?;
        let orders: Vec<OrderId> = rows.iter().map(|row| row.order_id).collect();
        let orders = orders_by_ids(ctx, &orders).await?;
        for row in rows {
            if let Some(order) = orders.get(&row.order_id) {
                found.insert(row.id, (Arc::new(row), Arc::clone(order)));
            }
        }
    }
    Ok(found)
}

/// Refunds of payments that the caller may see without a token.
pub async fn refunds_by_ids(
    ctx: &Context,
    ids: &[RefundId],
) -> Result<HashMap<RefundId, (Arc<refund::Model>, Arc<payment::Model>)>> {
    let mut found = HashMap::new();
    for ids in ids.chunks(MAX_BINDS) {
        let rows = refund::Entity::find()
            .filter(among(
                ctx.db().backend(),
                refund::Column::Id,
                ids.iter().copied(),
            )?)
            .all(ctx.fresh())
            .await?;
        let payments: Vec<PaymentId> = rows.iter().map(|row| row.payment_id).collect();
        let payments = payments_by_ids(ctx, &payments).await?;
        for row in rows {
            if let Some((payment, _)) = payments.get(&row.payment_id) {
                found.insert(row.id, (Arc::new(row), Arc::clone(payment)));
            }
        }
    }
    Ok(found)
}

/// A payment that the caller has just made or changed, and so may see.
pub async fn own_payment(ctx: &Context, id: PaymentId) -> Result<PaymentOfOrder> {
    let missing = || Error::internal(anyhow::anyhow!("a payment vanished"));
    let row = payment::Entity::find_by_id(id).one(ctx.fresh()).await?;
    let row = row.ok_or_else(missing)?;
    let order = shop_order::Entity::find_by_id(row.order_id)
        .one(ctx.fresh())
        .await?;
    Ok((Arc::new(row), Arc::new(order.ok_or_else(missing)?)))
}

/// The same with a refund of it.
pub async fn own_refund(ctx: &Context, id: RefundId) -> Result<(Arc<refund::Model>, PaymentOfOrder)> {
    let missing = || Error::internal(anyhow::anyhow!("a refund vanished"));
    let row = refund::Entity::find_by_id(id).one(ctx.fresh()).await?;
    let row = row.ok_or_else(missing)?;
    let payment = own_payment(ctx, row.payment_id).await?;
    Ok((Arc::new(row), payment))
}
