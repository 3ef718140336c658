//! What happens to a payment at Stripe, in every order.

use std::sync::Mutex;

use chrono::Duration;
use sea_orm::EntityTrait as _;
use serde_json::{Value, json};
use souk::domain::checkout::expire::expire_due;
use souk::domain::payments::drive::drive_due;
use souk::domain::payments::inbox::apply_due;
use souk::entity::{order_line, payment};
use souk::kernel::id::OrderId;

use super::objects::{Intent, returned};
use super::{Stripe, Till, message, settings};
use crate::gateways::interleave::{Books, Scene, Told, after_paying, at_any_time};
use crate::gateways::sim::Sim;
use crate::payments::{events, guest_order, held, literal, standing, stands, system, work};
use crate::support::{As, Shop};

/// Cards at a Stripe of its own.
struct Cards {
    sim: Sim<Stripe>,
    /// What it says when somebody has paid: Stripe has more than one word for it.
    word: &'static str,
    /// The refunds that it has told of.
    told: Mutex<usize>,
}

impl Cards {
    async fn at_work(word: &'static str) -> Self {
        Self {
            sim: Sim::start(Stripe::default()).await,
            word,
            told: Mutex::default(),
        }
    }

    /// The last intent that was made for a payment.
    fn intent(&self, row: &payment::Model) -> Intent {
        let id = row.id.to_string();
        self.sim.with(|stripe| {
            let mut all = stripe.intents.values().rev();
            let of_this = all.find(|intent| intent.metadata["payment_id"] == id);
            of_this.cloned().unwrap()
        })
    }

    fn check(&self) {
        let complaints = self.sim.with(|stripe| stripe.complaints.clone());
        assert_eq!(complaints, Vec::<String>::new());
    }
}

impl Scene for Cards {
    fn settings(&self) -> Vec<(String, String)> {
        let own = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        settings(&self.sim.base()).into_iter().map(own).collect()
    }

    fn input(&self) -> Value {
        json!({"gateway": "STRIPE"})
    }

    fn buyer_pays(&self, row: &payment::Model) -> bool {
        let intent = self.intent(row);
        let waits = intent.status == "requires_payment_method";
        if waits {
            self.sim.with(|stripe| stripe.pay(&intent.id));
        }
        waits
    }

    fn message(&self, shop: &Shop, row: &payment::Model) -> Told {
        let intent = self.intent(row);
        let object = self.sim.with(|stripe| match self.word {
            "charge.succeeded" if intent.charge.is_some() => intent.charge_json(&stripe.refunds, false),
            _ => intent.json(&stripe.refunds, &[]),
        });
        let kind = match intent.status.as_str() {
            "succeeded" => self.word,
            "canceled" => "payment_intent.canceled",
            _ => "payment_intent.created",
        };
        message(shop, &format!("evt_{kind}_{}", intent.id), kind, &object)
    }

    fn further_messages(&self, shop: &Shop) -> Vec<Told> {
        let mut told = self.told.lock().unwrap();
        let news = self.sim.with(|stripe| stripe.refunds[*told..].to_vec());
        *told += news.len();
        let of_one = |refund: &super::objects::Refund| {
            let charge = self
                .sim
                .with(|stripe| stripe.intents[&refund.intent].charge_json(&stripe.refunds, false));
            [
                ("charge.refunded", charge),
                ("refund.created", refund.json()),
                ("charge.refund.updated", refund.json()),
            ]
            .map(|(kind, object)| message(shop, &format!("evt_{kind}_{}", refund.id), kind, &object))
        };
        news.iter().flat_map(of_one).collect()
    }

    fn books(&self, row: &payment::Model) -> Books {
        let order = row.order_id.to_string();
        self.sim.with(|stripe| {
            let of_this = stripe
                .intents
                .values()
                .filter(|intent| intent.metadata["order_id"] == order);
            let taken: Vec<&Intent> = of_this.filter(|intent| intent.received() > 0).collect();
            Books {
                taken: taken.iter().map(|intent| intent.received()).sum(),
                back: taken
                    .iter()
                    .map(|intent| returned(&intent.id, &stripe.refunds))
                    .sum(),
                times: taken.len(),
            }
        })
    }
}

