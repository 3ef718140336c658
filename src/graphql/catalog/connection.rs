//! Lists of products and categories, a page at a time.

use std::sync::Arc;

use async_graphql::{Context, Object};

use super::inputs::{ProductFilter, ProductSort};
use super::{Category, Product};
use crate::domain::catalog::listing::{self, Item, Listing};
use crate::domain::catalog::{rows, tree};
use crate::entity::category;
use crate::graphql::connection::{PageInfo, total};
use crate::graphql::context::ContextExt as _;
use crate::graphql::error::Result;
use crate::graphql::loaders::{PageByCategory, ProductById, ProductCountByCategory};
use crate::graphql::told::{Asked, Tell, Text, Told, ToldList};
use crate::kernel::id::CategoryId;
use crate::kernel::page::{PageArgs, Slice};

/// A page of places in a list; the products themselves are loaded when they are asked for.
#[derive(Clone, Debug)]
pub struct ProductConnection {
    shelf: Option<CategoryId>,
    listing: Arc<Listing>,
    slice: Slice<Item>,
}

impl ProductConnection {
    /// Reads a page of a category's products, or of the whole shop's when `shelf` is None.
    pub(super) async fn load(
        ctx: &Context<'_>,
        shelf: Option<CategoryId>,
        filter: Option<ProductFilter>,
        sort: Option<ProductSort>,
        page: PageArgs,
    ) -> Result<Self> {
        let domain = ctx.domain()?;
        let filter = filter.unwrap_or_default().into_domain(&domain.platform.shop)?;
        let listing = Listing::new(filter, sort.map(Into::into), &page, ctx.limits()?.page_size)?;
        let listing = Arc::new(listing);
        let slice = match shelf {
            Some(id) => {
                ctx.loaders()?
                    .load_one(PageByCategory(id, Arc::clone(&listing)))
                    .await?
            }
            None => listing::pages(domain, &[None], &listing).await?.remove(&None),
        };
        let slice = slice.unwrap_or_else(|| listing.page.slice(Vec::new()));
        Ok(Self {
            shelf,
            listing,
            slice,
        })
    }

    /// The products of the page. One that was deleted since its place was read is left out.
    async fn products(&self, ctx: &Context<'_>) -> Result<Vec<(Product, &Item)>> {
        let items = self.slice.items.iter();
        let at_hand = rows::products_at_hand(ctx.domain()?, items.clone().map(|item| item.id));
        let rows = match at_hand {
            Some(rows) => rows,
            None => {
                let keys = items.clone().map(|item| ProductById(item.id));
                let rows = ctx.loaders()?.load_many(keys.clone()).await?;
                keys.map(|key| rows.get(&key).cloned()).collect()
            }
        };
        let products = items.zip(rows);
        Ok(products
            .filter_map(|(item, row)| Some((Product::new(row?), item)))
            .collect())
    }
}

/// A page of a list of products.
#[Object(cache_control(max_age = 30))]
impl ProductConnection {
    /// The products of the page, each with its cursor.
    async fn edges(&self, ctx: &Context<'_>) -> Result<ToldList<ProductEdge>> {
        let products = self.products(ctx).await?;
        Ok(products
            .into_iter()
            .map(|(node, item)| ProductEdge {
                node,
                cursor: item.cursor.encode(),
            })
            .collect())
    }

    /// The products of the page.
    async fn nodes(&self, ctx: &Context<'_>) -> Result<ToldList<Product>> {
        Ok(self
            .products(ctx)
            .await?
            .into_iter()
            .map(|(product, _)| product)
            .collect())
    }

    /// Where the page lies in the list.
    async fn page_info(&self) -> Told<PageInfo> {
        Told(PageInfo::new(&self.slice, |item| item.cursor.encode()))
    }

    /// How many products the whole list has. Counted only when it is asked for: leave it out where you do not
    /// show it.
    async fn total_count(&self, ctx: &Context<'_>) -> Result<i32> {
        let filter = &self.listing.filter;
        let count = match self.shelf {
            Some(id) => {
                ctx.loaders()?
                    .load_one(ProductCountByCategory(id, Arc::new(filter.clone())))
                    .await?
            }
            None => listing::counts(ctx.domain()?, &[None], filter)
                .await?
                .remove(&None),
        };
        Ok(total(count.unwrap_or_default()))
    }
}

#[derive(Clone, Debug)]
pub(crate) struct ProductEdge {
    node: Product,
    cursor: String,
}

impl Tell for ProductEdge {
    fn tell(&self, field: &str, asked: &Asked<'_>, text: &mut Text) -> Option<()> {
        match field {
            "node" => text.object(asked, &self.node),
            "cursor" => text.string(&self.cursor),
            _ => None,
        }
    }
}

// Not a `SimpleObject`, which would hide where in the node an error lies.
/// A product in a list.
#[Object(cache_control(max_age = 30))]
impl ProductEdge {
    /// The product.
    async fn node(&self) -> &Product {
        &self.node
    }

    /// Its place in the list: pass it as `after` or `before`, with the same sort.
    async fn cursor(&self) -> &str {
        &self.cursor
    }
}

/// A page of categories.
#[derive(Clone, Debug)]
pub struct CategoryConnection {
    slice: Slice<Arc<category::Model>>,
}

impl CategoryConnection {
    pub(super) async fn load(ctx: &Context<'_>, page: PageArgs) -> Result<Self> {
        let page = page.page(ctx.limits()?.page_size, tree::SORT)?;
        Ok(Self {
            slice: tree::list(ctx.domain()?, &page).await?,
        })
    }
}

/// A page of a list of categories.
#[Object(cache_control(max_age = 60))]
impl CategoryConnection {
    /// The categories of the page, each with its cursor.
    async fn edges(&self) -> ToldList<CategoryEdge> {
        let edge = |row: &Arc<category::Model>| CategoryEdge {
            node: Category::new(Arc::clone(row)),
            cursor: tree::cursor(row).encode(),
        };
        self.slice.items.iter().map(edge).collect()
    }

    /// The categories of the page.
    async fn nodes(&self) -> ToldList<Category> {
        self.slice
            .items
            .iter()
            .map(|row| Category::new(Arc::clone(row)))
            .collect()
    }

    /// Where the page lies in the list.
    async fn page_info(&self) -> Told<PageInfo> {
        Told(PageInfo::new(&self.slice, |row| tree::cursor(row).encode()))
    }

    /// How many categories there are. Counted only when it is asked for.
    async fn total_count(&self, ctx: &Context<'_>) -> Result<i32> {
        Ok(total(tree::count(ctx.domain()?).await?))
    }
}

#[derive(Clone, Debug)]
pub(crate) struct CategoryEdge {
    node: Category,
    cursor: String,
}

impl Tell for CategoryEdge {
    fn tell(&self, field: &str, asked: &Asked<'_>, text: &mut Text) -> Option<()> {
        match field {
            "node" => text.object(asked, &self.node),
            "cursor" => text.string(&self.cursor),
            _ => None,
        }
    }
}

// Not a `SimpleObject`, which would hide where in the node an error lies.
/// A category in a list.
#[Object(cache_control(max_age = 60))]
impl CategoryEdge {
    /// The category.
    async fn node(&self) -> &Category {
        &self.node
    }

    /// Its place in the list: pass it as `after` or `before`.
    async fn cursor(&self) -> &str {
        &self.cursor
    }
}
