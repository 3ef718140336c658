//! Sending what was ordered, in as many parcels as it takes.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use sea_orm::{DatabaseTransaction, EntityTrait as _, IntoActiveModel as _};
use serde_json::{Value, json};
use url::Url;

use super::stock::{add, why};
use crate::domain::audit::record::{Deed, record};
use crate::domain::catalog::validate::MAX_URL;
use crate::domain::context::Context;
use crate::domain::inventory::hold::{Quantities, ship_in_txn};
use crate::domain::orders::change::{OrderInHand, commit};
use crate::domain::orders::state::{self, Doer, OrderAction};
use crate::domain::permission::Permission;
use crate::entity::fulfillment::FulfillmentStatus;
use crate::entity::order_event::OrderEventType;
use crate::entity::{fulfillment, fulfillment_line, order_line, shop_order};
use crate::infra::idempotency::{Claim, Request};
use crate::kernel::check::Checker;
use crate::kernel::error::{Error, ErrorCode, Refusal, Result};
use crate::kernel::id::{FulfillmentId, OrderId, OrderLineId};

/// A parcel that is on its way.
#[derive(Clone, Debug)]
pub struct Fulfill {
    pub order_id: OrderId,
    /// How many of which line; None for all that is left.
    pub lines: Option<Vec<(OrderLineId, i32)>>,
    pub tracking_number: Option<String>,
    pub tracking_url: Option<Url>,
    pub carrier: Option<String>,
    pub idempotency_key: String,
}

/// The parcel, and its order as it is now.
pub type Sent = (Arc<fulfillment::Model>, Arc<shop_order::Model>);

/// Writes down that a parcel was sent: what is in it leaves the stock.
///
/// # Errors
/// NOT_FOUND, TRANSITION_INVALID for an order that is not confirmed or sent already, OUT_OF_RANGE for more than is left of a
/// line, and those of the idempotency key.
pub async fn fulfill(ctx: &Context, command: &Fulfill) -> Result<Sent> {
    ctx.require(Permission::WriteOrders)?;
    let mut checker = Checker::default();
    let mut parcel = fulfillment::Model {
        id: FulfillmentId::new(),
        order_id: command.order_id,
        status: FulfillmentStatus::Shipped,
        tracking_number: checker.optional_text("trackingNumber", command.tracking_number.as_deref()),
        tracking_url: None,
        carrier: checker.optional_text("carrier", command.carrier.as_deref()),
        created_at: ctx.now(),
        delivered_at: None,
    };
    parcel.tracking_url = command
        .tracking_url
        .as_ref()
        .map(|url| checker.bounded("trackingUrl", url.as_str(), 1, MAX_URL));
    if command.lines.as_ref().is_some_and(Vec::is_empty) {
        let message = "must not be empty: leave it out to send all that is left";
        checker.refuse(ErrorCode::TooShort, "lines", message);
    }
    let request = request(ctx, command);
    checker.include(&request);
    checker.finish()?;
    let request = request?;

    let txn = ctx.db().begin().await?;
    if let Claim::Done(result) = request.claim(&txn, ctx.now()).await? {
        return sent_before(&txn, &result).await;
    }
    let Some(mut order) = OrderInHand::lock(&txn, ctx, command.order_id).await? else {
        return Err(Error::refused(
            ErrorCode::NotFound,
            "orderId",
            "there is no such order",
        ));
    };
    order
        .standing()
        .require(OrderAction::Fulfill, Doer::Staff, "orderId")?;
    let wanted = wanted(&order.lines, command.lines.as_deref())?;
    send(&txn, ctx, &mut order, &wanted).await?;
    order.row.fulfillment_status = state::fulfillment_progress(&order.lines);
    order.happened(OrderEventType::Fulfilled, message(&parcel, &wanted));
    let order = order.save(&txn).await?;
    store(&txn, &parcel, &wanted).await?;
    let after = json!({"orderId": order.id.to_string(), "trackingNumber": parcel.tracking_number,
        "lines": wanted.iter().map(|(id, quantity)| json!([id.to_string(), quantity])).collect::<Vec<_>>()});
    record(&txn, ctx, Deed::created("fulfillmentCreate", parcel.id, after)).await?;
    let result = json!({"fulfillmentId": parcel.id.to_string(), "orderId": order.id.to_string()});
    request.remember(&txn, result).await?;
    commit(ctx, txn).await?;
    Ok((Arc::new(parcel), Arc::new(order)))
}

