//! Loaders of the catalog's relations.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

use async_graphql::dataloader::Loader as Load;

use super::{Loader, loader};
use crate::domain::catalog::cache::{Images, Options, Tags, Variants};
use crate::domain::catalog::listing::{self, Item, Listing, ProductFilter};
use crate::domain::catalog::{rows, tree};
use crate::entity::{category, product, product_variant};
use crate::graphql::error::{ApiError, Result};
use crate::kernel::id::{CategoryId, ProductId, ProductVariantId};
use crate::kernel::page::Slice;

loader!(
    /// A product, if the caller may see it.
    ProductById(ProductId) => Arc<product::Model>, rows::products_by_ids
);
loader!(
    /// The id of a product, whoever may see it.
    ProductIdBySlug(String) => ProductId, rows::product_ids_by_slugs
);
loader!(
    /// All variants of a product, in their order.
    VariantsByProduct(ProductId) => Variants, rows::variants_by_products
);
loader!(
    /// All images of a product, in their order.
    ImagesByProduct(ProductId) => Images, rows::images_by_products
);
loader!(
    /// The options of a product, in their order.
    OptionsByProduct(ProductId) => Options, rows::options_by_products
);
loader!(
    /// The tags of a product, in their order.
    TagsByProduct(ProductId) => Tags, rows::tags_by_products
);
loader!(
    /// A variant, whoever may see it: show it only with its product.
    VariantById(ProductVariantId) => Arc<product_variant::Model>, rows::variants_by_ids
);
loader!(
    /// A category.
    CategoryById(CategoryId) => Arc<category::Model>, rows::categories_by_ids
);
loader!(
    /// The categories right below a category.
    ChildrenByCategory(CategoryId) => Vec<Arc<category::Model>>, tree::children_by_categories
);
loader!(
    /// The way to a category from its root.
    AncestorsByCategory(CategoryId) => Vec<Arc<category::Model>>, tree::ancestors_by_categories
);

/// A page of a category's products.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PageByCategory(pub CategoryId, pub Arc<Listing>);

impl Load<PageByCategory> for Loader {
    type Value = Slice<Item>;
    type Error = ApiError;

    async fn load(&self, keys: &[PageByCategory]) -> Result<HashMap<PageByCategory, Slice<Item>>> {
        let mut pages = HashMap::new();
        for (listing, shelves) in by_second(keys.iter().map(|key| (key.0, &key.1))) {
            for (shelf, page) in listing::pages(&self.context, &shelves, listing).await? {
                pages.extend(shelf.map(|id| (PageByCategory(id, Arc::clone(listing)), page)));
            }
        }
        Ok(pages)
    }
}

/// How many products a category has.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ProductCountByCategory(pub CategoryId, pub Arc<ProductFilter>);

impl Load<ProductCountByCategory> for Loader {
    type Value = u64;
    type Error = ApiError;

    async fn load(&self, keys: &[ProductCountByCategory]) -> Result<HashMap<ProductCountByCategory, u64>> {
        let mut counts = HashMap::new();
        for (filter, shelves) in by_second(keys.iter().map(|key| (key.0, &key.1))) {
            for (shelf, count) in listing::counts(&self.context, &shelves, filter).await? {
                counts.extend(shelf.map(|id| (ProductCountByCategory(id, Arc::clone(filter)), count)));
            }
        }
        Ok(counts)
    }
}

/// Categories that ask for the same list are asked for together.
fn by_second<'a, T: Hash + Eq>(
    keys: impl Iterator<Item = (CategoryId, &'a Arc<T>)>,
) -> HashMap<&'a Arc<T>, Vec<Option<CategoryId>>> {
    let mut groups: HashMap<_, Vec<_>> = HashMap::new();
    for (id, arguments) in keys {
        groups.entry(arguments).or_default().push(Some(id));
    }
    groups
}
