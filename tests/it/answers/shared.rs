//! Answers of several instances: what one changes the others do not go on showing.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use souk::domain::news;
use tokio::task::JoinSet;

use super::rename;
use crate::support::{As, RedisServer, Shop, product};

const QUERY: &str =
    "{ products(first: 5) { nodes { name inStock variants { id availableQuantity price { amount } } } } }";

fn share(shop: &Shop, tasks: &mut JoinSet<()>) {
    let ours = Arc::clone(&shop.platform);
    tasks.spawn(async move { ours.redis.as_ref().unwrap().watch().await });
    let ours = Arc::clone(&shop.platform);
    tasks.spawn(async move { ours.news.pass_on().await });
    let ours = Arc::clone(&shop.platform);
    tasks.spawn(async move { news::listen(&ours).await });
}

async fn ask(shop: &Shop) -> Value {
    let mut data = shop.data(As::Anonymous, QUERY, json!({})).await;
    data["products"]["nodes"][0].take()
}

/// Asked again and again, so that the answer lies there whenever the news comes.
async fn until(shop: &Shop, what: &str, is_seen: impl Fn(&Value) -> bool) {
    for _ in 0..3_000 {
        if is_seen(&ask(shop).await) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the other instance never shows {what}: {}", ask(shop).await);
}

both! {
    async fn what_one_instance_changes_the_other_drops(shop: &Shop) {
        let Some(redis) = RedisServer::new() else { return };
        let url = redis.url();
        // Nothing but a message explains what is seen.
        let settings = [("REDIS_URL", url.as_str()), ("SOUK_CACHE_TTL", "1h")];
        let (one, other) = (shop.beside(&settings).await, shop.beside(&settings).await);
        let mut tasks = JoinSet::new();
        share(&one, &mut tasks);
        share(&other, &mut tasks);
        let mug = one.add(product("Mug").stock(5)).await.to_string();
        // Until both listen, nothing is promised: then anything counts as changed once more.
        until(&other, "what was there before", |seen| seen["name"] == "Mug").await;
        tokio::time::sleep(Duration::from_millis(500)).await;
        for name in ["Cup", "Jar"] {
            rename(&one, &mug, name).await;
            until(&other, name, |seen| seen["name"] == name).await;
        }
        let variant = ask(&other).await["variants"][0]["id"].clone();
        let left = |seen: &Value| seen["variants"][0]["availableQuantity"].clone();
        one.ordered(&[(variant.as_str().unwrap(), 2)]).await;
        until(&other, "what was sold", |seen| left(seen) == 3).await;
        one.ordered(&[(variant.as_str().unwrap(), 3)]).await;
        until(&other, "that all was sold", |seen| seen["inStock"] == false).await;
        tasks.shutdown().await;
        one.close().await;
        other.close().await;
    }
}
