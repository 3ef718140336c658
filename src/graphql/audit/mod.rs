//! The audit log, for admins.

mod connection;
mod query;
mod types;

pub use query::AuditQuery;
pub use types::AuditRecord;
