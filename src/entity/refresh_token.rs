//! A refresh token, as a hash: whoever reads the database cannot use it.

use sea_orm::entity::prelude::*;

use crate::kernel::id::SessionId;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "refresh_token")]
pub struct Model {
    /// SHA-256, in hexadecimal.
    #[sea_orm(primary_key, auto_increment = false)]
    pub hash: String,
    pub session_id: SessionId,
    /// From this and the token its successor is made, so that it can be told again to a client that lost the
    /// answer, and to nobody else: neither the database nor the token alone is enough.
    pub seed: String,
    pub created_at: DateTimeUtc,
    pub expires_at: DateTimeUtc,
    pub used_at: Option<DateTimeUtc>,
    /// Which client used it: a hash of its address and user agent.
    pub used_from: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
