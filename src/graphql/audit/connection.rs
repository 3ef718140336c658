//! The list of records, a page at a time.

use std::sync::Arc;

use async_graphql::{Context, Object};

use super::AuditRecord;
use crate::domain::audit::list::{self, AuditFilter};
use crate::entity::audit_record;
use crate::graphql::connection::{PageInfo, total};
use crate::graphql::context::ContextExt as _;
use crate::graphql::error::Result;
use crate::graphql::list::List;
use crate::kernel::page::{PageArgs, Slice};

/// A page of records.
#[derive(Clone, Debug)]
pub(crate) struct AuditRecordConnection {
    filter: AuditFilter,
    slice: Slice<Arc<audit_record::Model>>,
}

impl AuditRecordConnection {
    pub(super) async fn load(ctx: &Context<'_>, filter: AuditFilter, page: PageArgs) -> Result<Self> {
        let page = page.page(ctx.limits()?.page_size, list::SORT)?;
        let slice = list::list(ctx.domain()?, &filter, &page).await?;
        Ok(Self { filter, slice })
    }
}

/// A page of the audit log.
#[Object]
impl AuditRecordConnection {
    /// The records of the page, each with its cursor.
    async fn edges(&self) -> List<AuditRecordEdge> {
        let edge = |row: &Arc<audit_record::Model>| AuditRecordEdge {
            cursor: list::cursor(row).encode(),
            node: AuditRecord::new(Arc::clone(row)),
        };
        self.slice.items.iter().map(edge).collect()
    }

    /// The records of the page.
    async fn nodes(&self) -> List<AuditRecord> {
        let rows = self.slice.items.iter();
        rows.map(|row| AuditRecord::new(Arc::clone(row))).collect()
    }

    /// Where the page lies in the list.
    async fn page_info(&self) -> PageInfo {
        PageInfo::new(&self.slice, |row| list::cursor(row).encode())
    }

    /// How many records the whole list has. Counted only when it is asked for.
    async fn total_count(&self, ctx: &Context<'_>) -> Result<i32> {
        Ok(total(list::count(ctx.domain()?, &self.filter).await?))
    }
}

#[derive(Clone, Debug)]
pub(crate) struct AuditRecordEdge {
    node: AuditRecord,
    cursor: String,
}

/// A record in a list.
#[Object]
impl AuditRecordEdge {
    /// The record.
    async fn node(&self) -> &AuditRecord {
        &self.node
    }

    /// Its place in the list: pass it as `after` or `before`.
    async fn cursor(&self) -> &str {
        &self.cursor
    }
}
