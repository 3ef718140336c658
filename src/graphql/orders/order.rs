//! An order as clients see it.

use std::sync::Arc;

use async_graphql::{Context, ID, Object};

use super::connection::OrderEventConnection;
use super::status::{OrderAction, OrderFulfillmentStatus, OrderPaymentStatus, OrderStatus};
use super::{Fulfillment, OrderLine};
use crate::domain::orders::policy;
use crate::domain::payments::actions::actions;
use crate::entity::shop_order;
use crate::graphql::accounts::{Address, User};
use crate::graphql::connection::page_args;
use crate::graphql::context::ContextExt as _;
use crate::graphql::error::Result;
use crate::graphql::list::List;
use crate::graphql::loaders::{FulfillmentsByOrder, LinesByOrder, PaymentsByOrder, UserById};
use crate::graphql::money::Money;
use crate::graphql::payments::Payment;
use crate::graphql::scalars::DateTime;
use crate::graphql::told::{Told, ToldList};
use crate::kernel::error::Error;
use crate::kernel::money;

/// An order, around its row. Whoever has one may see it, and what belongs to it.
#[derive(Clone, Debug)]
pub struct Order {
    row: Arc<shop_order::Model>,
}

impl Order {
    pub fn new(row: Arc<shop_order::Model>) -> Self {
        Self { row }
    }

    fn money(&self, minor: i64) -> Result<Money> {
        in_currency(minor, &self.row.currency)
    }
}

/// An amount in the currency that is stored beside it.
pub(crate) fn in_currency(minor: i64, currency: &str) -> Result<Money> {
    let currency = currency.parse().map_err(Error::internal)?;
    Ok(money::Money::new(minor, currency).into())
}

/// Something that was ordered. Customers see their own orders, staff all; the order of a guest is seen with the
/// `guestToken` that placing it answered. Amounts, names and the address are as they were when it was placed.
#[Object]
impl Order {
    /// Identifies the order for good, e.g. `order_01kb…`.
    pub async fn id(&self) -> ID {
        self.row.id.to_string().into()
    }

    /// What people say on the phone: nine digits that tell nothing about how many orders there are.
    async fn number(&self) -> &str {
        &self.row.number
    }

    /// How far the order as a whole has come.
    async fn status(&self) -> OrderStatus {
        self.row.status.into()
    }

    /// How far its money has come: follows from its payments.
    async fn payment_status(&self) -> OrderPaymentStatus {
        self.row.payment_status.into()
    }

    /// How far its goods have come: follows from its parcels.
    async fn fulfillment_status(&self) -> OrderFulfillmentStatus {
        self.row.fulfillment_status.into()
    }

    /// What you may do to it now. Doing anything else is TRANSITION_INVALID.
    async fn available_actions(&self, ctx: &Context<'_>) -> Result<Vec<OrderAction>> {
        let (doer, loaders) = (policy::doer(ctx.domain()?, &self.row), ctx.loaders()?);
        let payments = loaders.load_one(PaymentsByOrder(self.row.id));
        let lines = loaders.load_one(LinesByOrder(self.row.id));
        let (payments, lines) = futures_util::try_join!(payments, lines)?;
        let (payments, lines) = (payments.unwrap_or_default(), lines.unwrap_or_default());
        let actions = actions(
            &self.row,
            doer,
            &payments,
            &lines,
            &ctx.domain()?.platform.gateways,
        );
        Ok(actions.into_iter().map(Into::into).collect())
    }

    /// Whose order it is; null for a guest's.
    async fn customer(&self, ctx: &Context<'_>) -> Result<Option<User>> {
        let Some(id) = self.row.user_id else {
            return Ok(None);
        };
        let row = ctx.loaders()?.load_one(UserById(id)).await?;
        Ok(row.map(User::new))
    }

    /// Where news of it go.
    async fn email(&self) -> &str {
        &self.row.email
    }

    /// Where it is sent.
    async fn shipping_address(&self) -> Option<Address> {
        Some(Address::new(self.row.shipping_address.clone()))
    }

    /// What was ordered, in the order of the cart. At most 250.
    async fn lines(&self, ctx: &Context<'_>) -> Result<ToldList<OrderLine>> {
        let rows = ctx.loaders()?.load_one(LinesByOrder(self.row.id)).await?;
        let line = |row| OrderLine::new(row, &self.row);
        Ok(rows.unwrap_or_default().into_iter().map(line).collect())
    }

    /// What its lines cost together.
    async fn subtotal(&self) -> Result<Told<Money>> {
        self.money(self.row.subtotal).map(Told)
    }

    /// What sending it costs. Zero until the shop charges for it.
    async fn shipping_total(&self) -> Result<Told<Money>> {
        self.money(self.row.shipping_total).map(Told)
    }

    /// The taxes on it. Zero until the shop adds any.
    async fn tax_total(&self) -> Result<Told<Money>> {
        self.money(self.row.tax_total).map(Told)
    }

    /// What is taken off. Zero until the shop has discounts.
    async fn discount_total(&self) -> Result<Told<Money>> {
        self.money(self.row.discount_total).map(Told)
    }

    /// What is to be paid: the subtotal with shipping and taxes, less discounts.
    async fn total(&self) -> Result<Told<Money>> {
        self.money(self.row.total).map(Told)
    }

    /// What payments have taken, whether or not some of it went back.
    async fn total_paid(&self) -> Result<Told<Money>> {
        self.money(self.row.paid).map(Told)
    }

    /// What of it went back.
    async fn total_refunded(&self) -> Result<Told<Money>> {
        self.money(self.row.refunded).map(Told)
    }

    /// The tries to pay it, the first one first.
    async fn payments(&self, ctx: &Context<'_>) -> Result<ToldList<Payment>> {
        let rows = ctx.loaders()?.load_one(PaymentsByOrder(self.row.id)).await?;
        let payment = |row| Payment::new(row, Arc::clone(&self.row));
        Ok(rows.unwrap_or_default().into_iter().map(payment).collect())
    }

    /// Its parcels, the first one first.
    async fn fulfillments(&self, ctx: &Context<'_>) -> Result<List<Fulfillment>> {
        let rows = ctx.loaders()?.load_one(FulfillmentsByOrder(self.row.id)).await?;
        let parcel = |row| Fulfillment::new(row, Arc::clone(&self.row));
        Ok(rows.unwrap_or_default().into_iter().map(parcel).collect())
    }

    /// What happened to it, the first event first.
    async fn events(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many from the start of the list, or after `after`: 0 to 100, 20 when null.")]
        first: Option<i32>,
        #[graphql(desc = "The cursor of an event of this order: start behind it.")] after: Option<String>,
        #[graphql(
            desc = "How many from the end of the list, or before `before`: 0 to 100. Not together with `first`."
        )]
        last: Option<i32>,
        #[graphql(desc = "The cursor of an event of this order: end before it.")] before: Option<String>,
    ) -> Result<OrderEventConnection> {
        OrderEventConnection::load(ctx, &self.row, page_args(first, after, last, before)).await
    }

    /// Why it was cancelled, in the words of who did it; null unless it was.
    async fn cancel_reason(&self) -> Option<&str> {
        self.row.cancel_reason.as_deref()
    }

    /// When it was placed.
    async fn placed_at(&self) -> DateTime {
        DateTime(self.row.placed_at)
    }

    /// When it was last changed.
    async fn updated_at(&self) -> DateTime {
        DateTime(self.row.updated_at)
    }
}
