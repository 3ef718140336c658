//! A guest who signs in takes the cart along.

use std::collections::HashMap;

use sea_orm::{
    ActiveModelTrait as _, ActiveValue::Set, ColumnTrait as _, EntityTrait as _, IntoActiveModel as _,
    QueryFilter as _, QuerySelect as _,
};

use super::change::{own_in_txn, store, touch};
use super::goods::Offer;
use super::lock::{delete_in_txn, with_lines};
use super::{MAX_LINES, MAX_QUANTITY, policy};
use crate::domain::context::Context;
use crate::entity::{cart, cart_line};
use crate::kernel::error::Result;
use crate::kernel::id::{CartId, CartLineId};

/// Makes a guest's cart the actor's: their only one, or a part of the one that they have. The guest's cart is gone
/// afterwards. What is no guest's cart, not any more or never was, is passed over.
///
/// # Errors
/// Unauthenticated: nobody has signed in.
pub async fn take_over(ctx: &Context, guest: CartId) -> Result<()> {
    let Some(user) = policy::owner(ctx)? else {
        return Ok(());
    };
    let txn = ctx.db().begin().await?;
    let own = own_in_txn(&txn, user).await?;
    // Owned ones are not even waited for: of two customers who name each other's carts neither holds up the other.
    let guests = cart::Entity::find_by_id(guest)
        .filter(cart::Column::UserId.is_null())
        .lock_exclusive()
        .one(&txn)
        .await?;
    let Some(guests) = guests else {
        return Ok(());
    };
    let Some(own) = own else {
        let mut cart = guests.into_active_model();
        cart.user_id = Set(Some(user));
        cart.updated_at = Set(ctx.now());
        cart.update(&txn).await?;
        txn.commit().await?;
        return Ok(());
    };
    let (own, lines) = with_lines(&txn, own).await?;
    let (guests, additions) = with_lines(&txn, guests).await?;
    let variants: Vec<_> = additions.iter().map(|line| line.variant_id).collect();
    let offer = Offer::in_txn(&txn, &variants).await?;
    let merged = merge(ctx, &own, &lines, additions, &offer);
    store(&txn, merged).await?;
    delete_in_txn(&txn, guests.id).await?;
    touch(&txn, ctx, own).await?;
    txn.commit().await?;
    Ok(())
}

/// The lines of the own cart that the guest's change or add, as they are to be.
fn merge(
    ctx: &Context,
    own: &cart::Model,
    lines: &[cart_line::Model],
    additions: Vec<cart_line::Model>,
    offer: &Offer,
) -> Vec<cart_line::Model> {
    let known: HashMap<_, _> = lines.iter().map(|line| (line.variant_id, line)).collect();
    let mut room = MAX_LINES.saturating_sub(lines.len());
    let mut merged = Vec::with_capacity(additions.len());
    for addition in additions {
        let before = known.get(&addition.variant_id);
        let quantity = together(
            before.map_or(0, |line| line.quantity),
            addition.quantity,
            offer.left(addition.variant_id),
        );
        // The price is what was last seen, as a guest: whether it has changed since is told in the own cart.
        let line = match before {
            Some(line) => cart_line::Model {
                quantity,
                unit_price: addition.unit_price,
                ..(*line).clone()
            },
            None if room == 0 => continue,
            None => {
                room -= 1;
                cart_line::Model {
                    id: CartLineId::new(),
                    cart_id: own.id,
                    quantity,
                    created_at: ctx.now(),
                    ..addition
                }
            }
        };
        merged.push(line);
    }
    merged
}

/// How many there are of two lines together: no more than may be and no more than are left. What was in the own cart is
/// never made less, and nothing goes without a word: of what is sold out one stays, with a warning.
fn together(own: i32, guests: i32, left: Option<i64>) -> i32 {
    let sum = own.saturating_add(guests).min(MAX_QUANTITY);
    let left = left.map_or(i32::MAX, |left| i32::try_from(left.max(0)).unwrap_or(i32::MAX));
    sum.min(left).max(own).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_added_within_their_bounds() {
        for (own, guests, left, expected) in [
            (0, 3, None, 3),
            (2, 3, None, 5),
            (2, 3, Some(10), 5),
            (2, 3, Some(4), 4),
            (2, 3, Some(1), 2),
            (2, 3, Some(0), 2),
            (0, 3, Some(2), 2),
            (0, 3, Some(0), 1),
            (0, 3, Some(-5), 1),
            (6_000, 6_000, None, 10_000),
            (6_000, 6_000, Some(i64::MAX), 10_000),
            (10_000, 10_000, Some(7), 10_000),
        ] {
            assert_eq!(together(own, guests, left), expected, "{own} {guests} {left:?}");
        }
    }
}
