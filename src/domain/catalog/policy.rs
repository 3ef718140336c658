//! Who may see what of the catalog. Categories are public; so are products, once they are active.

use crate::entity::product::{self, ProductStatus};
use crate::kernel::actor::Actor;

/// The statuses of products that the actor may see.
pub fn visible_statuses(actor: &Actor) -> &'static [ProductStatus] {
    if actor.is_staff() {
        &[
            ProductStatus::Draft,
            ProductStatus::Active,
            ProductStatus::Archived,
        ]
    } else {
        &[ProductStatus::Active]
    }
}

pub fn may_see(actor: &Actor, product: &product::Model) -> bool {
    visible_statuses(actor).contains(&product.status)
}
