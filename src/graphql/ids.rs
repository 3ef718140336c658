//! Ids as clients send them.

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
