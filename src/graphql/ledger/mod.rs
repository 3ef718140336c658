//! The ledger, for staff.

mod query;
mod types;

pub use query::LedgerQuery;
