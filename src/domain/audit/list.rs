//! Reading the record, for admins.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use sea_orm::{ColumnTrait as _, EntityTrait as _, PaginatorTrait as _, QueryFilter as _, Select};

use crate::domain::context::Context;
use crate::domain::permission::Permission;
use crate::entity::audit_record::{self, Column, Entity, Model};
use crate::infra::db::MAX_BINDS;
use crate::infra::db::keyset::Newest;
use crate::infra::db::many::among;
use crate::kernel::error::Result;
use crate::kernel::id::AuditRecordId;
use crate::kernel::page::{Cursor, Page, Slice};

const NEWEST: Newest<Column> = Newest {
    sort: SORT,
    time: Column::OccurredAt,
    id: Column::Id,
};

/// The sort of the list, which its cursors are bound to.
pub const SORT: &str = "AUDIT_OCCURRED_AT DESC";

/// Which records are wanted: all that is given holds.
#[derive(Clone, Debug, Default)]
pub struct AuditFilter {
    /// As `Actor::key` writes it.
    pub actor: Option<String>,
    pub action: Option<String>,
    pub subject: Option<String>,
    /// This moment and later.
    pub since: Option<DateTime<Utc>>,
    /// Before this moment.
    pub until: Option<DateTime<Utc>>,
}

impl AuditFilter {
    fn query(&self) -> Select<Entity> {
        let mut query = Entity::find();
        let texts = [
            (Column::Actor, &self.actor),
            (Column::Action, &self.action),
            (Column::Subject, &self.subject),
        ];
        for (column, text) in texts {
            if let Some(text) = text {
                query = query.filter(column.eq(text));
            }
        }
        if let Some(since) = self.since {
            query = query.filter(Column::OccurredAt.gte(since));
        }
        if let Some(until) = self.until {
            query = query.filter(Column::OccurredAt.lt(until));
        }
        query
    }
}

/// The statement of a page.
///
/// # Errors
/// BadInput for a forged cursor.
pub fn statement(filter: &AuditFilter, page: &Page) -> Result<Select<Entity>> {
    NEWEST.page(filter.query(), page)
}

/// A page of the record, the newest first.
///
/// # Errors
/// Unauthenticated, Forbidden, or BadInput for a forged cursor.
pub async fn list(ctx: &Context, filter: &AuditFilter, page: &Page) -> Result<Slice<Arc<Model>>> {
    ctx.require(Permission::ReadAudit)?;
    let rows = statement(filter, page)?.all(ctx.fresh()).await?;
    Ok(page.slice(rows.into_iter().map(Arc::new).collect()))
}

/// How many records there are.
///
/// # Errors
/// Unauthenticated or Forbidden.
pub async fn count(ctx: &Context, filter: &AuditFilter) -> Result<u64> {
    ctx.require(Permission::ReadAudit)?;
    Ok(filter.query().count(ctx.fresh()).await?)
}

/// Records by their ids; none for those who may not read them.
pub async fn by_ids(ctx: &Context, ids: &[AuditRecordId]) -> Result<HashMap<AuditRecordId, Arc<Model>>> {
    let mut found = HashMap::new();
    if !ctx.may(Permission::ReadAudit) {
        return Ok(found);
    }
    for ids in ids.chunks(MAX_BINDS) {
        let rows = audit_record::Entity::find()
            .filter(among(ctx.db().backend(), Column::Id, ids.iter().copied())?)
            .all(ctx.fresh())
            .await?;
        found.extend(rows.into_iter().map(|row| (row.id, Arc::new(row))));
    }
    Ok(found)
}

/// Where a record stands in [`list`].
pub fn cursor(record: &Model) -> Cursor {
    NEWEST.cursor(record.occurred_at, record.id.0)
}
