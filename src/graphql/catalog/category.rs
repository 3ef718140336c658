//! A category as clients see it.

use std::sync::Arc;

use async_graphql::{Context, ID, Object};

use super::connection::ProductConnection;
use super::inputs::{ProductFilter, ProductSort};
use crate::domain::catalog::rows;
use crate::entity::category;
use crate::graphql::connection::page_args;
use crate::graphql::context::ContextExt as _;
use crate::graphql::error::Result;
use crate::graphql::loaders::{AncestorsByCategory, CategoryById, ChildrenByCategory};
use crate::graphql::told::{Asked, Tell, Text, Told, ToldList};
use crate::kernel::id::CategoryId;

/// A category, around its row.
#[derive(Clone, Debug)]
pub struct Category {
    row: Arc<category::Model>,
}

impl Category {
    pub fn new(row: Arc<category::Model>) -> Self {
        Self { row }
    }

    async fn find_parent(&self, ctx: &Context<'_>) -> Result<Option<Self>> {
        let Some(id) = self.row.parent_id else {
            return Ok(None);
        };
        Ok(ctx.loaders()?.load_one(CategoryById(id)).await?.map(Self::new))
    }
}

impl Tell for Category {
    fn tell(&self, field: &str, asked: &Asked<'_>, text: &mut Text) -> Option<()> {
        match field {
            "id" => text.shown(self.row.id),
            "slug" => text.string(&self.row.slug),
            "name" => text.string(&self.row.name),
            "parent" => text.category(asked, self.row.parent_id),
            _ => None,
        }
    }
}

impl Text {
    /// A category that may be missing.
    pub(super) fn category(&mut self, asked: &Asked<'_>, id: Option<CategoryId>) -> Option<()> {
        let Some(id) = id else {
            return self.null();
        };
        let row = rows::category_at_hand(asked.domain, id)?;
        self.object(asked, &Category::new(row))
    }
}

fn all(rows: Option<Vec<Arc<category::Model>>>) -> ToldList<Category> {
    rows.unwrap_or_default().into_iter().map(Category::new).collect()
}

/// A shelf of the catalog. Categories form trees of up to ten levels.
#[Object(cache_control(max_age = 60))]
impl Category {
    /// Identifies the category for as long as it exists, e.g. `category_01kb…`.
    pub async fn id(&self) -> ID {
        self.row.id.to_string().into()
    }

    /// The category's part of a web address. Unique.
    async fn slug(&self) -> &str {
        &self.row.slug
    }

    /// What the category is called. 1 to 255 characters.
    async fn name(&self) -> &str {
        &self.row.name
    }

    /// The category right above; null at the root of a tree.
    async fn parent(&self, ctx: &Context<'_>) -> Option<Result<Told<Category>>> {
        let parent = self.find_parent(ctx).await;
        parent.map(|found| found.map(Told)).transpose()
    }

    /// The categories right below, by name.
    async fn children(&self, ctx: &Context<'_>) -> Result<ToldList<Category>> {
        Ok(all(ctx
            .loaders()?
            .load_one(ChildrenByCategory(self.row.id))
            .await?))
    }

    /// The way here from the root of the tree, as breadcrumbs show it: the root first, the parent last.
    async fn ancestors(&self, ctx: &Context<'_>) -> Result<ToldList<Category>> {
        Ok(all(ctx
            .loaders()?
            .load_one(AncestorsByCategory(self.row.id))
            .await?))
    }

    /// The products of this category and of all below it.
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
        ProductConnection::load(
            ctx,
            Some(self.row.id),
            filter,
            sort,
            page_args(first, after, last, before),
        )
        .await
    }
}
