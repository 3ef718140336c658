//! Loaders of stock.

use std::collections::HashMap;

use async_graphql::dataloader::Loader as Load;

use super::Loader;
use crate::domain::inventory::levels;
use crate::entity::inventory_level;
use crate::graphql::error::{ApiError, Result};
use crate::kernel::id::ProductVariantId;

/// The stock of a variant.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LevelByVariant(pub ProductVariantId);

impl Load<LevelByVariant> for Loader {
    type Value = inventory_level::Model;
    type Error = ApiError;

    async fn load(&self, keys: &[LevelByVariant]) -> Result<HashMap<LevelByVariant, inventory_level::Model>> {
        let ids: Vec<_> = keys.iter().map(|key| key.0).collect();
        let levels = levels::by_variants(&self.context, &ids).await?;
        Ok(levels
            .into_iter()
            .map(|(id, level)| (LevelByVariant(id), level))
            .collect())
    }
}
