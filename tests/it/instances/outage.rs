//! Redis gone, hanging, or back: requests go on, and what was missed is made up for.

use super::*;

/// The price is changed by one while the other cannot be told, and is known to the other when it can be.
async fn survives(pair: &mut Pair, stop: impl Fn(&mut RedisServer), start: impl Fn(&mut RedisServer)) {
    let (id, variant) = mug(&pair.one).await;
    assert_eq!(price(&pair.other, &id).await, "5.00");
    assert_eq!(ready(&pair.other).await, says(200, "ok", "ok"));
    stop(&mut pair.redis);
    until("both notice", || async {
        ready(&pair.one).await == says(200, "degraded", "down")
            && ready(&pair.other).await == says(200, "degraded", "down")
    })
    .await;
    set_price(&pair.one, &variant, "6.00").await;
    assert_eq!(price(&pair.one, &id).await, "6.00");
    assert_eq!(price(&pair.other, &id).await, "5.00", "nobody could tell it");
    start(&mut pair.redis);
    until("the other shows the new price", || async {
        price(&pair.other, &id).await == "6.00"
    })
    .await;
    until("it is well again", || async {
        ready(&pair.other).await == says(200, "ok", "ok")
    })
    .await;
    pair.hear_each_other().await;
    set_price(&pair.one, &variant, "7.00").await;
    until("news come as before", || async {
        price(&pair.other, &id).await == "7.00"
    })
    .await;
}

both! {
    async fn redis_may_be_stopped_and_started(shop: &Shop) {
        let Some(mut pair) = Pair::of(shop).await else { return };
        survives(&mut pair, RedisServer::stop, RedisServer::start).await;
        pair.close().await;
    }

    async fn redis_may_hang(shop: &Shop) {
        let Some(mut pair) = Pair::of(shop).await else { return };
        survives(&mut pair, |redis| redis.freeze(), |redis| redis.thaw()).await;
        pair.close().await;
    }
}

mod sqlite {
    use futures_util::StreamExt as _;
    use redis::AsyncCommands as _;
    use souk::domain::orders::feed::subscribe::of_shop;

    use super::*;
    use crate::events::{happen, message, place};
    use crate::support::{Kind, TestDatabase};

    async fn pair() -> Option<(TestDatabase, Shop, Pair)> {
        let database = TestDatabase::new(Kind::Sqlite).await.unwrap();
        let shop = Shop::open(&database, &[]).await;
        let pair = Pair::of(&shop).await?;
        Some((database, shop, pair))
    }

    async fn by_hand(pair: &Pair) -> redis::aio::MultiplexedConnection {
        let client = redis::Client::open(pair.redis.url()).unwrap();
        client.get_multiplexed_async_connection().await.unwrap()
    }

    /// A price that no instance has told anybody about.
    async fn set_price_in_silence(shop: &Shop) {
        let changed = shop
            .execute("UPDATE product_variant SET price = 900")
            .await
            .unwrap();
        assert!(changed > 0);
    }

    #[tokio::test]
    async fn who_lost_only_the_line_looks_at_everything_anew() {
        let Some((database, shop, pair)) = pair().await else {
            return;
        };
        let (id, _) = mug(&pair.one).await;
        assert_eq!(price(&pair.other, &id).await, "5.00");
        set_price_in_silence(&shop).await;
        assert_eq!(price(&pair.other, &id).await, "5.00");
        // So is what this one does, who knows of no Redis.
        let document = "mutation($input: AccountRegisterInput!) { accountRegister(input: $input) { tokens { accessToken } userErrors { code } } }";
        let input = json!({"email": "ann@example.com", "password": "tunnel-7-marmalade", "name": "Ann"});
        let data = shop
            .data(As::Anonymous, document, json!({ "input": input }))
            .await;
        let token = data["accountRegister"]["tokens"]["accessToken"]
            .as_str()
            .unwrap()
            .to_owned();
        let revoke = "mutation { sessionRevokeAll { revokedCount } }";
        shop.graphql_with(Some(&token), revoke, json!({})).await;
        let mine = "{ me { name } }";
        let answer = pair.other.graphql_with(Some(&token), mine, json!({})).await;
        assert_eq!(answer["data"]["me"]["name"], "Ann", "{answer}");
        let order = place(&shop.platform, None).await;
        let mut events = std::pin::pin!(of_shop(&pair.other.system(), None).await.unwrap());
        happen(&shop.platform, order, 1).await;
        let woken = pair.other.platform.gateway_events.notified();
        let mut hand = by_hand(&pair).await;
        let cut: usize = redis::cmd("CLIENT")
            .arg(&["KILL", "TYPE", "pubsub"])
            .query_async(&mut hand)
            .await
            .unwrap();
        assert_eq!(cut, 4, "of each that of news and that of receipts");
        until("the new price is read", || async {
            price(&pair.other, &id).await == "9.00"
        })
        .await;
        until("the token is refused", || async {
            let answer = pair.other.graphql_with(Some(&token), mine, json!({})).await;
            answer["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"
        })
        .await;
        let long = Duration::from_secs(30);
        tokio::time::timeout(long, woken).await.unwrap();
        let event = tokio::time::timeout(long, events.next()).await.unwrap();
        assert_eq!(event.unwrap().unwrap().event.message, message(order, 1));
        pair.close().await;
        shop.close().await;
        database.drop().await;
    }

    #[tokio::test]
    async fn what_cannot_be_read_may_mean_anything() {
        let Some((database, shop, pair)) = pair().await else {
            return;
        };
        let (id, _) = mug(&pair.one).await;
        let name = shop.rows("SELECT name FROM installation").await.concat().concat();
        let mut hand = by_hand(&pair).await;
        for strange in [
            "",
            "{",
            r#"{"from": "00000000-0000-0000-0000-000000000000", "missing": false, "news": ["Later"]}"#,
        ] {
            shop.execute("UPDATE product_variant SET price = 500")
                .await
                .unwrap();
            pair.other.platform.catalog_cache.drop_all();
            assert_eq!(price(&pair.other, &id).await, "5.00");
            set_price_in_silence(&shop).await;
            let heard: usize = hand.publish(format!("souk:{name}:news"), strange).await.unwrap();
            assert_eq!(heard, 2);
            until("the new price is read", || async {
                price(&pair.other, &id).await == "9.00"
            })
            .await;
        }
        pair.close().await;
        shop.close().await;
        database.drop().await;
    }

    #[tokio::test]
    async fn too_much_news_is_one_that_says_so() {
        let Some((database, shop, pair)) = pair().await else {
            return;
        };
        let Pair {
            redis,
            one,
            other,
            tasks: [mut speaking, listening],
        } = pair;
        // Nobody passes on, as when Redis is slow.
        speaking.shutdown().await;
        let (id, _) = mug(&one).await;
        assert_eq!(price(&other, &id).await, "5.00");
        set_price_in_silence(&shop).await;
        for _ in 0..1_000 {
            one.platform
                .catalog_cache
                .forget_product(souk::kernel::id::ProductId::new(), &[])
                .await;
        }
        assert!(one.platform.news.flush().await);
        until("the new price is read", || async {
            price(&other, &id).await == "9.00"
        })
        .await;
        Pair {
            redis,
            one,
            other,
            tasks: [speaking, listening],
        }
        .close()
        .await;
        shop.close().await;
        database.drop().await;
    }
}
