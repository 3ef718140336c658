//! Messages at the shop's own door: what is genuine is stored and applied once, and nothing else changes anything.

use std::time::Duration as Real;

use axum::http::StatusCode;
use chrono::Duration;
use futures_util::future::join_all;
use serde_json::{Value, json};
use souk::domain::payments::inbox::apply_due;
use souk::kernel::id::{OrderId, PaymentId};

use super::{OLD_SECRET, SECRET, Stripe, Till, event, message, settings, signature, signed};
use crate::gateways::interleave::Told;
use crate::gateways::sim::Mishap;
use crate::payments::{events, guest_order, payments, standing, stands, statuses, system, work};
use crate::support::{Reply, Shop};

const SUCCEEDED: &str = "payment_intent.succeeded";

fn unpaid() -> (String, String, i64, i64) {
    stands("PENDING_PAYMENT", "UNPAID", 0, 0)
}

fn paid() -> (String, String, i64, i64) {
    stands("CONFIRMED", "PAID", 5_997, 0)
}

/// An order whose buyer has paid at Stripe, which nobody has told us yet, and its payment.
async fn untold(till: &Till) -> (OrderId, Value) {
    let order = guest_order(&till.shop).await;
    let payload = till.begin(order, "CHARGE").await;
    assert_eq!(payload["userErrors"], json!([]), "{payload}");
    till.buyer_pays();
    (order, payload["payment"]["id"].clone())
}

/// The last intent as Stripe writes it.
fn intent(till: &Till) -> Value {
    let id = till.last();
    till.sim
        .with(|stripe| stripe.intents[&id].json(&stripe.refunds, &[]))
}

fn succeeded(till: &Till, id: &str) -> Told {
    message(&till.shop, id, SUCCEEDED, &intent(till))
}

async fn reply(shop: &Shop, told: &Told) -> Reply {
    let headers: Vec<(&str, &str)> = told
        .headers
        .iter()
        .map(|(name, value)| (&**name, &**value))
        .collect();
    shop.post_to(&told.address, &headers, told.body.clone()).await
}

/// What the worker makes of messages: how each stands, and why.
async fn heard(shop: &Shop) -> Vec<Vec<String>> {
    for _ in 0..20 {
        if apply_due(&system(shop)).await.unwrap() == 0 {
            break;
        }
    }
    shop.rows("SELECT event, status, coalesce(note, '') FROM gateway_event ORDER BY event")
        .await
}

/// Waits until Stripe has done something that it has not answered yet.
async fn until(till: &Till, done: impl Fn(&mut Stripe) -> bool) {
    for _ in 0..500 {
        if till.sim.with(&done) {
            return;
        }
        tokio::time::sleep(Real::from_millis(10)).await;
    }
    panic!("Stripe has not done it");
}

