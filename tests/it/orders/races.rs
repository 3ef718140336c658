//! Many at once.

use std::collections::HashSet;

use futures_util::future::join_all;
use serde_json::{Value, json};
use souk::kernel::actor::Role;

use super::{cancel, mug};
use crate::support::Shop;

fn is_placed(payload: &Value) -> bool {
    if payload["order"] == Value::Null {
        let codes: Vec<_> = payload["userErrors"]
            .as_array()
            .unwrap()
            .iter()
            .map(|error| &error["code"])
            .collect();
        assert_eq!(codes, ["INSUFFICIENT_STOCK"], "{payload}");
        false
    } else {
        true
    }
}

both! {
    /// Of two instances, as two servers would be.
    async fn five_hundred_buyers_get_the_fifty_that_there_are(shop: &Shop) {
        let mug = mug(shop, 50).await;
        let other = shop.beside(&[]).await;
        // A cart holds nothing, so all of them may have one.
        let line = [(mug.as_str(), 1)];
        let carts = join_all((0..500).map(|_| shop.cart(&line))).await;
        let buy = |(i, cart): (usize, &String)| {
            let (shop, cart) = (if i % 2 == 0 { shop } else { &other }, cart.clone());
            async move { is_placed(&shop.place(None, &cart, "k").await) }
        };
        let placed = join_all(carts.iter().enumerate().map(buy)).await;
        assert_eq!(placed.into_iter().filter(|placed| *placed).count(), 50);
        assert_eq!(shop.stock(&mug).await, (50, 50));
        shop.balance().await;
        other.close().await;
    }

    async fn fifty_requests_with_one_key_are_one_order(shop: &Shop) {
        shop.add_user("ann", Role::Customer).await;
        let mug = mug(shop, 50).await;
        let ann = shop.token_of("ann", Role::Customer);
        for token in [None, Some(ann.as_str())] {
            let cart = shop.cart_of(token, &[(&mug, 1)]).await;
            let answers = join_all((0..50).map(|_| shop.place(token, &cart, "k"))).await;
            let different: HashSet<String> = answers.iter().map(Value::to_string).collect();
            assert_eq!(different.len(), 1, "{different:?}");
            assert_eq!(answers[0]["userErrors"], json!([]));
        }
        assert_eq!(shop.stock(&mug).await, (50, 2));
        shop.balance().await;
    }

    async fn one_cart_is_ordered_once_whatever_the_keys(shop: &Shop) {
        let mug = mug(shop, 50).await;
        let cart = shop.cart(&[(&mug, 1)]).await;
        let keys: Vec<String> = (0..20).map(|i| format!("k{i}")).collect();
        let answers = join_all(keys.iter().map(|key| shop.place(None, &cart, key))).await;
        let placed = answers.iter().filter(|answer| answer["order"] != Value::Null).count();
        assert_eq!(placed, 1);
        assert_eq!(shop.stock(&mug).await, (50, 1));
        shop.balance().await;
    }

    async fn carts_with_the_same_things_in_another_order_do_not_wait_in_a_circle(shop: &Shop) {
        let mut things = Vec::new();
        for _ in 0..6 {
            things.push(mug(shop, 1_000).await);
        }
        let buy = |i: usize| {
            let mut lines: Vec<(&str, i32)> = things.iter().map(|thing| (thing.as_str(), 1)).collect();
            lines.rotate_left(i % 6);
            if i.is_multiple_of(2) { lines.reverse(); }
            async move {
                let cart = shop.cart(&lines).await;
                is_placed(&shop.place(None, &cart, "k").await)
            }
        };
        assert!(join_all((0..60).map(buy)).await.into_iter().all(|placed| placed));
        assert_eq!(shop.stock(&things[0]).await, (1_000, 60));
        shop.balance().await;
    }

    async fn an_order_is_cancelled_or_paid_never_both_halves(shop: &Shop) {
        let mug = mug(shop, 50).await;
        for _ in 0..10 {
            let order = shop.ordered(&[(&mug, 1)]).await;
            let (cancelled, paid) = futures_util::join!(
                cancel(shop, crate::support::As::Staff, &order.id),
                shop.pay(&order, "SUCCEED", "p")
            );
            assert_eq!(cancelled["data"]["orderCancel"]["userErrors"], json!([]), "{paid}");
            let standing = shop.standing(&order.id).await;
            assert_eq!(standing[0], "CANCELLED");
            assert!(["UNPAID", "REFUNDED"].contains(&standing[1].as_str()), "{standing:?}");
        }
        assert_eq!(shop.stock(&mug).await, (50, 0));
        shop.balance().await;
    }
}
