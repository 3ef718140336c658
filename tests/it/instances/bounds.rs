//! What is asked of Redis has an answer soon, or none.

use souk::infra::redis::Redis;

use super::*;
use crate::support::{Kind, TestDatabase};

async fn set(shop: &Shop, value: &str) -> Option<()> {
    handle(shop).call("SET", "word", value).await
}

async fn get(shop: &Shop) -> Option<Option<String>> {
    handle(shop).call("GET", "word", &[] as &[&str]).await
}

fn handle(shop: &Shop) -> &Redis {
    shop.platform.redis.as_ref().unwrap()
}

both! {
    async fn two_shops_may_share_it(shop: &Shop) {
        let Some(redis) = RedisServer::new() else { return };
        let url = redis.url();
        let ours = shop.beside(&[("REDIS_URL", &url)]).await;
        let ours_too = shop.beside(&[("REDIS_URL", &url)]).await;
        let database = TestDatabase::new(Kind::Sqlite).await.unwrap();
        let theirs = Shop::open(&database, &[("REDIS_URL", &url)]).await;
        set(&ours, "ours").await.unwrap();
        assert_eq!(get(&ours_too).await, Some(Some("ours".to_owned())));
        // The template that databases are copied from has one name: a copy of a shop is the same shop.
        theirs.execute("UPDATE installation SET name = 'fedcba9876543210'").await.unwrap();
        assert_eq!(get(&theirs).await, Some(None));
        theirs.close().await;
        database.drop().await;
        for instance in [ours, ours_too] {
            instance.close().await;
        }
    }

    async fn scripts_run_with_keys_of_the_shop(shop: &Shop) {
        let Some(redis) = RedisServer::new() else { return };
        let url = redis.url();
        let shop = shop.beside(&[("REDIS_URL", &url)]).await;
        let script = redis::Script::new("return {KEYS[1], KEYS[2], ARGV[1] + ARGV[2]}");
        let (one, two, sum): (String, String, i64) = handle(&shop).script(&script, &["a", "b"], &[1, 2]).await.unwrap();
        let name = shop.rows("SELECT name FROM installation").await.concat().concat();
        assert_eq!((one, two, sum), (format!("souk:{name}:a"), format!("souk:{name}:b"), 3));
        shop.close().await;
    }

    async fn one_that_was_down_at_first_is_found_when_it_is_there(shop: &Shop) {
        let Some(mut redis) = RedisServer::new() else { return };
        redis.stop();
        let url = redis.url();
        let shop = shop.beside(&[("REDIS_URL", &url)]).await;
        assert_eq!(ready(&shop).await, says(200, "degraded", "down"));
        assert_eq!(set(&shop, "word").await, None);
        redis.start();
        // Nobody watches it: whoever asks finds out.
        until("it answers", || async { set(&shop, "word").await.is_some() }).await;
        assert_eq!(ready(&shop).await, says(200, "ok", "ok"));
        shop.close().await;
    }

    async fn one_that_hangs_costs_the_first_some_time_and_the_others_none(shop: &Shop) {
        let Some(redis) = RedisServer::new() else { return };
        let url = redis.url();
        let shop = shop.beside(&[("REDIS_URL", &url)]).await;
        set(&shop, "word").await.unwrap();
        redis.freeze();
        let begun = Instant::now();
        for _ in 0..200 {
            assert_eq!(get(&shop).await, None);
        }
        // Each would take a quarter of a second.
        assert!(begun.elapsed() < Duration::from_secs(25), "{:?}", begun.elapsed());
        redis.thaw();
        until("it answers", || async { get(&shop).await == Some(Some("word".to_owned())) }).await;
        shop.close().await;
    }
}

#[test]
fn passwords_are_not_shown() {
    use souk::kernel::config::{Config, Source};
    let settings = [("REDIS_URL".to_owned(), "redis://:hunter2@localhost".to_owned())];
    let source = Source::read(settings, std::path::Path::new("/nonexistent")).unwrap();
    let config = Config::from_source(&source).unwrap();
    assert!(!format!("{config:?}").contains("hunter2"));
}
