//! Who sees an order. What is not seen is not found.

use super::state::Doer;
use crate::domain::context::Context;
use crate::domain::permission::Permission;
use crate::entity::shop_order;
use crate::infra::secret::{digest, equal};

/// One's own, and everybody's for staff.
pub fn sees_order(ctx: &Context, order: &shop_order::Model) -> bool {
    let own = order.user_id.is_some() && order.user_id == ctx.actor.user();
    own || ctx.may(Permission::ReadOrders)
}

/// Whether this is the token that the guest was given who placed the order.
pub fn holds_token(order: &shop_order::Model, guest_token: &str) -> bool {
    order
        .guest_token_hash
        .as_deref()
        .is_some_and(|hash| equal(hash, &digest(guest_token)))
}

/// As whom the caller acts on an order that they see.
pub fn doer(ctx: &Context, order: &shop_order::Model) -> Doer {
    if ctx.may(Permission::WriteOrders) {
        Doer::Staff
    } else if order.user_id.is_some() && order.user_id == ctx.actor.user() {
        Doer::Customer
    } else {
        Doer::Guest
    }
}
