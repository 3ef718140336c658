//! The page of the gateway TEST.

use std::time::{Duration, Instant};

use axum::body::Body;
use axum::http::Request;
use sea_orm::ConnectionTrait as _;
use serde_json::{Value, json};

use super::*;
use crate::support::Reply;

async fn press(shop: &Shop, address: &str) -> Reply {
    shop.send(Request::post(address).body(Body::empty()).unwrap())
        .await
}

/// A payment that waits for its buyer: the order, and the address of the page below the shop's own.
async fn waiting(shop: &Shop, extra: Value) -> (OrderId, String) {
    let order = guest_order(shop).await;
    let mut input = json!({"gateway": "TEST", "testOutcome": "REQUIRE_ACTION"});
    input
        .as_object_mut()
        .unwrap()
        .extend(extra.as_object().unwrap().clone());
    let payload = pay(shop, order, input).await;
    assert_eq!(payload["payment"]["status"], "REQUIRES_ACTION");
    let url = payload["payment"]["action"]["url"].as_str().unwrap();
    let address = url.strip_prefix("http://localhost:8080").unwrap().to_owned();
    assert!(
        address.starts_with("/test-gateway/") && address.len() > 50,
        "{address}"
    );
    (order, address)
}

both! {
    async fn the_button_pays_and_leads_back(shop: &Shop) {
        let back = "https://shop.example/thanks?a=1";
        let (order, address) = waiting(shop, json!({"returnUrl": back})).await;
        let page = shop.get(&address, &[]).await;
        assert_eq!((page.status.as_u16(), page.header("cache-control"), page.header("content-type")), (200, "no-store", "text/html; charset=utf-8"));
        assert!(page.text().contains("<form method=\"post\"><button>Pay 59.97 USD</button></form>"), "{}", page.text());
        assert_eq!(statuses(shop, order).await, ["REQUIRES_ACTION"], "looking does not pay");
        let done = press(shop, &address).await;
        assert_eq!((done.status.as_u16(), done.header("location")), (303, back));
        assert_eq!(standing(shop, order).await, stands("CONFIRMED", "PAID", 5_997, 0));
        assert_eq!(events(shop, order).await, ["PLACED", "PAYMENT_PENDING", "PAYMENT_CAPTURED", "CONFIRMED"]);
        assert_eq!(press(shop, &address).await.header("location"), back);
        assert!(shop.get(&address, &[]).await.text().contains("nothing left to pay"));
        shop.clock.advance(chrono::Duration::hours(1));
        work(shop).await;
        assert_eq!(events(shop, order).await.len(), 4);
        check_books(shop).await;
    }

    async fn without_an_address_to_go_back_to_it_says_a_word(shop: &Shop) {
        let (order, address) = waiting(shop, json!({"flow": "AUTHORIZE"})).await;
        let done = press(shop, &address).await;
        assert_eq!((done.status.as_u16(), done.text().contains("nothing left to pay")), (200, true));
        assert_eq!(standing(shop, order).await, stands("CONFIRMED", "AUTHORIZED", 0, 0));
    }

    async fn what_was_given_up_is_not_paid_any_more(shop: &Shop) {
        let (order, address) = waiting(shop, json!({})).await;
        end(shop, order, OrderStatus::Expired).await;
        assert!(press(shop, &address).await.text().contains("nothing left to pay"));
        assert_eq!(standing(shop, order).await, stands("EXPIRED", "UNPAID", 0, 0));
        assert_eq!(statuses(shop, order).await, ["VOIDED"]);
        check_books(shop).await;
    }

    async fn who_closes_the_page_meanwhile_has_paid(shop: &Shop) {
        let (order, address) = waiting(shop, json!({})).await;
        let held = shop.db().begin().await.unwrap();
        held.execute_unprepared("UPDATE shop_order SET status = status").await.unwrap();
        let pressed = tokio::time::timeout(Duration::from_millis(300), press(shop, &address)).await;
        assert!(pressed.is_err(), "it waits for the order");
        held.rollback().await.unwrap();
        let begun = Instant::now();
        while standing(shop, order).await != stands("CONFIRMED", "PAID", 5_997, 0) {
            assert!(begun.elapsed() < Duration::from_secs(20), "nobody went on");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        check_books(shop).await;
    }

    async fn another_address_has_no_page(shop: &Shop) {
        let (order, address) = waiting(shop, json!({})).await;
        for other in ["/test-gateway/x", &address[..address.len() - 1], &format!("{address}x"), "/test-gateway/%00"] {
            assert_eq!(shop.get(other, &[]).await.status.as_u16(), 404, "{other}");
            assert_eq!(press(shop, other).await.status.as_u16(), 404, "{other}");
        }
        assert_eq!(statuses(shop, order).await, ["REQUIRES_ACTION"]);
    }
}
