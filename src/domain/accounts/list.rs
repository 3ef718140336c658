//! Everybody's account, for staff.

use std::sync::Arc;

use sea_orm::{ColumnTrait as _, EntityTrait as _, PaginatorTrait as _, QueryFilter as _, Select};

use crate::domain::context::Context;
use crate::domain::permission::Permission;
use crate::entity::user_account::{Column, Entity, Model, UserRole};
use crate::infra::db::keyset::Newest;
use crate::kernel::actor::Role;
use crate::kernel::email::Email;
use crate::kernel::error::Result;
use crate::kernel::page::{Cursor, Page, Slice};

const NEWEST: Newest<Column> = Newest {
    sort: SORT,
    time: Column::CreatedAt,
    id: Column::Id,
};

/// The sort of the list, which its cursors are bound to.
pub const SORT: &str = "USER_CREATED_AT DESC";

/// Which accounts are wanted: all that is given holds.
#[derive(Clone, Debug, Default)]
pub struct UserFilter {
    pub email: Option<Email>,
    pub role: Option<Role>,
}

impl UserFilter {
    fn query(&self) -> Select<Entity> {
        let mut query = Entity::find();
        if let Some(email) = &self.email {
            query = query.filter(Column::EmailKey.eq(email.key()));
        }
        if let Some(role) = self.role {
            query = query.filter(Column::Role.eq(UserRole::from(role)));
        }
        query
    }
}

/// The statement of a page.
///
/// # Errors
/// BadInput for a forged cursor.
pub fn statement(filter: &UserFilter, page: &Page) -> Result<Select<Entity>> {
    NEWEST.page(filter.query(), page)
}

/// A page of all accounts, the newest first.
///
/// # Errors
/// Unauthenticated, Forbidden, or BadInput for a forged cursor.
pub async fn list(ctx: &Context, filter: &UserFilter, page: &Page) -> Result<Slice<Arc<Model>>> {
    ctx.require(Permission::ReadUsers)?;
    let rows = statement(filter, page)?.all(ctx.fresh()).await?;
    Ok(page.slice(rows.into_iter().map(Arc::new).collect()))
}

/// How many accounts there are.
///
/// # Errors
/// Unauthenticated or Forbidden.
pub async fn count(ctx: &Context, filter: &UserFilter) -> Result<u64> {
    ctx.require(Permission::ReadUsers)?;
    Ok(filter.query().count(ctx.fresh()).await?)
}

/// Where an account stands in [`list`].
pub fn cursor(user: &Model) -> Cursor {
    NEWEST.cursor(user.created_at, user.id.0)
}
