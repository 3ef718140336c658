//! Loaders of the audit log.

use std::collections::HashMap;
use std::sync::Arc;

use async_graphql::dataloader::Loader as Load;

use super::{Loader, loader};
use crate::domain::audit::list;
use crate::entity::audit_record;
use crate::graphql::error::{ApiError, Result};
use crate::kernel::id::AuditRecordId;

loader!(
    /// A record, if the caller may read the log.
    AuditRecordById(AuditRecordId) => Arc<audit_record::Model>, list::by_ids
);
