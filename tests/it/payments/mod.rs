//! Paying orders, and giving the money back: what clients may do, what gateways may do to us, and what holds whatever
//! happens.

mod buyer;
mod create;
mod elsewhere;
mod inbox;
mod late;
mod over;
mod page;
mod races;
mod refund;
mod replace;
mod review;
pub(crate) mod scripted;
mod staff;
mod together;
mod unknown;

use std::collections::BTreeMap;

use sea_orm::EntityTrait as _;
use serde_json::{Value, json};
use souk::domain::context::Context;
use souk::domain::inventory::hold::{Held, Why, release_in_txn, reserve_in_txn};
use souk::domain::orders::change::{OrderInHand, commit};
use souk::domain::payments::drive::{drive, drive_due};
use souk::domain::payments::stop::stop_in_txn;
use souk::entity::order_event::OrderEventType;
use souk::entity::shop_order::{FulfillmentProgress, OrderStatus, PaymentProgress};
use souk::entity::{order_line, payment, product_variant, shop_order};
use souk::infra::secret::digest;
use souk::kernel::actor::{Actor, Origin, Role};
use souk::kernel::address::PostalAddress;
use souk::kernel::id::{OrderId, OrderLineId, ProductVariantId, UserId};

use crate::support::books::ledger;
use crate::support::{As, Kind, Shop, product, user_of};

/// What guests' orders are opened with.
const TOKEN: &str = "a guest's token";

const PAYMENT: &str =
    "id gateway status amount { amount currencyCode } authorizedAmount { amount } capturedAmount { amount }
    refundedAmount { amount } failureCode failureMessage refunds { id status amount { amount } reason }
    action { ... on RedirectAction { url } ... on PhonePromptAction { phone expiresAt } } createdAt updatedAt";

pub(crate) fn system(shop: &Shop) -> Context {
    Context::writing(Actor::System, Origin::default(), shop.platform.clone())
}

/// An order for three of something that the shop has five of, 59.97 in all, placed by a guest.
pub(crate) async fn guest_order(shop: &Shop) -> OrderId {
    place(shop, None, "USD", 1_999).await
}

/// The same of the customer that `As::Customer` is.
pub(crate) async fn customer_order(shop: &Shop) -> OrderId {
    let owner = shop.add_user("tester", Role::Customer).await;
    place(shop, Some(owner), "USD", 1_999).await
}

/// An order for three of something at this price that the shop has five of.
pub(crate) async fn place(shop: &Shop, owner: Option<UserId>, currency: &str, price: i64) -> OrderId {
    let name = format!("Mug {}", OrderId::new());
    shop.add(product(&name).stock(5)).await;
    let variants = product_variant::Entity::find()
        .all(shop.db().fresh())
        .await
        .unwrap();
    let variant = variants.iter().map(|variant| variant.id).max().unwrap();
    let ctx = system(shop);
    let id = OrderId::new();
    let row = shop_order::Model {
        id,
        number: String::new(),
        status: OrderStatus::PendingPayment,
        payment_status: PaymentProgress::Unpaid,
        fulfillment_status: FulfillmentProgress::Unfulfilled,
        user_id: owner,
        guest_token_hash: owner.is_none().then(|| digest(&format!("{TOKEN} {id}"))),
        guest_seed: owner.is_none().then(|| "seed".to_owned()),
        email: "buyer@example.com".to_owned(),
        shipping_address: PostalAddress {
            name: "Buyer".to_owned(),
            line1: "Street 1".to_owned(),
            line2: None,
            city: "Fès".to_owned(),
            region: None,
            postal_code: None,
            country_code: "MA".to_owned(),
            phone: None,
        },
        currency: currency.to_owned(),
        subtotal: 3 * price,
        shipping_total: 0,
        tax_total: 0,
        discount_total: 0,
        total: 3 * price,
        paid: 0,
        refunded: 0,
        hold_expires_at: Some(shop.now() + ctx.platform.orders.hold),
        cancel_reason: None,
        last_seq: 0,
        placed_at: shop.now(),
        updated_at: shop.now(),
    };
    let line = order_line::Model {
        id: OrderLineId::new(),
        order_id: id,
        position: 1,
        variant_id: Some(variant),
        product_name: name,
        variant_title: "Default".to_owned(),
        sku: None,
        quantity: 3,
        fulfilled_quantity: 0,
        delivered_quantity: 0,
        held: 3,
        unit_price: price,
        line_total: 3 * price,
    };
    let txn = shop.db().begin().await.unwrap();
    let held = reserve_in_txn(&txn, &BTreeMap::from([(variant, 3)]), &why(&ctx))
        .await
        .unwrap();
    assert!(matches!(held, Held::All(_)));
    let mut order = OrderInHand::draft(&ctx, row, vec![line]);
    order.happened(OrderEventType::Placed, "Placed.");
    order.save(&txn).await.unwrap();
    commit(&ctx, txn).await.unwrap();
    id
}

