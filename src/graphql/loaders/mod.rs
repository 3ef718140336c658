//! Dataloaders: one set for each operation, so that nothing read for one caller is seen by another. The
//! key's type says which query answers it.

mod accounts;
mod audit;
mod batch;
mod carts;
mod catalog;
mod idle;
mod inventory;
mod orders;
mod payments;

use crate::domain::context::Context;

pub use accounts::{AddressesByUser, SessionById, SessionsByUser, UserById};
pub use audit::AuditRecordById;
pub use batch::Loaders;
pub use carts::{CartById, CartByUser, CartLineById, GoodsByVariant, LinesByCart};
pub use catalog::{
    AncestorsByCategory, CategoryById, ChildrenByCategory, ImagesByProduct, OptionsByProduct, PageByCategory,
    ProductById, ProductCountByCategory, ProductIdBySlug, TagsByProduct, VariantById, VariantsByProduct,
};
pub use idle::Idle;
pub use inventory::LevelByVariant;
pub use orders::{
    FulfillmentById, FulfillmentsByOrder, LinesByFulfillment, LinesByOrder, OrderById, OrderEventById,
    OrderLineById,
};
pub use payments::{PaymentById, PaymentsByOrder, RefundById, RefundsByPayment};

/// Loads whatever an operation needs. It takes ids, never the actor: who may see what, the domain decides.
#[derive(Debug)]
pub struct Loader {
    context: Context,
}

/// The loaders of an operation, whose idle moments send their batches.
pub(super) fn of(context: Context, idle: &Idle) -> Loaders {
    Loaders::new(Loader { context }, idle.clone())
}

/// A key whose values are found by a function of the domain that takes bare ids.
macro_rules! loader {
    ($(#[$doc:meta])* $key:ident($id:ty) => $value:ty, $find:path) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash)]
        pub struct $key(pub $id);

        impl Load<$key> for Loader {
            type Value = $value;
            type Error = ApiError;

            async fn load(&self, keys: &[$key]) -> Result<HashMap<$key, $value>> {
                let ids: Vec<_> = keys.iter().map(|key| key.0.clone()).collect();
                let found = $find(&self.context, &ids).await?;
                Ok(found.into_iter().map(|(id, value)| ($key(id), value)).collect())
            }
        }
    };
}
use loader;
