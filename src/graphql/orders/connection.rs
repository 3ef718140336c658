//! Pages of orders and of their events.

use std::sync::Arc;

use async_graphql::{Context, Object};

use super::{Order, OrderEvent};
use crate::domain::context::Context as DomainContext;
use crate::domain::orders::{events, list};
use crate::entity::{order_event, shop_order};
use crate::graphql::connection::{PageInfo, total};
use crate::graphql::context::ContextExt as _;
use crate::graphql::error::Result;
use crate::graphql::list::List;
use crate::graphql::told::{Asked, Tell, Text, Told, ToldList};
use crate::kernel::page::{PageArgs, Slice};

/// A page of orders.
#[derive(Clone, Debug)]
pub(crate) struct OrderConnection {
    viewer: DomainContext,
    filter: list::OrderFilter,
    slice: Slice<Arc<shop_order::Model>>,
}

impl OrderConnection {
    pub(crate) async fn load(
        ctx: &Context<'_>,
        viewer: &DomainContext,
        filter: list::OrderFilter,
        page: PageArgs,
    ) -> Result<Self> {
        let page = page.page(ctx.limits()?.page_size, list::SORT)?;
        let slice = list::list(viewer, &filter, &page).await?;
        let viewer = viewer.clone();
        Ok(Self {
            viewer,
            filter,
            slice,
        })
    }
}

/// A page of orders.
#[Object]
impl OrderConnection {
    /// The orders of the page, each with its cursor.
    async fn edges(&self, ctx: &Context<'_>) -> Result<ToldList<OrderEdge>> {
        let rows = &self.slice.items;
        let nodes = Order::many(ctx, ctx.look_ahead().field("node"), rows).await?;
        let edge = |(row, node): (&Arc<shop_order::Model>, Order)| OrderEdge {
            cursor: list::cursor(row).encode(),
            node,
        };
        Ok(rows.iter().zip(nodes).map(edge).collect())
    }

    /// The orders of the page.
    async fn nodes(&self, ctx: &Context<'_>) -> Result<ToldList<Order>> {
        let nodes = Order::many(ctx, ctx.look_ahead(), &self.slice.items).await?;
        Ok(nodes.into_iter().collect())
    }

    /// Where the page lies in the list.
    async fn page_info(&self) -> Told<PageInfo> {
        Told(PageInfo::new(&self.slice, |row| list::cursor(row).encode()))
    }

    /// How many orders the whole list has. Counted only when it is asked for.
    async fn total_count(&self) -> Result<i32> {
        Ok(total(list::count(&self.viewer, &self.filter).await?))
    }
}

#[derive(Clone, Debug)]
pub(crate) struct OrderEdge {
    node: Order,
    cursor: String,
}

impl Tell for OrderEdge {
    fn tell(&self, field: &str, asked: &Asked<'_>, text: &mut Text) -> Option<()> {
        match field {
            "node" => text.object(asked, &self.node),
            "cursor" => text.string(&self.cursor),
            _ => None,
        }
    }
}

/// An order in a list.
#[Object]
impl OrderEdge {
    /// The order.
    async fn node(&self) -> &Order {
        &self.node
    }

    /// Its place in the list: pass it as `after` or `before`.
    async fn cursor(&self) -> &str {
        &self.cursor
    }
}

/// A page of what happened to an order.
#[derive(Clone, Debug)]
pub(crate) struct OrderEventConnection {
    order: Arc<shop_order::Model>,
    slice: Slice<Arc<order_event::Model>>,
}

impl OrderEventConnection {
    pub(super) async fn load(
        ctx: &Context<'_>,
        order: &Arc<shop_order::Model>,
        page: PageArgs,
    ) -> Result<Self> {
        let page = page.page(ctx.limits()?.page_size, events::SORT)?;
        let slice = events::list(ctx.domain()?, order.id, &page).await?;
        let order = Arc::clone(order);
        Ok(Self { order, slice })
    }

    fn event(&self, row: &Arc<order_event::Model>) -> OrderEvent {
        OrderEvent::new(Arc::clone(row), Arc::clone(&self.order))
    }
}

/// A page of what happened to an order.
#[Object]
impl OrderEventConnection {
    /// The events of the page, each with its cursor.
    async fn edges(&self) -> List<OrderEventEdge> {
        let edge = |row: &Arc<order_event::Model>| OrderEventEdge {
            cursor: events::cursor(row).encode(),
            node: self.event(row),
        };
        self.slice.items.iter().map(edge).collect()
    }

    /// The events of the page.
    async fn nodes(&self) -> List<OrderEvent> {
        self.slice.items.iter().map(|row| self.event(row)).collect()
    }

    /// Where the page lies in the list.
    async fn page_info(&self) -> PageInfo {
        PageInfo::new(&self.slice, |row| events::cursor(row).encode())
    }
}

#[derive(Clone, Debug)]
pub(crate) struct OrderEventEdge {
    node: OrderEvent,
    cursor: String,
}

/// An event in a list.
#[Object]
impl OrderEventEdge {
    /// The event.
    async fn node(&self) -> &OrderEvent {
        &self.node
    }

    /// Its place in the list: pass it as `after` or `before`, or as `after` to a subscription.
    async fn cursor(&self) -> &str {
        &self.cursor
    }
}
