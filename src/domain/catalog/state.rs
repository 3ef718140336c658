//! What can be said of the catalog as a whole.

use sea_orm::{ConnectionTrait, EntityTrait as _, QuerySelect as _};

use crate::entity::{category, product};
use crate::kernel::error::Result;
use crate::kernel::id::{CategoryId, ProductId};

/// Whether there is neither a product, of whatever status, nor a category.
pub async fn is_empty(db: &impl ConnectionTrait) -> Result<bool> {
    let product = product::Entity::find().select_only().column(product::Column::Id);
    if product.into_tuple::<ProductId>().one(db).await?.is_some() {
        return Ok(false);
    }
    let category = category::Entity::find()
        .select_only()
        .column(category::Column::Id);
    Ok(category.into_tuple::<CategoryId>().one(db).await?.is_none())
}
