//! PayPal in every story that a payment may have.

use std::collections::{HashMap, HashSet};
use std::sync::Mutex;

use rust_decimal::prelude::ToPrimitive as _;
use souk::domain::checkout::expire::expire_due;
use souk::domain::payments::inbox::apply_due;

use super::play::{Note, Order};
use super::*;
use crate::gateways::interleave::{Books, Scene, Told, after_paying, at_any_time};
use crate::payments::{events, held, sell_out, standing, stands, system};

/// PayPal as buyers have it. What it has told once it tells again in the same words.
struct Checkout {
    sim: Sim<PayPal>,
    /// What it said of an order's approval, by the order's id.
    said: Mutex<HashMap<String, Note>>,
    /// Captures and refunds that it has told of.
    told: Mutex<HashSet<String>>,
}

impl Checkout {
    async fn open() -> Self {
        Self {
            sim: Sim::start(PayPal::new()).await,
            said: Mutex::default(),
            told: Mutex::default(),
        }
    }

    /// One whose captures and refunds are looked at before they are final.
    async fn slow() -> Self {
        let checkout = Self::open().await;
        checkout.sim.with(|paypal| {
            paypal.captures_become = "PENDING";
            paypal.refunds_become = "PENDING";
        });
        checkout
    }

    fn order(&self, row: &payment::Model) -> Order {
        let id = row.gateway_reference.as_ref().unwrap();
        self.sim
            .with(|paypal| paypal.orders.iter().find(|order| order.id == *id).cloned())
            .unwrap()
    }

    /// Everything was asked as PayPal's documents demand.
    fn finish(self) {
        assert_eq!(
            self.sim.with(|paypal| paypal.violations.clone()),
            Vec::<String>::new()
        );
    }
}

fn at_the_door(note: Note) -> Told {
    Told {
        address: "/webhooks/paypal".to_owned(),
        headers: note.headers,
        body: note.body,
    }
}

fn cents(amount: Decimal) -> i64 {
    (amount * Decimal::ONE_HUNDRED).to_i64().unwrap()
}

impl Scene for Checkout {
    fn settings(&self) -> Vec<(String, String)> {
        settings(&self.sim.base())
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .to_vec()
    }

    fn input(&self) -> Value {
        json!({"gateway": "PAYPAL"})
    }

    /// PayPal does not know that we have given an order up.
    fn buyer_pays(&self, row: &payment::Model) -> bool {
        let id = self.order(row).id;
        self.sim.with(|paypal| {
            let order = paypal.orders.iter_mut().find(|order| order.id == id).unwrap();
            let agrees = order.status == "PAYER_ACTION_REQUIRED";
            if agrees {
                order.status = "APPROVED";
            }
            agrees
        })
    }

    fn message(&self, shop: &Shop, row: &payment::Model) -> Told {
        let order = self.order(row);
        let mut said = self.said.lock().unwrap();
        let note = said.entry(order.id.clone()).or_insert_with(|| {
            let event = self
                .sim
                .with(|paypal| paypal.event_of(&order, "CHECKOUT.ORDER.APPROVED"));
            Note::new(&event, shop.now())
        });
        at_the_door(note.clone())
    }

    fn further_messages(&self, shop: &Shop) -> Vec<Told> {
        let mut told = self.told.lock().unwrap();
        let events = self.sim.with(|paypal| {
            for order in &mut paypal.orders {
                for capture in order.captures.iter_mut().filter(|one| one.status == "PENDING") {
                    capture.status = "COMPLETED";
                }
                for refund in order.refunds.iter_mut().filter(|one| one.status == "PENDING") {
                    refund.status = "COMPLETED";
                }
            }
            let mut events = Vec::new();
            for order in paypal.orders.clone() {
                for capture in &order.captures {
                    if told.insert(capture.id.clone()) {
                        events.push(paypal.event_of(&order, "PAYMENT.CAPTURE.COMPLETED"));
                    }
                }
                for refund in &order.refunds {
                    if told.insert(refund.id.clone()) {
                        events.push(paypal.event_of(&order, "PAYMENT.CAPTURE.REFUNDED"));
                    }
                }
            }
            events
        });
        let note = |event: &Value| at_the_door(Note::new(event, shop.now()));
        events.iter().map(note).collect()
    }

    fn books(&self, row: &payment::Model) -> Books {
        let order = self.order(row);
        Books {
            taken: cents(order.taken()),
            back: cents(order.gone_back(None)),
            times: order.captures.iter().filter(|capture| capture.is_taken()).count(),
        }
    }

    fn waits_for_us(&self) -> bool {
        true
    }
}

both! {
    async fn after_the_buyer_has_paid(shop: &Shop) {
        let checkout = Checkout::open().await;
        after_paying(shop, &checkout).await;
        checkout.finish();
    }

    async fn the_buyer_pays_at_any_time(shop: &Shop) {
        let checkout = Checkout::open().await;
        at_any_time(shop, &checkout).await;
        checkout.finish();
    }

    async fn the_buyer_pays_at_any_time_and_paypal_looks_at_it_for_a_while(shop: &Shop) {
        let checkout = Checkout::slow().await;
        at_any_time(shop, &checkout).await;
        checkout.finish();
    }

    async fn what_comes_after_the_goods_are_gone_goes_back(shop: &Shop) {
        let world = World::beside(shop).await;
        world.sim.with(|paypal| paypal.captures_become = "PENDING");
        let (order, _) = world.paid("CHARGE").await;
        // PayPal takes it for refused, finds later that it is not, and says so.
        world.sim.with(|paypal| paypal.last().captures[0].status = "DECLINED");
        world.later(1_000).await;
        assert_eq!(world.status(order).await, "FAILED");
        world.shop.clock.advance(chrono::Duration::hours(1));
        expire_due(&system(&world.shop)).await.unwrap();
        assert_eq!(standing(&world.shop, order).await, stands("EXPIRED", "UNPAID", 0, 0));
        sell_out(&world.shop, order).await;
        let event = world.sim.with(|paypal| {
            paypal.last().captures[0].status = "COMPLETED";
            paypal.event("PAYMENT.CAPTURE.COMPLETED")
        });
        let told = at_the_door(Note::new(&event, world.shop.now()));
        assert_eq!(told.send(&world.shop).await, 200);
        apply_due(&system(&world.shop)).await.unwrap();
        world.check_money("59.97", "59.97");
        assert_eq!(standing(&world.shop, order).await, stands("EXPIRED", "REFUNDED", 5_997, 5_997));
        assert_eq!(world.status(order).await, "REFUNDED");
        assert_eq!(held(&world.shop, order).await, ("0".to_owned(), "0".to_owned()));
        let events = events(&world.shop, order).await;
        assert_eq!(events[3..], ["EXPIRED", "PAYMENT_CAPTURED", "REVIEW_REQUIRED", "REFUND_PENDING", "REFUNDED"], "{events:?}");
        world.finish().await;
    }
}
