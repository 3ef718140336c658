//! What import and export have in common.

use crate::kernel::money::{Currency, MoneyError};

/// A currency as it is typed, in either case.
pub(super) fn currency(text: &str) -> Result<Currency, MoneyError> {
    text.to_uppercase().parse()
}
