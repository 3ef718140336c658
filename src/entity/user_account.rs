//! Somebody with an account.

use sea_orm::entity::prelude::*;

use crate::kernel::actor::Role;
use crate::kernel::id::UserId;

/// `kernel::actor::Role` as it is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum UserRole {
    Customer,
    Staff,
    Admin,
}

impl From<Role> for UserRole {
    fn from(role: Role) -> Self {
        match role {
            Role::Customer => Self::Customer,
            Role::Staff => Self::Staff,
            Role::Admin => Self::Admin,
        }
    }
}

impl From<UserRole> for Role {
    fn from(role: UserRole) -> Self {
        match role {
            UserRole::Customer => Self::Customer,
            UserRole::Staff => Self::Staff,
            UserRole::Admin => Self::Admin,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "user_account")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: UserId,
    /// As it was typed, surrounding space aside.
    pub email: String,
    /// What makes two emails the same: `kernel::email::Email::key`.
    pub email_key: String,
    pub name: String,
    pub role: UserRole,
    /// In PHC form, with its parameters and salt.
    pub password_hash: String,
    /// Grows with each new password, and not when the same one is hashed anew.
    pub password_version: i32,
    pub role_changed_at: Option<DateTimeUtc>,
    pub created_at: DateTimeUtc,
    pub updated_at: DateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
