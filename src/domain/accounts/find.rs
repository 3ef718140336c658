//! Reading accounts, for those who may.

use std::collections::HashMap;
use std::sync::Arc;

use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _};

use super::policy::{sees_sessions, sees_user};
use super::session::live;
use crate::domain::context::Context;
use crate::entity::{session, user_account, user_address};
use crate::infra::db::MAX_BINDS;
use crate::infra::db::many::among;
use crate::kernel::error::Result;
use crate::kernel::id::{SessionId, UserId};

/// Accounts that the caller may see.
pub async fn users_by_ids(
    ctx: &Context,
    ids: &[UserId],
) -> Result<HashMap<UserId, Arc<user_account::Model>>> {
    let mut found = HashMap::new();
    for ids in visible(ids, |id| sees_user(ctx, id)).chunks(MAX_BINDS) {
        let rows = user_account::Entity::find()
            .filter(among(
                ctx.db().backend(),
                user_account::Column::Id,
                ids.iter().copied(),
            )?)
            .all(ctx.fresh())
            .await?;
        found.extend(rows.into_iter().map(|row| (row.id, Arc::new(row))));
    }
    Ok(found)
}

/// The addresses of accounts that the caller may see, in their order.
pub async fn addresses_by_users(
    ctx: &Context,
    ids: &[UserId],
) -> Result<HashMap<UserId, Vec<Arc<user_address::Model>>>> {
    let mut found: HashMap<_, Vec<_>> = HashMap::new();
    for ids in visible(ids, |id| sees_user(ctx, id)).chunks(MAX_BINDS) {
        let rows = user_address::Entity::find()
            .filter(among(
                ctx.db().backend(),
                user_address::Column::UserId,
                ids.iter().copied(),
            )?)
            .order_by_asc(user_address::Column::Position)
            .all(ctx.fresh())
            .await?;
        for row in rows {
            found.entry(row.user_id).or_default().push(Arc::new(row));
        }
    }
    Ok(found)
}

/// Sessions of the caller that go on.
pub async fn sessions_by_ids(
    ctx: &Context,
    ids: &[SessionId],
) -> Result<HashMap<SessionId, Arc<session::Model>>> {
    let Some(user) = ctx.actor.user() else {
        return Ok(HashMap::new());
    };
    let mut found = HashMap::new();
    for ids in ids.chunks(MAX_BINDS) {
        let rows = session::Entity::find()
            .filter(among(
                ctx.db().backend(),
                session::Column::Id,
                ids.iter().copied(),
            )?)
            .filter(session::Column::UserId.eq(user))
            .filter(live(ctx.now()))
            .all(ctx.fresh())
            .await?;
        found.extend(rows.into_iter().map(|row| (row.id, Arc::new(row))));
    }
    Ok(found)
}

/// The sessions of the caller that go on, the last used first; nobody else's.
pub async fn sessions_by_users(
    ctx: &Context,
    ids: &[UserId],
) -> Result<HashMap<UserId, Vec<Arc<session::Model>>>> {
    let mut found: HashMap<_, Vec<_>> = HashMap::new();
    for ids in visible(ids, |id| sees_sessions(ctx, id)).chunks(MAX_BINDS) {
        let rows = session::Entity::find()
            .filter(among(
                ctx.db().backend(),
                session::Column::UserId,
                ids.iter().copied(),
            )?)
            .filter(live(ctx.now()))
            .order_by_desc(session::Column::LastUsedAt)
            .order_by_desc(session::Column::Id)
            .all(ctx.fresh())
            .await?;
        for row in rows {
            found.entry(row.user_id).or_default().push(Arc::new(row));
        }
    }
    Ok(found)
}

fn visible(ids: &[UserId], sees: impl Fn(UserId) -> bool) -> Vec<UserId> {
    ids.iter().copied().filter(|id| sees(*id)).collect()
}
