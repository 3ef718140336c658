//! Mutations of the catalog, for staff.

use async_graphql::{Context, Object};

use super::payloads::{
    CategoryCreatePayload, ProductCreatePayload, ProductUpdatePayload, ProductVariantUpdatePayload,
};
use super::staff_inputs::{
    CategoryCreateInput, ProductCreateInput, ProductUpdateInput, ProductVariantUpdateInput,
};
use super::{Category, Product, ProductVariant};
use crate::domain::catalog::{create, create_category, find, update, update_variant};
use crate::domain::context::Context as DomainContext;
use crate::domain::permission::Permission;
use crate::graphql::context::ContextExt as _;
use crate::graphql::error::Result;
use crate::graphql::guard::Requires;
use crate::graphql::ids::parse_id;
use crate::graphql::user_error::refused;
use crate::kernel::error::Error;
use crate::kernel::id::{ProductId, ProductVariantId};

#[derive(Debug, Default)]
pub struct CatalogMutation;

/// What was just written must be there.
fn written<T>(found: Option<T>) -> Result<T> {
    found.ok_or_else(|| Error::internal(anyhow::anyhow!("what was written cannot be read")).into())
}

async fn product(ctx: &DomainContext, id: ProductId) -> Result<Product> {
    written(find::product_by_id(ctx, id).await?).map(Product::new)
}

pub(crate) async fn variant(ctx: &DomainContext, id: ProductVariantId) -> Result<ProductVariant> {
    let (variant, product) = written(find::variant_by_id(ctx, id).await?)?;
    Ok(ProductVariant::new(variant, product))
}

async fn create(ctx: &DomainContext, input: ProductCreateInput) -> Result<Product> {
    let id = create::create_product(ctx, input.into_domain()?).await?;
    product(ctx, id).await
}

async fn update(ctx: &DomainContext, input: ProductUpdateInput) -> Result<Product> {
    let id = parse_id(input.product_id(), "input.productId")?;
    update::update_product(ctx, id, input.into_domain()?).await?;
    product(ctx, id).await
}

async fn update_variant(ctx: &DomainContext, input: ProductVariantUpdateInput) -> Result<ProductVariant> {
    let id = parse_id(input.variant_id(), "input.variantId")?;
    update_variant::update_variant(ctx, id, input.into_domain()).await?;
    variant(ctx, id).await
}

async fn create_category(ctx: &DomainContext, input: CategoryCreateInput) -> Result<Category> {
    let id = create_category::create_category(ctx, input.into_domain()?).await?;
    written(find::category_by_id(ctx, id).await?).map(Category::new)
}

#[Object]
impl CatalogMutation {
    /// Adds a product with its variants and their first stock. Staff only.
    #[graphql(guard = "Requires(Permission::WriteCatalog)")]
    async fn product_create(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The new product.")] input: ProductCreateInput,
    ) -> Result<ProductCreatePayload> {
        let (product, user_errors) = refused(create(ctx.domain()?, input).await)?;
        Ok(ProductCreatePayload { product, user_errors })
    }

    /// Changes a product. Each change that is one makes a new `version`. Staff only.
    #[graphql(guard = "Requires(Permission::WriteCatalog)")]
    async fn product_update(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to change of which product.")] input: ProductUpdateInput,
    ) -> Result<ProductUpdatePayload> {
        let (product, user_errors) = refused(update(ctx.domain()?, input).await)?;
        Ok(ProductUpdatePayload { product, user_errors })
    }

    /// Changes a variant, which makes a new `version` of its product. Its stock is changed by `inventoryAdjust`. Staff
    /// only.
    #[graphql(guard = "Requires(Permission::WriteCatalog)")]
    async fn product_variant_update(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to change of which variant.")] input: ProductVariantUpdateInput,
    ) -> Result<ProductVariantUpdatePayload> {
        let (variant, user_errors) = refused(update_variant(ctx.domain()?, input).await)?;
        Ok(ProductVariantUpdatePayload { variant, user_errors })
    }

    /// Adds a category, as a root or below another one. Staff only.
    #[graphql(guard = "Requires(Permission::WriteCatalog)")]
    async fn category_create(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The new category.")] input: CategoryCreateInput,
    ) -> Result<CategoryCreatePayload> {
        let (category, user_errors) = refused(create_category(ctx.domain()?, input).await)?;
        Ok(CategoryCreatePayload {
            category,
            user_errors,
        })
    }
}
