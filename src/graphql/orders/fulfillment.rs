//! Parcels as clients see them.

use std::sync::Arc;

use async_graphql::{Context, ID, Object};

use super::OrderLine;
use super::status::FulfillmentStatus;
use crate::entity::{fulfillment, shop_order};
use crate::graphql::context::ContextExt as _;
use crate::graphql::error::Result;
use crate::graphql::list::List;
use crate::graphql::loaders::LinesByFulfillment;
use crate::graphql::scalars::{DateTime, Url};
use crate::kernel::error::Error;

/// A parcel, around its row.
#[derive(Clone, Debug)]
pub struct Fulfillment {
    row: Arc<fulfillment::Model>,
    order: Arc<shop_order::Model>,
}

impl Fulfillment {
    pub fn new(row: Arc<fulfillment::Model>, order: Arc<shop_order::Model>) -> Self {
        Self { row, order }
    }
}

/// A parcel: what of an order was sent together.
#[Object]
impl Fulfillment {
    /// Identifies the parcel for good, e.g. `fulfillment_01kb…`.
    pub async fn id(&self) -> ID {
        self.row.id.to_string().into()
    }

    /// Where it is.
    async fn status(&self) -> FulfillmentStatus {
        self.row.status.into()
    }

    /// The number to follow it by; null when there is none.
    async fn tracking_number(&self) -> Option<&str> {
        self.row.tracking_number.as_deref()
    }

    /// The page to follow it on; null when there is none.
    async fn tracking_url(&self) -> Result<Option<Url>> {
        let url = self.row.tracking_url.as_deref().map(url::Url::parse);
        Ok(url.transpose().map_err(Error::internal)?.map(Url))
    }

    /// Who carries it; null when nobody said.
    async fn carrier(&self) -> Option<&str> {
        self.row.carrier.as_deref()
    }

    /// What is in it.
    async fn lines(&self, ctx: &Context<'_>) -> Result<List<FulfillmentLine>> {
        let lines = ctx.loaders()?.load_one(LinesByFulfillment(self.row.id)).await?;
        let line = |(row, quantity)| FulfillmentLine {
            line: OrderLine::new(row, Arc::clone(&self.order)),
            quantity,
        };
        Ok(lines.unwrap_or_default().into_iter().map(line).collect())
    }

    /// When it was sent.
    async fn created_at(&self) -> DateTime {
        DateTime(self.row.created_at)
    }

    /// When it arrived; null while it has not.
    async fn delivered_at(&self) -> Option<DateTime> {
        self.row.delivered_at.map(DateTime)
    }
}

#[derive(Clone, Debug)]
pub(crate) struct FulfillmentLine {
    line: OrderLine,
    quantity: i32,
}

/// How many of an order's line are in a parcel.
#[Object]
impl FulfillmentLine {
    /// The line of the order.
    async fn order_line(&self) -> &OrderLine {
        &self.line
    }

    /// How many of it are in the parcel.
    async fn quantity(&self) -> i32 {
        self.quantity
    }
}
