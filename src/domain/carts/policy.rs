//! Whose cart it is. A guest's belongs to whoever knows its id, which nobody can guess; a customer's to that customer
//! alone, whatever role somebody else has.

use crate::domain::context::Context;
use crate::domain::permission::Permission;
use crate::entity::cart;
use crate::kernel::actor::Actor;
use crate::kernel::error::Result;
use crate::kernel::id::UserId;

pub fn may_use(actor: &Actor, cart: &cart::Model) -> bool {
    cart.user_id.is_none_or(|owner| actor.user() == Some(owner))
}

/// Whose the actor's new carts are; None for guests.
///
/// # Errors
/// Unauthenticated for somebody whose session this very request has ended.
pub fn owner(ctx: &Context) -> Result<Option<UserId>> {
    let user = ctx.actor.user();
    if user.is_some() {
        ctx.require(Permission::OwnAccount)?;
    }
    Ok(user)
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;
    use crate::kernel::actor::Role;
    use crate::kernel::id::{CartId, SessionId, UserId};

    #[test]
    fn a_customers_cart_is_nobody_elses() {
        let owner = UserId::new();
        let cart = |user_id| cart::Model {
            id: CartId::random(),
            user_id,
            currency: "USD".to_owned(),
            created_at: DateTime::UNIX_EPOCH,
            updated_at: DateTime::UNIX_EPOCH,
        };
        let user = |id, role| Actor::User {
            id,
            session: SessionId::new(),
            role,
        };
        for (actor, own) in [
            (Actor::Anonymous, false),
            (user(owner, Role::Customer), true),
            (user(UserId::new(), Role::Customer), false),
            (user(UserId::new(), Role::Admin), false),
            (Actor::System, false),
        ] {
            assert!(may_use(&actor, &cart(None)), "{actor:?}");
            assert_eq!(may_use(&actor, &cart(Some(owner))), own, "{actor:?}");
        }
    }
}
