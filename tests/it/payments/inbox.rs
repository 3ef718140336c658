//! Messages of gateways: taken when they are genuine, once, and applied by what the gateway says when it is asked.

use axum::body::Body;
use axum::http::StatusCode;
use serde_json::{Value, json};
use souk::domain::payments::inbox::apply_due;
use souk::infra::gateways::{Action, ReturnStage, Stage};

use super::scripted::{Says, Scripted};
use super::*;
use crate::support::Reply;

const GENUINE: &[(&str, &str)] = &[("x-genuine", "yes")];

async fn tell(shop: &Shop, headers: &[(&str, &str)], body: impl Into<Body>) -> Reply {
    shop.post_to("/webhooks/stripe", headers, body).await
}

fn about(event: &str, payment: &Value) -> String {
    json!({"id": event, "about": {"type": "transaction", "transaction": {"ours": payment, "theirs": null}}})
        .to_string()
}

/// What the worker makes of messages.
async fn heard(shop: &Shop) -> Vec<Vec<String>> {
    for _ in 0..20 {
        if apply_due(&system(shop)).await.unwrap() == 0 {
            break;
        }
    }
    let sql = "SELECT event, status, coalesce(note, ''), CASE WHEN body IS NULL THEN 'gone' ELSE 'kept' END
        FROM gateway_event ORDER BY event";
    shop.rows(sql).await
}

async fn waiting(shop: &Shop, gateway: &Scripted) -> (OrderId, Value) {
    let order = guest_order(shop).await;
    let url = "https://bank.example/".to_owned();
    gateway.will(
        "create",
        Says::Stage(Stage::RequiresAction(Action::Redirect { url })),
    );
    (order, paid(shop, order, json!({"gateway": "STRIPE"})).await)
}

