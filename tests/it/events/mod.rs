//! What happens to orders, told to those who wait for it: over sockets and streams, across processes, live and afterwards.

mod feed;
mod many;
mod replay;
mod shared;
mod sockets;
mod sse;
mod stopping;
mod worker;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sea_orm::DatabaseTransaction;
use serde_json::{Value, json};
use souk::domain::context::{Context, Platform};
use souk::domain::orders::change::{self, OrderInHand};
use souk::entity::order_event::OrderEventType;
use souk::entity::shop_order::{self, FulfillmentProgress, OrderStatus, PaymentProgress};
use souk::infra::secret;
use souk::kernel::actor::{Actor, Origin};
use souk::kernel::address::PostalAddress;
use souk::kernel::id::OrderId;

use crate::support::{Server, Socket, subscribe, user_of};

const ORDER: &str = "subscription ($id: ID!, $token: String, $after: String) { orderEvents(orderId: $id, guestToken: $token, after: $after) { id cursor type status paymentStatus fulfillmentStatus message occurredAt } }";
const MINE: &str = "subscription ($after: String) { myOrderEvents(after: $after) { cursor message } }";
const SHOP: &str = "subscription ($after: String) { shopOrderEvents(after: $after) { cursor message } }";

/// The token of the guest who placed this order.
fn guest_token(order: OrderId) -> String {
    format!("token of {order}")
}

fn system(platform: &Arc<Platform>) -> Context {
    Context::writing(Actor::System, Origin::default(), Arc::clone(platform))
}

/// An order of nothing, to which nothing has happened yet: of somebody with an account, or of a guest.
pub(crate) async fn place(platform: &Arc<Platform>, owner: Option<&str>) -> OrderId {
    let ctx = system(platform);
    let row = draft(&ctx, owner);
    let id = row.id;
    let txn = ctx.db().begin().await.unwrap();
    OrderInHand::draft(&ctx, row, Vec::new())
        .save(&txn)
        .await
        .unwrap();
    txn.commit().await.unwrap();
    id
}

fn draft(ctx: &Context, owner: Option<&str>) -> shop_order::Model {
    let id = OrderId::new();
    shop_order::Model {
        id,
        number: String::new(),
        status: OrderStatus::Confirmed,
        payment_status: PaymentProgress::Unpaid,
        fulfillment_status: FulfillmentProgress::Unfulfilled,
        user_id: owner.map(user_of),
        guest_token_hash: owner.is_none().then(|| secret::digest(&guest_token(id))),
        guest_seed: owner.is_none().then(|| "seed".to_owned()),
        email: "ann@example.com".to_owned(),
        shipping_address: PostalAddress {
            name: "Ann".to_owned(),
            line1: "Street 1".to_owned(),
            line2: None,
            city: "Town".to_owned(),
            region: None,
            postal_code: None,
            country_code: "DE".to_owned(),
            phone: None,
        },
        currency: "USD".to_owned(),
        subtotal: 0,
        shipping_total: 0,
        tax_total: 0,
        discount_total: 0,
        total: 0,
        paid: 0,
        refunded: 0,
        hold_expires_at: None,
        cancel_reason: None,
        last_seq: 0,
        placed_at: ctx.now(),
        updated_at: ctx.now(),
    }
}

/// Things that happen to an order in one transaction, which is not committed yet. Their messages are `a 1`, `a 2` and so on, by
/// the order's last letter and their numbers.
async fn write(platform: &Arc<Platform>, order: OrderId, count: usize) -> DatabaseTransaction {
    let ctx = system(platform);
    let txn = ctx.db().begin().await.unwrap();
    let mut hand = OrderInHand::lock(&txn, &ctx, order).await.unwrap().unwrap();
    for _ in 0..count {
        let message = message(order, hand.row.last_seq + 1);
        hand.happened(OrderEventType::PaymentPending, message);
    }
    hand.save(&txn).await.unwrap();
    txn
}

pub(crate) fn message(order: OrderId, seq: i32) -> String {
    format!("{order} {seq}")
}

/// As the shop does it: those who wait in this process are woken.
pub(crate) async fn happen(platform: &Arc<Platform>, order: OrderId, count: usize) {
    let txn = write(platform, order, count).await;
    change::commit(&system(platform), txn).await.unwrap();
}

/// As a process does it that dies right after its commit.
async fn happen_in_silence(platform: &Arc<Platform>, order: OrderId, count: usize) {
    write(platform, order, count).await.commit().await.unwrap();
}

/// Waits until so many subscriptions wait for events.
async fn waiting(platform: &Platform, count: usize) {
    let begun = Instant::now();
    while platform.order_events.waiting() != count {
        let waiting = platform.order_events.waiting();
        assert!(
            begun.elapsed() < Duration::from_secs(20),
            "{waiting} wait, not {count}"
        );
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn subscribe_with(id: &str, query: &str, variables: &Value) -> Value {
    let mut message = subscribe(id, query);
    message["payload"]["variables"] = variables.clone();
    message
}

/// The next event of a subscription, with the name of its field gone.
async fn event(socket: &mut Socket, id: &str) -> Value {
    let mut message = socket.hear().await;
    assert_eq!(
        (&message["type"], &message["id"]),
        (&json!("next"), &json!(id)),
        "{message}"
    );
    assert_eq!(message["payload"].get("errors"), None, "{message}");
    let data = message["payload"]["data"].take();
    data.as_object().unwrap().values().next().unwrap().clone()
}

/// The last cursor of an order's events, by asking the table.
fn cursor(order: OrderId, seq: i64) -> String {
    use souk::kernel::page::{Cursor, SortKey};
    let cursor = Cursor {
        sort: "ORDER_EVENT".to_owned(),
        key: SortKey::Int(seq),
        id: order.0,
    };
    cursor.encode()
}

/// Takes events in, and sees to it that each order's come in order, none left out and none twice.
#[derive(Debug, Default)]
struct Told(BTreeMap<String, usize>);

impl Told {
    fn after(order: OrderId, seq: usize) -> Self {
        Self([(order.to_string(), seq)].into())
    }

    fn hear(&mut self, event: &Value) {
        let (order, seq) = event["message"].as_str().unwrap().split_once(' ').unwrap();
        let last = self.0.entry(order.to_owned()).or_default();
        assert_eq!(seq.split(' ').next().unwrap().parse(), Ok(*last + 1), "{order}");
        *last += 1;
    }

    /// How many of each, the first order first.
    fn counts(&self) -> Vec<usize> {
        self.0.values().copied().collect()
    }
}

/// A socket of somebody, on this server.
async fn socket_of(server: &Server, token: Option<&str>) -> Socket {
    match token {
        Some(token) => Socket::of(server, token).await,
        None => Socket::ready(server).await,
    }
}
