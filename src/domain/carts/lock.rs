//! A cart that one transaction has to itself: whoever changes a cart, its lines or its owner locks its row first, so that
//! two changes at once both count.

use sea_orm::{
    ColumnTrait as _, ConnectionTrait, DatabaseTransaction, EntityTrait as _, QueryFilter as _,
    QueryOrder as _, QuerySelect as _,
};

use super::policy;
use crate::domain::context::Context;
use crate::entity::{cart, cart_line};
use crate::kernel::error::Result;
use crate::kernel::id::CartId;

/// A cart with its lines, the oldest first.
pub type CartInHand = (cart::Model, Vec<cart_line::Model>);

/// Locks a cart that the actor may use; None when there is none.
pub async fn lock_in_txn(txn: &DatabaseTransaction, ctx: &Context, id: CartId) -> Result<Option<CartInHand>> {
    let cart = cart::Entity::find_by_id(id).lock_exclusive().one(txn).await?;
    // Asked of the locked row: until then a guest's cart may become somebody's.
    match cart.filter(|cart| policy::may_use(&ctx.actor, cart)) {
        Some(cart) => with_lines(txn, cart).await.map(Some),
        None => Ok(None),
    }
}

/// A cart whose row is locked, with its lines.
pub(super) async fn with_lines(txn: &DatabaseTransaction, cart: cart::Model) -> Result<CartInHand> {
    let lines = lines(txn, &[cart.id]).await?;
    Ok((cart, lines))
}

/// The lines of carts, in the order in which they came.
pub(super) async fn lines<C: ConnectionTrait>(conn: &C, ids: &[CartId]) -> Result<Vec<cart_line::Model>> {
    let lines = cart_line::Entity::find()
        .filter(cart_line::Column::CartId.is_in(ids.iter().copied()))
        .order_by_asc(cart_line::Column::CreatedAt)
        .order_by_asc(cart_line::Column::Id);
    Ok(lines.all(conn).await?)
}

/// Deletes a locked cart, with its lines: it has become an order, or part of another cart.
pub async fn delete_in_txn(txn: &DatabaseTransaction, id: CartId) -> Result<()> {
    cart::Entity::delete_by_id(id).exec(txn).await?;
    Ok(())
}
