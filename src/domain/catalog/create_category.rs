//! A new category.

use sea_orm::{ColumnTrait as _, EntityTrait as _, PaginatorTrait as _, QueryFilter as _};

use super::create::require_category;
use super::shelves::{MAX_DEPTH, insert_category};
use super::slug;
use super::validate::Checker;
use crate::domain::context::Context;
use crate::entity::{category, category_ancestor};
use crate::infra::db::violates_unique;
use crate::kernel::error::{Error, ErrorCode, Result};
use crate::kernel::id::CategoryId;

/// A category as staff describe it.
#[derive(Clone, Debug, Default)]
pub struct CreateCategory {
    pub name: String,
    pub slug: Option<String>,
    /// A root when None.
    pub parent_id: Option<CategoryId>,
}

/// Adds a category.
///
/// # Errors
/// Refused with everything that is wrong with the input, TAKEN for a slug, NOT_FOUND for the parent,
/// OUT_OF_RANGE when the tree would become too deep.
pub async fn create_category(ctx: &Context, command: CreateCategory) -> Result<CategoryId> {
    ctx.require_staff()?;
    let mut checker = Checker::default();
    let name = checker.text("name", &command.name);
    let given = command.slug.as_deref().map(|slug| checker.slug("slug", slug));
    checker.finish()?;

    let txn = ctx.db().begin().await?;
    if let Some(parent) = command.parent_id {
        require_category(&txn, parent, "parentId").await?;
        require_room_below(&txn, parent).await?;
    }
    let slug = match given {
        Some(slug) => slug,
        None => slug::free::<category::Entity>(&txn, category::Column::Slug, &name, "category").await?,
    };
    let inserted = insert_category(&txn, &name, &slug, command.parent_id, ctx.now()).await;
    let id = inserted.map_err(|error| match violates_unique(&error, "category", "slug") {
        true => Error::refused(
            ErrorCode::Taken,
            "slug",
            format!("another category has the slug {slug:?}"),
        ),
        false => error,
    })?;
    txn.commit().await?;
    Ok(id)
}

async fn require_room_below(txn: &sea_orm::DatabaseTransaction, parent: CategoryId) -> Result<()> {
    let levels = category_ancestor::Entity::find()
        .filter(category_ancestor::Column::CategoryId.eq(parent))
        .count(txn)
        .await?;
    if levels >= u64::from(MAX_DEPTH.unsigned_abs()) {
        let message = format!("lies {MAX_DEPTH} levels deep, and a tree of categories has no more");
        return Err(Error::refused(ErrorCode::OutOfRange, "parentId", message));
    }
    Ok(())
}
