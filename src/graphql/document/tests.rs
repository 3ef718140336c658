//! Documents that are measured, refused and rewritten before they are executed.

use crate::kernel::config::{Config, LimitsConfig, Source};

pub(crate) fn test_limits() -> LimitsConfig {
    Config::from_source(&Source::default()).unwrap().limits
}
