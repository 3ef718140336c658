//! What queries and mutations of orders take.

use async_graphql::{ID, InputObject, OneofObject};

use super::status::{OrderPaymentStatus, OrderStatus};
use crate::domain::checkout::fulfill::Fulfill;
use crate::domain::checkout::place::PlaceOrder;
use crate::domain::orders::find;
use crate::domain::orders::list;
use crate::graphql::accounts::AddressInput;
use crate::graphql::ids::{parse_id, storable};
use crate::graphql::money::MoneyInput;
use crate::graphql::scalars::{DateTime, Url};
use crate::kernel::error::Result;
use crate::kernel::id::UserId;

/// What an order is looked up by: exactly one of these.
#[derive(Clone, Debug, OneofObject)]
pub(crate) enum OrderBy {
    /// Its id.
    Id(ID),
    /// Its number, as people say it.
    Number(String),
}

impl OrderBy {
    pub(super) fn into_domain(self) -> Result<find::OrderBy> {
        Ok(match self {
            Self::Id(id) => find::OrderBy::Id(parse_id(&id, "by.id")?),
            Self::Number(number) => find::OrderBy::Number(storable(number, "by.number")?),
        })
    }
}

/// Which orders are wanted. All conditions that are given hold at once.
#[derive(Clone, Debug, Default, InputObject)]
pub(crate) struct OrderFilter {
    /// With one of these statuses; none at all when the list is empty.
    statuses: Option<Vec<OrderStatus>>,
    /// Whose money has come this far; none at all when the list is empty.
    payment_statuses: Option<Vec<OrderPaymentStatus>>,
    /// Placed at this moment or after it.
    placed_after: Option<DateTime>,
    /// Placed before this moment.
    placed_before: Option<DateTime>,
}

impl OrderFilter {
    /// Of one customer, or of all.
    pub(crate) fn into_domain(self, customer: Option<UserId>) -> list::OrderFilter {
        list::OrderFilter {
            customer,
            statuses: self
                .statuses
                .map(|statuses| statuses.into_iter().map(Into::into).collect()),
            payment_statuses: self
                .payment_statuses
                .map(|statuses| statuses.into_iter().map(Into::into).collect()),
            placed_after: self.placed_after.map(|DateTime(time)| time),
            placed_before: self.placed_before.map(|DateTime(time)| time),
        }
    }
}

/// A cart that is to be an order.
#[derive(Clone, Debug, InputObject)]
pub(super) struct OrderPlaceInput {
    /// The cart: a guest's, or your own. It is gone once it is an order.
    cart_id: ID,
    /// Where news of the order go. A guest must give one; of a customer it is the account's own when null.
    email: Option<String>,
    /// Where it is sent.
    shipping_address: AddressInput,
    /// What you were shown as the total: when it is another one by now, nothing is ordered (PRICE_CHANGED). Null takes
    /// whatever it costs.
    expected_total: Option<MoneyInput>,
    /// A key that you make for this order, of 1 to 255 characters. Sent again with the same input within 24 hours, it
    /// answers the same order; with another input it is IDEMPOTENCY_KEY_REUSED.
    idempotency_key: String,
}

impl OrderPlaceInput {
    pub(super) fn into_domain(self) -> Result<PlaceOrder> {
        Ok(PlaceOrder {
            cart_id: parse_id(&self.cart_id, "input.cartId")?,
            email: self.email,
            shipping_address: self.shipping_address.into_domain(),
            expected_total: self
                .expected_total
                .map(|money| money.into_domain("input.expectedTotal"))
                .transpose()?,
            idempotency_key: self.idempotency_key,
        })
    }
}

/// An order that is to be taken back.
#[derive(Clone, Debug, InputObject)]
pub(super) struct OrderCancelInput {
    /// The order.
    pub order_id: ID,
    /// Why, in your own words; customers and staff read it. 1 to 255 characters.
    pub reason: String,
}

/// A parcel that was sent.
#[derive(Clone, Debug, InputObject)]
pub(super) struct FulfillmentCreateInput {
    /// The order, which must be CONFIRMED.
    order_id: ID,
    /// What is in it; all that is left when null. The same line twice is added up.
    lines: Option<Vec<FulfillmentLineInput>>,
    /// The number to follow it by. 255 characters at most.
    tracking_number: Option<String>,
    /// The page to follow it on.
    tracking_url: Option<Url>,
    /// Who carries it. 255 characters at most.
    carrier: Option<String>,
    /// A key that you make for this parcel, of 1 to 255 characters. Sent again with the same input within 24 hours, it
    /// answers the same parcel; with another input it is IDEMPOTENCY_KEY_REUSED.
    idempotency_key: String,
}

/// How many of a line are in a parcel.
#[derive(Clone, Debug, InputObject)]
pub(super) struct FulfillmentLineInput {
    /// The line of the order.
    order_line_id: ID,
    /// How many: at least 1, and no more than are left to be sent.
    quantity: i32,
}

impl FulfillmentCreateInput {
    pub(super) fn into_domain(self) -> Result<Fulfill> {
        let line = |(i, line): (usize, FulfillmentLineInput)| {
            let id = parse_id(&line.order_line_id, &format!("input.lines.{i}.orderLineId"))?;
            Ok((id, line.quantity))
        };
        let lines = self
            .lines
            .map(|lines| lines.into_iter().enumerate().map(line).collect::<Result<_>>());
        Ok(Fulfill {
            order_id: parse_id(&self.order_id, "input.orderId")?,
            lines: lines.transpose()?,
            tracking_number: self.tracking_number,
            tracking_url: self.tracking_url.map(|Url(url)| url),
            carrier: self.carrier,
            idempotency_key: self.idempotency_key,
        })
    }
}

/// A parcel that has arrived.
#[derive(Clone, Debug, InputObject)]
pub(super) struct FulfillmentDeliverInput {
    /// The parcel.
    pub fulfillment_id: ID,
}
