//! Queries of the catalog.

use async_graphql::{Context, Object};

use super::connection::{CategoryConnection, ProductConnection};
use super::inputs::{CategoryBy, ProductBy, ProductFilter, ProductSort};
use super::{Category, Product};
use crate::domain::catalog::find;
use crate::domain::catalog::listing::CategoryRef;
use crate::domain::catalog::rows;
use crate::graphql::connection::page_args;
use crate::graphql::context::ContextExt as _;
use crate::graphql::error::Result;
use crate::graphql::ids::{parse_id, storable};
use crate::graphql::loaders::{CategoryById, ProductById, ProductIdBySlug};
use crate::graphql::told::Told;

#[derive(Debug, Default)]
pub struct CatalogQuery;

async fn product(ctx: &Context<'_>, by: ProductBy) -> Result<Option<Product>> {
    let (domain, loaders) = (ctx.domain()?, ctx.loaders()?);
    let id = match by {
        ProductBy::Id(id) => Some(parse_id(&id, "by.id")?),
        ProductBy::Slug(slug) => {
            let slug = storable(slug, "by.slug")?;
            match rows::product_id_at_hand(domain, &slug) {
                Some(id) => Some(id),
                None => loaders.load_one(ProductIdBySlug(slug)).await?,
            }
        }
    };
    let Some(id) = id else { return Ok(None) };
    if let Some(found) = rows::products_at_hand(domain, [id]) {
        return Ok(found.into_iter().flatten().next().map(Product::new));
    }
    Ok(loaders.load_one(ProductById(id)).await?.map(Product::new))
}

async fn category(ctx: &Context<'_>, by: CategoryBy) -> Result<Option<Category>> {
    let row = match by.into_domain("by")? {
        CategoryRef::Id(id) => ctx.loaders()?.load_one(CategoryById(id)).await?,
        CategoryRef::Slug(slug) => find::category_by_slug(ctx.domain()?, &slug).await?,
    };
    Ok(row.map(Category::new))
}

#[Object]
impl CatalogQuery {
    /// One product; null when there is none, or none that you may see.
    #[graphql(cache_control(max_age = 30))]
    async fn product(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which product: by its id or by its slug.")] by: ProductBy,
    ) -> Option<Result<Told<Product>>> {
        let found = product(ctx, by).await;
        found.map(|product| product.map(Told)).transpose()
    }

    /// Products, a page at a time. Everyone sees those that are for sale; staff see all.
    #[graphql(cache_control(max_age = 30))]
    #[allow(clippy::too_many_arguments, reason = "the contract's arguments")]
    async fn products(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which products; all that you may see when null. The conditions hold at once.")]
        filter: Option<ProductFilter>,
        #[graphql(
            desc = "In which order. When null: the best match first if `filter.text` is given, else the newest."
        )]
        sort: Option<ProductSort>,
        #[graphql(desc = "How many from the start of the list, or after `after`: 0 to 100, 20 when null.")]
        first: Option<i32>,
        #[graphql(desc = "A cursor of this list: start behind it. With another sort it is refused.")]
        after: Option<String>,
        #[graphql(
            desc = "How many from the end of the list, or before `before`: 0 to 100. Not together with `first`."
        )]
        last: Option<i32>,
        #[graphql(desc = "A cursor of this list: end before it.")] before: Option<String>,
    ) -> Result<ProductConnection> {
        ProductConnection::load(ctx, None, filter, sort, page_args(first, after, last, before)).await
    }

    /// One category; null when there is none.
    #[graphql(cache_control(max_age = 60))]
    async fn category(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which category: by its id or by its slug.")] by: CategoryBy,
    ) -> Option<Result<Told<Category>>> {
        let found = category(ctx, by).await;
        found.map(|category| category.map(Told)).transpose()
    }

    /// All categories by name, whatever their place in the tree, a page at a time.
    #[graphql(cache_control(max_age = 60))]
    async fn categories(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many from the start of the list, or after `after`: 0 to 100, 20 when null.")]
        first: Option<i32>,
        #[graphql(desc = "A cursor of this list: start behind it.")] after: Option<String>,
        #[graphql(
            desc = "How many from the end of the list, or before `before`: 0 to 100. Not together with `first`."
        )]
        last: Option<i32>,
        #[graphql(desc = "A cursor of this list: end before it.")] before: Option<String>,
    ) -> Result<CategoryConnection> {
        CategoryConnection::load(ctx, page_args(first, after, last, before)).await
    }
}
