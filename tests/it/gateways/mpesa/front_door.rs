//! Callbacks as they come to the shop's address: what is not Daraja's changes nothing, and what is its is applied once.

use std::time::Duration;

use axum::http::StatusCode;
use futures_util::future::join_all;
use secrecy::ExposeSecret as _;
use souk::domain::payments::inbox::apply_due;
use souk::infra::secret::derive;

use super::super::sim::Mishap;
use super::daraja::{PUSH, QUERY, REVERSE, Sent};
use super::*;
use crate::payments::system;
use crate::support::Reply;

const JSON: &[(&str, &str)] = &[("content-type", "application/json")];

async fn send_to(shop: &Shop, address: &str, body: impl Into<axum::body::Body>) -> StatusCode {
    shop.post_to(address, JSON, body).await.status
}

async fn deliver(shop: &Shop, sent: &Sent) -> Reply {
    shop.post_to(address(sent), JSON, sent.body.to_string()).await
}

/// What the shop makes of the messages that it has: their kinds, what became of them, and why.
async fn heard(shop: &Shop) -> Vec<[String; 3]> {
    for _ in 0..20 {
        if apply_due(&system(shop)).await.unwrap() == 0 {
            break;
        }
    }
    let sql = "SELECT kind, status, coalesce(note, '') FROM gateway_event ORDER BY received_at, kind, note";
    let rows = shop.rows(sql).await.into_iter();
    rows.map(|row| row.try_into().unwrap()).collect()
}

fn applied(kind: &str) -> [String; 3] {
    [kind, "APPLIED", ""].map(str::to_owned)
}

/// An order that is prompted for, and the callback that says it was paid.
async fn answered(sim: &Sim<Daraja>, shop: &Shop) -> (OrderId, Sent) {
    let order = prompted(shop).await;
    (order, sim.with(Daraja::pay))
}

/// The address of what this is about, made as the shop with these words makes it.
fn sealed(word: &str, passkey: &str, what: &str) -> String {
    let key = derive(word, &passkey.into()).unwrap();
    let seal = derive(key.expose_secret(), &what.into()).unwrap();
    format!("/webhooks/mpesa/{word}/{what}.{}", seal.expose_secret())
}

async fn end(sim: Sim<Daraja>, shop: Shop) {
    shop.balance().await;
    close(sim, shop).await;
}

const HAPPY: [&str; 4] = ["PLACED", "PAYMENT_PENDING", "PAYMENT_CAPTURED", "CONFIRMED"];

