//! A new category.

use sea_orm::{ColumnTrait as _, EntityTrait as _, PaginatorTrait as _, QueryFilter as _};

use super::create::require_category;
use super::deeds;
use super::shelves::{MAX_DEPTH, insert_category};
use super::slug;
use super::validate::Checker;
use crate::domain::answers::Part;
use crate::domain::audit::record::{Deed, record};
use crate::domain::context::Context;
use crate::domain::permission::Permission;
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
    ctx.require(Permission::WriteCatalog)?;
    let mut checker = Checker::default();
    let name = checker.text("name", &command.name);
    let given = command.slug.as_deref().map(|slug| checker.slug("slug", slug));
    checker.finish()?;

    let mut tries = 1;
    loop {
        match insert(ctx, &name, given.as_deref(), command.parent_id).await {
            // Somebody took the slug that was made while it was being made.
            Err(error) if given.is_none() && tries < slug::TRIES && slug_clashes(&error) => tries += 1,
            Err(error) if slug_clashes(&error) => {
                return Err(Error::refused(
                    ErrorCode::Taken,
                    "slug",
                    "another category has this slug",
                ));
            }
            outcome => return outcome,
        }
    }
}

async fn insert(
    ctx: &Context,
    name: &str,
    slug: Option<&str>,
    parent: Option<CategoryId>,
) -> Result<CategoryId> {
    let txn = ctx.db().begin().await?;
    if let Some(parent) = parent {
        require_category(&txn, parent, "parentId").await?;
        require_room_below(&txn, parent).await?;
    }
    let slug = match slug {
        Some(slug) => slug.to_owned(),
        None => slug::free::<category::Entity>(&txn, category::Column::Slug, name, "category").await?,
    };
    let id = insert_category(&txn, name, &slug, parent, ctx.now()).await?;
    let deed = Deed::created("categoryCreate", id, deeds::category(name, &slug, parent));
    record(&txn, ctx, deed).await?;
    let committed = txn.commit().await;
    // Also when its answer was lost: it may have been heard, and what is read again costs little.
    ctx.platform.answers.changed(&[Part::Categories]);
    committed?;
    Ok(id)
}

fn slug_clashes(error: &Error) -> bool {
    violates_unique(error, "category", "slug")
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
