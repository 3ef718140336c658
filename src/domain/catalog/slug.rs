//! Slugs that nobody else has.

use std::collections::HashSet;

use sea_orm::{ColumnTrait, DatabaseTransaction, EntityTrait, QueryFilter as _, QuerySelect as _};

use crate::infra::db::lock;
use crate::kernel::check::MAX_TEXT;
use crate::kernel::error::Result;
use crate::kernel::text::slugify;

/// The longest slug that a name makes: room for a number behind it.
pub const MAX_MADE: usize = 200;
/// How many slugs are looked up at first, and how many at once at last.
const FIRST_LOOK: u64 = 16;
const LONGEST_LOOK: u64 = 1_000;

/// How often to make another slug when somebody else took the one that was free. The lock of [`free`] keeps out
/// those who make one from the same name, but not a slug that is given, nor another name that ends in a number.
pub const TRIES: u32 = 10;

/// Whether a slug is longer than any that there is. Strangers send them, and nobody is to look for them or remember them.
pub fn is_too_long(slug: &str) -> bool {
    slug.chars().nth(MAX_TEXT).is_some()
}

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
    // A few candidates at a time, then ever more: all slugs that begin like this one may be half the catalog.
    let mut numbers = 1..FIRST_LOOK;
    loop {
        let candidates: Vec<_> = numbers.clone().map(|number| numbered(&base, number)).collect();
        let taken: Vec<String> = E::find()
            .select_only()
            .column(column)
            .filter(column.is_in(candidates.iter().map(String::as_str)))
            .into_tuple()
            .all(txn)
            .await?;
        let taken: HashSet<String> = taken.into_iter().collect();
        if let Some(free) = candidates.into_iter().find(|slug| !taken.contains(slug)) {
            return Ok(free);
        }
        numbers = numbers.end..numbers.end + LONGEST_LOOK.min(numbers.end);
    }
}

fn numbered(base: &str, number: u64) -> String {
    match number {
        1 => base.to_owned(),
        number => format!("{base}-{number}"),
    }
}
