//! PayPal's webhooks as they come to the shop's door: what is genuine is taken once, and whatever else comes changes nothing.

use axum::http::StatusCode;
use chrono::TimeDelta;
use futures_util::future::join_all;
use souk::domain::payments::drive::drive_due;
use souk::domain::payments::inbox::apply_due;

use super::play::Note;
use super::*;
use crate::gateways::sim::Mishap;
use crate::payments::{events, guest_order, pay, standing, stands, system};
use crate::support::Reply;

const LONG: std::time::Duration = std::time::Duration::from_millis(1_500);

async fn post(shop: &Shop, note: &Note) -> Reply {
    let headers: Vec<(&str, &str)> = note
        .headers
        .iter()
        .map(|(name, value)| (&**name, &**value))
        .collect();
    shop.post_to("/webhooks/paypal", &headers, note.body.clone())
        .await
}

/// What the shop has heard, and what it made of it.
async fn heard(shop: &Shop) -> Vec<Vec<String>> {
    let sql = "SELECT kind, status, CASE WHEN body IS NULL THEN 'gone' ELSE 'kept' END FROM gateway_event ORDER BY kind";
    shop.rows(sql).await
}

impl World {
    /// An event of this kind about the order that was made last, as it is sent now.
    fn note(&self, kind: &str) -> Note {
        let event = self.sim.with(|paypal| paypal.event(kind));
        Note::new(&event, self.shop.now())
    }

    /// A payment whose buyer has agreed, which the shop does not know yet.
    async fn agreed(&self) -> OrderId {
        let (order, _) = self.begin("CHARGE").await;
        self.sim.with(PayPal::approve);
        order
    }

    /// How often PayPal was asked about an order, or to do something with it.
    fn asked(&self) -> usize {
        self.sim.asked_at("GET", "/v2/").len() + self.sim.asked_at("POST", "/capture").len()
    }

    /// The buyer has paid once, everybody knows it once, and it is booked.
    async fn is_paid(&self, order: OrderId) {
        assert_eq!(
            standing(&self.shop, order).await,
            stands("CONFIRMED", "PAID", 5_997, 0)
        );
        assert_eq!(
            events(&self.shop, order).await,
            ["PLACED", "PAYMENT_PENDING", "PAYMENT_CAPTURED", "CONFIRMED"]
        );
        let captures = self.sim.with(|paypal| {
            let orders = paypal.orders.iter();
            orders.map(|order| order.captures.len()).max()
        });
        assert_eq!(captures, Some(1));
    }
}

