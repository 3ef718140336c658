//! Orders that are placed together, in one transaction.
//!
//! To see to it that they are, the places of groups are taken by buyers who have to wait for us.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use sea_orm::{
    ColumnTrait as _, ConnectionTrait as _, DatabaseTransaction, EntityTrait as _, QueryFilter as _,
    QuerySelect as _,
};
use serde_json::Value;
use souk::domain::accounts::update::NewAddress;
use souk::domain::checkout::place::{PlaceOrder, Placed, place};
use souk::domain::context::Context;
use souk::entity::cart;
use souk::infra::group::AT_ONCE;
use souk::kernel::actor::{Actor, Origin};
use souk::kernel::error::{Error, Result};
use souk::kernel::id::CartId;
use souk::kernel::money::Money;

use super::mug;
use crate::support::{Kind, Shop, TestDatabase, product};

fn wish(cart: &str, key: &str) -> PlaceOrder {
    PlaceOrder {
        cart_id: cart.parse().unwrap(),
        email: Some("ann@example.com".to_owned()),
        shipping_address: NewAddress {
            name: "Ann Lee".to_owned(),
            line1: "1 High Street".to_owned(),
            line2: None,
            city: "Leeds".to_owned(),
            region: None,
            postal_code: None,
            country: "GB".parse().unwrap(),
            phone: None,
        },
        expected_total: None,
        idempotency_key: key.to_owned(),
    }
}

/// What came of each, and how many statements all of it took.
async fn together(shop: &Shop, wishes: &[PlaceOrder]) -> (Vec<Result<Placed>>, u64) {
    let thing = shop
        .add(product("Thing").slug(&uuid::Uuid::new_v4().to_string()))
        .await;
    let thing = shop.variants_of(thing).await.remove(0);
    let mut first = Vec::new();
    for _ in 0..AT_ONCE {
        first.push(wish(&shop.cart(&[(&thing, 1)]).await, "k"));
    }
    let ctx = Context::writing(Actor::Anonymous, Origin::default(), Arc::clone(&shop.platform));
    let before = shop.db().statements();
    let held = lock(shop, &first).await;
    let all = first.iter().chain(wishes).map(|wish| place(&ctx, wish));
    // They are asked in this order, by one thread: all of them have come when we let go.
    let (mut answers, released) = tokio::join!(join_all(all), held.rollback());
    released.unwrap();
    let statements = shop.db().statements() - before;
    let own = answers.split_off(first.len());
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    (own, statements)
}

/// Nobody else can write to their carts until it ends; on SQLite, to anything.
async fn lock(shop: &Shop, wishes: &[PlaceOrder]) -> DatabaseTransaction {
    let carts: Vec<CartId> = wishes.iter().map(|wish| wish.cart_id).collect();
    let held = shop.db().begin().await.unwrap();
    let these = cart::Entity::find().filter(cart::Column::Id.is_in(carts));
    these.lock_exclusive().all(&held).await.unwrap();
    held
}

fn outcomes(answers: &[Result<Placed>]) -> Vec<String> {
    let outcome = |answer: &Result<Placed>| match answer {
        Ok(_) => "placed".to_owned(),
        Err(Error::Refused(refusals)) => format!("{:?}", refusals[0].code),
        Err(error) => format!("{error:?}").chars().take(8).collect(),
    };
    answers.iter().map(outcome).collect()
}

async fn carts(shop: &Shop, lines: &[(&str, i32)], count: usize) -> Vec<PlaceOrder> {
    let mut wishes = Vec::new();
    for _ in 0..count {
        wishes.push(wish(&shop.cart(lines).await, "k"));
    }
    wishes
}

const POISON: &str = "poison@example.com";

/// What is sold to this address the database refuses, whoever comes with it.
async fn poison(shop: &Shop) {
    let statements = match shop.kind {
        Kind::Sqlite => vec![format!(
            "CREATE TRIGGER poison BEFORE INSERT ON shop_order WHEN NEW.email = '{POISON}' BEGIN SELECT RAISE(ABORT, 'for the test'); END"
        )],
        Kind::Postgres => vec![
            format!(
                "CREATE FUNCTION poison() RETURNS trigger LANGUAGE plpgsql AS
                $$ BEGIN IF NEW.email = '{POISON}' THEN RAISE EXCEPTION 'for the test'; END IF; RETURN NEW; END $$"
            ),
            "CREATE TRIGGER poison BEFORE INSERT ON shop_order FOR EACH ROW EXECUTE FUNCTION poison()".to_owned(),
        ],
    };
    let txn = shop.db().begin().await.unwrap();
    for statement in statements {
        txn.execute_unprepared(&statement).await.unwrap();
    }
    txn.commit().await.unwrap();
}

