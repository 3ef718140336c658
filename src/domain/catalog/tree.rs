//! The tree of categories: who is below whom, and the list of all.

use std::collections::HashMap;
use std::sync::Arc;

use sea_orm::sea_query::{Expr, ExprTrait as _};
use sea_orm::{
    ColumnTrait as _, EntityTrait as _, Order, PaginatorTrait as _, QueryFilter as _, QueryOrder as _,
    QuerySelect as _,
};

use super::slug::is_too_long;
use crate::domain::answers::Part;
use crate::domain::context::Context;
use crate::entity::{category, category_ancestor};
use crate::kernel::error::Result;
use crate::kernel::id::CategoryId;
use crate::kernel::page::{Cursor, Direction, Page, Slice, SortKey};

/// The sort of the list of all categories, which its cursors are bound to.
pub const SORT: &str = "CATEGORY_NAME";

pub async fn category_by_slug(ctx: &Context, slug: &str) -> Result<Option<Arc<category::Model>>> {
    if is_too_long(slug) {
        return Ok(None);
    }
    let row = category::Entity::find()
        .filter(category::Column::Slug.eq(slug))
        .one(ctx.catalog([Part::Categories]))
        .await?;
    Ok(row.map(Arc::new))
}

/// The categories right below each, by name.
pub async fn children_by_categories(
    ctx: &Context,
    ids: &[CategoryId],
) -> Result<HashMap<CategoryId, Vec<Arc<category::Model>>>> {
    let rows = category::Entity::find()
        .filter(category::Column::ParentId.is_in(ids.iter().copied()))
        .order_by_asc(category::Column::NameKey)
        .order_by_asc(category::Column::Id)
        .all(ctx.catalog([Part::Categories]))
        .await?;
    let mut children: HashMap<_, Vec<_>> = HashMap::new();
    for row in rows {
        if let Some(parent) = row.parent_id {
            children.entry(parent).or_default().push(Arc::new(row));
        }
    }
    Ok(children)
}

/// The way to each category from its root, itself left out.
pub async fn ancestors_by_categories(
    ctx: &Context,
    ids: &[CategoryId],
) -> Result<HashMap<CategoryId, Vec<Arc<category::Model>>>> {
    let rows = category_ancestor::Entity::find()
        .find_also_related(category::Entity)
        .filter(category_ancestor::Column::CategoryId.is_in(ids.iter().copied()))
        .filter(category_ancestor::Column::Distance.gt(0))
        .order_by_desc(category_ancestor::Column::Distance)
        .all(ctx.catalog([Part::Categories]))
        .await?;
    let mut ancestors: HashMap<_, Vec<_>> = HashMap::new();
    for (link, above) in rows {
        ancestors
            .entry(link.category_id)
            .or_default()
            .extend(above.map(Arc::new));
    }
    Ok(ancestors)
}

/// A page of all categories, by name.
pub async fn list(ctx: &Context, page: &Page) -> Result<Slice<Arc<category::Model>>> {
    let keys = || {
        [
            Expr::col(category::Column::NameKey),
            Expr::col(category::Column::Id),
        ]
    };
    let at = |cursor: &Cursor| {
        let key = match &cursor.key {
            SortKey::Text(name) => name.clone(),
            // Cursors are bound to their sort; another kind of key is a forgery and finds the start.
            SortKey::Int(_) | SortKey::Time(_) => String::new(),
        };
        Expr::tuple([Expr::val(key), Expr::val(cursor.id)])
    };
    let order = match page.direction {
        Direction::Forward => Order::Asc,
        Direction::Backward => Order::Desc,
    };
    let mut query = category::Entity::find();
    if let Some(after) = &page.after {
        query = query.filter(Expr::tuple(keys()).gt(at(after)));
    }
    if let Some(before) = &page.before {
        query = query.filter(Expr::tuple(keys()).lt(at(before)));
    }
    let rows = query
        .order_by(category::Column::NameKey, order.clone())
        .order_by(category::Column::Id, order)
        .limit(page.fetch())
        .all(ctx.catalog([Part::Categories]))
        .await?;
    Ok(page.slice(rows.into_iter().map(Arc::new).collect()))
}

/// Where a category stands in [`list`].
pub fn cursor(category: &category::Model) -> Cursor {
    Cursor {
        sort: SORT.to_owned(),
        key: SortKey::Text(category.name_key.clone()),
        id: category.id.0,
    }
}

pub async fn count(ctx: &Context) -> Result<u64> {
    Ok(category::Entity::find()
        .count(ctx.catalog([Part::Categories]))
        .await?)
}
