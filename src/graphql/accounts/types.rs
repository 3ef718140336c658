//! People, their addresses and their sessions as clients see them.

use std::sync::Arc;

use async_graphql::{Context, Enum, ID, Object};

use crate::domain::accounts::find;
use crate::domain::carts;
use crate::domain::context::Context as DomainContext;
use crate::entity::{session, user_account, user_address};
use crate::graphql::carts::Cart;
use crate::graphql::connection::page_args;
use crate::graphql::context::ContextExt as _;
use crate::graphql::error::Result;
use crate::graphql::loaders::{AddressesByUser, CartByUser, SessionsByUser, UserById};
use crate::graphql::orders::{OrderConnection, OrderFilter};
use crate::graphql::scalars::{CountryCode, DateTime};
use crate::kernel::actor::{Actor, Role};
use crate::kernel::address::PostalAddress;
use crate::kernel::error::Error;
use crate::kernel::id::UserId;

/// What an account may do. Each role may do all that the ones before it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "crate::kernel::actor::Role")]
pub enum UserRole {
    /// Buys. What everybody is who registers.
    Customer,
    /// Keeps the shop: products, stock, orders. Sees customers' accounts.
    Staff,
    /// Decides who is staff, and reads the audit log.
    Admin,
}

/// An account.
#[derive(Clone, Debug)]
pub struct User {
    known: Known,
    /// Who reads it, where that is not whoever sent the request.
    viewer: Option<Arc<DomainContext>>,
}

/// What there is of an account before anybody asks for more.
#[derive(Clone, Debug)]
enum Known {
    Row(Arc<user_account::Model>),
    Id(UserId),
}

impl User {
    pub fn new(row: Arc<user_account::Model>) -> Self {
        Self {
            known: Known::Row(row),
            viewer: None,
        }
    }

    /// Whoever has signed in: of most it is their orders or their cart that are asked for, which needs no row.
    pub(super) fn signed_in(id: UserId) -> Self {
        Self {
            known: Known::Id(id),
            viewer: None,
        }
    }

    /// For the payload of signing in: the request came from nobody, the answer goes to this person.
    pub(super) fn seen_by(row: Arc<user_account::Model>, viewer: DomainContext) -> Self {
        Self {
            known: Known::Row(row),
            viewer: Some(Arc::new(viewer)),
        }
    }

    fn key(&self) -> UserId {
        match &self.known {
            Known::Row(row) => row.id,
            Known::Id(id) => *id,
        }
    }

    async fn row(&self, ctx: &Context<'_>) -> Result<Arc<user_account::Model>> {
        match &self.known {
            Known::Row(row) => Ok(Arc::clone(row)),
            Known::Id(id) => {
                let row = ctx.loaders()?.load_one(UserById(*id)).await?;
                // None is ever deleted: the token is older than this database, or than the backup that it was restored from.
                Ok(row.ok_or(Error::Unauthenticated)?)
            }
        }
    }

    async fn find_cart(&self, ctx: &Context<'_>) -> Result<Option<Cart>> {
        let id = self.key();
        let row = match &self.viewer {
            Some(viewer) => carts::find::by_users(viewer, &[id]).await?.remove(&id),
            None => ctx.loaders()?.load_one(CartByUser(id)).await?,
        };
        Ok(row.map(Cart::new))
    }
}

/// Somebody with an account. Customers see their own; staff see everybody's.
#[Object]
impl User {
    /// Identifies the account for as long as it exists, e.g. `user_01kb…`.
    pub async fn id(&self) -> ID {
        self.key().to_string().into()
    }

    /// The email address, as it was typed when registering.
    async fn email(&self, ctx: &Context<'_>) -> Result<String> {
        Ok(self.row(ctx).await?.email.clone())
    }

    /// What the person wants to be called. 1 to 255 characters.
    async fn name(&self, ctx: &Context<'_>) -> Result<String> {
        Ok(self.row(ctx).await?.name.clone())
    }

    /// What the account may do.
    async fn role(&self, ctx: &Context<'_>) -> Result<UserRole> {
        Ok(Role::from(self.row(ctx).await?.role).into())
    }

    /// Addresses to send things to, in the order in which they were given. At most 50.
    async fn addresses(&self, ctx: &Context<'_>) -> Result<Vec<Address>> {
        let id = self.key();
        let rows = match &self.viewer {
            Some(viewer) => find::addresses_by_users(viewer, &[id]).await?.remove(&id),
            None => ctx.loaders()?.load_one(AddressesByUser(id)).await?,
        };
        Ok(rows
            .unwrap_or_default()
            .iter()
            .map(|row| Address::of_user(row))
            .collect())
    }

    /// Where you are signed in, the last used first: at most 100. Empty for accounts other than your own, whoever you are.
    async fn sessions(&self, ctx: &Context<'_>) -> Result<Vec<Session>> {
        let id = self.key();
        let (rows, viewer) = match &self.viewer {
            Some(viewer) => (
                find::sessions_by_users(viewer, &[id]).await?.remove(&id),
                &**viewer,
            ),
            None => (ctx.loaders()?.load_one(SessionsByUser(id)).await?, ctx.domain()?),
        };
        let session = |row| Session::new(row, viewer);
        Ok(rows.unwrap_or_default().into_iter().map(session).collect())
    }

