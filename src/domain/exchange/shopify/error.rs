//! Why an import or an export as a whole did not happen.

use crate::kernel::error::Error;

/// What stopped it. A bad row does not: it is reported.
#[derive(Debug)]
pub enum ExchangeError {
    /// The file: cannot be read or written, or is none of Shopify's. The text is for whoever gave the file.
    File(String),
    /// The shop, which for the most part means its database.
    Shop(Error),
}

impl ExchangeError {
    pub(super) fn reading(error: &std::io::Error) -> Self {
        Self::File(format!("cannot read the file: {error}"))
    }

    pub(super) fn writing(path: &std::path::Path, error: &std::io::Error) -> Self {
        Self::File(format!("cannot write {}: {error}", path.display()))
    }
}

impl From<Error> for ExchangeError {
    fn from(error: Error) -> Self {
        Self::Shop(error)
    }
}

impl From<sea_orm::DbErr> for ExchangeError {
    fn from(error: sea_orm::DbErr) -> Self {
        Self::Shop(error.into())
    }
}

impl From<ExchangeError> for anyhow::Error {
    fn from(error: ExchangeError) -> Self {
        match error {
            ExchangeError::File(message) => anyhow::anyhow!(message),
            ExchangeError::Shop(error) => error.into(),
        }
    }
}
