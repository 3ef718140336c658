//! Limits that resolvers keep; those on the document are kept before it runs.

use crate::kernel::config::LimitsConfig;
use crate::kernel::error::{Error, Result};

/// Limits of the schema.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The largest page of a connection.
    pub page_size: u64,
}

impl From<&LimitsConfig> for Limits {
    fn from(config: &LimitsConfig) -> Self {
        Self {
            page_size: config.page_size,
        }
    }
}

/// How many items of a plain list to show: `default` when null.
pub(crate) fn first(asked: Option<i32>, default: usize, max: usize) -> Result<usize> {
    let Some(asked) = asked else { return Ok(default) };
    usize::try_from(asked)
        .ok()
        .filter(|first| *first <= max)
        .ok_or_else(|| Error::bad_input("first", format!("must be between 0 and {max}, not {asked}")))
}
