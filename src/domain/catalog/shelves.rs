//! Writing categories.

use chrono::{DateTime, Utc};
use sea_orm::sea_query::{Expr, ExprTrait as _, Query};
use sea_orm::{
    ActiveModelTrait as _, ActiveValue::Set, ColumnTrait as _, ConnectionTrait as _, DatabaseTransaction,
};

use crate::entity::{category, category_ancestor};
use crate::kernel::error::{Error, Result};
use crate::kernel::id::CategoryId;
use crate::kernel::text::sort_key;

/// How many categories may lie above one another. Each product stands in the list of every one of them.
pub const MAX_DEPTH: i32 = 10;

/// Adds a category below `parent`, or as a root, and its way up. The slug must be free.
pub async fn insert_category(
    txn: &DatabaseTransaction,
    name: &str,
    slug: &str,
    parent: Option<CategoryId>,
    now: DateTime<Utc>,
) -> Result<CategoryId> {
    let id = CategoryId::new();
    let row = category::ActiveModel {
        id: Set(id),
        parent_id: Set(parent),
        slug: Set(slug.to_owned()),
        name: Set(name.to_owned()),
        name_key: Set(sort_key(name)),
        created_at: Set(now),
        updated_at: Set(now),
    };
    row.insert(txn).await?;
    let itself = category_ancestor::ActiveModel {
        category_id: Set(id),
        ancestor_id: Set(id),
        distance: Set(0),
    };
    itself.insert(txn).await?;
    if let Some(parent) = parent {
        insert_ancestors(txn, id, parent).await?;
    }
    Ok(id)
}

async fn insert_ancestors(txn: &DatabaseTransaction, id: CategoryId, parent: CategoryId) -> Result<()> {
    use category_ancestor::Column::{AncestorId, CategoryId as Category, Distance};
    let above = Query::select()
        .expr(Expr::val(id))
        .column(AncestorId)
        .expr(Expr::col(Distance).add(1))
        .from(category_ancestor::Entity)
        .and_where(Category.eq(parent))
        .to_owned();
    let mut insert = Query::insert();
    insert
        .into_table(category_ancestor::Entity)
        .columns([Category, AncestorId, Distance]);
    insert.select_from(above).map_err(Error::internal)?;
    txn.execute(&insert).await?;
    Ok(())
}
