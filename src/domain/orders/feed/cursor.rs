//! Where an event stands, as clients hand it back: its order, and its place among that order's events. So a cursor is
//! there as soon as the event is, and means the same to every list and subscription that it is in.

use crate::domain::orders::events::SORT;
use crate::kernel::error::{Error, Result};
use crate::kernel::id::OrderId;
use crate::kernel::page::{Cursor, SortKey};

/// The order, and the place among its events.
///
/// # Errors
/// BadInput for what is no cursor of an event.
pub(super) fn read(text: &str, argument: &str) -> Result<(OrderId, i32)> {
    let cursor = Cursor::decode(text, argument, SORT)?;
    let seq = match cursor.key {
        SortKey::Int(seq) => i32::try_from(seq).ok(),
        SortKey::Text(_) | SortKey::Time(_) => None,
    };
    let seq = seq.ok_or_else(|| Error::bad_input(argument, "is not the cursor of an event"))?;
    Ok((OrderId(cursor.id), seq))
}
