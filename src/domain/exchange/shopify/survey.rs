//! The first pass: what only the whole file tells.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use super::error::ExchangeError;
use super::source::Source;

/// Handles as numbers, so that a million of them take a few megabytes and not a hundred.
pub(super) fn key(handle: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    handle.hash(&mut hasher);
    hasher.finish()
}

/// Keys of the handles whose rows do not stand together. To put such products together would mean to
/// keep the whole file in memory; to import their first rows alone would mean to import half of them.
pub(super) fn scattered(source: &mut Source) -> Result<HashSet<u64>, ExchangeError> {
    let mut seen = HashSet::new();
    let mut scattered = HashSet::new();
    let mut current = None;
    while let Some(record) = source.next()? {
        let Some(handle) = source.columns.handle(&record).filter(|_| !record.astray) else {
            continue;
        };
        let key = key(&handle);
        if current != Some(key) {
            current = Some(key);
            if !seen.insert(key) {
                scattered.insert(key);
            }
        }
    }
    Ok(scattered)
}
