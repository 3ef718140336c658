//! A record as admins see it.

use std::sync::Arc;

use async_graphql::{Context, ID, Json, Object};
use serde_json::Value;

use crate::entity::audit_record;
use crate::graphql::accounts::{User, UserRole};
use crate::graphql::context::ContextExt as _;
use crate::graphql::error::Result;
use crate::graphql::loaders::UserById;
use crate::graphql::scalars::DateTime;
use crate::kernel::actor::Role;
use crate::kernel::id::UserId;

/// A record, around its row.
#[derive(Clone, Debug)]
pub struct AuditRecord {
    row: Arc<audit_record::Model>,
}

impl AuditRecord {
    pub fn new(row: Arc<audit_record::Model>) -> Self {
        Self { row }
    }

    async fn find_user(&self, ctx: &Context<'_>) -> Result<Option<User>> {
        let Ok(id) = self.row.actor.parse::<UserId>() else {
            return Ok(None);
        };
        Ok(ctx.loaders()?.load_one(UserById(id)).await?.map(User::new))
    }
}

/// What somebody did, written down when it was done and never changed since. For admins.
#[Object]
impl AuditRecord {
    /// Identifies the record for good, e.g. `audit_01kb…`.
    pub async fn id(&self) -> ID {
        self.row.id.to_string().into()
    }

    /// When it was done.
    async fn occurred_at(&self) -> DateTime {
        DateTime(self.row.occurred_at)
    }

    /// What was done: the name of the mutation, or of what happened, such as `importShopify`.
    async fn action(&self) -> &str {
        &self.row.action
    }

    /// Who did it: the id of an account, `system` for the command line, `anonymous` for who was nobody.
    async fn actor(&self) -> &str {
        &self.row.actor
    }

    /// The account of whoever did it, as it is now; null for `system` and `anonymous`, and when it is gone.
    async fn user(&self, ctx: &Context<'_>) -> Option<Result<User>> {
        self.find_user(ctx).await.transpose()
    }

    /// The role in which it was done; null for `system` and `anonymous`.
    async fn role(&self) -> Option<UserRole> {
        self.row.role.map(|role| Role::from(role).into())
    }

    /// The address that it was done from, of IPv4 or IPv6; null for the command line.
    async fn ip_address(&self) -> Option<&str> {
        self.row.ip_address.as_deref()
    }

    /// What the client said it is, without control characters, 255 characters at most; null when it said nothing. Text of a
    /// stranger: escape it when you show it.
    async fn user_agent(&self) -> Option<&str> {
        self.row.user_agent.as_deref()
    }

    /// The id of what it was done to; null where there is no such thing. It may be gone by now. For signing in with an email
    /// that nobody has it is `email_…`, the same each time for the same email, and no id of anything.
    async fn subject_id(&self) -> Option<ID> {
        self.row.subject.clone().map(ID)
    }

    /// What was changed, as it was before: an object of the fields that differ. Null for what is new.
    async fn before(&self) -> Option<Json<&Value>> {
        self.row.before.as_ref().map(Json)
    }

    /// The same as it was afterwards, and for what is new all that was given. Never a password, nor a token.
    async fn after(&self) -> Option<Json<&Value>> {
        self.row.after.as_ref().map(Json)
    }
}
