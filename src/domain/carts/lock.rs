//! A cart that one transaction has to itself: whoever changes a cart, its lines or its owner locks its row first, so that
//! two changes at once both count.

use std::collections::HashMap;

use sea_orm::{
    ConnectionTrait, DatabaseTransaction, EntityTrait as _, QueryFilter as _, QueryOrder as _,
    QuerySelect as _,
};

use super::policy;
use crate::domain::context::Context;
use crate::entity::{cart, cart_line};
use crate::infra::db::many::among;
use crate::kernel::actor::Actor;
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

/// Locks several carts, each for whoever asks for it, in the order of their ids; what is left out there is not, or he may not use it.
pub async fn lock_many_in_txn(
    txn: &DatabaseTransaction,
    wanted: &[(&Actor, CartId)],
) -> Result<HashMap<CartId, CartInHand>> {
    let ids = wanted.iter().map(|(_, id)| *id);
    let carts = cart::Entity::find()
        .filter(among(txn.get_database_backend(), cart::Column::Id, ids)?)
        .order_by_asc(cart::Column::Id)
        .lock_exclusive()
        .all(txn)
        .await?;
    let may_use = |cart: &cart::Model| {
        let asks = |(actor, id): &(&Actor, CartId)| *id == cart.id && policy::may_use(actor, cart);
        wanted.iter().any(asks)
    };
    let mut carts: HashMap<CartId, CartInHand> = carts
        .into_iter()
        .filter(may_use)
        .map(|cart| (cart.id, (cart, Vec::new())))
        .collect();
    let ids: Vec<CartId> = carts.keys().copied().collect();
    if !ids.is_empty() {
        for line in lines(txn, &ids).await? {
            if let Some((_, lines)) = carts.get_mut(&line.cart_id) {
                lines.push(line);
            }
        }
    }
    Ok(carts)
}

/// A cart whose row is locked, with its lines.
pub(super) async fn with_lines(txn: &DatabaseTransaction, cart: cart::Model) -> Result<CartInHand> {
    let lines = lines(txn, &[cart.id]).await?;
    Ok((cart, lines))
}

/// The lines of carts, in the order in which they came.
pub(super) async fn lines<C: ConnectionTrait>(conn: &C, ids: &[CartId]) -> Result<Vec<cart_line::Model>> {
    let lines = cart_line::Entity::find()
        .filter(among(
            conn.get_database_backend(),
            cart_line::Column::CartId,
            ids.iter().copied(),
        )?)
        .order_by_asc(cart_line::Column::CreatedAt)
        .order_by_asc(cart_line::Column::Id);
    Ok(lines.all(conn).await?)
}

/// Deletes a locked cart, with its lines: it has become part of another cart.
pub async fn delete_in_txn(txn: &DatabaseTransaction, id: CartId) -> Result<()> {
    cart::Entity::delete_by_id(id).exec(txn).await?;
    Ok(())
}

/// Deletes locked carts, which have become orders.
pub async fn delete_many_in_txn(txn: &DatabaseTransaction, ids: &[CartId]) -> Result<()> {
    let these = among(txn.get_database_backend(), cart::Column::Id, ids.iter().copied())?;
    cart::Entity::delete_many().filter(these).exec(txn).await?;
    Ok(())
}