both! {
    async fn what_is_genuine_is_taken_once(shop: &Shop) {
        let world = World::beside(shop).await;
        let order = world.agreed().await;
        let note = world.note("CHECKOUT.ORDER.APPROVED");
        let reply = post(&world.shop, &note).await;
        assert_eq!((reply.status, reply.text()), (StatusCode::OK, "{\"received\":true}"));
        assert_eq!(world.asked(), 0, "it is answered first");
        assert_eq!(heard(&world.shop).await, [["CHECKOUT.ORDER.APPROVED", "PENDING", "kept"]]);
        apply_due(&system(&world.shop)).await.unwrap();
        world.is_paid(order).await;
        assert_eq!(heard(&world.shop).await, [["CHECKOUT.ORDER.APPROVED", "APPLIED", "gone"]]);
        let asked = world.asked();
        for _ in 0..3 {
            assert_eq!(post(&world.shop, &note).await.status, StatusCode::OK);
            assert_eq!(apply_due(&system(&world.shop)).await.unwrap(), 0);
        }
        assert_eq!((heard(&world.shop).await.len(), world.asked()), (1, asked));
        let note = world.note("PAYMENT.CAPTURE.COMPLETED");
        assert_eq!(post(&world.shop, &note).await.status, StatusCode::OK);
        apply_due(&system(&world.shop)).await.unwrap();
        assert_eq!(heard(&world.shop).await[1], ["PAYMENT.CAPTURE.COMPLETED", "APPLIED", "gone"]);
        world.is_paid(order).await;
        world.check_money("59.97", "0");
        world.finish().await;
    }

    async fn ten_at_once_are_one(shop: &Shop) {
        let world = World::beside(shop).await;
        let order = world.agreed().await;
        let note = world.note("CHECKOUT.ORDER.APPROVED");
        let replies = join_all((0..10).map(|_| post(&world.shop, &note))).await;
        // More than a few at a time are asked to come again.
        let (taken, others): (Vec<_>, Vec<_>) = replies.iter().partition(|reply| reply.status == StatusCode::OK);
        assert!(taken.len() >= 8, "{replies:?}");
        for reply in others {
            assert_eq!((reply.status, reply.header("retry-after")), (StatusCode::SERVICE_UNAVAILABLE, "60"));
        }
        assert_eq!(heard(&world.shop).await.len(), 1);
        let contexts: Vec<_> = (0..4).map(|_| system(&world.shop)).collect();
        for applied in join_all(contexts.iter().map(apply_due)).await {
            applied.unwrap();
        }
        world.is_paid(order).await;
        world.check_money("59.97", "0");
        world.finish().await;
    }

    async fn what_is_not_genuine_changes_nothing(shop: &Shop) {
        let world = World::beside(shop).await;
        let order = world.agreed().await;
        let event = world.sim.with(|paypal| paypal.event("CHECKOUT.ORDER.APPROVED"));
        let now = world.shop.now();
        let note = Note::new(&event, now);
        let body = |body: String| Note { body, ..note.clone() };
        let mut bare = note.clone();
        bare.headers.retain(|(name, _)| name == "content-type");
        for (what, forged) in [
            ("not signed", bare),
            ("another signature", note.clone().with("paypal-transmission-sig", "AAAA")),
            ("another key's certificate", note.clone().with("paypal-cert-url", "https://evilpaypal.com/certs/CERT-1")),
            ("another algorithm", note.clone().with("paypal-auth-algo", "none")),
            ("another amount", body(note.body.replace("59.97", "00.01"))),
            ("cut off", body(note.body[..note.body.len() - 2].to_owned())),
            ("nothing at all", body(String::new())),
            ("written anew", body(serde_json::to_string_pretty(&event).unwrap())),
            ("sent days ago", Note::new(&event, now - TimeDelta::days(5))),
            ("later than it was signed", note.clone().with("paypal-transmission-time", "2026-03-01T13:00:00Z")),
            ("the sandbox's, or another shop's", Note::of("1JE4291016473214C", &event, now)),
        ] {
            let reply = post(&world.shop, &forged).await;
            assert_eq!(reply.status, StatusCode::BAD_REQUEST, "{what}");
            assert!(!reply.text().contains("PayPal"), "{what}: {}", reply.text());
        }
        let huge = Note::raw(&format!("{{\"x\":\"{}\"}}", "x".repeat(256 * 1024)), now);
        assert_eq!(post(&world.shop, &huge).await.status, StatusCode::PAYLOAD_TOO_LARGE);
        let mut packed = note.clone();
        packed.headers.push(("content-encoding".to_owned(), "gzip".to_owned()));
        assert_eq!(post(&world.shop, &packed).await.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
        world.sim.be_away(true);
        assert_eq!(post(&world.shop, &note).await.status, StatusCode::SERVICE_UNAVAILABLE);
        world.sim.be_away(false);
        assert_eq!(apply_due(&system(&world.shop)).await.unwrap(), 0);
        assert!(heard(&world.shop).await.is_empty());
        assert_eq!((world.asked(), standing(&world.shop, order).await), (0, stands("PENDING_PAYMENT", "UNPAID", 0, 0)));
        // It was but a matter of asking again.
        assert_eq!(post(&world.shop, &note).await.status, StatusCode::OK);
        apply_due(&system(&world.shop)).await.unwrap();
        world.is_paid(order).await;
        world.finish().await;
    }

    async fn what_is_not_about_our_payments_is_only_remembered(shop: &Shop) {
        let world = World::beside(shop).await;
        let order = world.agreed().await;
        let ours = world.sim.with(|paypal| paypal.last().unit()["custom_id"].clone());
        let theirs = json!({"related_ids": {"order_id": "5O190127TN36ELSEWH"}});
        let strange = json!(souk::kernel::id::PaymentId::new().to_string());
        for (kind, resource) in [
            ("BILLING.PLAN.ACTIVATED", json!({"id": "P-7GL4271244454362WXNWU5NQ"})),
            ("SOMETHING.NEW", json!(["of", 1, "kind"])),
            ("PAYMENT.CAPTURE.COMPLETED", json!({"id": "1", "custom_id": strange, "supplementary_data": theirs})),
            ("PAYMENT.CAPTURE.COMPLETED", json!({"id": "2", "custom_id": "another program's"})),
            ("PAYMENT.CAPTURE.COMPLETED", json!({"id": "3", "supplementary_data": theirs})),
            ("PAYMENT.CAPTURE.COMPLETED", json!({"id": "4", "custom_id": ours, "supplementary_data": theirs})),
            ("PAYMENT.CAPTURE.REFUNDED", json!({"id": "5", "custom_id": strange, "invoice_id": "refund_1"})),
            ("CHECKOUT.ORDER.APPROVED", json!({"id": "5O190127TN36ELSEWH", "purchase_units": [{"custom_id": ours}]})),
            ("CUSTOMER.DISPUTE.CREATED", json!({"disputed_transactions": [{"custom": strange}]})),
        ] {
            let event = json!({"id": format!("WH-{}", OrderId::new()), "event_type": kind, "resource": resource});
            assert_eq!(post(&world.shop, &Note::new(&event, world.shop.now())).await.status, StatusCode::OK, "{event}");
        }
        apply_due(&system(&world.shop)).await.unwrap();
        let heard = heard(&world.shop).await;
        assert!(heard.iter().all(|row| row[1] == "IGNORED" && row[2] == "gone"), "{heard:?}");
        assert_eq!((heard.len(), world.asked()), (9, 0));
        assert_eq!(standing(&world.shop, order).await, stands("PENDING_PAYMENT", "UNPAID", 0, 0));
        world.check_money("0", "0");
        world.finish().await;
    }

    async fn two_servers_that_apply_one_webhook_book_it_once(shop: &Shop) {
        let world = World::beside(shop).await;
        let other = world.shop.beside(&settings(&world.sim.base())).await;
        for _ in 0..4 {
            let order = world.agreed().await;
            // One that came to both, and another that says the same.
            let (note, more) = (world.note("CHECKOUT.ORDER.APPROVED"), world.note("CHECKOUT.ORDER.APPROVED"));
            let replies = tokio::join!(post(&world.shop, &note), post(&other, &note), post(&other, &more));
            assert_eq!([replies.0.status, replies.1.status, replies.2.status], [StatusCode::OK; 3]);
            let contexts = [system(&world.shop), system(&other)];
            let (one, two) = tokio::join!(apply_due(&contexts[0]), apply_due(&contexts[1]));
            assert!(one.unwrap() + two.unwrap() >= 2);
            tokio::try_join!(drive_due(&contexts[0]), drive_due(&contexts[1])).unwrap();
            world.is_paid(order).await;
        }
        assert!(heard(&other).await.iter().all(|row| row[1] == "APPLIED"));
        assert_eq!(heard(&other).await.len(), 8);
        world.check_money("239.88", "0");
        other.close().await;
        world.finish().await;
    }

    async fn a_webhook_that_comes_before_the_answer_to_our_create_is_right_in_the_end(shop: &Shop) {
        let world = World::beside(shop).await;
        let order = guest_order(&world.shop).await;
        world.sim.mishap("/v2/checkout/orders", Mishap::Dawdles(LONG));
        let meanwhile = async {
            until(|| world.sim.with(|paypal| !paypal.orders.is_empty())).await;
            world.sim.with(PayPal::approve);
            assert_eq!(post(&world.shop, &world.note("CHECKOUT.ORDER.APPROVED")).await.status, StatusCode::OK);
            apply_due(&system(&world.shop)).await.unwrap();
            assert_eq!(standing(&world.shop, order).await, stands("PENDING_PAYMENT", "UNPAID", 0, 0));
        };
        let (payload, ()) = tokio::join!(pay(&world.shop, order, json!({"gateway": "PAYPAL"})), meanwhile);
        assert_eq!(payload["userErrors"], json!([]), "{payload}");
        world.later(2).await;
        apply_due(&system(&world.shop)).await.unwrap();
        world.is_paid(order).await;
        assert_eq!(world.sim.with(|paypal| paypal.orders.len()), 1);
        world.check_money("59.97", "0");
        world.finish().await;
    }

    async fn a_webhook_that_comes_before_the_answer_to_our_capture_is_right_in_the_end(shop: &Shop) {
        let world = World::beside(shop).await;
        let order = world.agreed().await;
        world.sim.mishap("/capture", Mishap::Dawdles(LONG));
        world.shop.clock.advance(chrono::Duration::seconds(2));
        let ctx = system(&world.shop);
        let meanwhile = async {
            until(|| world.sim.with(|paypal| !paypal.last().captures.is_empty())).await;
            assert_eq!(standing(&world.shop, order).await, stands("PENDING_PAYMENT", "UNPAID", 0, 0));
            assert_eq!(post(&world.shop, &world.note("PAYMENT.CAPTURE.COMPLETED")).await.status, StatusCode::OK);
            apply_due(&system(&world.shop)).await.unwrap();
            world.is_paid(order).await;
        };
        let (driven, ()) = tokio::join!(drive_due(&ctx), meanwhile);
        driven.unwrap();
        world.is_paid(order).await;
        assert_eq!(heard(&world.shop).await, [["PAYMENT.CAPTURE.COMPLETED", "APPLIED", "gone"]]);
        assert_eq!(world.sim.asked_at("POST", "/capture").len(), 1);
        world.check_money("59.97", "0");
        world.finish().await;
    }

    async fn a_webhook_that_comes_before_the_answer_to_our_refund_is_right_in_the_end(shop: &Shop) {
        let world = World::beside(shop).await;
        let (order, payment) = world.paid("CHARGE").await;
        world.sim.mishap("/refund", Mishap::Dawdles(LONG));
        let meanwhile = async {
            until(|| world.sim.with(|paypal| !paypal.last().refunds.is_empty())).await;
            assert_eq!(post(&world.shop, &world.note("PAYMENT.CAPTURE.REFUNDED")).await.status, StatusCode::OK);
            apply_due(&system(&world.shop)).await.unwrap();
            assert_eq!(standing(&world.shop, order).await.3, 2_000);
        };
        let input = json!({"paymentId": payment, "amount": dollars("20")});
        let (back, ()) = tokio::join!(world.staff("refundCreate", input), meanwhile);
        assert_eq!(back["refund"]["status"], "SUCCEEDED", "{back}");
        assert_eq!(standing(&world.shop, order).await.3, 2_000);
        assert_eq!(events(&world.shop, order).await[4..], ["REFUND_PENDING", "REFUNDED"]);
        world.check_money("59.97", "20");
        world.finish().await;
    }
}

async fn until(done: impl Fn() -> bool) {
    while !done() {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
}
