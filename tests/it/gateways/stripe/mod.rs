//! STRIPE: its client against a simulator that was written from Stripe's documents, and against one that others have written.

mod answers;
mod contract;
mod crash;
mod flows;
mod front_door;
mod localstripe;
mod objects;
mod play;
mod stories;
mod trouble;
mod verify;

use ring::hmac;
use serde_json::{Value, json};
use souk::kernel::id::OrderId;

use super::interleave::Told;
use super::sim::Sim;
use crate::payments::{check_books, send};
use crate::support::Shop;
pub(crate) use objects::{fee_of, returned};
pub(crate) use play::{Breaks, KEY, Stripe, error};

/// What the endpoint's messages are signed with, and what they were signed with before it was rolled.
pub(crate) const SECRET: &str = "whsec_simulated";
pub(crate) const OLD_SECRET: &str = "whsec_rolled";

/// What a shop is told of a Stripe at this address.
pub(crate) fn settings(base: &str) -> [(&'static str, &str); 5] {
    [
        ("STRIPE_SECRET_KEY", KEY),
        ("STRIPE_PUBLISHABLE_KEY", "pk_test_simulated"),
        ("STRIPE_WEBHOOK_SECRET", SECRET),
        ("STRIPE_WEBHOOK_PREVIOUS_SECRET", OLD_SECRET),
        ("STRIPE_API_BASE", base),
    ]
}

/// An instance of the shop that takes money by a Stripe of its own.
pub(crate) struct Till {
    pub(crate) sim: Sim<Stripe>,
    pub(crate) shop: Shop,
}

impl Till {
    pub(crate) async fn open(shop: &Shop) -> Self {
        let sim = Sim::start(Stripe::default()).await;
        let shop = shop.beside(&settings(&sim.base())).await;
        Self { sim, shop }
    }

    /// The books balance, and Stripe has nothing to complain of.
    pub(crate) async fn close(self) {
        check_books(&self.shop).await;
        self.shop.balance().await;
        let complaints = self.sim.with(|stripe| stripe.complaints.clone());
        assert_eq!(complaints, Vec::<String>::new());
        self.shop.close().await;
    }

    /// The intent that was made last.
    pub(crate) fn last(&self) -> String {
        self.sim
            .with(|stripe| stripe.intents.keys().last().cloned().unwrap())
    }

    /// The buyer pays in his browser, or promises to where that was asked for.
    pub(crate) fn buyer_pays(&self) {
        let id = self.last();
        self.sim.with(|stripe| stripe.pay(&id));
    }

    /// How much Stripe has taken in all, and how much of it has gone back or is on its way.
    pub(crate) fn money(&self) -> (i64, i64) {
        self.sim.with(|stripe| {
            let taken = stripe.intents.values().map(objects::Intent::received).sum();
            let back = stripe
                .intents
                .keys()
                .map(|id| returned(id, &stripe.refunds))
                .sum();
            (taken, back)
        })
    }

    /// How often it was asked for this.
    pub(crate) fn asked(&self, method: &str, path: &str) -> usize {
        self.sim.asked_at(method, path).len()
    }

    /// Begins to pay as the guest whose order it is.
    pub(crate) async fn begin(&self, order: OrderId, flow: &str) -> Value {
        crate::payments::pay(&self.shop, order, json!({"gateway": "STRIPE", "flow": flow})).await
    }

    /// A mutation of staff's about this payment.
    pub(crate) async fn staff(&self, field: &str, payment: &Value, amount: Option<&str>) -> Value {
        let mut input = json!({"paymentId": payment});
        if let Some(amount) = amount {
            input["amount"] = json!({"amount": amount, "currencyCode": "USD"});
        }
        send(&self.shop, crate::support::As::Staff, field, input, None).await
    }
}

/// What buyers and people at Stripe's dashboard do.
impl Stripe {
    pub(crate) fn pay(&mut self, id: &str) {
        let booked = !self.books_late;
        self.intents.get_mut(id).unwrap().succeed(booked);
    }

    /// The buyer's bank says no, and he may try again.
    pub(crate) fn decline(&mut self, id: &str, code: &str, decline_code: Option<&str>) {
        let intent = self.intents.get_mut(id).unwrap();
        intent.status = "requires_payment_method".to_owned();
        intent.error = json!({
            "type": "card_error", "code": code, "decline_code": decline_code, "charge": "ch_failed",
            "message": "Your card was declined. (ch_failed)", "payment_method": {"id": "pm_1", "object": "payment_method"},
        });
    }

    pub(crate) fn becomes(&mut self, id: &str, status: &str) {
        self.intents.get_mut(id).unwrap().status = status.to_owned();
    }

    /// A promise is kept for seven days.
    pub(crate) fn promise_ends(&mut self, id: &str) {
        self.intents.get_mut(id).unwrap().cancel(Some("automatic"));
    }

    /// What was captured is booked, with what Stripe keeps.
    pub(crate) fn book(&mut self, id: &str) {
        let intent = self.intents.get_mut(id).unwrap();
        intent.charge.as_mut().unwrap().booked = true;
    }

    /// Somebody of the shop's gives money back without us.
    pub(crate) fn refund_at_dashboard(&mut self, id: &str, amount: i64) {
        let intent = &self.intents[id];
        self.refunds.push(objects::Refund {
            id: format!("re_3Dash{:06}", self.refunds.len()),
            intent: id.to_owned(),
            charge: intent.charge.as_ref().unwrap().id.clone(),
            amount,
            currency: intent.currency.clone(),
            status: "succeeded".to_owned(),
            failure_reason: None,
            metadata: std::collections::BTreeMap::new(),
            created: intent.created,
        });
    }

    /// The last refund comes to an end.
    pub(crate) fn settle(&mut self, status: &str, failure_reason: Option<&str>) {
        let refund = self.refunds.last_mut().unwrap();
        refund.status = status.to_owned();
        refund.failure_reason = failure_reason.map(str::to_owned);
    }
}

/// A message of Stripe's about this object, sent now by the shop's clock.
pub(crate) fn message(shop: &Shop, id: &str, kind: &str, object: &Value) -> Told {
    signed(shop, &event(id, kind, object))
}

/// The same of an event that is written already.
pub(crate) fn signed(shop: &Shop, event: &Value) -> Told {
    let body = serde_json::to_string_pretty(event).unwrap();
    let header = signature(&body, &[SECRET], shop.now().timestamp());
    Told {
        address: "/webhooks/stripe".to_owned(),
        headers: vec![
            (
                "content-type".to_owned(),
                "application/json; charset=utf-8".to_owned(),
            ),
            ("stripe-signature".to_owned(), header),
        ],
        body,
    }
}

/// The header that Stripe sends along with a body: a signature for each secret.
pub(crate) fn signature(body: &str, secrets: &[&str], time: i64) -> String {
    let sign = |secret: &&str| {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
        let tag = hmac::sign(&key, format!("{time}.{body}").as_bytes());
        let hex: String = tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        format!(",v1={hex}")
    };
    let signatures: String = secrets.iter().map(sign).collect();
    format!("t={time}{signatures},v0=6ffbb59b2300aae63f272406069a9788598b792a944a07aba816edb039989a39")
}

/// An event as Stripe writes it, about this object.
pub(crate) fn event(id: &str, kind: &str, object: &Value) -> Value {
    json!({
        "id": id,
        "object": "event",
        "api_version": "2024-06-20",
        "created": 1_772_366_400,
        "data": {"object": object},
        "livemode": false,
        "pending_webhooks": 1,
        "request": {"id": "req_1", "idempotency_key": null},
        "type": kind,
    })
}
