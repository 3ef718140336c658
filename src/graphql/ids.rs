//! Ids and other texts that clients send to look something up by.

use std::str::FromStr;

use async_graphql::ID;

use crate::kernel::error::{Error, Result};
use crate::kernel::id::IdError;

/// Reads a TypeID of one type.
///
/// # Errors
/// BadInput that names the argument, when it is malformed or of another type.
pub fn parse_id<T: FromStr<Err = IdError>>(id: &ID, argument: &str) -> Result<T> {
    id.parse()
        .map_err(|error: IdError| Error::bad_input(argument, error.to_string()))
}

/// A text to look for. No row has a NUL in one, and PostgreSQL cannot even be asked for it.
///
/// # Errors
/// BadInput that names the argument.
pub fn storable(text: String, argument: &str) -> Result<String> {
    if text.contains('\0') {
        return Err(Error::bad_input(argument, "has a NUL character"));
    }
    Ok(text)
}
