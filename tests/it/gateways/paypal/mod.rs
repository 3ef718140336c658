//! PayPal: what we ask it is what its documents demand, and whatever it, its buyers or the network do, it comes right in the end.

mod certificate;
mod contract;
mod crash;
mod direct;
mod flows;
mod front_door;
pub(crate) mod play;
mod stories;
mod trouble;
mod verify;

use std::sync::Arc;

use rust_decimal::Decimal;
use sea_orm::EntityTrait as _;
use serde_json::{Value, json};
use souk::entity::payment;
use souk::kernel::id::OrderId;

use self::play::{CLIENT, PayPal, WEBHOOK_ID};
use super::sim::Sim;
use crate::payments;
use crate::support::Shop;

/// A shop that sells by PayPal, and PayPal.
pub(crate) struct World {
    pub(crate) sim: Sim<PayPal>,
    pub(crate) shop: Shop,
}

impl World {
    pub(crate) async fn beside(shop: &Shop) -> Self {
        let sim = Sim::start(PayPal::new()).await;
        let shop = shop.beside(&settings(&sim.base())).await;
        let clock = Arc::clone(&shop.clock);
        sim.with(|paypal| paypal.clock = Some(clock));
        Self { sim, shop }
    }

    /// A payment of a guest's order is begun: the order, and what the buyer was told.
    pub(crate) async fn begin(&self, flow: &str) -> (OrderId, Value) {
        let order = payments::guest_order(&self.shop).await;
        let payload = payments::pay(&self.shop, order, json!({"gateway": "PAYPAL", "flow": flow})).await;
        assert_eq!(payload["userErrors"], json!([]), "{payload}");
        (order, payload["payment"].clone())
    }

    /// The buyer agrees, and the shop finds out by itself.
    pub(crate) async fn approved(&self) {
        self.sim.with(PayPal::approve);
        self.later(2).await;
    }

    /// One that has come so far that money is taken or promised: the order, and the payment's id.
    pub(crate) async fn paid(&self, flow: &str) -> (OrderId, Value) {
        let (order, mut payment) = self.begin(flow).await;
        self.approved().await;
        (order, payment["id"].take())
    }

    /// So many seconds later, after the worker's turn.
    pub(crate) async fn later(&self, seconds: i64) {
        self.shop.clock.advance(chrono::Duration::seconds(seconds));
        payments::work(&self.shop).await;
    }

    pub(crate) async fn staff(&self, field: &str, input: Value) -> Value {
        payments::staff(&self.shop, field, input).await
    }

    /// The payment that there is.
    pub(crate) async fn payment(&self) -> payment::Model {
        let rows = payment::Entity::find().all(self.shop.db().fresh()).await.unwrap();
        rows.into_iter().next().unwrap()
    }

    pub(crate) async fn status(&self, order: OrderId) -> String {
        payments::statuses(&self.shop, order).await.remove(0)
    }

    /// What PayPal has taken, and given back.
    #[track_caller]
    pub(crate) fn check_money(&self, taken: &str, back: &str) {
        let decimal = |text: &str| text.parse::<Decimal>().unwrap();
        assert_eq!(
            self.sim.with(|paypal| paypal.in_all()),
            (decimal(taken), decimal(back))
        );
    }

    /// Everything was asked as PayPal's documents demand, and the books agree.
    pub(crate) async fn finish(self) {
        assert_eq!(
            self.sim.with(|paypal| paypal.violations.clone()),
            Vec::<String>::new()
        );
        payments::check_books(&self.shop).await;
        self.shop.close().await;
    }
}

pub(crate) fn settings(base: &str) -> [(&'static str, &str); 4] {
    [
        ("PAYPAL_CLIENT_ID", CLIENT.0),
        ("PAYPAL_CLIENT_SECRET", CLIENT.1),
        ("PAYPAL_WEBHOOK_ID", WEBHOOK_ID),
        ("PAYPAL_API_BASE", base),
    ]
}

fn dollars(amount: &str) -> Value {
    json!({"amount": amount, "currencyCode": "USD"})
}
