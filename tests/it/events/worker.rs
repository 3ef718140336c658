//! What is done in the background.

use std::sync::Arc;
use std::time::{Duration, Instant};

use sea_orm::{ActiveValue::Set, EntityTrait as _};
use souk::domain::accounts::forget::forget_sessions;
use souk::entity::idempotency_key;
use souk::worker;
use tokio_util::sync::CancellationToken;

use super::system;
use crate::accounts::revocations::sign_up;
use crate::support::Shop;

async fn count(shop: &Shop, table: &str) -> String {
    shop.rows(&format!("SELECT CAST(count(*) AS text) FROM {table}"))
        .await[0][0]
        .clone()
}

async fn remember(shop: &Shop, keys: usize) {
    let row = |key: usize| idempotency_key::ActiveModel {
        actor: Set("system".to_owned()),
        key: Set(format!("key {key}")),
        operation: Set("test".to_owned()),
        fingerprint: Set("x".to_owned()),
        result: Set(serde_json::Value::Null),
        created_at: Set(shop.now()),
    };
    let txn = shop.db().begin().await.unwrap();
    idempotency_key::Entity::insert_many((0..keys).map(row))
        .exec_without_returning(&txn)
        .await
        .unwrap();
    txn.commit().await.unwrap();
}

both! {
    async fn several_workers_forget_what_is_over_and_nothing_else(shop: &Shop) {
        sign_up(shop, "ann").await;
        remember(shop, 600).await;
        let other = shop.beside(&[]).await;
        let stop = CancellationToken::new();
        // Not yet a day.
        let day = chrono::Duration::hours(24);
        let work = |shop: &Shop| tokio::spawn(worker::run(Arc::clone(&shop.platform), stop.clone()));
        let early = work(shop);
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert_eq!((count(shop, "idempotency_key").await, count(shop, "session").await), ("600".to_owned(), "1".to_owned()));
        for shop in [shop, &other] {
            shop.clock.advance(day + chrono::Duration::seconds(1));
        }
        let (one, two) = (work(shop), work(&other));
        let begun = Instant::now();
        while count(shop, "idempotency_key").await != "0" {
            assert!(begun.elapsed() < Duration::from_secs(20));
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert_eq!(count(shop, "session").await, "1");
        stop.cancel();
        for working in [early, one, two] {
            working.await.unwrap();
        }
        other.close().await;
    }

    async fn sessions_are_forgotten_long_after_their_end(shop: &Shop) {
        sign_up(shop, "ann").await;
        shop.clock.advance(chrono::Duration::days(30));
        assert_eq!(forget_sessions(&system(&shop.platform), 10).await.unwrap(), 0);
        shop.clock.advance(chrono::Duration::days(8));
        assert_eq!(forget_sessions(&system(&shop.platform), 10).await.unwrap(), 1);
        assert_eq!(count(shop, "session").await, "0");
        assert_eq!(forget_sessions(&system(&shop.platform), 10).await.unwrap(), 0);
    }
}
