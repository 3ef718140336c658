//! Who may see what of the catalog. Categories are public; so are products, once they are active.

use crate::domain::permission::Permission;
use crate::entity::product::{self, ProductStatus};
use crate::kernel::actor::Actor;

/// The statuses of products that the actor may see.
pub fn visible_statuses(actor: &Actor) -> &'static [ProductStatus] {
    if Permission::ReadUnpublished.allows(actor.role()) {
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
