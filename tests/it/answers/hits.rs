//! Who is answered with what is kept, and what that costs.

use std::time::{Duration, Instant};

use sea_orm::{ConnectionTrait as _, Database};
use serde_json::json;

use super::{rename, update};
use crate::support::{As, Kind, Shop, product};

const LIST: &str = "{ products(first: 5) { nodes { id name priceRange { min { amount } } } } }";

/// How many statements an operation takes; what is kept stays.
async fn statements(shop: &Shop, caller: As, document: &str) -> u64 {
    let before = shop.db().statements();
    shop.data(caller, document, json!({})).await;
    shop.db().statements() - before
}

both! {
    async fn what_was_answered_is_answered_without_a_statement(shop: &Shop) {
        shop.add(product("Mug")).await;
        assert!(statements(shop, As::Anonymous, LIST).await > 0);
        for caller in [As::Anonymous, As::Customer] {
            assert_eq!(statements(shop, caller, LIST).await, 0, "{caller:?}");
        }
        // Staff see what is not for sale.
        for caller in [As::Staff, As::Admin] {
            assert!(statements(shop, caller, LIST).await > 0, "{caller:?}");
        }
        let dear = shop.graphql(As::Anonymous, LIST, json!({})).await;
        assert_eq!(dear["extensions"]["cost"]["actualQueryCost"], 0);
        assert!(dear["extensions"]["cost"]["requestedQueryCost"].as_u64().unwrap() > 5);
        // Another operation of the same document, and other variables, are other answers.
        let two = "query A { products(first: 1) { nodes { name } } } query B { products(first: 0) { nodes { name } } }";
        for (name, count) in [("A", 1), ("B", 0), ("A", 1)] {
            let body = json!({"query": two, "operationName": name}).to_string();
            let reply = shop.post(&[("content-type", "application/json")], body).await.json();
            assert_eq!(reply["data"]["products"]["nodes"].as_array().unwrap().len(), count);
        }
        let some = "query($n: Int) { products(first: $n) { nodes { name } } }";
        for count in [1, 0, 1] {
            let data = shop.data(As::Anonymous, some, json!({ "n": count })).await;
            assert_eq!(data["products"]["nodes"].as_array().unwrap().len(), count);
        }
    }

    async fn drafts_stay_with_staff(shop: &Shop) {
        let mug = shop.add(product("Mug")).await.to_string();
        let query = format!("{{ product(by: {{id: \"{mug}\"}}) {{ name }} }}");
        shop.data(As::Anonymous, &query, json!({})).await;
        update(shop, json!({"productId": mug, "status": "DRAFT"})).await;
        let seen = shop.data(As::Staff, &query, json!({})).await;
        assert_eq!(seen["product"]["name"], "Mug");
        for caller in [As::Anonymous, As::Customer] {
            assert_eq!(shop.data(caller, &query, json!({})).await["product"], json!(null), "{caller:?}");
        }
    }

    async fn what_is_somebodys_own_is_not_kept(shop: &Shop) {
        let query = "{ shop { name } me { id name } }";
        shop.add_user("tester", souk::kernel::actor::Role::Customer).await;
        let own = shop.data(As::Customer, query, json!({})).await;
        assert_eq!(own["me"]["id"].as_str().map(|id| id.starts_with("user_")), Some(true));
        assert_eq!(shop.data(As::Anonymous, query, json!({})).await["me"], json!(null));
        assert!(statements(shop, As::Customer, query).await > 0);
    }

    async fn many_who_ask_at_once_are_answered_by_one_execution(shop: &Shop) {
        shop.add(product("Mug")).await;
        let before = shop.db().statements();
        shop.data(As::Staff, LIST, json!({})).await;
        let one = shop.db().statements() - before;
        let fresh = shop.beside(&[("SOUK_ANSWER_CACHE_BYTES", "32MiB")]).await;
        let asked = (0..50).map(|_| fresh.data(As::Anonymous, LIST, json!({})));
        let answers = futures_util::future::join_all(asked).await;
        assert!(answers.iter().all(|answer| *answer == answers[0]));
        // Staff pay for the rows as well, which the other instance has not cached either.
        assert!(fresh.db().statements() <= one + 2, "{} and {one}", fresh.db().statements());
        fresh.close().await;
    }

    async fn a_slug_that_is_longer_than_any_is_not_looked_for(shop: &Shop) {
        let longest = "\u{e9}".repeat(255);
        shop.add(product("Mug").slug(&longest)).await;
        let of = |kind: &str, slug: &str| format!("{{ {kind}(by: {{slug: \"{slug}\"}}) {{ name }} }}");
        let found = shop.data(As::Anonymous, &of("product", &longest), json!({})).await;
        assert_eq!(found["product"]["name"], "Mug");
        for kind in ["product", "category"] {
            for slug in [format!("{longest}s"), "s".repeat(100_000)] {
                for caller in [As::Anonymous, As::Staff] {
                    assert_eq!(statements(shop, caller, &of(kind, &slug)).await, 0, "{kind} {}", slug.len());
                }
                let none = shop.data(As::Anonymous, &of(kind, &slug), json!({})).await;
                assert_eq!(none[kind], json!(null));
            }
        }
    }

    async fn a_switch_turns_it_off(shop: &Shop) {
        shop.add(product("Mug")).await;
        let off = shop.beside(&[("SOUK_ANSWER_CACHE_BYTES", "0")]).await;
        off.data(As::Anonymous, LIST, json!({})).await;
        assert!(statements(&off, As::Anonymous, LIST).await > 0);
        off.close().await;
    }

    async fn get_and_post_are_answered_with_the_same(shop: &Shop) {
        let mug = shop.add(product("Mug")).await.to_string();
        let address = "/graphql?query=%7B%20products(first%3A%205)%20%7B%20nodes%20%7B%20id%20name%20priceRange%20%7B%20min%20%7B%20amount%20%7D%20%7D%20%7D%20%7D%20%7D";
        let first = shop.get(address, &[]).await;
        assert_eq!(first.status, 200, "{}", first.text());
        let before = shop.db().statements();
        let second = shop.get(address, &[]).await;
        assert_eq!((second.text(), second.header("etag")), (first.text(), first.header("etag")));
        assert_eq!(second.header("cache-control"), first.header("cache-control"));
        let posted = shop.data(As::Anonymous, LIST, json!({})).await;
        assert_eq!(json!({ "data": posted }), first.json());
        let known = shop.get(address, &[("if-none-match", first.header("etag"))]).await;
        assert_eq!((known.status.as_u16(), known.text()), (304, ""));
        assert_eq!(shop.db().statements(), before, "all of them out of one entry");
        rename(shop, &mug, "Cup").await;
        let changed = shop.get(address, &[("if-none-match", first.header("etag"))]).await;
        assert_eq!(changed.status, 200);
        assert!(changed.text().contains("Cup"));
        assert_ne!(changed.header("etag"), first.header("etag"));
    }
}