both! {
    async fn a_genuine_message_is_answered_at_once_and_applied_afterwards(shop: &Shop) {
        let till = Till::open(shop).await;
        let (order, _) = untold(&till).await;
        let looked = till.asked("GET", "");
        let answer = reply(&till.shop, &succeeded(&till, "evt_1")).await;
        assert_eq!((answer.status, answer.text()), (StatusCode::OK, "{\"received\":true}"));
        assert_eq!((till.asked("GET", ""), standing(&till.shop, order).await), (looked, unpaid()));
        assert_eq!(heard(&till.shop).await, [["evt_1", "APPLIED", ""]]);
        assert_eq!((till.asked("GET", ""), standing(&till.shop, order).await), (looked + 1, paid()));
        till.close().await;
    }

    async fn what_comes_again_and_again_is_applied_once(shop: &Shop) {
        let till = Till::open(shop).await;
        let (order, _) = untold(&till).await;
        let looked = till.asked("GET", "");
        let told = succeeded(&till, "evt_1");
        let ten = join_all((0..10).map(|_| told.send(&till.shop))).await;
        assert_eq!(ten, [StatusCode::OK; 10]);
        assert_eq!(heard(&till.shop).await, [["evt_1", "APPLIED", ""]]);
        // Each try of Stripe's is signed anew.
        till.shop.clock.advance(Duration::hours(1));
        assert_eq!(succeeded(&till, "evt_1").send(&till.shop).await, StatusCode::OK);
        assert_eq!(heard(&till.shop).await, [["evt_1", "APPLIED", ""]]);
        assert_eq!((till.asked("GET", ""), standing(&till.shop, order).await), (looked + 1, paid()));
        assert_eq!(events(&till.shop, order).await, ["PLACED", "PAYMENT_PENDING", "PAYMENT_CAPTURED", "CONFIRMED"]);
        till.close().await;
    }

    async fn what_is_not_genuine_is_refused_and_changes_nothing(shop: &Shop) {
        let till = Till::open(shop).await;
        let (order, _) = untold(&till).await;
        let looked = till.asked("GET", "") + till.asked("POST", "");
        let genuine = succeeded(&till, "evt_1");
        let now = till.shop.now().timestamp();
        let with = |body: &str, header: &str| {
            let mut told = genuine.clone();
            told.body = body.to_owned();
            told.headers[1].1 = header.to_owned();
            told
        };
        let (body, header) = (genuine.body.as_str(), genuine.headers[1].1.as_str());
        let compact = serde_json::from_str::<Value>(body).unwrap().to_string();
        let mut unsigned = genuine.clone();
        unsigned.headers.truncate(1);
        let mut twice = genuine.clone();
        twice.headers.push(twice.headers[1].clone());
        for (what, told) in [
            ("unsigned", unsigned),
            ("signed twice", twice),
            ("of somebody else's", with(body, &signature(body, &["whsec_other"], now))),
            ("of no secret", with(body, &signature(body, &[""], now))),
            ("of no secret at all", with(body, &signature(body, &[], now))),
            ("stale", with(body, &signature(body, &[SECRET], now - 301))),
            ("of the future", with(body, &signature(body, &[SECRET], now + 301))),
            ("truncated", with(&body[..body.len() - 2], header)),
            ("empty", with("", header)),
            ("re-encoded", with(&compact, header)),
            ("with other line ends", with(&body.replace('\n', "\r\n"), header)),
            ("changed", with(&body.replace("5997", "1"), header)),
            ("no event", with("{}", &signature("{}", &[SECRET], now))),
        ] {
            let answer = reply(&till.shop, &told).await;
            assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{what}: {}", answer.text());
            assert!(!answer.text().contains("secret") && !answer.text().contains("signed"), "{}", answer.text());
        }
        // Taken an hour ago by somebody who listens.
        till.shop.clock.advance(Duration::hours(1));
        assert_eq!(genuine.send(&till.shop).await, StatusCode::BAD_REQUEST);
        let mut event = event("evt_1", SUCCEEDED, &intent(&till));
        event["padding"] = json!("x".repeat(256 * 1024));
        assert_eq!(signed(&till.shop, &event).send(&till.shop).await, StatusCode::PAYLOAD_TOO_LARGE);
        for address in ["/webhooks/STRIPE", "/webhooks/stripes", "/webhooks/paypal"] {
            let elsewhere = Told { address: address.to_owned(), ..succeeded(&till, "evt_1") };
            assert_eq!(elsewhere.send(&till.shop).await, StatusCode::NOT_FOUND, "{address}");
        }
        assert_eq!(heard(&till.shop).await, Vec::<Vec<String>>::new());
        assert_eq!((till.asked("GET", "") + till.asked("POST", ""), standing(&till.shop, order).await), (looked, unpaid()));
        till.close().await;
    }

    async fn an_endpoint_whose_secret_is_rolled_hears_by_both(shop: &Shop) {
        let till = Till::open(shop).await;
        let (order, _) = untold(&till).await;
        let mut told = succeeded(&till, "evt_1");
        told.headers[1].1 = signature(&told.body, &["whsec_unknown", OLD_SECRET], till.shop.now().timestamp());
        assert_eq!(told.send(&till.shop).await, StatusCode::OK);
        heard(&till.shop).await;
        assert_eq!(standing(&till.shop, order).await, paid());
        till.close().await;
    }

    async fn what_is_not_about_us_is_written_down_and_no_more(shop: &Shop) {
        let till = Till::open(shop).await;
        let (order, payment) = untold(&till).await;
        let asked = till.asked("GET", "") + till.asked("POST", "");
        let ours = intent(&till);
        let of = |id: &str, payment: Value| {
            let mut object = ours.clone();
            object["id"] = json!(id);
            object["metadata"]["payment_id"] = payment;
            object
        };
        let nameless = json!({"id": "pi_3Nameless", "object": "payment_intent", "metadata": {}});
        let mut live = event("6", SUCCEEDED, &ours);
        live["livemode"] = json!(true);
        let mut theirs = event("7", SUCCEEDED, &ours);
        theirs["account"] = json!("acct_1");
        let told = [
            event("1", "customer.created", &json!({"id": "cus_1", "object": "customer"})),
            event("2", SUCCEEDED, &of(ours["id"].as_str().unwrap(), json!(PaymentId::new().to_string()))),
            event("3", SUCCEEDED, &of(ours["id"].as_str().unwrap(), json!("cart 7 of another program"))),
            event("4", SUCCEEDED, &of("pi_3Other", payment.clone())),
            event("5", SUCCEEDED, &nameless),
            live,
            theirs,
            event("8", "refund.created", &json!({"id": "re_1", "payment_intent": "pi_3Other", "metadata": {}})),
            event("9", "charge.succeeded", &json!({"id": "ch_1", "payment_intent": null, "metadata": {}})),
        ];
        for event in &told {
            assert_eq!(signed(&till.shop, event).send(&till.shop).await, StatusCode::OK, "{event}");
        }
        let heard = heard(&till.shop).await;
        assert_eq!(heard.len(), told.len());
        assert!(heard.iter().all(|row| row[1] == "IGNORED" && !row[2].is_empty()), "{heard:?}");
        assert_eq!((till.asked("GET", "") + till.asked("POST", ""), standing(&till.shop, order).await), (asked, unpaid()));
        assert_eq!(events(&till.shop, order).await, ["PLACED", "PAYMENT_PENDING"]);
        till.close().await;
    }

    async fn a_test_in_live_mode_pays_nothing(shop: &Shop) {
        let till = Till::open(shop).await;
        let (order, _) = untold(&till).await;
        let base = till.sim.base();
        let mut live = settings(&base);
        live[0].1 = "sk_live_51SimulatedSecret";
        live[1].1 = "pk_live_simulated";
        let live = shop.beside(&live).await;
        let asked = till.asked("GET", "");
        assert_eq!(succeeded(&till, "evt_1").send(&live).await, StatusCode::OK);
        let heard = heard(&live).await;
        assert_eq!(heard[0][1..], ["IGNORED", "it is of the other mode, live or test, than our key"]);
        assert_eq!((till.asked("GET", ""), standing(&live, order).await), (asked, unpaid()));
        live.close().await;
        till.close().await;
    }

    async fn two_servers_apply_one_message_once(shop: &Shop) {
        let till = Till::open(shop).await;
        let base = till.sim.base();
        let other = shop.beside(&settings(&base)).await;
        for round in 0..10 {
            let (order, _) = untold(&till).await;
            let told = succeeded(&till, &format!("evt_{round}"));
            // It is told to both, and both look whether there is something to do.
            let answers = tokio::join!(told.send(&till.shop), told.send(&other));
            assert_eq!(answers, (StatusCode::OK, StatusCode::OK));
            let (one, two) = (system(&till.shop), system(&other));
            let (one, two) = tokio::join!(apply_due(&one), apply_due(&two));
            assert!((1..=2).contains(&(one.unwrap() + two.unwrap())));
            assert_eq!(standing(&till.shop, order).await, paid());
            assert_eq!(events(&till.shop, order).await, ["PLACED", "PAYMENT_PENDING", "PAYMENT_CAPTURED", "CONFIRMED"]);
        }
        let heard = heard(&till.shop).await;
        assert!(heard.len() == 10 && heard.iter().all(|row| row[1] == "APPLIED"), "{heard:?}");
        assert_eq!(till.money(), (10 * 5_997, 0));
        other.close().await;
        till.close().await;
    }

    async fn a_message_before_the_answer_to_the_making_of_it_is_no_harm(shop: &Shop) {
        let till = Till::open(shop).await;
        let order = guest_order(&till.shop).await;
        till.sim.mishap("/payment_intents", Mishap::Dawdles(Real::from_millis(400)));
        let meanwhile = async {
            until(&till, |stripe| !stripe.intents.is_empty()).await;
            let created = message(&till.shop, "evt_1", "payment_intent.created", &intent(&till));
            assert_eq!(created.send(&till.shop).await, StatusCode::OK);
            till.buyer_pays();
            assert_eq!(succeeded(&till, "evt_2").send(&till.shop).await, StatusCode::OK);
            let heard = heard(&till.shop).await;
            assert_eq!(statuses(&till.shop, order).await, ["PROCESSING"], "Stripe has not answered yet");
            heard
        };
        let (begun, heard) = tokio::join!(till.begin(order, "CHARGE"), meanwhile);
        assert_eq!((heard.len(), &begun["userErrors"]), (2, &json!([])));
        till.shop.clock.advance(Duration::seconds(2));
        work(&till.shop).await;
        assert_eq!(standing(&till.shop, order).await, paid());
        assert_eq!((till.asked("POST", "/payment_intents"), till.money()), (1, (5_997, 0)));
        till.close().await;
    }

    async fn a_message_before_the_answer_to_a_capture_or_a_refund_counts_it_once(shop: &Shop) {
        let till = Till::open(shop).await;
        let order = guest_order(&till.shop).await;
        let payment = till.begin(order, "AUTHORIZE").await["payment"]["id"].clone();
        till.buyer_pays();
        till.shop.clock.advance(Duration::seconds(2));
        work(&till.shop).await;
        assert_eq!(standing(&till.shop, order).await, stands("CONFIRMED", "AUTHORIZED", 0, 0));

        till.sim.mishap("/capture", Mishap::Dawdles(Real::from_millis(400)));
        let meanwhile = async {
            until(&till, |stripe| stripe.intents.values().any(|intent| intent.received() > 0)).await;
            assert_eq!(succeeded(&till, "evt_1").send(&till.shop).await, StatusCode::OK);
            heard(&till.shop).await;
            assert_eq!(standing(&till.shop, order).await, stands("CONFIRMED", "PARTIALLY_PAID", 4_000, 0));
        };
        let (captured, ()) = tokio::join!(till.staff("paymentCapture", &payment, Some("40")), meanwhile);
        assert_eq!((&captured["payment"]["status"], &captured["userErrors"]), (&json!("CAPTURED"), &json!([])));

        // The list that is looked at first is answered at once.
        till.sim.mishap("/v1/refunds", Mishap::Dawdles(Real::from_millis(1)));
        till.sim.mishap("/v1/refunds", Mishap::Dawdles(Real::from_millis(400)));
        let meanwhile = async {
            until(&till, |stripe| !stripe.refunds.is_empty()).await;
            let (refund, charge) = till.sim.with(|stripe| {
                let intent = stripe.intents.values().last().unwrap();
                (stripe.refunds[0].json(), intent.charge_json(&stripe.refunds, false))
            });
            let told = [
                message(&till.shop, "evt_2", "charge.refunded", &charge),
                message(&till.shop, "evt_3", "refund.created", &refund),
            ];
            for told in told {
                assert_eq!(told.send(&till.shop).await, StatusCode::OK);
                heard(&till.shop).await;
            }
            assert_eq!(standing(&till.shop, order).await.3, 1_000);
        };
        let (refunded, ()) = tokio::join!(till.staff("refundCreate", &payment, Some("10")), meanwhile);
        assert_eq!((&refunded["refund"]["status"], &refunded["userErrors"]), (&json!("SUCCEEDED"), &json!([])));
        work(&till.shop).await;
        assert_eq!(standing(&till.shop, order).await, stands("CONFIRMED", "PARTIALLY_REFUNDED", 4_000, 1_000));
        assert_eq!(events(&till.shop, order).await[4..], ["PAYMENT_CAPTURED", "REFUND_PENDING", "REFUNDED"]);
        assert_eq!((payments(&till.shop).await[0].refunded, till.money()), (1_000, (4_000, 1_000)));
        assert_eq!((till.asked("POST", "/capture"), till.asked("POST", "/refunds")), (1, 1));
        till.close().await;
    }
}
