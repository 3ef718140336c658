//! Carts that nobody changes any more.

use std::sync::Arc;

use futures_util::future::try_join_all;
use serde_json::{Value, json};
use souk::domain::carts::forget::forget_idle;
use souk::domain::context::Context;
use souk::kernel::actor::{Actor, Origin};

use super::{add, create, customer, own, read, rows, stock, text};
use crate::support::{Kind, Shop, product};

fn system(shop: &Shop) -> Context {
    Context::writing(Actor::System, Origin::default(), Arc::clone(&shop.platform))
}

both! {
    async fn carts_go_when_nobody_has_changed_them_for_their_life(shop: &Shop) {
        let mug = stock(shop, product("Mug")).await;
        let ann = customer(shop, "ann").await;
        let idle = create(shop, None, &[(&mug, 1)]).await;
        create(shop, Some(&ann), &[(&mug, 1)]).await;
        let kept = create(shop, None, &[(&mug, 1)]).await;
        shop.clock.advance(chrono::Duration::days(15));
        add(shop, None, &kept, &[(&mug, 1)]).await;
        shop.clock.advance(chrono::Duration::days(15));
        // To look is not to change.
        read(shop, None, &idle["id"]).await;
        assert_eq!(forget_idle(&system(shop), 100).await.unwrap(), 0, "to the day they stay");
        shop.clock.advance(chrono::Duration::seconds(1));
        assert_eq!(forget_idle(&system(shop), 100).await.unwrap(), 2);
        assert_eq!((read(shop, None, &idle["id"]).await, own(shop, &shop.token_of("ann", souk::kernel::actor::Role::Customer)).await), (Value::Null, Value::Null));
        assert_eq!((rows(shop, "cart").await, rows(shop, "cart_line").await), (1, 1));
        assert_eq!(read(shop, None, &kept["id"]).await["totalQuantity"], 2);
        assert_eq!(forget_idle(&system(shop), 100).await.unwrap(), 0);
    }

    async fn the_longest_idle_go_first_and_no_more_than_asked(shop: &Shop) {
        let mut carts = Vec::new();
        for _ in 0..5 {
            carts.push(create(shop, None, &[]).await);
            shop.clock.advance(chrono::Duration::seconds(1));
        }
        shop.clock.advance(chrono::Duration::days(31));
        assert_eq!(forget_idle(&system(shop), 0).await.unwrap(), 0);
        assert_eq!(forget_idle(&system(shop), 2).await.unwrap(), 2);
        for (index, cart) in carts.iter().enumerate() {
            assert_eq!(read(shop, None, &cart["id"]).await.is_null(), index < 2, "{index}");
        }
        assert_eq!(forget_idle(&system(shop), u64::MAX).await.unwrap(), 3);
    }

    async fn several_instances_forget_each_cart_once(shop: &Shop) {
        let other = shop.beside(&[]).await;
        for _ in 0..30 {
            create(shop, None, &[]).await;
        }
        for instance in [shop, &other] {
            instance.clock.advance(chrono::Duration::days(31));
        }
        let mut gone = 0;
        for _ in 0..10 {
            let times = (0..6).map(|i| {
                let ctx = system(if i % 2 == 0 { shop } else { &other });
                async move { forget_idle(&ctx, 2).await }
            });
            gone += try_join_all(times).await.unwrap().into_iter().sum::<u64>();
        }
        assert_eq!((gone, rows(shop, "cart").await), (30, 0));
        other.close().await;
    }

    async fn a_life_is_a_setting(shop: &Shop) {
        create(shop, None, &[]).await;
        let short = shop.beside(&[("SOUK_CART_LIFE", "1h")]).await;
        short.clock.advance(chrono::Duration::minutes(61));
        assert_eq!(forget_idle(&system(&short), 9).await.unwrap(), 1);
        short.close().await;
    }

    /// On SQLite one transaction writes at a time, so there is nobody to pass by.
    async fn a_cart_that_somebody_has_in_hand_is_passed_by(shop: &Shop) {
        if shop.kind == Kind::Sqlite {
            return;
        }
        let cart = create(shop, None, &[]).await;
        create(shop, None, &[]).await;
        shop.clock.advance(chrono::Duration::days(31));
        let id = text(&cart["id"]).parse().unwrap();
        let txn = shop.db().begin().await.unwrap();
        let held = souk::domain::carts::lock::lock_in_txn(&txn, &system(shop), id).await.unwrap();
        assert!(held.is_some());
        assert_eq!(forget_idle(&system(shop), 9).await.unwrap(), 1);
        txn.rollback().await.unwrap();
        assert_eq!(forget_idle(&system(shop), 9).await.unwrap(), 1);
        assert_eq!(json!(rows(shop, "cart").await), 0);
    }
}