fn why(ctx: &Context) -> Why {
    Why {
        reason: "test".to_owned(),
        actor: "system".to_owned(),
        now: ctx.now(),
        touched: ctx.touched.clone(),
    }
}

pub(crate) fn token(order: OrderId) -> String {
    format!("{TOKEN} {order}")
}

/// Ends an order as cancelling or expiring does; its payments are stopped.
pub(crate) async fn end(shop: &Shop, id: OrderId, status: OrderStatus) {
    let ctx = system(shop);
    let txn = shop.db().begin().await.unwrap();
    let mut order = OrderInHand::lock(&txn, &ctx, id).await.unwrap().unwrap();
    let mut held = BTreeMap::new();
    for line in &mut order.lines {
        held.insert(line.variant_id.unwrap(), i64::from(line.held));
        line.held = 0;
    }
    release_in_txn(&txn, &held, &why(&ctx)).await.unwrap();
    order.become_status(status).unwrap();
    let event = if status == OrderStatus::Cancelled {
        order.row.cancel_reason = Some("test".to_owned());
        OrderEventType::Cancelled
    } else {
        OrderEventType::Expired
    };
    order.happened(event, "Over.");
    let stopped = stop_in_txn(&txn, &ctx, &mut order).await.unwrap();
    order.save(&txn).await.unwrap();
    commit(&ctx, txn).await.unwrap();
    drive(&ctx, &stopped).await;
}

/// What the worker does when its time comes, until nothing is due.
pub(crate) async fn work(shop: &Shop) {
    for _ in 0..20 {
        if drive_due(&system(shop)).await.unwrap() == 0 {
            return;
        }
    }
    panic!("something is due for ever");
}

/// The same after so many seconds.
pub(crate) async fn after(shop: &Shop, seconds: i64) {
    shop.clock.advance(chrono::Duration::seconds(seconds));
    work(shop).await;
}

/// Has the worker look now at how the payments of an order stand, whatever it knows of them.
pub(crate) async fn look(shop: &Shop, order: OrderId) {
    let id = literal(shop, order.0);
    let sql = format!("UPDATE payment SET look_at = created_at WHERE order_id = {id}");
    shop.execute(&sql).await.unwrap();
    work(shop).await;
}

/// Sends a mutation of payments as this caller; its payload.
pub(crate) async fn send(
    shop: &Shop,
    caller: As,
    field: &str,
    mut input: Value,
    guest_token: Option<&str>,
) -> Value {
    let kind = format!("{}{}Input", field[..1].to_uppercase(), &field[1..]);
    let fields = if field == "refundCreate" {
        format!("refund {{ id status reason createdAt amount {{ amount }} }} payment {{ {PAYMENT} }}")
    } else {
        format!("payment {{ {PAYMENT} }}")
    };
    let (variable, argument) = match guest_token {
        Some(_) => (", $token: String", ", guestToken: $token"),
        None => ("", ""),
    };
    let document = format!(
        "mutation($input: {kind}!{variable}) {{ {field}(input: $input{argument}) {{ {fields} userErrors {{ code path params retryable }} }} }}"
    );
    if input.get("idempotencyKey").is_none() {
        input["idempotencyKey"] = json!(OrderId::new().to_string());
    }
    let variables = json!({"input": input, "token": guest_token});
    shop.data(caller, &document, variables).await[field].take()
}

/// Pays as the guest whose order it is.
pub(crate) async fn pay(shop: &Shop, order: OrderId, mut input: Value) -> Value {
    input["orderId"] = json!(order.to_string());
    send(shop, As::Anonymous, "paymentCreate", input, Some(&token(order))).await
}

/// A mutation of staff's.
pub(crate) async fn staff(shop: &Shop, field: &str, input: Value) -> Value {
    send(shop, As::Staff, field, input, None).await
}

pub(crate) fn code(payload: &Value) -> &str {
    payload["userErrors"][0]["code"].as_str().unwrap_or_default()
}

/// A payment that has gone through: its id.
pub(crate) async fn paid(shop: &Shop, order: OrderId, input: Value) -> Value {
    let mut payload = pay(shop, order, input).await;
    assert_eq!(payload["userErrors"], json!([]), "{payload}");
    payload["payment"]["id"].take()
}