fn request<'a>(ctx: &Context, command: &'a Fulfill) -> Result<Request<'a>> {
    let lines = command.lines.as_ref().map(|lines| {
        let lines = lines.iter().map(|(id, quantity)| (id.to_string(), *quantity));
        lines.collect::<Vec<_>>()
    });
    let input = (
        command.order_id.to_string(),
        lines,
        &command.tracking_number,
        &command.tracking_url.as_ref().map(Url::as_str),
        &command.carrier,
    );
    Request::new(&ctx.actor, "fulfillmentCreate", &command.idempotency_key, &input)
}

async fn sent_before(txn: &DatabaseTransaction, result: &Value) -> Result<Sent> {
    let id = |name: &str| {
        result
            .get(name)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    let gone = || Error::internal(anyhow::anyhow!("a remembered parcel is gone"));
    let parcel: FulfillmentId = id("fulfillmentId").parse().map_err(Error::internal)?;
    let order: OrderId = id("orderId").parse().map_err(Error::internal)?;
    let parcel = fulfillment::Entity::find_by_id(parcel).one(txn).await?;
    let order = shop_order::Entity::find_by_id(order).one(txn).await?;
    Ok((
        Arc::new(parcel.ok_or_else(gone)?),
        Arc::new(order.ok_or_else(gone)?),
    ))
}

/// How many of each line, checked against what is left of it.
fn wanted(
    lines: &[order_line::Model],
    asked: Option<&[(OrderLineId, i32)]>,
) -> Result<BTreeMap<OrderLineId, i32>> {
    let left: HashMap<OrderLineId, i32> = lines
        .iter()
        .map(|line| (line.id, line.quantity - line.fulfilled_quantity))
        .collect();
    let Some(asked) = asked else {
        return Ok(left.into_iter().filter(|(_, left)| *left > 0).collect());
    };
    let mut checker = Checker::default();
    let mut wanted: BTreeMap<OrderLineId, i32> = BTreeMap::new();
    for (i, (id, quantity)) in asked.iter().enumerate() {
        let Some(left) = left.get(id) else {
            let path = format!("lines.{i}.orderLineId");
            checker.refuse(ErrorCode::NotFound, &path, "is no line of this order");
            continue;
        };
        let path = format!("lines.{i}.quantity");
        let sum = wanted
            .get(id)
            .copied()
            .unwrap_or_default()
            .saturating_add(*quantity);
        if *quantity < 1 {
            checker.refuse(ErrorCode::OutOfRange, &path, "must be at least 1");
        } else if sum > *left {
            let refusal = Refusal::new(
                ErrorCode::OutOfRange,
                &path,
                format!("only {left} are left to be sent"),
            );
            checker.add(refusal.with_params(json!({"left": left})));
        } else {
            wanted.insert(*id, sum);
        }
    }
    checker.finish()?;
    Ok(wanted)
}

/// Takes the parcel's things out of the shop.
async fn send(
    txn: &DatabaseTransaction,
    ctx: &Context,
    order: &mut OrderInHand,
    wanted: &BTreeMap<OrderLineId, i32>,
) -> Result<()> {
    let mut gone: Quantities = BTreeMap::new();
    for line in &mut order.lines {
        let quantity = wanted.get(&line.id).copied().unwrap_or_default();
        line.fulfilled_quantity += quantity;
        // Held is all of a line or nothing, when it was placed and ever after.
        let held = line.held.min(quantity);
        line.held -= held;
        if let Some(variant) = line.variant_id {
            add(&mut gone, variant, held);
        }
    }
    ship_in_txn(txn, &gone, &why(ctx, order.row.id, "sent")).await
}

async fn store(
    txn: &DatabaseTransaction,
    parcel: &fulfillment::Model,
    wanted: &BTreeMap<OrderLineId, i32>,
) -> Result<()> {
    fulfillment::Entity::insert(parcel.clone().into_active_model())
        .exec_without_returning(txn)
        .await?;
    let lines = wanted.iter().map(|(line, quantity)| {
        fulfillment_line::Model {
            fulfillment_id: parcel.id,
            order_line_id: *line,
            quantity: *quantity,
        }
        .into_active_model()
    });
    fulfillment_line::Entity::insert_many(lines)
        .exec_without_returning(txn)
        .await?;
    Ok(())
}

fn message(parcel: &fulfillment::Model, wanted: &BTreeMap<OrderLineId, i32>) -> String {
    let count: i64 = wanted.values().map(|quantity| i64::from(*quantity)).sum();
    let things = if count == 1 {
        "1 thing was".to_owned()
    } else {
        format!("{count} things were")
    };
    let by = parcel.carrier.as_ref().map(|carrier| format!(" by {carrier}"));
    let number = parcel
        .tracking_number
        .as_ref()
        .map(|number| format!(" as {number}"));
    format!(
        "{things} sent{}{}.",
        by.unwrap_or_default(),
        number.unwrap_or_default()
    )
}
