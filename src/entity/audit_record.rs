//! What somebody did. Only ever added: the database refuses to change or delete it.

use sea_orm::entity::prelude::*;

use crate::kernel::id::AuditRecordId;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "audit_record")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: AuditRecordId,
    pub occurred_at: DateTimeUtc,
    /// `kernel::actor::Actor::key`: the id of a user, `anonymous` or `system`.
    pub actor: String,
    pub role: Option<super::user_account::UserRole>,
    pub session: Option<String>,
    pub ip_address: Option<String>,
    pub user_agent: Option<String>,
    /// The name of the mutation, or of what happened.
    pub action: String,
    /// The id of what it was done to.
    pub subject: Option<String>,
    pub before: Option<Json>,
    pub after: Option<Json>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
