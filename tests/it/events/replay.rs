//! What was missed comes first, then what happens: nothing is left out between the two, and nothing comes twice.

use std::sync::Arc;

use serde_json::json;
use souk::kernel::actor::Role;

use super::{
    MINE, ORDER, SHOP, Told, cursor, event, happen, happen_in_silence, message, place, subscribe_with,
    waiting,
};
use crate::support::{Shop, Socket};

both! {
    async fn what_was_missed_comes_before_what_happens(shop: &Shop) {
        shop.add_user("ann", Role::Customer).await;
        let server = shop.serve(&[]).await;
        let (hers, other) = (place(&server.platform, Some("ann")).await, place(&server.platform, None).await);
        for _ in 0..3 {
            happen(&server.platform, hers, 1).await;
            happen(&server.platform, other, 1).await;
        }
        // Nobody has been told of this one yet.
        happen_in_silence(&server.platform, hers, 1).await;
        let mut ann = Socket::of(&server, &shop.token_of("ann", Role::Customer)).await;
        let of_order = json!({"id": hers.to_string(), "after": cursor(hers, 2)});
        for (id, query, variables) in [("order", ORDER, of_order), ("mine", MINE, json!({"after": cursor(hers, 2)}))] {
            ann.say(subscribe_with(id, query, &variables)).await;
            for seq in 3..=4 {
                assert_eq!(event(&mut ann, id).await["message"], message(hers, seq));
            }
            waiting(&server.platform, 1).await;
            happen(&server.platform, other, 1).await;
            ann.say(json!({"type": "ping"})).await;
            assert_eq!(ann.hear().await, json!({"type": "pong"}), "{id}");
            ann.say(json!({"type": "complete", "id": id})).await;
            waiting(&server.platform, 0).await;
        }
        // From the last one on there is nothing but what comes.
        ann.say(subscribe_with("a", MINE, &json!({"after": cursor(hers, 4)}))).await;
        waiting(&server.platform, 1).await;
        happen(&server.platform, hers, 2).await;
        for seq in 5..=6 {
            assert_eq!(event(&mut ann, "a").await["message"], message(hers, seq));
        }
        server.stop().await;
    }

    async fn thousands_are_told_once_each_while_more_happen(shop: &Shop) {
        const MISSED: usize = 3_000;
        const MORE: usize = 300;
        let server = shop.serve(&[]).await;
        let (one, other) = (place(&server.platform, None).await, place(&server.platform, None).await);
        for _ in 0..MISSED / 500 {
            happen(&server.platform, one, 250).await;
            happen(&server.platform, other, 250).await;
        }
        let staff = shop.token(Role::Staff);
        let mut whole = Socket::of(&server, &staff).await;
        whole.say(subscribe_with("a", SHOP, &json!({"after": cursor(one, 1)}))).await;
        let mut single = Socket::of(&server, &staff).await;
        single.say(subscribe_with("a", ORDER, &json!({"id": other.to_string(), "after": cursor(other, 10)}))).await;
        let platform = Arc::clone(&server.platform);
        let more = tokio::spawn(async move {
            for _ in 0..MORE / 2 {
                happen(&platform, one, 1).await;
                happen(&platform, other, 1).await;
            }
        });
        let (mut of_shop, mut of_order) = (Told::after(one, 1), Told::after(other, 10));
        for _ in 1..MISSED + MORE {
            of_shop.hear(&event(&mut whole, "a").await);
        }
        for _ in 10..(MISSED + MORE) / 2 {
            of_order.hear(&event(&mut single, "a").await);
        }
        more.await.unwrap();
        let half = (MISSED + MORE) / 2;
        assert_eq!((of_shop.counts(), of_order.counts()), (vec![half, half], vec![half]));
        for socket in [&mut whole, &mut single] {
            socket.say(json!({"type": "ping"})).await;
            assert_eq!(socket.hear().await, json!({"type": "pong"}), "nothing comes twice");
        }
        server.stop().await;
    }
}