both! {
    async fn a_genuine_callback_confirms_the_order(shop: &Shop) {
        let (sim, shop) = beside(shop).await;
        let (order, sent) = answered(&sim, &shop).await;
        let reply = deliver(&shop, &sent).await;
        assert_eq!((reply.status, reply.text()), (StatusCode::OK, r#"{"ResultCode":0,"ResultDesc":"Accepted"}"#));
        assert_eq!((standing(&shop, order).await, sim.asked_at("POST", QUERY).len()), (stands("PENDING_PAYMENT", "UNPAID", 0, 0), 0), "the answer waits for nobody");
        assert_eq!(heard(&shop).await, [applied("stkCallback")]);
        assert_eq!(standing(&shop, order).await, stands("CONFIRMED", "PAID", 1_400, 0));
        let row = payment_of(&shop, order).await;
        assert_eq!((row.gateway_receipt.as_deref(), row.rounding), (Some("SJK7RT0001"), 50));
        end(sim, shop).await;
    }

    async fn what_is_forged_changes_nothing(shop: &Shop) {
        let (sim, shop) = beside(shop).await;
        let (order, sent) = answered(&sim, &shop).await;
        let (right, body) = (address(&sent).to_owned(), sent.body.to_string());
        let payment = payment_of(&shop, order).await.id.to_string();
        let other = PaymentId::new().to_string();
        assert_eq!(right, sealed(WORD, PASSKEY, &payment), "as the tests make it themselves");
        let forged = [
            "/webhooks/mpesa".to_owned(),
            format!("/webhooks/mpesa/{WORD}"),
            format!("{right}/more"),
            format!("{right}0"),
            right[..right.len() - 1].to_owned(),
            right.replace(WORD, "another-word-0123456789abcdefghijklm"),
            right.replace(&payment, &other),
            // Of another shop, of the sandbox, and of somebody who knows the word alone.
            sealed("another-word-0123456789abcdefghijklm", PASSKEY, &payment),
            sealed(WORD, "the passkey of the sandbox", &payment),
            sealed(WORD, "", &payment),
        ];
        for address in forged {
            assert_eq!(send_to(&shop, &address, body.clone()).await, StatusCode::BAD_REQUEST, "{address}");
        }
        let bytes = body.as_bytes();
        for cut in [0, 1, bytes.len() / 2, bytes.len() - 1] {
            assert_eq!(send_to(&shop, &right, bytes[..cut].to_vec()).await, StatusCode::BAD_REQUEST, "cut off after {cut}");
        }
        for strange in [[bytes, b"}"].concat(), [b"\xff", bytes].concat(), body.replace(':', "=").into_bytes()] {
            assert_eq!(send_to(&shop, &right, strange).await, StatusCode::BAD_REQUEST);
        }
        assert_eq!(shop.post_to(&right, &[("content-encoding", "gzip")], body.clone()).await.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
        let huge = format!("{body}{}", " ".repeat(256 * 1024));
        assert_eq!(send_to(&shop, &right, huge).await, StatusCode::PAYLOAD_TOO_LARGE);
        for address in [right.replace("mpesa", "MPESA"), right.replace("mpesa", "stripe"), right.replace("mpesa", "nobody")] {
            assert_eq!(send_to(&shop, &address, body.clone()).await, StatusCode::NOT_FOUND, "{address}");
        }
        assert_eq!(shop.get(&right, &[]).await.status, StatusCode::METHOD_NOT_ALLOWED);
        assert!(heard(&shop).await.is_empty());
        assert_eq!((sim.asked_at("POST", QUERY).len(), events(&shop, order).await), (0, HAPPY[..2].iter().map(|kind| (*kind).to_owned()).collect()));
        end(sim, shop).await;
    }

    async fn what_comes_again_is_applied_once(shop: &Shop) {
        let (sim, shop) = beside(shop).await;
        let (order, sent) = answered(&sim, &shop).await;
        let replies = join_all((0..10).map(|_| deliver(&shop, &sent))).await;
        assert!(replies.iter().all(|reply| reply.status == StatusCode::OK));
        assert_eq!(heard(&shop).await, [applied("stkCallback")]);
        assert_eq!(deliver(&shop, &sent).await.status, StatusCode::OK);
        assert_eq!((heard(&shop).await.len(), sim.asked_at("POST", QUERY).len()), (1, 1));
        // Encoded otherwise it is another message, which says the same.
        let pretty = serde_json::to_string_pretty(&sent.body).unwrap();
        let escaped = sent.body.to_string().replace("SJK7RT", "\\u0053JK7RT");
        for body in [pretty, escaped] {
            assert_eq!(send_to(&shop, address(&sent), body).await, StatusCode::OK);
        }
        assert_eq!(heard(&shop).await, [applied("stkCallback"), applied("stkCallback"), applied("stkCallback")]);
        assert_eq!((events(&shop, order).await, sim.with(|daraja| daraja.money())), (HAPPY.map(str::to_owned).to_vec(), (14, 0)));
        end(sim, shop).await;
    }

    async fn what_is_old_changes_nothing_any_more(shop: &Shop) {
        let (sim, shop) = beside(shop).await;
        let order = prompted(&shop).await;
        let failed = sim.with(|daraja| daraja.fail("1032"));
        let paid = sim.with(Daraja::pay);
        deliver(&shop, &paid).await;
        heard(&shop).await;
        deliver(&shop, &failed).await;
        shop.clock.advance(chrono::Duration::days(30));
        let mut late = paid.clone();
        late.body["Body"]["stkCallback"]["MerchantRequestID"] = json!("sent once more");
        deliver(&shop, &late).await;
        assert!(heard(&shop).await.iter().all(|row| *row == applied("stkCallback")));
        assert_eq!(events(&shop, order).await, HAPPY);
        assert_eq!(standing(&shop, order).await, stands("CONFIRMED", "PAID", 1_400, 0));
        end(sim, shop).await;
    }

    async fn what_is_not_about_us_is_only_remembered(shop: &Shop) {
        let (sim, shop) = beside(shop).await;
        let (order, sent) = answered(&sim, &shop).await;
        let right = address(&sent).to_owned();
        let stranger = sealed(WORD, PASSKEY, &PaymentId::new().to_string());
        let ignored = [
            (right.clone(), json!({"Body": {"newCallback": {"ResultCode": 0}}}), "no callback of a prompt"),
            (right, json!("text"), "no callback of a prompt"),
            (stranger, sent.body.clone(), "about no payment of ours"),
            (sealed(WORD, PASSKEY, "a payment of another program"), sent.body.clone(), "about no payment of ours"),
            (sealed(WORD, PASSKEY, "a.b.c.d"), sent.body.clone(), "an address of another kind"),
        ];
        for (address, body, why) in ignored {
            shop.execute("DELETE FROM gateway_event").await.unwrap();
            let address = address.replace(' ', "%20");
            assert_eq!(send_to(&shop, &address, body.to_string()).await, StatusCode::OK, "{body}");
            let [kind, status, note] = heard(&shop).await.remove(0);
            assert!(status == "IGNORED" && note.contains(why), "{kind} {status} {note}, {body}");
        }
        assert_eq!((standing(&shop, order).await, sim.asked_at("POST", QUERY).len()), (stands("PENDING_PAYMENT", "UNPAID", 0, 0), 0));
        end(sim, shop).await;
    }

    async fn a_result_at_the_door_sends_money_back_once(shop: &Shop) {
        let (sim, shop) = beside(shop).await;
        let (order, sent) = answered(&sim, &shop).await;
        deliver(&shop, &sent).await;
        heard(&shop).await;
        let payment = payment_of(&shop, order).await.id.to_string();
        let part = json!({"paymentId": payment, "amount": {"amount": "5", "currencyCode": "KES"}});
        staff(&shop, "refundCreate", part).await;
        let overdue = sim.with(|daraja| daraja.reversals[0].clone());
        let overdue = Sent { url: overdue.timeout_url.clone(), ..Daraja::result(&overdue, &json!(1)) };
        deliver(&shop, &overdue).await;
        let result = sim.with(Daraja::settle);
        let forged = address(&result).replace(WORD, "another-word-0123456789abcdefghijklm");
        assert_eq!(send_to(&shop, &forged, result.body.to_string()).await, StatusCode::BAD_REQUEST);
        // What a payment's address is good for is not a refund's.
        assert_eq!(send_to(&shop, address(&sent), result.body.to_string()).await, StatusCode::OK);
        let ignored = heard(&shop).await;
        assert_eq!(ignored.iter().filter(|row| row[1] == "IGNORED").count(), 2, "{ignored:?}");
        assert_eq!(standing(&shop, order).await, stands("CONFIRMED", "PAID", 1_400, 0));
        join_all((0..10).map(|_| deliver(&shop, &result))).await;
        let heard = heard(&shop).await;
        assert_eq!(heard.iter().filter(|row| **row == applied("reversalResult")).count(), 1, "{heard:?}");
        assert_eq!(standing(&shop, order).await, stands("CONFIRMED", "PARTIALLY_REFUNDED", 1_400, 500));
        let told = events(&shop, order).await;
        assert_eq!(told[HAPPY.len()..], ["REFUND_PENDING", "REFUNDED"]);
        end(sim, shop).await;
    }

    async fn two_servers_that_apply_one_message_book_it_once(shop: &Shop) {
        let (sim, one) = beside(shop).await;
        let base = sim.base();
        let other = shop.beside(&settings(&base)).await;
        for round in 1..=8 {
            let (order, sent) = answered(&sim, &one).await;
            let both = tokio::join!(deliver(&one, &sent), deliver(&other, &sent));
            assert_eq!((both.0.status, both.1.status), (StatusCode::OK, StatusCode::OK));
            let contexts = [system(&one), system(&other)];
            let both = tokio::join!(apply_due(&contexts[0]), apply_due(&contexts[1]));
            both.0.unwrap();
            both.1.unwrap();
            assert_eq!(heard(&one).await.len(), 2 * round - 1);
            assert_eq!(events(&one, order).await, HAPPY);
            let payment = payment_of(&one, order).await.id.to_string();
            staff(&one, "refundCreate", json!({"paymentId": payment})).await;
            let result = sim.with(Daraja::settle);
            tokio::join!(deliver(&one, &result), deliver(&other, &result));
            let both = tokio::join!(apply_due(&contexts[0]), apply_due(&contexts[1]));
            both.0.unwrap();
            both.1.unwrap();
            assert_eq!(heard(&other).await.len(), 2 * round);
            assert_eq!(standing(&one, order).await, stands("CONFIRMED", "REFUNDED", 1_400, 1_400));
            assert_eq!(events(&one, order).await[HAPPY.len()..], ["REFUND_PENDING", "REFUNDED"]);
        }
        assert_eq!(sim.with(|daraja| daraja.money()), (112, 112));
        other.close().await;
        end(sim, one).await;
    }

    async fn a_callback_may_come_before_the_answer(shop: &Shop) {
        let (sim, shop) = beside(shop).await;
        for (place, pays) in [true, false].into_iter().enumerate() {
            let order = order(&shop).await;
            sim.mishap(PUSH, Mishap::Dawdles(Duration::from_secs(2)));
            let meanwhile = async {
                while sim.with(|daraja| daraja.prompts.len()) == place {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                let sent = sim.with(|daraja| if pays { daraja.pay() } else { daraja.fail("1032") });
                deliver(&shop, &sent).await;
                assert!(heard(&shop).await.contains(&applied("stkCallback")));
                let status = if pays { "CAPTURED" } else { "FAILED" };
                assert_eq!(statuses(&shop, order).await, [status], "before the answer");
            };
            let (payload, ()) = tokio::join!(pay(&shop, order, mpesa()), meanwhile);
            let status = if pays { "CAPTURED" } else { "FAILED" };
            assert_eq!(payload["payment"]["status"], status, "{payload}");
            after(&shop, 600).await;
            let stood = if pays { stands("CONFIRMED", "PAID", 1_400, 0) } else { stands("PENDING_PAYMENT", "UNPAID", 0, 0) };
            assert_eq!(standing(&shop, order).await, stood);
        }
        let pending = "SELECT kind FROM payment_operation WHERE status = 'PENDING'";
        assert!(shop.rows(pending).await.is_empty());
        assert_eq!((sim.asked_at("POST", PUSH).len(), sim.with(|daraja| daraja.money())), (2, (14, 0)));
        end(sim, shop).await;
    }

    async fn a_result_may_come_before_the_answer(shop: &Shop) {
        let (sim, shop) = beside(shop).await;
        let (order, sent) = answered(&sim, &shop).await;
        deliver(&shop, &sent).await;
        heard(&shop).await;
        let payment = payment_of(&shop, order).await.id;
        sim.mishap(REVERSE, Mishap::Dawdles(Duration::from_secs(2)));
        let meanwhile = async {
            while sim.with(|daraja| daraja.reversals.is_empty()) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            let result = sim.with(Daraja::settle);
            deliver(&shop, &result).await;
            heard(&shop).await;
            assert_eq!(standing(&shop, order).await, stands("CONFIRMED", "REFUNDED", 1_400, 1_400), "before the answer");
        };
        let refund = staff(&shop, "refundCreate", json!({"paymentId": payment.to_string()}));
        let (payload, ()) = tokio::join!(refund, meanwhile);
        assert_eq!((&payload["refund"]["status"], &payload["userErrors"]), (&json!("SUCCEEDED"), &json!([])));
        after(&shop, 100_000).await;
        assert_eq!(standing(&shop, order).await, stands("CONFIRMED", "REFUNDED", 1_400, 1_400));
        assert_eq!(events(&shop, order).await[HAPPY.len()..], ["REFUND_PENDING", "REFUNDED"]);
        assert_eq!((sim.asked_at("POST", REVERSE).len(), refund_of(&shop, payment).await.gateway_reference.as_deref()), (1, Some("71840-27539181-1")));
        end(sim, shop).await;
    }
}
