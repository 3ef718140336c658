//! A second instance is noticed, and warned about where the two cannot tell each other anything.

use souk::infra::instances::Strangers;

use super::*;

const SERVES: bool = true;
const WORKS: bool = false;

async fn beat(shop: &Shop, serves: bool) -> Option<Strangers> {
    let Platform {
        instances, db, clock, ..
    } = &*shop.platform;
    instances.beat(db, clock.now(), serves).await.unwrap()
}

fn count(shop: &Shop) -> usize {
    shop.platform.instances.count(shop.now())
}

/// Both have been there for a while; what the first is warned about.
async fn live(one: &Shop, other: &Shop, other_serves: bool) -> Vec<String> {
    let mut warnings = Vec::new();
    for _ in 0..3 {
        warnings.extend(beat(one, SERVES).await.map(|strangers| strangers.to_string()));
        beat(other, other_serves).await;
        for shop in [one, other] {
            shop.clock.advance(chrono::Duration::seconds(10));
        }
    }
    warnings
}

/// No Redis is needed to know where it would be.
const SOMEWHERE: &[(&str, &str)] = &[("REDIS_URL", "redis://127.0.0.1:1/0")];

both! {
    async fn a_second_one_without_redis_is_warned_about_once(shop: &Shop) {
        let other = shop.beside(&[]).await;
        // Clocks need not agree.
        other.clock.advance(chrono::Duration::minutes(-5));
        let warnings = live(shop, &other, SERVES).await;
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        assert!(warnings[0].starts_with("1 more serve this database, and REDIS_URL is not set here: "), "{warnings:?}");
        assert_eq!((count(shop), count(&other)), (2, 2));
        assert_eq!(shop.get("/health/ready", &[]).await.json()["instances"], 2);
        let third = shop.beside(&[]).await;
        beat(&third, SERVES).await;
        beat(shop, SERVES).await;
        third.clock.advance(chrono::Duration::seconds(10));
        beat(&third, SERVES).await;
        let again = beat(shop, SERVES).await.unwrap().to_string();
        assert!(again.starts_with("2 more "), "{again}");
        other.close().await;
        third.close().await;
    }

    async fn who_does_not_write_any_more_is_gone(shop: &Shop) {
        let other = shop.beside(&[]).await;
        live(shop, &other, SERVES).await;
        beat(shop, SERVES).await;
        shop.clock.advance(chrono::Duration::seconds(35));
        assert_eq!(count(shop), 2);
        shop.clock.advance(chrono::Duration::seconds(1));
        assert_eq!(count(shop), 1);
        assert_eq!(beat(shop, SERVES).await, None);
        assert_eq!(count(shop), 1);
        shop.clock.advance(chrono::Duration::hours(2));
        beat(shop, SERVES).await;
        assert_eq!(shop.rows("SELECT CAST(COUNT(*) AS text) FROM instance").await, [["1"]]);
        other.close().await;
    }

    async fn what_a_killed_one_left_is_not_taken_for_one_that_runs(shop: &Shop) {
        let killed = shop.beside(&[]).await;
        beat(&killed, SERVES).await;
        for _ in 0..4 {
            assert_eq!(beat(shop, SERVES).await, None);
            shop.clock.advance(chrono::Duration::seconds(10));
        }
        assert_eq!(count(shop), 1);
        killed.close().await;
    }

    async fn who_only_works_is_no_reason_to_warn(shop: &Shop) {
        let worker = shop.beside(&[]).await;
        assert!(live(shop, &worker, WORKS).await.is_empty());
        assert_eq!(count(shop), 2);
        worker.close().await;
    }

    async fn where_both_know_of_redis_nothing_is_warned_about(shop: &Shop) {
        let (one, other) = (shop.beside(SOMEWHERE).await, shop.beside(SOMEWHERE).await);
        assert!(live(&one, &other, SERVES).await.is_empty());
        let (stranger, again) = (shop.beside(&[]).await, shop.beside(SOMEWHERE).await);
        let warnings = live(&again, &stranger, SERVES).await;
        assert!(warnings[0].contains("REDIS_URL is not set there: "), "{warnings:?}");
        for shop in [one, other, stranger, again] {
            shop.close().await;
        }
    }

    async fn who_stops_in_order_says_so(shop: &Shop) {
        let rows = "SELECT CAST(COUNT(*) AS text) FROM instance";
        let server = shop.serve(&[]).await;
        until("it is there", || async { shop.rows(rows).await == [["1"]] }).await;
        server.stop().await;
        assert_eq!(shop.rows(rows).await, [["0"]]);
    }
}
