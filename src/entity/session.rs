//! A device on which somebody is, or was, signed in.

use sea_orm::entity::prelude::*;

use crate::kernel::id::{SessionId, UserId};

/// Why a session ended before its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum RevokeReason {
    SignedOut,
    SignedOutEverywhere,
    PasswordChanged,
    /// A refresh token came a second time: one of the two who had it is a thief.
    TokenReused,
    /// The account had more sessions than one account may have.
    TooMany,
    /// The account is one of the demo shop's, which is not open here.
    NoDemo,
}

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "session")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: SessionId,
    pub user_id: UserId,
    pub user_agent: Option<String>,
    pub ip_address: Option<String>,
    pub created_at: DateTimeUtc,
    pub last_used_at: DateTimeUtc,
    /// When its newest refresh token expires.
    pub expires_at: DateTimeUtc,
    pub revoked_at: Option<DateTimeUtc>,
    pub revoke_reason: Option<RevokeReason>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
