//! What one instance does, another knows at once.

use futures_util::{FutureExt as _, StreamExt as _};
use souk::domain::orders::feed::subscribe::of_shop;

use super::*;
use crate::events::{happen, message, place};
use crate::support::{Kind, TestDatabase};

both! {
    async fn a_price_that_one_changes_is_what_the_other_shows(shop: &Shop) {
        let Some(pair) = Pair::of(shop).await else { return };
        let (id, variant) = mug(&pair.one).await;
        for new in 6..30 {
            price(&pair.other, &id).await;
            let query = format!("{{ product(by: {{id: \"{id}\"}}) {{ variants {{ price {{ amount }} }} }} }}");
            assert_eq!(pair.other.statements(As::Anonymous, &query, json!({})).await, 0, "it is cached");
            let new = format!("{new}.00");
            set_price(&pair.one, &variant, &new).await;
            assert_eq!(price(&pair.other, &id).await, new, "at once");
        }
        pair.close().await;
    }

    async fn what_is_told_while_something_is_on_its_way_does_not_wait(shop: &Shop) {
        let Some(pair) = Pair::of(shop).await else { return };
        let news = &pair.one.platform.news;
        let begun = std::time::Instant::now();
        for _ in 0..20 {
            let each = (0..8).map(|_| async {
                let since = news.told();
                news.tell(|| News::Product { id: uuid::Uuid::new_v4(), slugs: Vec::new() });
                tokio::task::yield_now().await;
                news.tell(|| News::Product { id: uuid::Uuid::new_v4(), slugs: Vec::new() });
                news.settled(since, LONG).await
            });
            let all_heard = futures_util::future::join_all(each).await;
            assert!(all_heard.iter().all(|heard| *heard));
        }
        assert!(begun.elapsed() < Duration::from_secs(5), "half a second for each would be ten: {:?}", begun.elapsed());
        pair.close().await;
    }

    async fn one_who_hears_and_says_nothing_is_waited_for_once(shop: &Shop) {
        let Some(pair) = Pair::of(shop).await else { return };
        let news = &pair.one.platform.news;
        let change = || news.tell(|| News::MuchChanged);
        assert!(tell(news, change).await.0);
        let name = shop.rows("SELECT name FROM installation").await.concat().concat();
        let client = redis::Client::open(pair.redis.url()).unwrap();
        let mut mute = client.get_async_pubsub().await.unwrap();
        mute.subscribe(format!("souk:{name}:news")).await.unwrap();
        let (all, took) = tell(news, change).await;
        assert!(!all && took >= Duration::from_secs(1), "{took:?}");
        let mut took = Duration::ZERO;
        for _ in 0..10 {
            let (all, one) = tell(news, change).await;
            assert!(!all, "the others have heard, and one of them says nothing");
            took += one;
        }
        assert!(took < Duration::from_secs(9), "nobody waits for it again: {took:?}");
        drop(mute);
        until("all hear again", || async { tell(news, change).await.0 }).await;
        let (id, variant) = mug(&pair.one).await;
        assert_eq!(price(&pair.other, &id).await, "5.00");
        set_price(&pair.one, &variant, "6.00").await;
        assert_eq!(price(&pair.other, &id).await, "6.00", "at once");
        pair.close().await;
    }

    async fn who_signs_out_at_one_is_refused_by_the_other(shop: &Shop) {
        let Some(pair) = Pair::of(shop).await else { return };
        let document = "mutation($input: AccountRegisterInput!) { accountRegister(input: $input) { tokens { accessToken } userErrors { code } } }";
        let input = json!({"email": "ann@example.com", "password": "tunnel-7-marmalade", "name": "Ann"});
        let data = pair.one.data(As::Anonymous, document, json!({ "input": input })).await;
        let token = data["accountRegister"]["tokens"]["accessToken"].as_str().unwrap().to_owned();
        let mine = "{ me { name } }";
        let answer = pair.other.graphql_with(Some(&token), mine, json!({})).await;
        assert_eq!(answer["data"]["me"]["name"], "Ann", "{answer}");
        let revoke = "mutation { sessionRevokeAll { revokedCount } }";
        let answer = pair.one.graphql_with(Some(&token), revoke, json!({})).await;
        assert_eq!(answer["data"]["sessionRevokeAll"]["revokedCount"], 1, "{answer}");
        until("the other refuses the token", || async {
            let answer = pair.other.graphql_with(Some(&token), mine, json!({})).await;
            answer["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"
        })
        .await;
        pair.close().await;
    }

    async fn what_a_gateway_told_one_wakes_the_other(shop: &Shop) {
        let Some(pair) = Pair::of(shop).await else { return };
        let woken = pair.other.platform.gateway_events.notified();
        pair.one.platform.news.tell(|| News::GatewayEvents);
        tokio::time::timeout(Duration::from_secs(30), woken).await.unwrap();
        pair.close().await;
    }

    async fn nothing_is_waited_for_where_nobody_listens(shop: &Shop) {
        let Some(redis) = RedisServer::new() else { return };
        let url = redis.url();
        let quiet = shop.beside(&[("REDIS_URL", &url)]).await;
        // Nobody passes on what it has to say.
        let (id, variant) = mug(&quiet).await;
        set_price(&quiet, &variant, "6.00").await;
        assert_eq!(price(&quiet, &id).await, "6.00");
        let news = &quiet.platform.news;
        let settled = || news.settled(0, Duration::from_secs(60)).now_or_never();
        let redis = quiet.platform.redis.as_ref().unwrap();
        assert!(!redis.is_up(), "nobody has asked it anything");
        assert_eq!(settled(), Some(false), "it is not waited for");
        until("Redis takes it", || news.flush()).await;
        assert!(redis.is_up());
        assert_eq!(settled(), Some(false), "there is nobody who could have heard it");
        news.tell(|| News::OrderEvents);
        assert_eq!(settled(), Some(false), "nor is anybody there to hear receipts");
        quiet.close().await;
    }
}

/// On PostgreSQL its own NOTIFY would explain it as well.
#[tokio::test]
async fn events_that_one_writes_are_told_by_the_other() {
    let database = TestDatabase::new(Kind::Sqlite).await.unwrap();
    let shop = Shop::open(&database, &[]).await;
    let Some(pair) = Pair::of(&shop).await else { return };
    let order = place(&pair.one.platform, None).await;
    let (one, other) = (&pair.one.platform, &pair.other.platform);
    other
        .order_events
        .catch_up(&other.db, &*other.clock)
        .await
        .unwrap();
    let mut events = std::pin::pin!(of_shop(&pair.other.system(), None).await.unwrap());
    for seq in 1..=3 {
        happen(one, order, 1).await;
        let event = tokio::time::timeout(Duration::from_secs(30), events.next()).await;
        assert_eq!(
            event.unwrap().unwrap().unwrap().event.message,
            message(order, seq)
        );
    }
    pair.close().await;
    shop.close().await;
    database.drop().await;
}
