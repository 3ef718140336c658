//! Everybody's account, for staff.

use std::sync::Arc;

use async_graphql::{Context, InputObject, Object};

use super::{User, UserRole};
use crate::domain::accounts::list;
use crate::domain::permission::Permission;
use crate::entity::user_account;
use crate::graphql::connection::{PageInfo, page_args, total};
use crate::graphql::context::ContextExt as _;
use crate::graphql::error::Result;
use crate::graphql::guard::Requires;
use crate::graphql::list::List;
use crate::kernel::error::{self, Error};
use crate::kernel::page::{PageArgs, Slice};

/// Which accounts are wanted. All conditions that are given hold at once.
#[derive(Clone, Debug, Default, InputObject)]
pub(crate) struct UserFilter {
    /// With exactly this email address, however it is typed: capitals and surrounding space do not matter.
    email: Option<String>,
    /// With this role.
    role: Option<UserRole>,
}

impl UserFilter {
    fn into_domain(self) -> error::Result<list::UserFilter> {
        let email = self.email.map(|email| {
            email.parse().map_err(|_| {
                Error::bad_input("filter.email", "is not an email address such as ann@example.com")
            })
        });
        Ok(list::UserFilter {
            email: email.transpose()?,
            role: self.role.map(Into::into),
        })
    }
}

/// A page of accounts.
#[derive(Clone, Debug)]
pub(crate) struct UserConnection {
    filter: list::UserFilter,
    slice: Slice<Arc<user_account::Model>>,
}

impl UserConnection {
    async fn load(ctx: &Context<'_>, filter: list::UserFilter, page: PageArgs) -> Result<Self> {
        let page = page.page(ctx.limits()?.page_size, list::SORT)?;
        let slice = list::list(ctx.domain()?, &filter, &page).await?;
        Ok(Self { filter, slice })
    }
}

/// A page of accounts.
#[Object]
impl UserConnection {
    /// The accounts of the page, each with its cursor.
    async fn edges(&self) -> List<UserEdge> {
        let edge = |row: &Arc<user_account::Model>| UserEdge {
            cursor: list::cursor(row).encode(),
            node: User::new(Arc::clone(row)),
        };
        self.slice.items.iter().map(edge).collect()
    }

    /// The accounts of the page.
    async fn nodes(&self) -> List<User> {
        let rows = self.slice.items.iter();
        rows.map(|row| User::new(Arc::clone(row))).collect()
    }

    /// Where the page lies in the list.
    async fn page_info(&self) -> PageInfo {
        PageInfo::new(&self.slice, |row| list::cursor(row).encode())
    }

    /// How many accounts the whole list has. Counted only when it is asked for.
    async fn total_count(&self, ctx: &Context<'_>) -> Result<i32> {
        Ok(total(list::count(ctx.domain()?, &self.filter).await?))
    }
}

#[derive(Clone, Debug)]
pub(crate) struct UserEdge {
    node: User,
    cursor: String,
}

/// An account in a list.
#[Object]
impl UserEdge {
    /// The account.
    async fn node(&self) -> &User {
        &self.node
    }

    /// Its place in the list: pass it as `after` or `before`.
    async fn cursor(&self) -> &str {
        &self.cursor
    }
}

#[derive(Debug, Default)]
pub struct UsersQuery;

#[Object]
impl UsersQuery {
    /// All accounts, the newest first, a page at a time. Staff only.
    #[graphql(guard = "Requires(Permission::ReadUsers)")]
    async fn users(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which accounts; all when null.")] filter: Option<UserFilter>,
        #[graphql(desc = "How many from the start of the list, or after `after`: 0 to 100, 20 when null.")]
        first: Option<i32>,
        #[graphql(desc = "A cursor of this list: start behind it.")] after: Option<String>,
        #[graphql(
            desc = "How many from the end of the list, or before `before`: 0 to 100. Not together with `first`."
        )]
        last: Option<i32>,
        #[graphql(desc = "A cursor of this list: end before it.")] before: Option<String>,
    ) -> Result<UserConnection> {
        let filter = filter.unwrap_or_default().into_domain()?;
        UserConnection::load(ctx, filter, page_args(first, after, last, before)).await
    }
}
