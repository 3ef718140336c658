//! Several instances of one shop: what they share, what they tell each other, and how they do without when it goes away.

mod bounds;
mod cluster;
mod failover;
mod outage;
mod presence;
mod replica;
mod told;
mod upgrade;

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use souk::domain::context::Platform;
use souk::domain::news::{self, News, NewsBus};
use tokio::task::JoinSet;

use crate::support::{As, RedisServer, Shop, product};

/// Nothing but a message explains what is seen within this.
const LONG: Duration = Duration::from_secs(60 * 60);

/// What this instance does for the others beside answering, in its own time alone when it is told nothing.
fn share(platform: &Arc<Platform>) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    let ours = Arc::clone(platform);
    tasks.spawn(async move { ours.redis.as_ref().unwrap().watch().await });
    let ours = Arc::clone(platform);
    tasks.spawn(async move { ours.news.pass_on().await });
    let ours = Arc::clone(platform);
    tasks.spawn(async move { news::listen(&ours).await });
    let ours = Arc::clone(platform);
    tasks.spawn(async move {
        let life = Duration::from_secs(15 * 60);
        ours.revocations.follow(&ours.db, &*ours.clock, life, LONG).await;
    });
    let ours = Arc::clone(platform);
    tasks.spawn(async move { ours.order_events.follow(&ours.db, &*ours.clock, LONG).await });
    tasks
}

/// Two instances that share a Redis, and keep what they cached for an hour.
pub(crate) struct Pair {
    redis: RedisServer,
    pub(crate) one: Shop,
    pub(crate) other: Shop,
    tasks: [JoinSet<()>; 2],
}

impl Pair {
    /// None where there is no Redis to be had and that is all right.
    pub(crate) async fn of(shop: &Shop) -> Option<Self> {
        let redis = RedisServer::new()?;
        let url = redis.url();
        let settings = [("REDIS_URL", url.as_str()), ("SOUK_CACHE_TTL", "1h")];
        let (one, other) = (shop.beside(&settings).await, shop.beside(&settings).await);
        let tasks = [share(&one.platform), share(&other.platform)];
        let pair = Self {
            redis,
            one,
            other,
            tasks,
        };
        pair.hear_each_other().await;
        for shop in [&pair.one, &pair.other] {
            let news = &shop.platform.news;
            until("receipts come", || async {
                tell(news, || news.tell(|| News::GatewayEvents)).await.0
            })
            .await;
        }
        Some(pair)
    }

    /// Waits until each hears the other, and has nothing left to say.
    async fn hear_each_other(&self) {
        let mug = self
            .one
            .add(product("Bell").slug(&format!("bell-{}", uuid::Uuid::new_v4())))
            .await;
        for (speaker, hearer) in [(&self.one, &self.other), (&self.other, &self.one)] {
            let statement = format!("{{ product(by: {{id: \"{mug}\"}}) {{ name }} }}");
            until("they hear each other", || async {
                hearer.data(As::Anonymous, &statement, json!({})).await;
                if hearer.statements(As::Anonymous, &statement, json!({})).await > 0 {
                    return false;
                }
                speaker.platform.catalog_cache.forget_product(mug, &[]).await;
                tokio::time::sleep(Duration::from_millis(50)).await;
                hearer.statements(As::Anonymous, &statement, json!({})).await > 0
            })
            .await;
        }
    }

    pub(crate) async fn close(self) {
        for mut tasks in self.tasks {
            tasks.shutdown().await;
        }
        self.one.close().await;
        self.other.close().await;
    }
}

/// Whether all have heard what `change` tells, and how long that took.
async fn tell(news: &NewsBus, change: impl FnOnce()) -> (bool, Duration) {
    let (since, begun) = (news.told(), Instant::now());
    change();
    (news.settled(since, LONG).await, begun.elapsed())
}

/// Waits for what happens by itself. The patience is that of a loaded machine.
async fn until<F: Future<Output = bool>>(what: &str, happens: impl Fn() -> F) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !happens().await {
        assert!(Instant::now() < deadline, "it does not come about that {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// A mug's id, and that of its variant.
async fn mug(shop: &Shop) -> (String, Value) {
    let id = shop.add(product("Mug").price(500)).await.to_string();
    let query = format!("{{ product(by: {{id: \"{id}\"}}) {{ variants {{ id }} }} }}");
    let data = shop.data(As::Anonymous, &query, json!({})).await;
    (id, data["product"]["variants"][0]["id"].clone())
}

async fn price(shop: &Shop, id: &str) -> String {
    let query = format!("{{ product(by: {{id: \"{id}\"}}) {{ variants {{ price {{ amount }} }} }} }}");
    let data = shop.data(As::Anonymous, &query, json!({})).await;
    let price = data["product"]["variants"][0]["price"]["amount"].as_str();
    price.unwrap().to_owned()
}

async fn set_price(shop: &Shop, variant: &Value, price: &str) {
    let document = "mutation($input: ProductVariantUpdateInput!) { productVariantUpdate(input: $input) { userErrors { code } } }";
    let input = json!({"variantId": variant, "price": price});
    let data = shop.data(As::Staff, document, json!({ "input": input })).await;
    assert_eq!(data["productVariantUpdate"]["userErrors"], json!([]));
}

/// What `/health/ready` says: its status, its word, and its word on Redis.
async fn ready(shop: &Shop) -> (u16, String, String) {
    let reply = shop.get("/health/ready", &[]).await;
    let body = reply.json();
    let word = |value: &Value| value.as_str().unwrap().to_owned();
    (
        reply.status.as_u16(),
        word(&body["status"]),
        word(&body["checks"]["redis"]),
    )
}

fn says(status: u16, word: &str, redis: &str) -> (u16, String, String) {
    (status, word.to_owned(), redis.to_owned())
}
