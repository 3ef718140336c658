//! What is read from a replica and what is not, and when it is left out.

use std::time::{Duration, Instant};

use sea_orm::{ConnectionTrait as _, Database, DatabaseConnection};
use serde_json::{Value, json};
use souk::infra::db::Standing;

use crate::support::grown::Grown;
use crate::support::{As, Shop, TestDatabase, product, variant};

const COUNT: &str = "{ products(first: 10) { totalCount } }";
const CREATE: &str = "mutation($input: ProductCreateInput!) { productCreate(input: $input) {
    product { id name variants { id } } userErrors { code message } } }";

/// Long, because machines may be slow; what is waited for takes a second or two.
const PATIENCE: Duration = Duration::from_secs(60);

async fn shop(grown: &Grown, database: &TestDatabase) -> Shop {
    let settings = [
        ("DATABASE_REPLICA_URL", grown.address("DATABASE_REPLICA_URL")),
        ("SOUK_REPLICA_MAX_LAG", "2s"),
        // What is kept for a second is read from neither.
        ("SOUK_ANSWER_CACHE_BYTES", "0"),
    ];
    Shop::open(database, &settings).await
}

/// Looks until the replica stands so; nobody looks between.
async fn until(shop: &Shop, standing: Standing) {
    let begun = Instant::now();
    while shop.db().look_at_replica().await != standing {
        assert!(begun.elapsed() < PATIENCE, "the replica is never {standing:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn count(shop: &Shop, caller: As) -> i64 {
    let data = shop.data(caller, COUNT, json!({})).await;
    data["products"]["totalCount"].as_i64().unwrap()
}

/// What only the server itself can be asked.
async fn ask(replica: &DatabaseConnection, sql: &str) {
    replica.execute_unprepared(sql).await.unwrap();
}

async fn health(shop: &Shop) -> (u16, Value, Value) {
    let reply = shop.get("/health/ready", &[]).await;
    let body = reply.json();
    (
        reply.status.as_u16(),
        body["status"].clone(),
        body["checks"]["replica"].clone(),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn shoppers_read_from_it_and_nobody_misses_his_own_writes() {
    let Some(grown) = Grown::up(&["--no-souk"]) else {
        return;
    };
    let database = grown.database().await;
    let shop = shop(&grown, &database).await;
    assert_eq!(shop.db().replica(), Standing::LeftOut, "nobody has looked yet");
    let mug = product("Mug").variants(["Size"], vec![variant(["S"]).price(1_200).stock(5)]);
    let mug = shop.add(mug).await;
    until(&shop, Standing::Ok).await;
    assert_eq!(health(&shop).await, (200, json!("ok"), json!("ok")));

    let replica = Database::connect(grown.address("DATABASE_REPLICA_URL"))
        .await
        .unwrap();
    ask(&replica, "SELECT pg_wal_replay_pause()").await;
    let input = json!({"name": "Cup", "status": "ACTIVE", "variants": [{"price": "9.00"}]});
    let created = shop.data(As::Staff, CREATE, json!({ "input": input })).await;
    assert_eq!(created["productCreate"]["product"]["name"], "Cup", "{created}");
    // Shoppers may see what was; who made it sees it.
    assert_eq!(
        (
            count(&shop, As::Anonymous).await,
            count(&shop, As::Customer).await
        ),
        (1, 1)
    );
    assert_eq!(
        (count(&shop, As::Staff).await, count(&shop, As::Admin).await),
        (2, 2)
    );

    // Nothing of a buyer's own comes from it, nor how much there is.
    let variant = shop.variants_of(mug).await.remove(0);
    let order = shop.paid(&[(&variant, 2)]).await;
    let query = "query($id: ID!, $token: String) { order(by: {id: $id}, guestToken: $token) { status lines { quantity } } }";
    let read = shop
        .data(
            As::Anonymous,
            query,
            json!({"id": order.id, "token": order.token}),
        )
        .await;
    assert_eq!(read["order"]["lines"][0]["quantity"], 2, "{read}");
    assert_eq!(shop.stock(&variant).await, (5, 2));
    // What staff do is in the record at once, and in the books.
    let log = shop
        .data(As::Admin, "{ auditLog(first: 1) { totalCount } }", json!({}))
        .await;
    assert_eq!(log["auditLog"]["totalCount"], 1, "{log}");
    let today = shop.now().date_naive();
    let books = "query($day: Date!) { ledgerBalances(from: $day, to: $day) { __typename } }";
    let books = shop.data(As::Admin, books, json!({ "day": today })).await;
    assert_ne!(books["ledgerBalances"], json!([]));
    assert_eq!(shop.db().replica(), Standing::Ok);

    // It lags for too long, and is left out until it has caught up.
    until(&shop, Standing::LeftOut).await;
    assert_eq!(health(&shop).await, (200, json!("degraded"), json!("left out")));
    assert_eq!(count(&shop, As::Anonymous).await, 2);
    ask(&replica, "SELECT pg_wal_replay_resume()").await;
    until(&shop, Standing::Ok).await;
    assert_eq!(count(&shop, As::Anonymous).await, 2);
    replica.close().await.unwrap();

    // It dies, and whoever is the first to notice is answered all the same.
    grown.tell_aside("replica kill").await;
    assert_eq!(shop.db().replica(), Standing::Ok, "nobody has looked since");
    assert_eq!(count(&shop, As::Anonymous).await, 2);
    assert_eq!(shop.db().replica(), Standing::LeftOut);
    // It does not keep anybody from starting either.
    let started = shop_beside(&grown, &shop).await;
    assert_eq!(started.db().look_at_replica().await, Standing::LeftOut);
    assert_eq!(count(&started, As::Anonymous).await, 2);
    started.close().await;
    grown.tell_aside("replica start").await;
    until(&shop, Standing::Ok).await;

    // One that takes writes of its own knows nothing of ours any more.
    grown.tell_aside("replica promote").await;
    until(&shop, Standing::LeftOut).await;
    assert_eq!(count(&shop, As::Anonymous).await, 2);
    shop.balance().await;
    shop.close().await;
}

async fn shop_beside(grown: &Grown, shop: &Shop) -> Shop {
    shop.beside(&[("DATABASE_REPLICA_URL", grown.address("DATABASE_REPLICA_URL"))])
        .await
}
