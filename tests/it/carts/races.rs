//! Many at once.

use std::sync::Arc;

use futures_util::future::{join_all, try_join_all};
use serde_json::json;
use souk::domain::carts::take_over::take_over;
use souk::domain::context::Context;
use souk::kernel::actor::{Actor, Origin, Role};
use souk::kernel::id::{CartId, SessionId};

use super::{add, contents, create, customer, done, has, lines, own, read, rows, send, stock, text, try_add};
use crate::support::{Shop, product, user_of};

fn context(shop: &Shop, name: &str) -> Context {
    let id = user_of(name);
    let actor = Actor::User {
        id,
        session: SessionId(id.0),
        role: Role::Customer,
    };
    Context::writing(actor, Origin::default(), Arc::clone(&shop.platform))
}

both! {
    async fn of_twenty_adds_at_once_every_one_counts(shop: &Shop) {
        let mug = stock(shop, product("Mug")).await;
        let tea = stock(shop, product("Tea")).await;
        let other = shop.beside(&[]).await;
        let cart = create(shop, None, &[]).await;
        let adds = (0..20).map(|i| {
            let (instance, cart) = (if i % 2 == 0 { shop } else { &other }, &cart);
            // In either order.
            let mut with = [(mug.as_str(), 1), (tea.as_str(), i + 1)];
            if i % 3 == 0 {
                with.reverse();
            }
            async move { add(instance, None, cart, &with).await }
        });
        join_all(adds).await;
        let mut found = contents(&read(shop, None, &cart["id"]).await);
        found.sort();
        assert_eq!(found, has(&[("Mug", 20), ("Tea", 210)]));
        other.close().await;
    }

    async fn of_thirty_who_want_the_last_of_it_no_cart_has_more(shop: &Shop) {
        let mug = stock(shop, product("Mug").stock(20)).await;
        let cart = create(shop, None, &[]).await;
        let (cart, mug) = (&cart, mug.as_str());
        let payloads = join_all((0..30).map(|_| async move { try_add(shop, None, cart, &[(mug, 1)]).await })).await;
        let added = payloads.iter().filter(|payload| payload["userErrors"] == json!([])).count();
        let short = payloads.iter().filter(|payload| payload["userErrors"][0]["code"] == "INSUFFICIENT_STOCK").count();
        assert_eq!((added, short), (20, 10));
        assert_eq!(contents(&read(shop, None, &cart["id"]).await), has(&[("Mug", 20)]));
    }

    async fn of_twenty_carts_of_one_customer_one_comes(shop: &Shop) {
        let mug = stock(shop, product("Mug")).await;
        let other = shop.beside(&[]).await;
        let ann = customer(shop, "ann").await;
        let (ann, mug) = (ann.as_str(), mug.as_str());
        let instances = [shop, &other];
        let payloads = join_all((0..20).map(|i| async move {
            send(instances[i % 2], Some(ann), "cartCreate", json!({"lines": lines(&[(mug, 1)])})).await
        })).await;
        let mut ids: Vec<String> = payloads.into_iter().map(|payload| text(&done(payload)["id"])).collect();
        ids.dedup();
        assert_eq!((ids.len(), rows(shop, "cart").await), (1, 1));
        assert_eq!(contents(&own(shop, ann).await), has(&[("Mug", 20)]));
        other.close().await;
    }

    async fn a_cart_is_taken_along_once_however_often(shop: &Shop) {
        let mug = stock(shop, product("Mug")).await;
        let other = shop.beside(&[]).await;
        for (round, name) in ["ann", "bob"].into_iter().enumerate() {
            let token = customer(shop, name).await;
            // With a cart of one's own, and without.
            if round == 0 {
                create(shop, Some(&token), &[(&mug, 1)]).await;
            }
            let guest: CartId = text(&create(shop, None, &[(&mug, 2)]).await["id"]).parse().unwrap();
            let times = (0..10).map(|i| {
                let ctx = context(if i % 2 == 0 { shop } else { &other }, name);
                async move { take_over(&ctx, guest).await }
            });
            try_join_all(times).await.unwrap();
            assert_eq!(contents(&own(shop, &token).await), has(&[("Mug", if round == 0 { 3 } else { 2 })]));
        }
        other.close().await;
    }

    async fn what_goes_into_a_cart_that_is_taken_along_is_not_lost(shop: &Shop) {
        let mug = stock(shop, product("Mug")).await;
        let ann = customer(shop, "ann").await;
        create(shop, Some(&ann), &[(&mug, 1)]).await;
        let guest = create(shop, None, &[(&mug, 1)]).await;
        let id: CartId = text(&guest["id"]).parse().unwrap();
        let (guest, mug) = (&guest, mug.as_str());
        let ctx = context(shop, "ann");
        let adds = join_all((0..20).map(|_| async move { try_add(shop, None, guest, &[(mug, 1)]).await }));
        let (payloads, taken) = tokio::join!(adds, take_over(&ctx, id));
        taken.unwrap();
        // Those who came too late were told, and the others count.
        let refused = payloads.iter().filter(|payload| payload["userErrors"][0]["code"] == "NOT_FOUND" && payload["userErrors"][0]["path"][1] == "cartId").count();
        let accepted = payloads.iter().filter(|payload| payload["userErrors"] == json!([])).count();
        let found = contents(&own(shop, &ann).await);
        assert_eq!(refused + accepted, 20, "{payloads:?}");
        let counted = usize::try_from(found[0].1).unwrap() - 2;
        assert!(counted >= accepted && counted <= 20, "{counted} {accepted}");
    }

    async fn customers_who_name_each_others_carts_do_not_hold_each_other_up(shop: &Shop) {
        let mug = stock(shop, product("Mug")).await;
        let (ann, bob) = (customer(shop, "ann").await, customer(shop, "bob").await);
        let carts = [create(shop, Some(&ann), &[(&mug, 1)]).await, create(shop, Some(&bob), &[(&mug, 1)]).await];
        let ids: Vec<CartId> = carts.iter().map(|cart| text(&cart["id"]).parse().unwrap()).collect();
        let times = (0..20).map(|i| {
            let (ctx, foreign) = (context(shop, ["ann", "bob"][i % 2]), ids[1 - i % 2]);
            async move { take_over(&ctx, foreign).await }
        });
        try_join_all(times).await.unwrap();
        assert_eq!([own(shop, &ann).await, own(shop, &bob).await], carts);
    }
}
