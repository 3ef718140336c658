//! Slugs that nobody else has.

use std::collections::HashSet;

use sea_orm::sea_query::ExprTrait as _;
use sea_orm::{ColumnTrait, DatabaseTransaction, EntityTrait, QueryFilter as _, QuerySelect as _};

use crate::infra::db::lock;
use crate::kernel::error::Result;
use crate::kernel::text::slugify;

/// Room for a number behind it.
const MAX_MADE: usize = 200;

/// How often to make another slug when somebody else took the one that was free. The lock of [`free`] keeps out
/// those who make one from the same name, but not a slug that is given, nor another name that ends in a number.
pub const TRIES: u32 = 10;

/// A free slug made from a name: `mug`, else `mug-2`, `mug-3` and so on; `fallback` where the name has neither
/// letters nor digits. Until the transaction ends nobody else can make one from the same name.
pub async fn free<E: EntityTrait>(
    txn: &DatabaseTransaction,
    column: E::Column,
    name: &str,
    fallback: &str,
) -> Result<String> {
    let made = slugify(name, MAX_MADE);
    let base = if made.is_empty() {
        fallback.to_owned()
    } else {
        made
    };
    lock::exclusive(txn, &format!("slug {fallback} {base}")).await?;
    let taken: Vec<String> = E::find()
        .select_only()
        .column(column)
        // A range, which the unique index serves: `.` comes right after `-`.
        .filter(
            column
                .eq(base.as_str())
                .or(column.gt(format!("{base}-")).and(column.lt(format!("{base}.")))),
        )
        .into_tuple()
        .all(txn)
        .await?;
    let taken: HashSet<String> = taken.into_iter().collect();
    let numbered = (2_u64..).map(|number| format!("{base}-{number}"));
    Ok(std::iter::once(base.clone())
        .chain(numbered)
        .find(|slug| !taken.contains(slug))
        .unwrap_or(base))
}
