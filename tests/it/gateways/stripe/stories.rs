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

    async fn a_promise_is_kept_or_released_whatever_happens(shop: &Shop) {
        let till = Till::open(shop).await;
        for order_of in orders_of_four() {
            promise(&till, order_of).await;
        }
        till.close().await;
    }
}

/// What may happen to what a buyer has promised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    IsTold,
    Captures,
    Cancels,
    TimeIsOver,
}

fn orders_of_four() -> Vec<[Step; 4]> {
    let steps = [Step::IsTold, Step::Captures, Step::Cancels, Step::TimeIsOver];
    let all = (0..256_usize).map(|n| [n & 3, n >> 2 & 3, n >> 4 & 3, n >> 6].map(|i| steps[i]));
    let found: Vec<_> = all
        .filter(|order_of| steps.iter().all(|step| order_of.contains(step)))
        .collect();
    assert_eq!(found.len(), 24);
    found
}

/// Somebody promises money, which is not taken before staff say so; then this happens. Stripe holds nothing back of whose order
/// does not stand.
async fn promise(till: &Till, steps: [Step; 4]) {
    let shop = &till.shop;
    let order = guest_order(shop).await;
    let payment = till.begin(order, "AUTHORIZE").await["payment"]["id"].clone();
    let intent = till.last();
    till.buyer_pays();
    let (mut status, mut known, mut taken) = ("PENDING_PAYMENT", false, false);
    for step in steps {
        match step {
            Step::IsTold => {
                let object = till
                    .sim
                    .with(|stripe| stripe.intents[&intent].json(&stripe.refunds, &[]));
                let kind = "payment_intent.amount_capturable_updated";
                let told = message(shop, &format!("evt_{intent}"), kind, &object);
                assert_eq!(told.send(shop).await, 200);
                apply_due(&system(shop)).await.unwrap();
                known = status == "PENDING_PAYMENT";
                status = if known { "CONFIRMED" } else { status };
            }
            Step::Captures => {
                till.staff("paymentCapture", &payment, None).await;
                taken = taken || known && status == "CONFIRMED";
            }
            Step::Cancels => {
                let document = "mutation($id: ID!) { orderCancel(input: {orderId: $id, reason: \"ours\"}) { userErrors { code } } }";
                shop.data(As::Staff, document, json!({"id": order.to_string()}))
                    .await;
                status = if status == "EXPIRED" { status } else { "CANCELLED" };
            }
            Step::TimeIsOver => {
                let (id, past) = (literal(shop, order.0), shop.now() - Duration::seconds(1));
                let sql = format!(
                    "UPDATE shop_order SET hold_expires_at = '{}' WHERE id = {id} AND hold_expires_at IS NOT NULL",
                    past.to_rfc3339()
                );
                shop.execute(&sql).await.unwrap();
                expire_due(&system(shop)).await.unwrap();
                status = if status == "PENDING_PAYMENT" {
                    "EXPIRED"
                } else {
                    status
                };
            }
        }
        work(shop).await;
    }
    shop.clock.advance(Duration::minutes(1));
    work(shop).await;
    let kept = till.sim.with(|stripe| {
        let held = &stripe.intents[&intent];
        (
            held.status.clone(),
            held.received(),
            returned(&intent, &stripe.refunds),
        )
    });
    let all = if taken { 5_997 } else { 0 };
    let (progress, expected) = if taken {
        ("REFUNDED", "succeeded")
    } else {
        ("UNPAID", "canceled")
    };
    assert_eq!(
        standing(shop, order).await,
        stands(status, progress, all, all),
        "{steps:?}"
    );
    assert_eq!(kept, (expected.to_owned(), all, all), "{steps:?}");
}
