//! Hearing what happens to orders.

use std::sync::Arc;

use async_graphql::{Context, ID, Subscription};
use futures_util::Stream;
use futures_util::stream::{self, Iter};

use super::OrderEvent;
use crate::domain::orders::feed::Happening;
use crate::domain::orders::feed::subscribe::{End, Happenings, of_order, of_own, of_shop};
use crate::domain::permission::Permission;
use crate::graphql::context::ContextExt as _;
use crate::graphql::error::{ApiError, Result, coded};
use crate::graphql::guard::Requires;
use crate::graphql::ids::parse_id;

/// Why a subscription ends before its client wants it to.
#[derive(Clone, Debug)]
struct Ended(End);

impl From<Ended> for async_graphql::Error {
    fn from(Ended(end): Ended) -> Self {
        match end {
            End::TooSlow => coded(
                "THROTTLED",
                "You read too slowly: subscribe again, with the last cursor as `after`.",
            ),
            End::Failed(error) => ApiError(error).into(),
        }
    }
}

/// What the library is told of a subscription: the one event that is given, or nothing where it has only begun.
type Told = Iter<std::option::IntoIter<std::result::Result<OrderEvent, Ended>>>;

fn given(ctx: &Context<'_>) -> Option<Told> {
    let event = match &ctx.given()?.0 {
        Ok(happening) => Ok(event(happening)),
        Err(end) => Err(Ended(end.clone())),
    };
    Some(stream::iter(Some(event)))
}

fn begun(ctx: &Context<'_>, happenings: Happenings) -> Result<Told> {
    ctx.handover()?.leave(happenings);
    Ok(stream::iter(None))
}

fn event(happening: &Happening) -> OrderEvent {
    OrderEvent::new(Arc::clone(&happening.event), Arc::clone(&happening.order))
}

#[derive(Debug, Default)]
pub struct OrdersSubscription;

#[Subscription]
impl OrdersSubscription {
    /// What happens to an order, each event once and in order, until you say `complete`. For whose order it is, staff, and
    /// whoever holds its guest token; for everybody else there is no such order.
    async fn order_events(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which order.")] order_id: ID,
        #[graphql(desc = "The `guestToken` that `orderPlace` gave, for an order without an account.")]
        guest_token: Option<String>,
        #[graphql(
            desc = "The cursor of an event of this order: what happened since then comes first. Only what happens from now on when null."
        )]
        after: Option<String>,
    ) -> Result<impl Stream<Item = std::result::Result<OrderEvent, Ended>> + 'static> {
        if let Some(given) = given(ctx) {
            return Ok(given);
        }
        let id = parse_id(&order_id, "orderId")?;
        let happenings = of_order(ctx.domain()?, id, guest_token.as_deref(), after.as_deref()).await?;
        begun(ctx, happenings)
    }

    /// What happens to all your orders, each event once; those of one order in order. For whoever is signed in.
    #[graphql(guard = "Requires(Permission::OwnAccount)")]
    async fn my_order_events(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            desc = "The cursor of an event of an order of yours: what happened since then comes first. Only what happens from now on when null."
        )]
        after: Option<String>,
    ) -> Result<impl Stream<Item = std::result::Result<OrderEvent, Ended>> + 'static> {
        if let Some(given) = given(ctx) {
            return Ok(given);
        }
        let happenings = of_own(ctx.domain()?, after.as_deref()).await?;
        begun(ctx, happenings)
    }

    /// What happens to everybody's orders, each event once; those of one order in order. For staff.
    #[graphql(guard = "Requires(Permission::ReadOrders)")]
    async fn shop_order_events(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            desc = "The cursor of any event: what happened since then comes first. Only what happens from now on when null."
        )]
        after: Option<String>,
    ) -> Result<impl Stream<Item = std::result::Result<OrderEvent, Ended>> + 'static> {
        if let Some(given) = given(ctx) {
            return Ok(given);
        }
        let happenings = of_shop(ctx.domain()?, after.as_deref()).await?;
        begun(ctx, happenings)
    }
}
