//! M-Pesa: what we ask of Daraja, what becomes of payments whatever it does, and whose callbacks we believe.

mod contract;
mod crash;
mod daraja;
mod flows;
mod front_door;
mod messages;
mod refunds;
mod stories;
mod trouble;
mod veil;

use sea_orm::EntityTrait as _;
use serde_json::{Value, json};
use souk::entity::payment::{self, PaymentGatewayName};
use souk::entity::refund;
use souk::infra::gateways::{Event, Fault, Message, PaymentGateway, Refund, State, Transaction, Unverified};
use souk::kernel::id::{OrderId, PaymentId};
use souk::kernel::money::Money;

use super::sim::Sim;
use crate::payments::{
    check_books, code, events, guest_order, literal, paid, pay, payments, staff, standing, stands, statuses,
    work,
};
use crate::support::Shop;

use daraja::{CREDENTIAL, Daraja, INITIATOR, KEY, PASSKEY, SECRET, SHORTCODE};

/// As a buyer types it, and as nobody is to see it again.
const PHONE: &str = "0712 345-678";
const BARE: &str = "712345678";
const WORD: &str = "callbacks-word-0123456789abcdefghij";

/// An instance of the shop that takes M-Pesa, and Daraja.
async fn beside(shop: &Shop) -> (Sim<Daraja>, Shop) {
    beside_with(shop, &[]).await
}

async fn beside_with(shop: &Shop, more: &[(&str, &str)]) -> (Sim<Daraja>, Shop) {
    let sim = Sim::start(Daraja::default()).await;
    let base = sim.base();
    let settings: Vec<_> = settings(&base).iter().chain(more).copied().collect();
    let shop = shop.beside(&settings).await;
    (sim, shop)
}

/// How a shop is told of Daraja at this address.
fn settings(base: &str) -> [(&str, &str); 9] {
    [
        ("SOUK_PUBLIC_URL", "https://shop.example/souk/"),
        ("MPESA_API_BASE", base),
        ("MPESA_CONSUMER_KEY", KEY),
        ("MPESA_CONSUMER_SECRET", SECRET),
        ("MPESA_SHORTCODE", SHORTCODE),
        ("MPESA_PASSKEY", PASSKEY),
        ("MPESA_CALLBACK_SECRET", WORD),
        ("MPESA_INITIATOR", INITIATOR),
        ("MPESA_SECURITY_CREDENTIAL", CREDENTIAL),
    ]
}

/// Where a message is sent to, without the shop's own address.
fn address(sent: &daraja::Sent) -> &str {
    let address = sent.url.strip_prefix("https://shop.example/souk");
    address.unwrap_or_else(|| panic!("{sent:?}"))
}

/// Nothing was asked against the documents, and the books balance.
async fn close(sim: Sim<Daraja>, shop: Shop) {
    assert_eq!(sim.with(|daraja| daraja.complaints.clone()), Vec::<String>::new());
    check_books(&shop).await;
    shop.close().await;
}

/// An order of a guest's for three of something, KES 13.50 in all.
async fn order(shop: &Shop) -> OrderId {
    let order = guest_order(shop).await;
    let id = literal(shop, order.0);
    let statements = [
        format!("UPDATE shop_order SET currency = 'KES', subtotal = 1350, total = 1350 WHERE id = {id}"),
        format!("UPDATE order_line SET unit_price = 450, line_total = 1350 WHERE order_id = {id}"),
    ];
    for sql in statements {
        shop.execute(&sql).await.unwrap();
    }
    order
}

fn mpesa() -> Value {
    json!({"gateway": "MPESA", "phone": PHONE})
}

/// An order whose buyer has a prompt on the phone.
async fn prompted(shop: &Shop) -> OrderId {
    let order = order(shop).await;
    paid(shop, order, mpesa()).await;
    assert_eq!(statuses(shop, order).await, ["REQUIRES_ACTION"]);
    order
}

/// Lets this much time pass, and the worker look at what is due then.
async fn after(shop: &Shop, seconds: i64) {
    shop.clock.advance(chrono::Duration::seconds(seconds));
    work(shop).await;
}

async fn payment_of(shop: &Shop, order: OrderId) -> payment::Model {
    let mut rows = payments(shop).await;
    rows.retain(|row| row.order_id == order);
    rows.pop().unwrap()
}

async fn refund_of(shop: &Shop, payment: PaymentId) -> refund::Model {
    let mut rows = refund::Entity::find().all(shop.db().fresh()).await.unwrap();
    rows.retain(|row| row.payment_id == payment);
    rows.pop().unwrap()
}

fn gateway(shop: &Shop) -> &dyn PaymentGateway {
    shop.platform.gateways.get(PaymentGatewayName::Mpesa).unwrap()
}

/// A payment as its gateway is told of it.
fn told(row: &payment::Model) -> Transaction {
    Transaction {
        id: row.id.to_string(),
        reference: row.gateway_reference.clone(),
        receipt: row.gateway_receipt.clone(),
        secret: "secret".into(),
        flow: row.flow,
        money: Money::new(row.amount, row.currency.parse().unwrap()),
        order: row.order_id.to_string(),
        order_number: "123456789".to_owned(),
        return_url: "https://shop.example/".to_owned(),
        phone: Some(format!("254{BARE}").into()),
        test_outcome: None,
        begun_at: row.created_at,
    }
}

fn told_refund(row: &refund::Model) -> Refund {
    Refund {
        id: row.id.to_string(),
        reference: row.gateway_reference.clone(),
        money: Money::new(row.amount, "KES".parse().unwrap()),
    }
}

/// What is sent to an address of ours, as it arrives.
fn message(shop: &Shop, sent: &daraja::Sent) -> Message {
    let path = address(sent).strip_prefix("/webhooks/mpesa/").unwrap();
    Message {
        path: path.split('/').map(str::to_owned).collect(),
        headers: vec![("content-type".to_owned(), "application/json".to_owned())],
        body: sent.body.to_string().into(),
        sender: Some("196.201.214.200".parse().unwrap()),
        received_at: shop.now(),
    }
}

async fn verify(shop: &Shop, message: &Message) -> Result<Event, Unverified> {
    gateway(shop).verify(message).await
}

/// What a message makes of a payment.
async fn confirm(shop: &Shop, row: &payment::Model, sent: &daraja::Sent) -> Result<State, Fault> {
    verify(shop, &message(shop, sent)).await.unwrap();
    let body = sent.body.to_string();
    let state = gateway(shop).confirm(&told(row), body.as_bytes()).await?;
    Ok(state.unwrap())
}

/// Keeps the receipt that a callback tells, as applying it does.
async fn keep_receipt(shop: &Shop, order: OrderId, sent: &daraja::Sent) {
    let row = payment_of(shop, order).await;
    let state = confirm(shop, &row, sent).await.unwrap();
    let receipt = state.receipt.unwrap();
    let id = literal(shop, row.id.0);
    shop.execute(&format!(
        "UPDATE payment SET gateway_receipt = '{receipt}' WHERE id = {id}"
    ))
    .await
    .unwrap();
}
