//! How events get their places, and from one process to another.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::{StreamExt as _, future};
use sea_orm::ConnectionTrait as _;
use souk::domain::orders::feed::Happening;
use souk::domain::orders::feed::subscribe::{End, of_shop};
use souk::kernel::actor::Role;

use super::{SHOP, Told, cursor, event, happen, happen_in_silence, message, place, system, waiting, write};
use crate::support::{Kind, Shop, Socket, subscribe};

async fn catch_up(shop: &Shop) {
    let platform = &shop.platform;
    platform
        .order_events
        .catch_up(&platform.db, &*platform.clock)
        .await
        .unwrap();
}

fn told(events: &[Arc<Happening>]) -> Vec<&str> {
    events
        .iter()
        .map(|happening| happening.event.message.as_str())
        .collect()
}

both! {
    async fn what_one_process_does_is_told_by_another(shop: &Shop) {
        let (one, other) = (shop.serve(&[]).await, shop.serve(&[]).await);
        let order = place(&one.platform, None).await;
        let mut socket = Socket::of(&other, &shop.token(Role::Staff)).await;
        socket.say(subscribe("a", SHOP)).await;
        waiting(&other.platform, 1).await;
        // By LISTEN and NOTIFY at once; without them when somebody looks.
        let patience = match shop.kind {
            Kind::Postgres => Duration::from_secs(1),
            Kind::Sqlite => Duration::from_secs(4),
        };
        for seq in 1..=3 {
            let begun = Instant::now();
            happen(&one.platform, order, 1).await;
            assert_eq!(event(&mut socket, "a").await["message"], message(order, seq));
            assert!(begun.elapsed() < patience, "{:?}", begun.elapsed());
        }
        one.stop().await;
        other.stop().await;
    }

    async fn what_nobody_was_woken_for_is_found_by_looking(shop: &Shop) {
        let server = shop.serve(&[]).await;
        let order = place(&server.platform, None).await;
        let mut socket = Socket::of(&server, &shop.token(Role::Staff)).await;
        socket.say(subscribe("a", SHOP)).await;
        waiting(&server.platform, 1).await;
        let begun = Instant::now();
        happen_in_silence(&server.platform, order, 1).await;
        assert_eq!(event(&mut socket, "a").await["message"], message(order, 1));
        assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
        server.stop().await;
    }

    async fn places_have_no_gaps_however_many_give_them(shop: &Shop) {
        let (one, other) = (shop.beside(&[]).await, shop.beside(&[]).await);
        let mut orders = Vec::new();
        for _ in 0..10 {
            orders.push(place(&shop.platform, None).await);
        }
        // The clock of the other instance is behind.
        one.clock.advance(chrono::Duration::seconds(20));
        let writing = orders.iter().enumerate().map(|(i, order)| {
            let (one, other) = (&one, &other);
            async move {
                for turn in 0..25 {
                    let by = if (i + turn) % 2 == 0 { one } else { other };
                    happen_in_silence(&by.platform, *order, 2).await;
                    if turn % 5 == 0 {
                        catch_up(by).await;
                    }
                }
            }
        });
        future::join_all(writing).await;
        tokio::join!(catch_up(&one), catch_up(&other));
        let rows = shop.rows("SELECT CAST(position AS text) AS place, message FROM order_event ORDER BY position").await;
        assert_eq!(rows.len(), 500);
        let mut told = Told::default();
        for (place, row) in (1..).zip(&rows) {
            assert_eq!(row[0], place.to_string());
            told.hear(&serde_json::json!({"message": row[1]}));
        }
        assert_eq!(told.counts(), [50; 10]);
        one.close().await;
        other.close().await;
    }

    /// More than are given places at once, and their times tell another story than they do.
    async fn a_batch_that_is_cut_off_turns_no_order_around(shop: &Shop) {
        let (ahead, behind) = (place(&shop.platform, None).await, place(&shop.platform, None).await);
        for _ in 0..2 {
            happen_in_silence(&shop.platform, behind, 300).await;
        }
        let late = shop.beside(&[]).await;
        late.clock.advance(chrono::Duration::seconds(60));
        happen_in_silence(&late.platform, ahead, 3).await;
        happen_in_silence(&shop.platform, ahead, 300).await;
        catch_up(shop).await;
        let rows = shop.rows("SELECT message FROM order_event ORDER BY position").await;
        let mut told = Told::default();
        rows.iter().for_each(|row| told.hear(&serde_json::json!({"message": row[0]})));
        assert_eq!(rows.len(), 903);
        late.close().await;
    }

    /// On PostgreSQL the second commits while the first has not; on SQLite there is only one at a time.
    async fn what_commits_late_is_not_passed_by(shop: &Shop) {
        let (first, second) = (place(&shop.platform, None).await, place(&shop.platform, None).await);
        let mut events = Box::pin(of_shop(&system(&shop.platform), None).await.unwrap());
        if shop.kind == Kind::Postgres {
            let late = write(&shop.platform, first, 1).await;
            happen_in_silence(&shop.platform, second, 1).await;
            catch_up(shop).await;
            late.commit().await.unwrap();
        } else {
            happen_in_silence(&shop.platform, second, 1).await;
            catch_up(shop).await;
            happen_in_silence(&shop.platform, first, 1).await;
        }
        catch_up(shop).await;
        let told = [events.next().await.unwrap().unwrap(), events.next().await.unwrap().unwrap()];
        assert_eq!(self::told(&told), [message(second, 1), message(first, 1)]);
    }

    /// Another process gives it its place, and this one has read it in the table before its own hub hears of it.
    async fn what_the_table_told_the_hub_does_not_tell_again(shop: &Shop) {
        let other = shop.beside(&[]).await;
        let order = place(&shop.platform, None).await;
        happen_in_silence(&shop.platform, order, 2).await;
        let mut events = Box::pin(of_shop(&system(&shop.platform), Some(&cursor(order, 1))).await.unwrap());
        happen_in_silence(&other.platform, order, 1).await;
        catch_up(&other).await;
        for seq in 2..=3 {
            assert_eq!(events.next().await.unwrap().unwrap().event.seq, seq);
        }
        happen_in_silence(&other.platform, order, 1).await;
        catch_up(shop).await;
        assert_eq!(events.next().await.unwrap().unwrap().event.seq, 4);
        other.close().await;
    }

    async fn a_burst_is_told_in_full_to_whoever_reads_on(shop: &Shop) {
        let order = place(&shop.platform, None).await;
        let mut events = Box::pin(of_shop(&system(&shop.platform), None).await.unwrap());
        happen_in_silence(&shop.platform, order, 700).await;
        catch_up(shop).await;
        for seq in 1..=700 {
            assert_eq!(events.next().await.unwrap().unwrap().event.seq, seq);
        }
        happen_in_silence(&shop.platform, order, 1).await;
        catch_up(shop).await;
        assert_eq!(events.next().await.unwrap().unwrap().event.seq, 701);
    }

    async fn whoever_reads_too_slowly_is_let_go(shop: &Shop) {
        let order = place(&shop.platform, None).await;
        let mut events = Box::pin(of_shop(&system(&shop.platform), None).await.unwrap());
        happen_in_silence(&shop.platform, order, 700).await;
        catch_up(shop).await;
        assert_eq!(shop.platform.order_events.waiting(), 0, "nothing more is kept for it");
        shop.clock.advance(chrono::Duration::seconds(10));
        let mut last = 0;
        let end = loop {
            match events.next().await.unwrap() {
                Ok(happening) => last = happening.event.seq,
                Err(end) => break end,
            }
        };
        assert!(matches!(end, End::TooSlow), "{end:?}");
        assert_eq!(last, 256);
        assert!(events.next().await.is_none());
    }

    /// However many come at the same time, a statement or two tell them that nothing is new.
    async fn looking_for_news_is_one_statement(shop: &Shop) {
        happen_in_silence(&shop.platform, place(&shop.platform, None).await, 1).await;
        catch_up(shop).await;
        let before = shop.db().statements();
        catch_up(shop).await;
        assert_eq!(shop.db().statements() - before, 1);
        // The first must not have its answer before the others have come.
        let txn = shop.db().begin().await.unwrap();
        if shop.kind == Kind::Postgres {
            txn.execute_unprepared("LOCK TABLE order_event IN ACCESS EXCLUSIVE MODE").await.unwrap();
        }
        let release = async {
            tokio::time::sleep(Duration::from_millis(200)).await;
            txn.rollback().await.unwrap();
        };
        let before = shop.db().statements();
        future::join(future::join_all((0..100).map(|_| catch_up(shop))), release).await;
        let statements = shop.db().statements() - before;
        // More than two where they are not all polled before the first answer is there.
        assert!(statements <= 5, "{statements}");
    }
}
