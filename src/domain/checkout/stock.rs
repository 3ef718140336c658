//! The stock of an order's lines.

use std::collections::BTreeMap;

use sea_orm::DatabaseTransaction;

use crate::domain::context::Context;
use crate::domain::inventory::hold::{Quantities, Why, release_in_txn};
use crate::domain::orders::change::OrderInHand;
use crate::kernel::error::Result;
use crate::kernel::id::{OrderId, ProductVariantId};

/// What movements say of what happens to an order.
pub(super) fn why(ctx: &Context, order: OrderId, what: &str) -> Why {
    Why {
        reason: format!("{order} {what}"),
        actor: ctx.actor.key(),
        now: ctx.now(),
        touched: ctx.touched.clone(),
    }
}

/// Gives back all that the order still holds.
pub(super) async fn release(
    txn: &DatabaseTransaction,
    ctx: &Context,
    order: &mut OrderInHand,
    what: &str,
) -> Result<()> {
    let mut held: Quantities = BTreeMap::new();
    for line in &mut order.lines {
        let held_by_line = std::mem::take(&mut line.held);
        if let Some(variant) = line.variant_id {
            add(&mut held, variant, held_by_line);
        }
    }
    release_in_txn(txn, &held, &why(ctx, order.row.id, what)).await
}

pub(super) fn add(quantities: &mut Quantities, variant: ProductVariantId, quantity: i32) {
    if quantity > 0 {
        *quantities.entry(variant).or_default() += i64::from(quantity);
    }
}
