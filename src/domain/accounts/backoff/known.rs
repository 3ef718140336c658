//! Where an account's owner usually is.

use std::net::IpAddr;

use chrono::TimeDelta;
use sea_orm::{
    ColumnTrait as _, Condition, EntityTrait as _, QueryFilter as _, QuerySelect as _, QueryTrait as _,
};

use crate::domain::context::Context;
use crate::entity::session::RevokeReason;
use crate::entity::{session, user_account};
use crate::kernel::actor::network;
use crate::kernel::error::Result;

/// How long somebody is known where they have been signed in.
const KNOWN_FOR: TimeDelta = TimeDelta::days(30);
/// How many of somebody's sessions are looked at for where that is.
const LOOKED_AT: u64 = 500;

/// Whether the account's owner has lately been signed in where this request comes from. Nobody owns an address for
/// good, and a session that was stolen says nothing of where the owner is; nor does one that a new password ended, which
/// is how owners rid themselves of thieves. The session that asked for it goes on, and is where they are.
pub(super) async fn is_known(ctx: &Context, account: &str) -> Result<bool> {
    let owner = user_account::Entity::find()
        .select_only()
        .column(user_account::Column::Id)
        .filter(user_account::Column::EmailKey.eq(account))
        .into_query();
    let addresses: Vec<Option<String>> = session::Entity::find()
        .select_only()
        .column(session::Column::IpAddress)
        .distinct()
        .filter(session::Column::UserId.in_subquery(owner))
        .filter(session::Column::LastUsedAt.gt(ctx.now() - KNOWN_FOR))
        .filter(
            Condition::any().add(session::Column::RevokeReason.is_null()).add(
                session::Column::RevokeReason
                    .is_not_in([RevokeReason::TokenReused, RevokeReason::PasswordChanged]),
            ),
        )
        .limit(LOOKED_AT)
        .into_tuple()
        .all(ctx.db().fresh())
        .await?;
    let Some(here) = ctx.origin.address.map(network) else {
        return Ok(false);
    };
    let mut networks = addresses.into_iter().flatten();
    Ok(networks.any(|address| {
        address
            .parse::<IpAddr>()
            .is_ok_and(|address| network(address) == here)
    }))
}
