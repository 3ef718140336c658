//! One bucket for two instances, by Redis, and one for each while there is none.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::SEARCH;
use crate::support::{RedisServer, Server, Shop};

/// What is left after an operation, or None when it was throttled.
async fn left_after(server: &Server, document: &str) -> Option<u64> {
    let answer = server.post(&[], &json!({"query": document}).to_string()).await;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let body: Value = serde_json::from_str(body).unwrap();
    let status = &body["extensions"]["cost"]["throttleStatus"];
    if head.starts_with("HTTP/1.1 429") {
        assert!(head.contains("\r\nretry-after: "), "{head}");
        return None;
    }
    assert_eq!(body["errors"], Value::Null, "{body}");
    status["currentlyAvailable"].as_u64()
}

both! {
    async fn two_instances_count_together(shop: &Shop) {
        let Some(mut redis) = RedisServer::new() else { return };
        let url = redis.url();
        // Slow enough that time restores nothing meanwhile.
        let settings = [
            ("SOUK_RATE_LIMIT_API", "1000/100h"),
            ("REDIS_URL", url.as_str()),
            // The same is asked again and again, and each time it is to cost something.
            ("SOUK_ANSWER_CACHE_BYTES", "0"),
        ];
        let (one, other) = (shop.serve(&settings).await, shop.serve(&settings).await);
        let mut left = Vec::new();
        for server in [&one, &other, &one, &other, &one] {
            left.push(left_after(server, SEARCH).await);
        }
        assert_eq!(left, [Some(800), Some(600), Some(400), Some(200), Some(0)]);
        assert_eq!(left_after(&one, SEARCH).await, None);
        assert_eq!(left_after(&other, SEARCH).await, None);
        // Without it each has a bucket of its own, and requests go on.
        redis.stop();
        assert_eq!(left_after(&one, SEARCH).await, Some(800));
        assert_eq!(left_after(&other, SEARCH).await, Some(800));
        assert_eq!(left_after(&one, SEARCH).await, Some(600));
        redis.start();
        let begun = Instant::now();
        loop {
            // Again from one bucket, which is a new one: what is left by one the other goes on from.
            let both = (left_after(&one, "{ shop { name } }").await, left_after(&other, "{ shop { name } }").await);
            if let (Some(one), Some(other)) = both
                && one == other + 1
                && one > 900
            {
                break;
            }
            assert!(begun.elapsed() < Duration::from_secs(30), "they do not count together again: {both:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        one.stop().await;
        other.stop().await;
    }

    async fn what_comes_back_comes_back_for_both(shop: &Shop) {
        let Some(redis) = RedisServer::new() else { return };
        let url = redis.url();
        let settings = [("SOUK_RATE_LIMIT_API", "1000/100h"), ("REDIS_URL", url.as_str())];
        let (one, other) = (shop.serve(&settings).await, shop.serve(&settings).await);
        // Asks for four hundred, and finds nothing.
        let empty = "{ products(first: 100) { nodes { id category { id } featuredImage { url } } } }";
        assert_eq!(left_after(&one, empty).await, Some(999));
        let begun = Instant::now();
        loop {
            // Passed on a moment later, which nobody waited for.
            let left = left_after(&other, "{ shop { name } }").await.unwrap();
            if left > 900 {
                break;
            }
            assert!(begun.elapsed() < Duration::from_secs(30), "it never comes back: {left}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        one.stop().await;
        other.stop().await;
    }
}