both! {
    async fn a_message_is_applied_once_by_what_the_gateway_says(shop: &Shop) {
        let (gateway, shop) = Scripted::beside(shop).await;
        let (order, payment) = waiting(&shop, &gateway).await;
        gateway.will("retrieve", Says::Captured);
        for _ in 0..3 {
            let reply = tell(&shop, GENUINE, about("evt_1", &payment)).await;
            assert_eq!((reply.status, reply.text()), (StatusCode::OK, "{\"received\":true}"));
        }
        assert_eq!(standing(&shop, order).await, stands("PENDING_PAYMENT", "UNPAID", 0, 0), "nothing is done before the answer");
        assert_eq!(heard(&shop).await, [["evt_1", "APPLIED", "", "gone"]]);
        assert_eq!(standing(&shop, order).await, stands("CONFIRMED", "PAID", 5_997, 0));
        tell(&shop, GENUINE, about("evt_1", &payment)).await;
        assert_eq!(heard(&shop).await, [["evt_1", "APPLIED", "", "gone"]]);
        assert_eq!(gateway.count("retrieve"), 1);
        assert_eq!(events(&shop, order).await, ["PLACED", "PAYMENT_PENDING", "PAYMENT_CAPTURED", "CONFIRMED"]);
        check_books(&shop).await;
        shop.close().await;
    }

    async fn what_is_not_genuine_changes_nothing(shop: &Shop) {
        let (gateway, shop) = Scripted::beside(shop).await;
        let (order, payment) = waiting(&shop, &gateway).await;
        let told = about("evt_1", &payment);
        for (headers, status) in [(&[][..], 400), (&[("x-genuine", "no")], 400), (&[("x-genuine", "yes"), ("x-genuine", "yes")], 400), (&[("x-genuine", "perhaps")], 503)] {
            let reply = tell(&shop, headers, told.clone()).await;
            assert_eq!(reply.status, status, "{headers:?}");
            assert!(!reply.text().contains("it does not say so"), "{}", reply.text());
        }
        assert_eq!(tell(&shop, GENUINE, vec![b' '; 256 * 1024 + 1]).await.status, StatusCode::PAYLOAD_TOO_LARGE);
        for address in ["/webhooks/paypal", "/webhooks/nobody", "/webhooks/STRIPE", "/webhooks", "/webhooks/manual/a/b"] {
            let status = shop.post_to(address, GENUINE, told.clone()).await.status;
            assert_eq!(status, StatusCode::NOT_FOUND, "{address}");
        }
        assert!(heard(&shop).await.is_empty());
        assert_eq!((gateway.count("retrieve"), standing(&shop, order).await), (0, stands("PENDING_PAYMENT", "UNPAID", 0, 0)));
        shop.close().await;
    }

    async fn what_is_not_about_us_is_only_remembered(shop: &Shop) {
        let (gateway, shop) = Scripted::beside(shop).await;
        let (_, payment) = waiting(&shop, &gateway).await;
        let strange = souk::kernel::id::PaymentId::new().to_string();
        let names = |ours: Value, theirs: Value| json!({"type": "transaction", "transaction": {"ours": ours, "theirs": theirs}});
        for (event, about) in [
            ("1", names(json!(strange), Value::Null)),
            ("2", names(json!("another program's"), json!("ref"))),
            ("3", names(Value::Null, json!("pi_of_another_shop"))),
            ("4", names(payment.clone(), json!("pi_of_another_shop"))),
            ("5", names(Value::Null, Value::Null)),
            ("6", json!({"type": "nothing", "why": "an event that we do not know"})),
        ] {
            let reply = tell(&shop, GENUINE, json!({"id": event, "about": about}).to_string()).await;
            assert_eq!(reply.status, StatusCode::OK);
        }
        let heard = heard(&shop).await;
        assert!(heard.iter().all(|row| row[1] == "IGNORED" && row[3] == "gone" && !row[2].is_empty()), "{heard:?}");
        assert_eq!((heard.len(), gateway.count("retrieve")), (6, 0));
        shop.close().await;
    }

    async fn a_message_waits_for_a_gateway_that_does_not_answer(shop: &Shop) {
        let (gateway, shop) = Scripted::beside(shop).await;
        let (order, payment) = waiting(&shop, &gateway).await;
        tell(&shop, GENUINE, about("evt_1", &payment)).await;
        assert_eq!(heard(&shop).await, [["evt_1", "PENDING", "silence", "kept"]]);
        gateway.will("retrieve", Says::Captured);
        shop.clock.advance(chrono::Duration::seconds(2));
        assert_eq!(heard(&shop).await, [["evt_1", "APPLIED", "", "gone"]]);
        assert_eq!(standing(&shop, order).await, stands("CONFIRMED", "PAID", 5_997, 0));
        shop.close().await;
    }

    async fn a_message_is_given_up_after_days(shop: &Shop) {
        let (gateway, shop) = Scripted::beside(shop).await;
        let (_, payment) = waiting(&shop, &gateway).await;
        tell(&shop, GENUINE, about("evt_1", &payment)).await;
        shop.clock.advance(chrono::Duration::days(4));
        assert_eq!(heard(&shop).await, [["evt_1", "IGNORED", "given up: silence", "gone"]]);
        let forgotten = || async {
            let txn = shop.db().begin().await.unwrap();
            let forgotten = souk::domain::payments::inbox::forget_old(&txn, shop.now(), 10).await.unwrap();
            txn.commit().await.unwrap();
            forgotten
        };
        assert_eq!(forgotten().await, 0);
        shop.clock.advance(chrono::Duration::days(90));
        assert_eq!(forgotten().await, 1);
        shop.close().await;
    }

    async fn refunds_are_heard_of(shop: &Shop) {
        let (gateway, shop) = Scripted::beside(shop).await;
        let order = guest_order(&shop).await;
        gateway.will("create", Says::Captured).will("refund", Says::Return(ReturnStage::Pending));
        let payment = paid(&shop, order, json!({"gateway": "STRIPE"})).await;
        let refund = staff(&shop, "refundCreate", json!({"paymentId": payment, "amount": {"amount": "10", "currencyCode": "USD"}})).await;
        assert_eq!(refund["refund"]["status"], "PENDING");
        let told = |event: &str, names: Value| json!({"id": event, "about": {"type": "refund",
            "transaction": {"ours": payment, "theirs": null}, "refund": names}}).to_string();
        gateway.will("retrieve_refund", Says::Return(ReturnStage::Succeeded));
        tell(&shop, GENUINE, told("1", json!({"ours": refund["refund"]["id"], "theirs": null}))).await;
        assert_eq!(heard(&shop).await.last().unwrap()[1], "APPLIED");
        assert_eq!(standing(&shop, order).await, stands("CONFIRMED", "PARTIALLY_REFUNDED", 5_997, 1_000));
        // The buyer's bank sends it back to us.
        gateway.will("retrieve_refund", Says::Return(ReturnStage::Failed(super::scripted::declined())));
        tell(&shop, GENUINE, told("2", json!({"ours": refund["refund"]["id"], "theirs": null}))).await;
        assert_eq!(heard(&shop).await.last().unwrap()[1], "APPLIED");
        assert_eq!(standing(&shop, order).await, stands("CONFIRMED", "PAID", 5_997, 0));
        assert_eq!(statuses(&shop, order).await, ["REQUIRES_REVIEW"]);
        assert_eq!(events(&shop, order).await[4..], ["REFUND_PENDING", "REFUNDED", "REFUND_FAILED", "REVIEW_REQUIRED"]);
        check_books(&shop).await;
        shop.close().await;
    }

    async fn what_was_refunded_elsewhere_is_written_down(shop: &Shop) {
        let (gateway, shop) = Scripted::beside(shop).await;
        let order = guest_order(&shop).await;
        gateway.will("create", Says::Captured);
        let payment = paid(&shop, order, json!({"gateway": "STRIPE"})).await;
        let told = json!({"id": "1", "about": {"type": "refund", "transaction": {"ours": payment, "theirs": null},
            "refund": {"ours": null, "theirs": "re_1"}}});
        for (event, back, refunded) in [("1", 2_000, 2_000), ("2", 2_000, 2_000), ("3", 5_997, 5_997)] {
            gateway.will("retrieve", Says::Refunded(back));
            let mut told = told.clone();
            told["id"] = json!(event);
            tell(&shop, GENUINE, told.to_string()).await;
            heard(&shop).await;
            assert_eq!(standing(&shop, order).await.3, refunded);
        }
        assert_eq!(events(&shop, order).await[4..], ["REFUNDED", "REFUNDED"]);
        check_books(&shop).await;
        shop.close().await;
    }

    async fn a_dispute_calls_people(shop: &Shop) {
        let (gateway, shop) = Scripted::beside(shop).await;
        let order = guest_order(&shop).await;
        gateway.will("create", Says::Captured).will("retrieve", Says::Captured);
        let payment = paid(&shop, order, json!({"gateway": "STRIPE"})).await;
        let told = json!({"id": "1", "about": {"type": "dispute", "transaction": {"ours": payment, "theirs": null}}}).to_string();
        tell(&shop, GENUINE, told.clone()).await;
        tell(&shop, GENUINE, told).await;
        heard(&shop).await;
        assert_eq!(events(&shop, order).await[4..], ["REVIEW_REQUIRED"]);
        shop.close().await;
    }

    async fn people_are_called_once_however_often_a_dispute_is_tried(shop: &Shop) {
        let (gateway, shop) = Scripted::beside(shop).await;
        let order = guest_order(&shop).await;
        gateway.will("create", Says::Captured);
        let payment = paid(&shop, order, json!({"gateway": "STRIPE"})).await;
        let told = json!({"id": "1", "about": {"type": "dispute", "transaction": {"ours": payment, "theirs": null}}}).to_string();
        tell(&shop, GENUINE, told).await;
        for _ in 0..6 {
            assert_eq!(heard(&shop).await, [["1", "PENDING", "silence", "kept"]]);
            shop.clock.advance(chrono::Duration::minutes(15));
        }
        assert_eq!(gateway.count("retrieve"), 6);
        gateway.will("retrieve", Says::Captured);
        assert_eq!(heard(&shop).await, [["1", "APPLIED", "", "gone"]]);
        assert_eq!(events(&shop, order).await[4..], ["REVIEW_REQUIRED"]);
        // Another dispute is another matter.
        gateway.will("retrieve", Says::Captured);
        let told = json!({"id": "2", "about": {"type": "dispute", "transaction": {"ours": payment, "theirs": null}}}).to_string();
        tell(&shop, GENUINE, told).await;
        heard(&shop).await;
        assert_eq!(events(&shop, order).await[4..], ["REVIEW_REQUIRED", "REVIEW_REQUIRED"]);
        shop.close().await;
    }

    async fn two_who_deal_with_a_message_do_it_once(shop: &Shop) {
        let (gateway, shop) = Scripted::beside(shop).await;
        for round in 0..10 {
            let (order, payment) = waiting(&shop, &gateway).await;
            gateway.will("retrieve", Says::Captured).will("retrieve", Says::Captured);
            // Two messages about the same thing, and two servers that deal with both.
            for event in ["a", "b"] {
                tell(&shop, GENUINE, about(&format!("{round}{event}"), &payment)).await;
            }
            let contexts = [system(&shop), system(&shop)];
            let (one, other) = tokio::join!(apply_due(&contexts[0]), apply_due(&contexts[1]));
            one.unwrap();
            other.unwrap();
            assert_eq!(events(&shop, order).await, ["PLACED", "PAYMENT_PENDING", "PAYMENT_CAPTURED", "CONFIRMED"]);
            assert_eq!(standing(&shop, order).await, stands("CONFIRMED", "PAID", 5_997, 0));
        }
        assert!(gateway.count("retrieve") <= 20);
        check_books(&shop).await;
        shop.close().await;
    }

    async fn buyers_who_come_back_are_sent_on(shop: &Shop) {
        let (gateway, shop) = Scripted::beside(shop).await;
        let order = guest_order(&shop).await;
        let url = "https://bank.example/".to_owned();
        gateway.will("create", Says::Stage(Stage::RequiresAction(Action::Redirect { url })));
        paid(&shop, order, json!({"gateway": "STRIPE", "returnUrl": "https://shop.example/thanks"})).await;
        let address = gateway.return_url();
        let path = address.split_once("/payments").map(|(_, rest)| format!("/payments{rest}")).unwrap();
        for wrong in [format!("{path}x"), path.replace("payment_", "refund_"), path.rsplit_once('/').unwrap().0.to_owned() + "/0"] {
            assert_eq!(shop.get(&wrong, &[]).await.status, StatusCode::NOT_FOUND, "{wrong}");
        }
        assert_eq!(gateway.count("retrieve"), 0);
        gateway.will("retrieve", Says::Captured);
        let back = shop.get(&format!("{path}?token=paypal-adds-something"), &[]).await;
        assert_eq!((back.status, back.header("location")), (StatusCode::SEE_OTHER, "https://shop.example/thanks"));
        assert_eq!(standing(&shop, order).await, stands("CONFIRMED", "PAID", 5_997, 0));
        assert_eq!(shop.get(&path, &[]).await.status, StatusCode::SEE_OTHER);
        shop.close().await;
    }
}
