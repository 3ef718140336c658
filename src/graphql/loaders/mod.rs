//! Dataloaders: one set for each operation, so that nothing read for one caller is seen by another. The
//! key's type says which query answers it.

mod catalog;
mod idle;
mod inventory;

use async_graphql::dataloader::DataLoader;
use async_graphql::runtime::TokioSpawner;

use crate::domain::context::Context;

pub use catalog::{
    AncestorsByCategory, CategoryById, ChildrenByCategory, ImagesByProduct, OptionsByProduct, PageByCategory,
    ProductById, ProductCountByCategory, ProductIdBySlug, TagsByProduct, VariantById, VariantsByProduct,
};
pub use idle::Idle;
pub use inventory::LevelByVariant;

/// Loads whatever an operation needs. It takes ids, never the actor: who may see what, the domain decides.
#[derive(Debug)]
pub struct Loader {
    context: Context,
}

/// All loaders of one operation.
pub type Loaders = DataLoader<Loader>;

/// The loaders of an operation, whose idle moments send their batches.
pub(super) fn of(context: Context, idle: &Idle) -> Loaders {
    // The library would send a batch early when it is large, and so one more for each thousand keys.
    DataLoader::new(Loader { context }, TokioSpawner::current(), idle.timer()).max_batch_size(usize::MAX)
}