both! {
    async fn many_cost_what_one_costs(shop: &Shop) {
        let things = [mug(shop, 1_000).await, mug(shop, 1_000).await, mug(shop, 1_000).await];
        let lines: Vec<(&str, i32)> = things.iter().map(|thing| (thing.as_str(), 2)).collect();
        let mut costs = Vec::new();
        for count in [1, 20] {
            let (answers, cost) = together(shop, &carts(shop, &lines, count).await).await;
            assert_eq!(outcomes(&answers), vec!["placed"; count]);
            costs.push(cost);
        }
        assert_eq!(costs[0], costs[1], "for one and for twenty");
        assert_eq!(shop.stock(&things[0]).await, (1_000, 42));
        shop.balance().await;
    }

    async fn who_is_refused_takes_nobody_along(shop: &Shop) {
        let (mug, other) = (mug(shop, 3).await, mug(shop, 9).await);
        let two = [(mug.as_str(), 2)];
        let mut wishes = carts(shop, &two, 2).await;
        wishes.extend(carts(shop, &[(&other, 1), (&mug, 1)], 1).await);
        wishes.extend(carts(shop, &[], 1).await);
        wishes.extend(carts(shop, &[(&other, 1)], 2).await);
        wishes[5].expected_total = Some(Money::new(1, "USD".parse().unwrap()));
        wishes.push(wish(&CartId::random().to_string(), "k"));
        let (answers, _) = together(shop, &wishes).await;
        // Of three the first has two, so there are too few for the second, and the last one is the third's.
        let expected = ["placed", "InsufficientStock", "placed", "CartEmpty", "placed", "PriceChanged", "NotFound"];
        assert_eq!(outcomes(&answers), expected);
        let Err(Error::Refused(refusals)) = &answers[1] else { panic!("{answers:?}") };
        assert_eq!(refusals[0].params.as_ref().unwrap()["available"], 1);
        assert_eq!((shop.stock(&mug).await, shop.stock(&other).await), ((3, 3), (9, 2)));
        // Their keys are as new.
        wishes[5].expected_total = None;
        let (again, _) = together(shop, &wishes).await;
        let expected = ["placed", "InsufficientStock", "placed", "CartEmpty", "placed", "placed", "NotFound"];
        assert_eq!(outcomes(&again), expected);
        for place in [0, 2, 4] {
            let (was, is) = (answers[place].as_ref().unwrap(), again[place].as_ref().unwrap());
            assert_eq!(was.order.id, is.order.id, "the same order for the same key");
        }
        assert_eq!(shop.stock(&other).await, (9, 3));
        shop.balance().await;
    }

    async fn who_is_poisoned_takes_nobody_along(shop: &Shop) {
        poison(shop).await;
        let mug = mug(shop, 5).await;
        let mut wishes = carts(shop, &[(&mug, 1)], 5).await;
        wishes[2].email = Some(POISON.to_owned());
        let (answers, _) = together(shop, &wishes).await;
        assert_eq!(outcomes(&answers), ["placed", "placed", "Internal", "placed", "placed"]);
        assert_eq!(shop.stock(&mug).await, (5, 4));
        wishes[2].email = Some("ann@example.com".to_owned());
        let (answers, _) = together(shop, &wishes[2..3]).await;
        assert_eq!(outcomes(&answers), ["placed"], "nothing was left of it, its key neither");
        shop.balance().await;
    }

    async fn one_key_is_one_order_also_for_those_who_come_together(shop: &Shop) {
        let mug = mug(shop, 50).await;
        let mut wishes = carts(shop, &[(&mug, 1)], 1).await;
        wishes.extend(vec![wishes[0].clone(); 9]);
        // Of somebody who has changed his mind.
        wishes[4].email = Some("other@example.com".to_owned());
        let (answers, _) = together(shop, &wishes).await;
        let outcomes = outcomes(&answers);
        assert_eq!(outcomes.iter().filter(|outcome| *outcome == "placed").count(), 9, "{outcomes:?}");
        assert_eq!(outcomes[4], "IdempotencyKeyReused");
        assert_eq!(shop.stock(&mug).await, (50, 1));
        shop.balance().await;
    }

    /// Instances with groups and one without sell the same stock.
    async fn who_shares_with_nobody_sells_no_more_than_there_is(shop: &Shop) {
        let mug = mug(shop, 20).await;
        let alone = shop.beside(&[("SOUK_GROUP_CHECKOUT", "1")]).await;
        let carts = join_all((0..80).map(|_| async { shop.cart(&[(&mug, 1)]).await })).await;
        let buy = |(i, cart): (usize, &String)| {
            let (shop, cart) = (if i % 2 == 0 { shop } else { &alone }, cart.clone());
            async move { shop.place(None, &cart, "k").await }
        };
        let answers = join_all(carts.iter().enumerate().map(buy)).await;
        let placed = answers.iter().filter(|answer| answer["order"] != Value::Null).count();
        assert_eq!(placed, 20);
        assert_eq!(shop.stock(&mug).await, (20, 20));
        shop.balance().await;
        alone.close().await;
    }
}

/// SQLite's writer has nobody beside him.
#[tokio::test]
async fn who_waits_for_somebodys_lock_is_waited_for_by_nobody() {
    let Some(database) = TestDatabase::new(Kind::Postgres).await else {
        return;
    };
    // A group that lasts as long as that gives its place back anyway.
    let shop = Shop::open(&database, &[("SOUK_LIMIT_DEADLINE", "1h")]).await;
    let mug = mug(&shop, 50).await;
    let locked = carts(&shop, &[(&mug, 1)], AT_ONCE).await;
    let other = carts(&shop, &[(&mug, 1)], 1).await.remove(0);
    let ctx = Context::writing(Actor::Anonymous, Origin::default(), Arc::clone(&shop.platform));
    let held = lock(&shop, &locked).await;
    let waiting = join_all(locked.iter().map(|wish| place(&ctx, wish)));
    let let_go = async {
        // All places are taken until those who wait give theirs back.
        let placed = tokio::time::timeout(Duration::from_secs(60), place(&ctx, &other)).await;
        // They wait longer than with a place.
        tokio::time::sleep(Duration::from_secs(1)).await;
        held.rollback().await.unwrap();
        placed.expect("a place is given back")
    };
    let (mut answers, other) = tokio::join!(waiting, let_go);
    answers.push(other);
    assert_eq!(outcomes(&answers), vec!["placed"; AT_ONCE + 1]);
    shop.balance().await;
    shop.close().await;
    database.drop().await;
}