pub(crate) fn literal(shop: &Shop, id: uuid::Uuid) -> String {
    match shop.kind {
        Kind::Sqlite => format!("x'{}'", id.simple()),
        Kind::Postgres => format!("'{id}'"),
    }
}

/// What has happened to an order, in its order.
pub(crate) async fn events(shop: &Shop, order: OrderId) -> Vec<String> {
    let id = literal(shop, order.0);
    let sql = format!("SELECT type FROM order_event WHERE order_id = {id} ORDER BY seq");
    shop.rows(&sql).await.into_iter().flatten().collect()
}

/// Where an order stands: its lifecycle, its money, what was paid and what of it went back.
pub(crate) async fn standing(shop: &Shop, order: OrderId) -> (String, String, i64, i64) {
    let row = shop_order::Entity::find_by_id(order)
        .one(shop.db().fresh())
        .await
        .unwrap()
        .unwrap();
    let name = |text: String| text;
    (
        name(sea_orm::ActiveEnum::to_value(&row.status)),
        name(sea_orm::ActiveEnum::to_value(&row.payment_status)),
        row.paid,
        row.refunded,
    )
}

pub(crate) fn stands(status: &str, payment: &str, paid: i64, refunded: i64) -> (String, String, i64, i64) {
    (status.to_owned(), payment.to_owned(), paid, refunded)
}

/// The statuses of an order's payments, the first one first.
pub(crate) async fn statuses(shop: &Shop, order: OrderId) -> Vec<String> {
    let id = literal(shop, order.0);
    let sql = format!("SELECT status FROM payment WHERE order_id = {id} ORDER BY created_at, id");
    shop.rows(&sql).await.into_iter().flatten().collect()
}

/// How much of an order's goods is held, by the stock and by the order's lines.
pub(crate) async fn held(shop: &Shop, order: OrderId) -> (String, String) {
    let id = literal(shop, order.0);
    let sql = format!(
        "SELECT CAST(v.reserved AS text), CAST(l.held AS text) FROM order_line l
         JOIN inventory_level v ON v.variant_id = l.variant_id WHERE l.order_id = {id}"
    );
    let mut rows = shop.rows(&sql).await;
    let row = rows.remove(0);
    (row[0].clone(), row[1].clone())
}

/// Takes away whatever of an order's goods is not held.
pub(crate) async fn sell_out(shop: &Shop, order: OrderId) {
    let lines = order_line::Entity::find().all(shop.db().fresh()).await.unwrap();
    let line = lines.iter().find(|line| line.order_id == order).unwrap();
    let variant: ProductVariantId = line.variant_id.unwrap();
    let id = literal(shop, variant.0);
    shop.execute(&format!(
        "UPDATE inventory_level SET on_hand = reserved WHERE variant_id = {id}"
    ))
    .await
    .unwrap();
}

/// What holds at any time: orders agree with their payments, payments with their refunds, of two payments one is live at
/// most, and events have no gap.
pub(crate) async fn check_books(shop: &Shop) {
    let wrong = [
        "SELECT o.number FROM shop_order o LEFT JOIN payment p ON p.order_id = o.id GROUP BY o.id, o.number, o.paid, o.refunded
         HAVING o.paid <> coalesce(sum(p.captured), 0) OR o.refunded <> coalesce(sum(p.refunded), 0)",
        "SELECT p.status FROM payment p LEFT JOIN refund r ON r.payment_id = p.id AND r.status = 'SUCCEEDED'
         GROUP BY p.id, p.status, p.refunded HAVING p.refunded <> coalesce(sum(r.amount), 0)",
        "SELECT p.status FROM payment p JOIN refund r ON r.payment_id = p.id AND r.status <> 'FAILED'
         GROUP BY p.id, p.status, p.captured HAVING sum(r.amount) > p.captured",
        "SELECT p.status FROM payment p WHERE p.status IN ('CAPTURED', 'PARTIALLY_REFUNDED', 'REFUNDED') AND p.authorized > 0",
        "SELECT o.number FROM shop_order o JOIN order_event e ON e.order_id = o.id GROUP BY o.id, o.number, o.last_seq
         HAVING count(e.id) <> o.last_seq OR max(e.seq) <> o.last_seq",
    ];
    for sql in wrong {
        assert_eq!(shop.rows(sql).await, Vec::<Vec<String>>::new(), "{sql}");
    }
    ledger(shop.db()).await;
}

pub(crate) async fn payments(shop: &Shop) -> Vec<payment::Model> {
    payment::Entity::find().all(shop.db().fresh()).await.unwrap()
}

fn tester() -> String {
    user_of("tester").to_string()
}
