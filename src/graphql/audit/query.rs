//! Asking for the log.

use async_graphql::{Context, ID, InputObject, Object};

use super::connection::AuditRecordConnection;
use crate::domain::audit::list::AuditFilter;
use crate::domain::permission::Permission;
use crate::graphql::connection::page_args;
use crate::graphql::error::Result;
use crate::graphql::guard::Requires;
use crate::graphql::ids::storable;
use crate::graphql::scalars::DateTime;
use crate::kernel::error;

/// Which records are wanted. All conditions that are given hold at once.
#[derive(Clone, Debug, Default, InputObject)]
pub(crate) struct AuditLogFilter {
    /// Done by this one: the id of an account, `system` or `anonymous`.
    actor: Option<String>,
    /// Of this kind, spelled as in `AuditRecord.action`.
    action: Option<String>,
    /// Done to this, spelled as in `AuditRecord.subjectId`.
    subject_id: Option<ID>,
    /// Done at this moment or later.
    since: Option<DateTime>,
    /// Done before this moment.
    until: Option<DateTime>,
}

impl AuditLogFilter {
    fn into_domain(self) -> error::Result<AuditFilter> {
        let text =
            |text: Option<String>, argument: &str| text.map(|text| storable(text, argument)).transpose();
        Ok(AuditFilter {
            actor: text(self.actor, "filter.actor")?,
            action: text(self.action, "filter.action")?,
            subject: text(self.subject_id.map(|id| id.0), "filter.subjectId")?,
            since: self.since.map(|DateTime(moment)| moment),
            until: self.until.map(|DateTime(moment)| moment),
        })
    }
}

#[derive(Debug, Default)]
pub struct AuditQuery;

#[Object]
impl AuditQuery {
    /// Who did what, the newest first, a page at a time: every change that staff and admins made, every log-in and every
    /// wrong password, every change of a password or role. What was `THROTTLED` was not looked at: `signInThrottled` is here
    /// once for each wait. Admins only.
    #[graphql(guard = "Requires(Permission::ReadAudit)")]
    async fn audit_log(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which records; all when null.")] filter: Option<AuditLogFilter>,
        #[graphql(desc = "How many from the start of the list, or after `after`: 0 to 100, 20 when null.")]
        first: Option<i32>,
        #[graphql(desc = "A cursor of this list: start behind it.")] after: Option<String>,
        #[graphql(
            desc = "How many from the end of the list, or before `before`: 0 to 100. Not together with `first`."
        )]
        last: Option<i32>,
        #[graphql(desc = "A cursor of this list: end before it.")] before: Option<String>,
    ) -> Result<AuditRecordConnection> {
        let filter = filter.unwrap_or_default().into_domain()?;
        AuditRecordConnection::load(ctx, filter, page_args(first, after, last, before)).await
    }
}
