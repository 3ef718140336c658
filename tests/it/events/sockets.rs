//! Over sockets: who hears what, and how it ends.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use sea_orm::ConnectionTrait as _;
use serde_json::json;
use souk::kernel::actor::Role;
use souk::kernel::id::{OrderId, SessionId};

use super::{
    MINE, ORDER, SHOP, cursor, event, guest_token, happen, happen_in_silence, message, place, socket_of,
    subscribe_with, waiting,
};
use crate::support::{BIG, Kind, Shop, Socket, big_goods, product, subscribe, user_of};

both! {
    async fn whoever_sees_an_order_hears_what_happens_to_it(shop: &Shop) {
        for name in ["ann", "ben"] {
            shop.add_user(name, Role::Customer).await;
        }
        let server = shop.serve(&[]).await;
        let (hers, guests) = (place(&server.platform, Some("ann")).await, place(&server.platform, None).await);
        happen(&server.platform, hers, 1).await;
        let (ann, ben) = (shop.token_of("ann", Role::Customer), shop.token_of("ben", Role::Customer));
        let staff = shop.token(Role::Staff);
        let token = guest_token(guests);
        let mut sockets = Vec::new();
        for (caller, query, variables, hears) in [
            (Some(&ann), ORDER, json!({"id": hers.to_string()}), vec![hers]),
            (Some(&staff), ORDER, json!({"id": hers.to_string()}), vec![hers]),
            (None, ORDER, json!({"id": guests.to_string(), "token": token}), vec![guests]),
            (Some(&ben), ORDER, json!({"id": guests.to_string(), "token": token}), vec![guests]),
            (Some(&ann), MINE, json!({}), vec![hers]),
            (Some(&ben), MINE, json!({}), vec![]),
            (Some(&staff), SHOP, json!({}), vec![hers, guests]),
        ] {
            let mut socket = socket_of(&server, caller.map(String::as_str)).await;
            socket.say(subscribe_with("a", query, &variables)).await;
            sockets.push((socket, hears));
        }
        waiting(&server.platform, sockets.len()).await;
        let begun = Instant::now();
        happen(&server.platform, hers, 1).await;
        happen(&server.platform, guests, 1).await;
        for (socket, hears) in &mut sockets {
            for order in hears {
                let seq = if *order == hers { 2 } else { 1 };
                let heard = event(socket, "a").await;
                assert_eq!(heard["message"], message(*order, seq));
                assert_eq!(heard["cursor"], cursor(*order, seq.into()));
            }
        }
        assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
        // Nobody hears more than that: the next that each hears is the answer to a ping.
        for (socket, _) in &mut sockets {
            socket.say(json!({"type": "ping"})).await;
            assert_eq!(socket.hear().await, json!({"type": "pong"}));
        }
        drop(sockets);
        waiting(&server.platform, 0).await;
        server.stop().await;
    }

    async fn an_event_says_what_became_of_the_order(shop: &Shop) {
        let server = shop.serve(&[]).await;
        let order = place(&server.platform, None).await;
        let mut socket = Socket::ready(&server).await;
        let variables = json!({"id": order.to_string(), "token": guest_token(order)});
        socket.say(subscribe_with("a", ORDER, &variables)).await;
        waiting(&server.platform, 1).await;
        happen(&server.platform, order, 1).await;
        let mut heard = event(&mut socket, "a").await;
        assert!(heard["id"].take().as_str().unwrap().starts_with("order_event_"));
        assert_eq!(heard, json!({
            "id": null, "cursor": cursor(order, 1), "type": "PAYMENT_PENDING", "status": "CONFIRMED", "paymentStatus": "UNPAID",
            "fulfillmentStatus": "UNFULFILLED", "message": message(order, 1), "occurredAt": "2026-03-01T12:00:00Z",
        }));
        server.stop().await;
    }

    async fn whoever_does_not_see_an_order_hears_that_there_is_none(shop: &Shop) {
        shop.add_user("ann", Role::Customer).await;
        let server = shop.serve(&[]).await;
        let (hers, guests) = (place(&server.platform, Some("ann")).await, place(&server.platform, None).await);
        happen(&server.platform, hers, 1).await;
        let ben = shop.token_of("ben", Role::Customer);
        let nothing = "orderId there is no such order, or none that you may see";
        let id = |id: OrderId| json!({"id": id.to_string()});
        for (caller, query, variables, code, text) in [
            (Some(&ben), ORDER, id(hers), "BAD_USER_INPUT", nothing),
            (Some(&ben), ORDER, id(OrderId::new()), "BAD_USER_INPUT", nothing),
            (None, ORDER, id(hers), "BAD_USER_INPUT", nothing),
            (None, ORDER, id(OrderId::new()), "BAD_USER_INPUT", nothing),
            (None, ORDER, json!({"id": guests.to_string(), "token": guest_token(hers)}), "BAD_USER_INPUT", nothing),
            (None, ORDER, json!({"id": guests.to_string(), "token": ""}), "BAD_USER_INPUT", nothing),
            (None, ORDER, json!({"id": hers.to_string(), "token": guest_token(hers)}), "BAD_USER_INPUT", nothing),
            (None, MINE, json!({}), "UNAUTHENTICATED", "Sign in first"),
            (None, SHOP, json!({}), "UNAUTHENTICATED", "Sign in first"),
            (Some(&ben), SHOP, json!({}), "FORBIDDEN", "Your account may not"),
            // An event of somebody else's is no place to go on from.
            (Some(&ben), MINE, json!({"after": cursor(hers, 1)}), "BAD_USER_INPUT", "after is not the cursor of an event that is told here"),
            (Some(&ben), MINE, json!({"after": cursor(OrderId::new(), 1)}), "BAD_USER_INPUT", "after is not the cursor of an event that is told here"),
            (Some(&ben), MINE, json!({"after": "nonsense"}), "BAD_USER_INPUT", "after is not a cursor"),
        ] {
            let mut socket = socket_of(&server, caller.map(String::as_str)).await;
            // Twice: the id is free again.
            for _ in 0..2 {
                socket.say(subscribe_with("a", query, &variables)).await;
                let refused = socket.hear().await;
                assert_eq!((&refused["type"], &refused["id"]), (&json!("error"), &json!("a")), "{refused}");
                assert_eq!(refused["payload"][0]["extensions"]["code"], code, "{refused}");
                let message = refused["payload"][0]["message"].as_str().unwrap();
                assert!(message.starts_with(text), "{message}");
            }
        }
        let mut staff = Socket::of(&server, &shop.token(Role::Staff)).await;
        staff.say(subscribe_with("a", ORDER, &json!({"id": guests.to_string(), "after": cursor(hers, 1)}))).await;
        assert_eq!(staff.hear().await["payload"][0]["extensions"]["argument"], json!(["after"]));
        assert_eq!(server.platform.order_events.waiting(), 0);
        server.stop().await;
    }

    async fn a_subscription_has_one_field_wherever_it_stands(shop: &Shop) {
        let server = shop.serve(&[]).await;
        let mut socket = Socket::of(&server, &shop.token(Role::Staff)).await;
        for query in [
            "subscription { __typename }",
            "subscription { a: shopOrderEvents { id } b: shopOrderEvents { id } }",
            "subscription { shopOrderEvents { id } myOrderEvents { id } }",
            "subscription { ...F shopOrderEvents { id } } fragment F on Subscription { myOrderEvents { id } }",
            "subscription { shopOrderEvents(after: \"x\") { id } ... { shopOrderEvents { cursor } } }",
            "subscription { shopOrderEvents @skip(if: true) { id } }",
            "subscription { ...F @include(if: true) } fragment F on Subscription { shopOrderEvents { id } }",
            "subscription { shopOrderEvents { nonsense } }",
            "subscription { ... on Product { id } }",
        ] {
            socket.say(subscribe("a", query)).await;
            let refused = socket.hear().await;
            assert_eq!((&refused["type"], &refused["payload"][0]["extensions"]["code"]), (&json!("error"), &json!("GRAPHQL_VALIDATION_FAILED")), "{query}: {refused}");
        }
        let spread = "subscription { ...F ... { shopOrderEvents { cursor } } } fragment F on Subscription { shopOrderEvents { ...G } } fragment G on OrderEvent { message }";
        socket.say(subscribe("a", spread)).await;
        waiting(&server.platform, 1).await;
        let order = place(&server.platform, None).await;
        happen(&server.platform, order, 1).await;
        assert_eq!(event(&mut socket, "a").await, json!({"message": message(order, 1), "cursor": cursor(order, 1)}));
        server.stop().await;
    }

    async fn whoever_says_complete_hears_no_more_and_may_use_the_id_again(shop: &Shop) {
        let server = shop.serve(&[]).await;
        let order = place(&server.platform, None).await;
        let mut socket = Socket::of(&server, &shop.token(Role::Staff)).await;
        for _ in 0..3 {
            socket.say(subscribe("a", SHOP)).await;
            waiting(&server.platform, 1).await;
            socket.say(json!({"type": "complete", "id": "a"})).await;
            waiting(&server.platform, 0).await;
            happen(&server.platform, order, 1).await;
        }
        socket.say(subscribe("a", SHOP)).await;
        waiting(&server.platform, 1).await;
        happen(&server.platform, order, 1).await;
        assert_eq!(event(&mut socket, "a").await["message"], message(order, 4));
        // In use it is not free.
        socket.say(subscribe("a", SHOP)).await;
        assert_eq!(socket.closed().await.0, 4409);
        waiting(&server.platform, 0).await;
        server.stop().await;
    }

    async fn a_subscription_ends_with_the_token(shop: &Shop) {
        let server = shop.serve(&[]).await;
        let mut ended = Socket::of(&server, &shop.token_of("ann", Role::Staff)).await;
        let mut demoted = Socket::of(&server, &shop.token_of("ben", Role::Staff)).await;
        for socket in [&mut ended, &mut demoted] {
            socket.say(subscribe("a", SHOP)).await;
        }
        waiting(&server.platform, 2).await;
        server.platform.revocations.end(&[SessionId(user_of("ann").0)], shop.now());
        server.platform.revocations.role_changed(user_of("ben"), Role::Customer, shop.now());
        assert_eq!(ended.closed().await.0, 4403);
        assert_eq!(demoted.closed().await.0, 4403);
        waiting(&server.platform, 0).await;
        server.stop().await;
    }

    async fn a_server_that_stops_does_not_wait_for_subscriptions(shop: &Shop) {
        let server = shop.serve(&[("SOUK_SHUTDOWN_GRACE", "20s")]).await;
        let mut socket = Socket::of(&server, &shop.token(Role::Staff)).await;
        socket.say(subscribe("a", SHOP)).await;
        waiting(&server.platform, 1).await;
        let begun = Instant::now();
        let stopping = tokio::spawn(server.stop());
        assert_eq!(socket.closed().await, (1001, "Going away".to_owned()));
        drop(socket);
        stopping.await.unwrap();
        assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    }

    /// What they have begun goes on, so that it gives back the connections and the locks that it has.
    async fn clients_that_do_not_read_keep_nobody_waiting(shop: &Shop) {
        shop.add(product("Mug")).await;
        let server = shop.serve(&[("SOUK_DATABASE_CONNECTIONS", "2")]).await;
        // It has begun once it answers: what it writes at first must not meet the lock below.
        server.post(&[], r#"{"query": "{ __typename }"}"#).await;
        let order = place(&server.platform, None).await;
        let orders = json!({"id": order.to_string(), "token": guest_token(order)});
        happen_in_silence(&server.platform, order, 1).await;
        // On SQLite those wait who write, such as a place for an event; on PostgreSQL those who read categories.
        let held = shop.db().begin().await.unwrap();
        if shop.kind == Kind::Postgres {
            held.execute_unprepared("LOCK TABLE category IN ACCESS EXCLUSIVE MODE").await.unwrap();
        }
        let mut deaf = Vec::new();
        for _ in 0..3 {
            let mut socket = Socket::narrow(&server, None).await;
            socket.say(subscribe_with("a", ORDER, &orders)).await;
            socket.say(subscribe("b", "{ categories(first: 1) { nodes { id } } }")).await;
            tokio::time::sleep(Duration::from_millis(200)).await;
            let ping = json!({"type": "ping", "payload": {"x": "x".repeat(60_000)}});
            let mut pings = 0;
            while tokio::time::timeout(Duration::from_millis(500), socket.say(ping.clone())).await.is_ok() {
                pings += 1;
                assert!(pings < 1_000, "the server listens for ever to who does not read");
            }
            deaf.push(socket);
        }
        held.rollback().await.unwrap();
        let soon = Duration::from_secs(5);
        let body = json!({"query": "{ products(first: 3) { nodes { name variants { inStock } } } }"}).to_string();
        for _ in 0..3 {
            let strangers = (0..4).map(|_| server.post(&[], &body));
            let answers = tokio::time::timeout(soon, join_all(strangers)).await;
            for answer in answers.expect("strangers are answered") {
                assert!(answer.contains("Mug"), "{answer}");
            }
            let happens = tokio::time::timeout(soon, happen(&server.platform, order, 1)).await;
            happens.expect("whoever writes is let in");
        }
        let mut socket = Socket::ready(&server).await;
        let mut after = orders;
        after["after"] = cursor(order, 3).into();
        socket.say(subscribe_with("a", ORDER, &after)).await;
        let heard = tokio::time::timeout(soon, event(&mut socket, "a")).await;
        assert_eq!(heard.expect("events are told")["message"], message(order, 4));
        drop(deaf);
        server.stop().await;
    }

    async fn a_token_ends_with_a_client_that_does_not_read(shop: &Shop) {
        big_goods(shop).await;
        let server = shop.serve(&[]).await;
        let mut socket = Socket::narrow(&server, Some(&shop.token_of("ann", Role::Staff))).await;
        socket.say(subscribe("a", SHOP)).await;
        waiting(&server.platform, 1).await;
        for id in ["b", "c"] {
            socket.say(subscribe(id, BIG)).await;
        }
        socket.stuck().await;
        let begun = Instant::now();
        server.platform.revocations.end(&[SessionId(user_of("ann").0)], shop.now());
        waiting(&server.platform, 0).await;
        assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
        drop(socket);
        server.stop().await;
    }
}
