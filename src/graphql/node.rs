//! Any object by its id.

use std::sync::Arc;

use async_graphql::{Context, ID, Interface, Object};
use futures_util::future::try_join_all;

use super::accounts::{Session, User};
use super::audit::AuditRecord;
use super::carts::{Cart, CartLine};
use super::catalog::{Category, Product, ProductVariant};
use super::context::ContextExt as _;
use super::error::Result;
use super::ids::parse_id;
use super::list::List;
use super::loaders::{
    AuditRecordById, CartById, CartLineById, CategoryById, FulfillmentById, OrderById, OrderEventById,
    OrderLineById, PaymentById, ProductById, RefundById, SessionById, UserById, VariantById,
};
use super::orders::{Fulfillment, Order, OrderEvent, OrderLine};
use super::payments::{Payment, Refund};
use crate::kernel::error::Error;
use crate::kernel::id::{
    AuditRecordId, CartId, CartLineId, CategoryId, FulfillmentId, OrderEventId, OrderId, OrderLineId,
    PaymentId, ProductId, ProductVariantId, RefundId, SessionId, UserId, prefix_of,
};

/// The most ids that `nodes` takes at once.
const MAX_NODES: usize = 100;

/// Anything that has an id of its own, and can be fetched by it.
#[derive(Clone, Debug, Interface)]
#[graphql(field(
    name = "id",
    ty = "ID",
    desc = "Identifies the object for as long as it exists. Its first part names the type."
))]
pub enum Node {
    Product(Product),
    ProductVariant(ProductVariant),
    Category(Category),
    User(User),
    Session(Session),
    AuditRecord(AuditRecord),
    Order(Order),
    OrderLine(OrderLine),
    OrderEvent(OrderEvent),
    Fulfillment(Fulfillment),
    Cart(Cart),
    CartLine(CartLine),
    Payment(Payment),
    Refund(Refund),
}

async fn load(ctx: &Context<'_>, id: &ID, argument: &str) -> Result<Option<Node>> {
    let (loaders, domain) = (ctx.loaders()?, ctx.domain()?);
    match prefix_of(id) {
        Some(ProductId::PREFIX) => {
            let row = loaders.load_one(ProductById(parse_id(id, argument)?)).await?;
            Ok(row.map(|row| Product::new(row).into()))
        }
        Some(ProductVariantId::PREFIX) => {
            let Some(row) = loaders.load_one(VariantById(parse_id(id, argument)?)).await? else {
                return Ok(None);
            };
            let product = loaders.load_one(ProductById(row.product_id)).await?;
            Ok(product.map(|product| ProductVariant::new(Arc::clone(&row), product).into()))
        }
        Some(CategoryId::PREFIX) => {
            let row = loaders.load_one(CategoryById(parse_id(id, argument)?)).await?;
            Ok(row.map(|row| Category::new(row).into()))
        }
        Some(UserId::PREFIX) => {
            let row = loaders.load_one(UserById(parse_id(id, argument)?)).await?;
            Ok(row.map(|row| User::new(row).into()))
        }
        Some(SessionId::PREFIX) => {
            let row = loaders.load_one(SessionById(parse_id(id, argument)?)).await?;
            Ok(row.map(|row| Session::new(row, domain).into()))
        }
        Some(AuditRecordId::PREFIX) => {
            let row = loaders.load_one(AuditRecordById(parse_id(id, argument)?)).await?;
            Ok(row.map(|row| AuditRecord::new(row).into()))
        }
        Some(OrderId::PREFIX) => {
            let row = loaders.load_one(OrderById(parse_id(id, argument)?)).await?;
            Ok(row.map(|row| Order::new(row).into()))
        }
        // What belongs to an order is seen by those who see the order.
        Some(OrderLineId::PREFIX) => {
            let Some(row) = loaders.load_one(OrderLineById(parse_id(id, argument)?)).await? else {
                return Ok(None);
            };
            let order = loaders.load_one(OrderById(row.order_id)).await?;
            Ok(order.map(|order| OrderLine::new(row, order).into()))
        }
        Some(FulfillmentId::PREFIX) => {
            let Some(row) = loaders.load_one(FulfillmentById(parse_id(id, argument)?)).await? else {
                return Ok(None);
            };
            let order = loaders.load_one(OrderById(row.order_id)).await?;
            Ok(order.map(|order| Fulfillment::new(row, order).into()))
        }
        Some(OrderEventId::PREFIX) => {
            let Some(row) = loaders.load_one(OrderEventById(parse_id(id, argument)?)).await? else {
                return Ok(None);
            };
            let order = loaders.load_one(OrderById(row.order_id)).await?;
            Ok(order.map(|order| OrderEvent::new(row, order).into()))
        }
        Some(CartId::PREFIX) => {
            let row = loaders.load_one(CartById(parse_id(id, argument)?)).await?;
            Ok(row.map(|row| Cart::new(row).into()))
        }
        Some(CartLineId::PREFIX) => {
            let row = loaders.load_one(CartLineById(parse_id(id, argument)?)).await?;
            Ok(row.map(|row| CartLine::new(row).into()))
        }
        Some(PaymentId::PREFIX) => {
            let found = loaders.load_one(PaymentById(parse_id(id, argument)?)).await?;
            Ok(found.map(|(row, order)| Payment::new(row, order).into()))
        }
        Some(RefundId::PREFIX) => {
            let found = loaders.load_one(RefundById(parse_id(id, argument)?)).await?;
            Ok(found.map(|(row, payment)| Refund::new(row, payment).into()))
        }
        _ => Err(Error::bad_input(
            argument,
            "is not the id of anything here: ids look like product_01h455vb4pex5vsknk084sn02q",
        )
        .into()),
    }
}

#[derive(Debug, Default)]
pub struct NodeQuery;

#[Object]
impl NodeQuery {
    /// Any object by its id; null when there is none, or none that you may see.
    async fn node(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The id of anything that has one: a product, a cart, an order, an account…")] id: ID,
    ) -> Option<Result<Node>> {
        load(ctx, &id, "id").await.transpose()
    }

    /// Many objects by their ids, in the same order; null in the place of one that does not exist, or that you may
    /// not see.
    async fn nodes(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "At most 100 ids, of any types.")] ids: Vec<ID>,
    ) -> Result<List<Option<Node>>> {
        if ids.len() > MAX_NODES {
            return Err(Error::bad_input("ids", format!("takes at most {MAX_NODES} ids")).into());
        }
        let loads = (0..)
            .zip(&ids)
            .map(|(i, id): (usize, &ID)| async move { load(ctx, id, &format!("ids.{i}")).await });
        Ok(try_join_all(loads).await?.into())
    }
}
