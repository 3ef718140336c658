//! How often signing in has been tried for an account, from an address, or both: in vain, or with an outcome still to come.

use sea_orm::FromJsonQueryResult;
use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "sign_in_attempt")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub key: String,
    /// Those that failed or, where the accounts are counted that an address opens, that did.
    pub counted: i32,
    /// The first of these.
    pub since: DateTimeUtc,
    pub last_at: DateTimeUtc,
    #[sea_orm(column_type = "JsonBinary")]
    pub in_flight: InFlight,
    /// The end of the last wait that has been recorded.
    pub throttled_until: Option<DateTimeUtc>,
}

/// Attempts of which it is not known yet whether they fail.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize, FromJsonQueryResult)]
pub struct InFlight(pub Vec<Pending>);

#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Pending {
    pub attempt: Uuid,
    pub since: DateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
