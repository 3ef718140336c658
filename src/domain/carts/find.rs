//! Reading carts, for those who may use them. They are read where they are written: whoever has just put something into a
//! cart must not find it empty because a replica lags.

use std::collections::HashMap;
use std::sync::Arc;

use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _};

use super::{lock, policy};
use crate::domain::context::Context;
use crate::entity::{cart, cart_line};
use crate::infra::db::MAX_BINDS;
use crate::infra::db::many::among;
use crate::kernel::error::Result;
use crate::kernel::id::{CartId, CartLineId, UserId};

/// The lines of a cart, the oldest first.
pub type Lines = Arc<[Arc<cart_line::Model>]>;

/// Carts that the actor may use.
pub async fn by_ids(ctx: &Context, ids: &[CartId]) -> Result<HashMap<CartId, Arc<cart::Model>>> {
    let mut found = HashMap::new();
    for ids in ids.chunks(MAX_BINDS) {
        let rows = cart::Entity::find()
            .filter(among(ctx.db().backend(), cart::Column::Id, ids.iter().copied())?)
            .all(ctx.db().fresh())
            .await?;
        let own = rows.into_iter().filter(|row| policy::may_use(&ctx.actor, row));
        found.extend(own.map(|row| (row.id, Arc::new(row))));
    }
    Ok(found)
}

/// The open cart of the caller; nobody else's.
pub async fn by_users(ctx: &Context, ids: &[UserId]) -> Result<HashMap<UserId, Arc<cart::Model>>> {
    let Some(user) = ctx.actor.user().filter(|user| ids.contains(user)) else {
        return Ok(HashMap::new());
    };
    let row = cart::Entity::find()
        .filter(cart::Column::UserId.eq(user))
        .one(ctx.db().fresh())
        .await?;
    Ok(row.map(|row| (user, Arc::new(row))).into_iter().collect())
}

/// The lines of carts, whoever may use them: show them only in a cart that the actor may use.
pub async fn lines_by_carts(ctx: &Context, ids: &[CartId]) -> Result<HashMap<CartId, Lines>> {
    let mut found: HashMap<CartId, Vec<_>> = HashMap::new();
    for ids in ids.chunks(MAX_BINDS) {
        for line in lock::lines(ctx.db().fresh(), ids).await? {
            found.entry(line.cart_id).or_default().push(Arc::new(line));
        }
    }
    Ok(found.into_iter().map(|(id, lines)| (id, lines.into())).collect())
}

/// Lines of carts that the actor may use.
pub async fn lines_by_ids(
    ctx: &Context,
    ids: &[CartLineId],
) -> Result<HashMap<CartLineId, Arc<cart_line::Model>>> {
    let mut lines = Vec::new();
    for ids in ids.chunks(MAX_BINDS) {
        let rows = cart_line::Entity::find()
            .filter(among(
                ctx.db().backend(),
                cart_line::Column::Id,
                ids.iter().copied(),
            )?)
            .all(ctx.db().fresh())
            .await?;
        lines.extend(rows);
    }
    let mut ids: Vec<CartId> = lines.iter().map(|line| line.cart_id).collect();
    ids.sort_unstable();
    ids.dedup();
    let carts = by_ids(ctx, &ids).await?;
    let own = lines.into_iter().filter(|line| carts.contains_key(&line.cart_id));
    Ok(own.map(|line| (line.id, Arc::new(line))).collect())
}