/// An answer that somebody else makes, and that never comes, is waited for in one's own time.
#[tokio::test]
async fn who_waits_for_somebody_else_waits_no_longer_than_alone() {
    let Some(database) = crate::support::TestDatabase::new(Kind::Postgres).await else {
        return;
    };
    let shop = Shop::open(&database, &[("SOUK_LIMIT_DEADLINE", "2s")]).await;
    shop.add(product("Mug")).await;
    let locking = Database::connect(database.url()).await.unwrap();
    let lock = "BEGIN; LOCK TABLE product IN ACCESS EXCLUSIVE MODE";
    locking.execute_unprepared(lock).await.unwrap();
    let second = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let asked = Instant::now();
        (
            shop.graphql(As::Anonymous, LIST, json!({})).await,
            asked.elapsed(),
        )
    };
    let first = shop.graphql(As::Anonymous, LIST, json!({}));
    let (first, (second, took)) = tokio::join!(first, second);
    for answer in [first, second] {
        assert_eq!(answer["errors"][0]["extensions"]["code"], "TIMEOUT", "{answer}");
    }
    assert!(took < Duration::from_secs(3), "{took:?}");
    locking.close().await.unwrap();
    shop.close().await;
}

/// A document with an error in its answer is executed again each time.
#[tokio::test]
async fn failures_are_not_kept() {
    let Some(database) = crate::support::TestDatabase::new(Kind::Sqlite).await else {
        return;
    };
    let shop = Shop::open(&database, &[]).await;
    let query = "{ products(first: 5, after: \"nonsense\") { nodes { id } } shop { name } }";
    for _ in 0..2 {
        let answer = shop.graphql(As::Anonymous, query, json!({})).await;
        assert_eq!(
            answer["errors"][0]["extensions"]["code"], "BAD_USER_INPUT",
            "{answer}"
        );
    }
    shop.close().await;
}