/// Somebody else gets all five of what an order has let go.
async fn sold_out(shop: &Shop, order: OrderId, i: usize) {
    let lines = order_line::Entity::find().all(shop.db().fresh()).await.unwrap();
    let line = lines.iter().find(|line| line.order_id == order).unwrap();
    let document =
        "mutation($input: InventoryAdjustInput!) { inventoryAdjust(input: $input) { userErrors { code } } }";
    let input = json!({"variantId": line.variant_id.unwrap().to_string(), "delta": -5, "reason": "sold elsewhere",
        "idempotencyKey": format!("sold {i}")});
    let told = shop.data(As::Staff, document, json!({ "input": input })).await;
    assert_eq!(told["inventoryAdjust"]["userErrors"], json!([]));
}

/// How the shop learns that somebody has paid.
#[derive(Clone, Copy, Debug)]
enum Learns {
    FromTheBuyer,
    FromAMessage,
    FromTheWorker,
    WhenGivingItUp,
}

both! {
    async fn whatever_happens_after_paying_it_ends_right(shop: &Shop) {
        let cards = Cards::at_work("payment_intent.succeeded").await;
        after_paying(shop, &cards).await;
        cards.check();
    }

    async fn whenever_somebody_pays_it_ends_right(shop: &Shop) {
        let cards = Cards::at_work("charge.succeeded").await;
        at_any_time(shop, &cards).await;
        cards.check();
    }

    async fn money_for_what_is_sold_out_meanwhile_goes_back(shop: &Shop) {
        let till = Till::open(shop).await;
        let ways = [Learns::FromTheBuyer, Learns::FromAMessage, Learns::FromTheWorker, Learns::WhenGivingItUp];
        for (i, way) in ways.into_iter().enumerate() {
            let shop = &till.shop;
            let order = guest_order(shop).await;
            till.begin(order, "CHARGE").await;
            till.buyer_pays();
            let id = literal(shop, order.0);
            let past = (shop.now() - Duration::seconds(1)).to_rfc3339();
            shop.execute(&format!("UPDATE shop_order SET hold_expires_at = '{past}' WHERE id = {id}")).await.unwrap();
            assert_eq!(expire_due(&system(shop)).await.unwrap(), 1);
            sold_out(shop, order, i).await;
            let rows = payment::Entity::find().all(shop.db().fresh()).await.unwrap();
            let row = rows.into_iter().find(|row| row.order_id == order).unwrap();
            match way {
                Learns::FromTheBuyer => {
                    let secret = row.action.as_ref().unwrap()["secret"].as_str().unwrap();
                    shop.get(&format!("/payments/return/{}/{secret}", row.id), &[]).await;
                }
                Learns::FromAMessage => {
                    let object = till.sim.with(|stripe| stripe.intents[row.gateway_reference.as_ref().unwrap()].json(&stripe.refunds, &[]));
                    let told = message(shop, &format!("evt_{i}"), "payment_intent.succeeded", &object);
                    assert_eq!(told.send(shop).await, 200);
                    assert_eq!(apply_due(&system(shop)).await.unwrap(), 1);
                }
                Learns::FromTheWorker => {
                    shop.execute(&format!("UPDATE payment SET look_at = '{past}' WHERE order_id = {id}")).await.unwrap();
                    drive_due(&system(shop)).await.unwrap();
                }
                Learns::WhenGivingItUp => {
                    drive_due(&system(shop)).await.unwrap();
                }
            }
            shop.clock.advance(Duration::minutes(1));
            work(shop).await;
            assert_eq!(standing(shop, order).await, stands("EXPIRED", "REFUNDED", 5_997, 5_997), "{way:?}");
            assert_eq!(held(shop, order).await, ("0".to_owned(), "0".to_owned()), "{way:?}");
            let expected = ["PLACED", "PAYMENT_PENDING", "EXPIRED", "PAYMENT_CAPTURED", "REVIEW_REQUIRED", "REFUND_PENDING", "REFUNDED"];
            assert_eq!(events(shop, order).await, expected, "{way:?}");
        }
        assert_eq!((till.asked("POST", "/refunds"), till.money()), (4, (4 * 5_997, 4 * 5_997)));
        till.close().await;
    }
}
