//! An order as clients see it.

use std::sync::Arc;

use async_graphql::resolver_utils::enum_value;
use async_graphql::{Context, ID, Lookahead, Object, ScalarType as _};
use futures_util::future::{OptionFuture, join};

use super::connection::OrderEventConnection;
use super::status::{OrderAction, OrderFulfillmentStatus, OrderPaymentStatus, OrderStatus};
use super::{Fulfillment, OrderLine};
use crate::domain::orders::policy;
use crate::domain::payments::actions::actions;
use crate::entity::{order_line, payment, shop_order};
use crate::graphql::accounts::{Address, User};
use crate::graphql::connection::page_args;
use crate::graphql::context::ContextExt as _;
use crate::graphql::error::Result;
use crate::graphql::list::List;
use crate::graphql::loaders::{FulfillmentsByOrder, LinesByOrder, PaymentsByOrder, UserById};
use crate::graphql::money::Money;
use crate::graphql::payments::Payment;
use crate::graphql::scalars::DateTime;
use crate::graphql::told::{Asked, Tell, Text, Told, ToldList};
use crate::kernel::error::Error;
use crate::kernel::money;

/// An order, around its row. Whoever has one may see it, and what belongs to it.
#[derive(Clone, Debug)]
pub struct Order {
    row: Arc<shop_order::Model>,
    /// What was asked for of it and its neighbours in a list, together.
    lines: Option<Vec<Arc<order_line::Model>>>,
    payments: Option<Vec<Arc<payment::Model>>>,
}

impl Order {
    pub fn new(row: Arc<shop_order::Model>) -> Self {
        Self {
            row,
            lines: None,
            payments: None,
        }
    }

    /// Those of a list, each with what is selected of it. What fails here is missing in them, so it is asked for once more
    /// by their fields, which say what is wrong and where.
    pub(super) async fn many(
        ctx: &Context<'_>,
        asked: Lookahead<'_>,
        rows: &[Arc<shop_order::Model>],
    ) -> Result<Vec<Self>> {
        let loaders = ctx.loaders()?;
        let is_asked = |field| asked.field(field).exists();
        let lines = is_asked("lines").then(|| loaders.load_many(rows.iter().map(|row| LinesByOrder(row.id))));
        let payments =
            is_asked("payments").then(|| loaders.load_many(rows.iter().map(|row| PaymentsByOrder(row.id))));
        let both = join(OptionFuture::from(lines), OptionFuture::from(payments));
        let (lines, payments) = both.await;
        let (mut lines, mut payments) = (lines.and_then(Result::ok), payments.and_then(Result::ok));
        let order = |row: &Arc<shop_order::Model>| Self {
            row: Arc::clone(row),
            lines: lines
                .as_mut()
                .map(|lines| lines.remove(&LinesByOrder(row.id)).unwrap_or_default()),
            payments: payments
                .as_mut()
                .map(|payments| payments.remove(&PaymentsByOrder(row.id)).unwrap_or_default()),
        };
        Ok(rows.iter().map(order).collect())
    }

    async fn its_lines(&self, ctx: &Context<'_>) -> Result<Vec<Arc<order_line::Model>>> {
        if let Some(lines) = &self.lines {
            return Ok(lines.clone());
        }
        let lines = ctx.loaders()?.load_one(LinesByOrder(self.row.id)).await?;
        Ok(lines.unwrap_or_default())
    }

    async fn its_payments(&self, ctx: &Context<'_>) -> Result<Vec<Arc<payment::Model>>> {
        if let Some(payments) = &self.payments {
            return Ok(payments.clone());
        }
        let payments = ctx.loaders()?.load_one(PaymentsByOrder(self.row.id)).await?;
        Ok(payments.unwrap_or_default())
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

impl Tell for Order {
    fn tell(&self, field: &str, asked: &Asked<'_>, text: &mut Text) -> Option<()> {
        let row = &self.row;
        let mut money = |minor| text.object(asked, &self.money(minor).ok()?);
        match field {
            "subtotal" => money(row.subtotal),
            "shippingTotal" => money(row.shipping_total),
            "taxTotal" => money(row.tax_total),
            "discountTotal" => money(row.discount_total),
            "total" => money(row.total),
            "totalPaid" => money(row.paid),
            "totalRefunded" => money(row.refunded),
            "id" => text.shown(row.id),
            "number" => text.string(&row.number),
            "status" => text.value(&enum_value(OrderStatus::from(row.status))),
            "paymentStatus" => text.value(&enum_value(OrderPaymentStatus::from(row.payment_status))),
            "fulfillmentStatus" => {
                text.value(&enum_value(OrderFulfillmentStatus::from(row.fulfillment_status)))
            }
            "email" => text.string(&row.email),
            "lines" => {
                let lines = self.lines.as_ref()?.iter();
                text.list(
                    asked,
                    lines.map(|line| OrderLine::new(Arc::clone(line), Arc::clone(row))),
                )
            }
            "payments" => {
                let payments = self.payments.as_ref()?.iter();
                text.list(
                    asked,
                    payments.map(|payment| Payment::new(Arc::clone(payment), Arc::clone(row))),
                )
            }
            "cancelReason" => text.optional(row.cancel_reason.as_deref()),
            "placedAt" => text.value(&DateTime(row.placed_at).to_value()),
            "updatedAt" => text.value(&DateTime(row.updated_at).to_value()),
            _ => None,
        }
    }
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
        let doer = policy::doer(ctx.domain()?, &self.row);
        let (payments, lines) = futures_util::try_join!(self.its_payments(ctx), self.its_lines(ctx))?;
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
        let rows = self.its_lines(ctx).await?;
        let line = |row| OrderLine::new(row, Arc::clone(&self.row));
        Ok(rows.into_iter().map(line).collect())
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
        let rows = self.its_payments(ctx).await?;
        let payment = |row| Payment::new(row, Arc::clone(&self.row));
        Ok(rows.into_iter().map(payment).collect())
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
