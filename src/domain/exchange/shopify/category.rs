//! Categories by their names from the top, made where they are missing.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sea_orm::{ColumnTrait as _, DatabaseTransaction, EntityTrait as _, QueryFilter as _, QueryOrder as _};

use crate::domain::catalog::shelves::insert_category;
use crate::domain::catalog::slug;
use crate::entity::category;
use crate::kernel::error::Result;
use crate::kernel::id::CategoryId;
use crate::kernel::text::{slugify, sort_key};

/// The slug of a category whose name has neither letters nor digits.
const NAMELESS: &str = "category";

/// How many categories are remembered.
const MAX_KNOWN: usize = 10_000;

/// Categories found or made so far, by their parent and name.
#[derive(Debug, Default)]
pub(super) struct Shelves {
    known: HashMap<(Option<CategoryId>, String), CategoryId>,
}

impl Shelves {
    /// Forgets what was made in a transaction that is rolled back.
    pub(super) fn forget(&mut self) {
        self.known.clear();
    }

    /// The category at the end of the path; None when the path is empty. Case and accents of a name do
    /// not make another category.
    pub(super) async fn find_or_make(
        &mut self,
        txn: &DatabaseTransaction,
        path: &[String],
        now: DateTime<Utc>,
    ) -> Result<Option<CategoryId>> {
        if self.known.len() > MAX_KNOWN {
            self.known.clear();
        }
        let mut at = None;
        let mut above: Option<&str> = None;
        for name in path {
            let key = (at, sort_key(name));
            let id = match self.known.get(&key) {
                Some(id) => *id,
                None => match find(txn, at, &key.1).await? {
                    Some(id) => id,
                    None => insert_category(txn, name, &free_slug(txn, name, above).await?, at, now).await?,
                },
            };
            self.known.insert(key, id);
            at = Some(id);
            above = Some(name);
        }
        Ok(at)
    }
}

async fn find(
    txn: &DatabaseTransaction,
    parent: Option<CategoryId>,
    name_key: &str,
) -> Result<Option<CategoryId>> {
    let below = match parent {
        Some(parent) => category::Column::ParentId.eq(parent),
        None => category::Column::ParentId.is_null(),
    };
    let found = category::Entity::find()
        .filter(below)
        .filter(category::Column::NameKey.eq(name_key))
        .order_by_asc(category::Column::Id)
        .one(txn)
        .await?;
    Ok(found.map(|category| category.id))
}

/// `shirts`, or `men-shirts` where that is taken, or `men-shirts-2`.
async fn free_slug(txn: &DatabaseTransaction, name: &str, above: Option<&str>) -> Result<String> {
    let column = category::Column::Slug;
    let short = slug::free::<category::Entity>(txn, column, name, NAMELESS).await?;
    let plain = slugify(name, slug::MAX_MADE);
    match above {
        Some(above) if short != plain && short != NAMELESS => {
            slug::free::<category::Entity>(txn, column, &format!("{above} {name}"), NAMELESS).await
        }
        _ => Ok(short),
    }
}