    /// Your open cart; null when you have none, and for accounts other than your own, whoever you are.
    async fn cart(&self, ctx: &Context<'_>) -> Option<Result<Cart>> {
        self.find_cart(ctx).await.transpose()
    }

    /// Your orders, the newest first, a page at a time. Of somebody else's account, staff see them.
    async fn orders(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which orders; all when null.")] filter: Option<OrderFilter>,
        #[graphql(desc = "How many from the start of the list, or after `after`: 0 to 100, 20 when null.")]
        first: Option<i32>,
        #[graphql(desc = "A cursor of this list: start behind it.")] after: Option<String>,
        #[graphql(
            desc = "How many from the end of the list, or before `before`: 0 to 100. Not together with `first`."
        )]
        last: Option<i32>,
        #[graphql(desc = "A cursor of this list: end before it.")] before: Option<String>,
    ) -> Result<OrderConnection> {
        let viewer = match &self.viewer {
            Some(viewer) => viewer,
            None => ctx.domain()?,
        };
        let filter = filter.unwrap_or_default().into_domain(Some(self.key()));
        OrderConnection::load(ctx, viewer, filter, page_args(first, after, last, before)).await
    }

    /// When the account was made.
    async fn created_at(&self, ctx: &Context<'_>) -> Result<DateTime> {
        Ok(DateTime(self.row(ctx).await?.created_at))
    }
}

/// A session, around its row.
#[derive(Clone, Debug)]
pub struct Session {
    row: Arc<session::Model>,
    is_current: bool,
}

impl Session {
    pub fn new(row: Arc<session::Model>, viewer: &DomainContext) -> Self {
        let is_current = matches!(viewer.actor, Actor::User { session, .. } if session == row.id);
        Self { row, is_current }
    }
}

/// A device, or a browser, on which you are signed in. It ends when you sign out of it, when its refresh token expires
/// unused, or when that token is used twice.
#[Object]
impl Session {
    /// Identifies the session for as long as it goes on, e.g. `session_01kb…`.
    pub async fn id(&self) -> ID {
        self.row.id.to_string().into()
    }

    /// When it began: by signing in or by registering.
    async fn created_at(&self) -> DateTime {
        DateTime(self.row.created_at)
    }

    /// When it was begun or last refreshed.
    async fn last_used_at(&self) -> DateTime {
        DateTime(self.row.last_used_at)
    }

    /// What the device said it is when it last refreshed, without control characters, 255 characters at most; null when it said
    /// nothing. Text of a stranger: escape it when you show it.
    async fn user_agent(&self) -> Option<&str> {
        self.row.user_agent.as_deref()
    }

    /// The address that it was last refreshed from, of IPv4 or IPv6; null when it is unknown.
    async fn ip_address(&self) -> Option<&str> {
        self.row.ip_address.as_deref()
    }

    /// Whether this is the session that is asking.
    async fn is_current(&self) -> bool {
        self.is_current
    }
}

/// An address of somebody, or of an order.
#[derive(Clone, Debug)]
pub struct Address {
    row: PostalAddress,
}

impl Address {
    pub fn new(address: PostalAddress) -> Self {
        Self { row: address }
    }

    fn of_user(row: &user_address::Model) -> Self {
        Self::new(PostalAddress {
            name: row.name.clone(),
            line1: row.line1.clone(),
            line2: row.line2.clone(),
            city: row.city.clone(),
            region: row.region.clone(),
            postal_code: row.postal_code.clone(),
            country_code: row.country_code.clone(),
            phone: row.phone.clone(),
        })
    }
}

/// A postal address, as it was given: nobody has checked that it exists.
#[Object]
impl Address {
    /// Who lives or works there.
    async fn name(&self) -> &str {
        &self.row.name
    }

    /// Street and number, or whatever comes first there.
    async fn line1(&self) -> &str {
        &self.row.line1
    }

    /// Floor, flat, company; null when there is none.
    async fn line2(&self) -> Option<&str> {
        self.row.line2.as_deref()
    }

    /// The city, town or village.
    async fn city(&self) -> &str {
        &self.row.city
    }

    /// State, province or county; null where addresses go without.
    async fn region(&self) -> Option<&str> {
        self.row.region.as_deref()
    }

    /// The postal code; null where there are none.
    async fn postal_code(&self) -> Option<&str> {
        self.row.postal_code.as_deref()
    }

    /// The country.
    async fn country_code(&self) -> Result<CountryCode> {
        let code = self.row.country_code.parse();
        Ok(CountryCode(code.map_err(|_| {
            Error::internal(anyhow::anyhow!("a stored address has an unknown country"))
        })?))
    }

    /// A telephone number, as it was given; null when none was.
    async fn phone(&self) -> Option<&str> {
        self.row.phone.as_deref()
    }
}
