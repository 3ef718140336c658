//! Many at once.

use futures_util::future::join_all;
use secrecy::ExposeSecret as _;
use souk::domain::accounts::{backoff, password, refresh, register, sign_in};
use souk::domain::context::Context;
use souk::kernel::error::Error;

use super::people::{OTHER_PASSWORD, PASSWORD, at, enter, go_on, home, outcome, rows, sign_up};
use crate::support::Shop;

both! {
    async fn of_fifty_who_register_one_email_one_account_comes(shop: &Shop) {
        let other = shop.beside(&[]).await;
        let attempts = (0..50).map(|i| {
            let ctx = at(if i % 2 == 0 { shop } else { &other }, &format!("192.0.2.{i}"), "Browser");
            tokio::spawn(async move {
                let email = if i % 3 == 0 { "ann@example.com" } else { " ANN@Example.com" };
                let command = register::Register { email: email.to_owned(), password: PASSWORD.into(), name: format!("Ann {i}") };
                register::register(&ctx, &command).await
            })
        });
        let outcomes: Vec<_> = join_all(attempts).await.into_iter().map(Result::unwrap).collect();
        let mut users: Vec<_> = outcomes.iter().map(|outcome| outcome.as_ref().unwrap().user.id).collect();
        users.dedup();
        assert_eq!(users.len(), 1);
        assert_eq!((rows(shop, "user_account").await, rows(shop, "session").await), (1, 50));
        other.close().await;
    }

    async fn of_fifty_refreshes_of_one_token_all_are_told_the_same(shop: &Shop) {
        let other = shop.beside(&[]).await;
        let who = sign_up(&home(shop), "ann@example.com").await;
        let attempts = (0..50).map(|i| {
            let ctx = home(if i % 2 == 0 { shop } else { &other });
            let token = who.refresh.token.clone();
            tokio::spawn(async move { refresh::refresh(&ctx, &token).await })
        });
        let outcomes: Vec<_> = join_all(attempts).await.into_iter().map(Result::unwrap).collect();
        let mut told: Vec<_> = outcomes.iter().map(|outcome| outcome.as_ref().unwrap().refresh.token.expose_secret()).collect();
        told.dedup();
        assert_eq!(told.len(), 1);
        assert_eq!((rows(shop, "session").await, rows(shop, "refresh_token").await), (1, 2));
        assert_eq!(outcome(&go_on(&home(shop), &told[0].into()).await), "OK");
        other.close().await;
    }

    async fn of_fifty_refreshes_by_two_clients_one_at_most_goes_on(shop: &Shop) {
        let who = sign_up(&home(shop), "ann@example.com").await;
        let attempts = (0..50).map(|i| {
            let ctx = if i % 2 == 0 { home(shop) } else { at(shop, "198.51.100.66", "Thief") };
            let token = who.refresh.token.clone();
            tokio::spawn(async move { refresh::refresh(&ctx, &token).await })
        });
        let outcomes: Vec<_> = join_all(attempts).await.into_iter().map(Result::unwrap).collect();
        let told = |code: &str| outcomes.iter().filter(|result| outcome(result) == code).count();
        assert_eq!(told("TokenReused"), 1);
        assert_eq!(told("OK") + told("TokenInvalid"), 49);
        assert_eq!(rows(shop, "session WHERE revoked_at IS NULL").await, 0);
        for told in outcomes.iter().flatten() {
            assert_eq!(outcome(&go_on(&home(shop), &told.refresh.token).await), "TokenInvalid");
        }
    }

    async fn a_hundred_guesses_at_once_are_five(shop: &Shop) {
        let other = shop.beside(&[]).await;
        sign_up(&home(shop), "ann@example.com").await;
        for (email, address) in [("ann@example.com", "192.0.2.1"), ("eve@example.com", "192.0.2.9")] {
            let guesses = (0..100).map(|i| {
                let ctx = at(if i % 2 == 0 { shop } else { &other }, address, "Browser");
                tokio::spawn(async move { sign_in::sign_in(&ctx, email, &OTHER_PASSWORD.into()).await })
            });
            let outcomes: Vec<_> = join_all(guesses).await.into_iter().map(Result::unwrap).collect();
            let told = |code: &str| outcomes.iter().filter(|result| outcome(result) == code).count();
            assert_eq!((told("InvalidCredentials"), told("Throttled 30s")), (5, 95), "{email}");
        }
        other.close().await;
    }

    async fn forty_guesses_at_once_from_one_address_are_twenty(shop: &Shop) {
        let other = shop.beside(&[]).await;
        sign_up(&home(shop), "ann@example.com").await;
        let guesses = (0..40).map(|i| {
            let ctx = at(if i % 2 == 0 { shop } else { &other }, "198.51.100.1", "Browser");
            let email = if i % 8 == 0 { "ann@example.com".to_owned() } else { format!("nobody{i}@example.com") };
            tokio::spawn(async move { sign_in::sign_in(&ctx, &email, &OTHER_PASSWORD.into()).await })
        });
        let outcomes: Vec<_> = join_all(guesses).await.into_iter().map(Result::unwrap).collect();
        let told = |code: &str| outcomes.iter().filter(|result| outcome(result) == code).count();
        assert_eq!((told("InvalidCredentials"), told("Throttled 900s")), (20, 20));
        other.close().await;
    }

    async fn who_is_right_waits_for_nobodys_failures(shop: &Shop) {
        let other = shop.beside(&[]).await;
        let emails: Vec<_> = (0..30).map(|i| format!("ann{i}@example.com")).collect();
        for (i, email) in emails.iter().enumerate() {
            sign_up(&at(shop, &format!("192.0.2.{i}"), "Browser"), email).await;
        }
        let everybody = emails.iter().map(String::as_str);
        let one = std::iter::repeat_n("ann0@example.com", 8);
        for (address, all) in [("198.51.100.1", everybody.collect::<Vec<_>>()), ("198.51.100.2", one.collect())] {
            let count = all.len();
            let entries = all.into_iter().enumerate().map(|(i, email)| {
                let ctx = at(if i % 2 == 0 { shop } else { &other }, address, "Browser");
                let email = email.to_owned();
                tokio::spawn(async move { sign_in::sign_in(&ctx, &email, &PASSWORD.into()).await })
            });
            let outcomes: Vec<_> = join_all(entries).await.iter().map(|entry| outcome(entry.as_ref().unwrap())).collect();
            assert_eq!(outcomes, vec!["OK"; count]);
        }
        assert_eq!(rows(shop, "sign_in_attempt WHERE counted > 0").await, emails.len(), "that they have registered counts");
        other.close().await;
    }

    async fn whoever_gets_in_opens_the_way_for_those_who_wait(shop: &Shop) {
        let there = || at(shop, "198.51.100.1", "Browser");
        sign_up(&home(shop), "ann@example.com").await;
        let mut others = Vec::new();
        for i in 0..20 {
            others.push(backoff::begin(&there(), &format!("nobody{i}@example.com")).await.unwrap());
        }
        let waiting: Vec<_> = (0..3).map(|_| {
            let ctx = there();
            tokio::spawn(async move { enter(&ctx, "ann@example.com", PASSWORD).await })
        }).collect();
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
        // She gets in by another way, and all that was in flight here turns out wrong.
        let elsewhere = shop.beside(&[("SOUK_RATE_LIMIT_AUTH", "off")]).await;
        enter(&at(&elsewhere, "198.51.100.1", "Browser"), "ann@example.com", PASSWORD).await.unwrap();
        let txn = shop.db().begin().await.unwrap();
        for other in &others {
            backoff::fail(&txn, other, shop.now()).await.unwrap();
        }
        txn.commit().await.unwrap();
        let outcomes: Vec<_> = join_all(waiting).await.iter().map(|entry| outcome(entry.as_ref().unwrap())).collect();
        assert_eq!(outcomes, ["OK"; 3]);
        assert_eq!(outcome(&enter(&there(), "eve@example.com", PASSWORD).await), "Throttled 900s");
        elsewhere.close().await;
    }

    async fn of_fifty_right_and_wrong_none_waits_for_the_address(shop: &Shop) {
        sign_up(&home(shop), "ann@example.com").await;
        let entries = (0..50).map(|i| {
            let ctx = at(shop, "198.51.100.1", "Browser");
            let password = if i % 2 == 0 { PASSWORD } else { OTHER_PASSWORD };
            tokio::spawn(async move { enter(&ctx, "ann@example.com", password).await })
        });
        let outcomes: Vec<_> = join_all(entries).await.iter().map(|entry| outcome(entry.as_ref().unwrap())).collect();
        // Five wrong ones in a row make all wait for half a minute, as ever.
        let expected = ["OK", "InvalidCredentials", "Throttled 1s", "Throttled 30s"];
        assert!(outcomes.iter().all(|outcome| expected.contains(&outcome.as_str())), "{outcomes:?}");
        assert!(outcomes.iter().any(|outcome| outcome == "OK"), "{outcomes:?}");
    }

    async fn of_many_who_change_one_password_one_does_and_nobody_is_kept_out(shop: &Shop) {
        let who = sign_up(&home(shop), "ann@example.com").await;
        let changes = (0..6).map(|_| {
            let ctx = Context::writing(who.actor(), home(shop).origin, shop.platform.clone());
            tokio::spawn(async move { password::change_password(&ctx, &PASSWORD.into(), &OTHER_PASSWORD.into()).await })
        });
        let outcomes: Vec<_> = join_all(changes).await.into_iter().map(Result::unwrap).collect();
        let told = |code: &str| outcomes.iter().filter(|result| outcome(result) == code).count();
        assert_eq!((told("OK"), told("InvalidCredentials")), (1, 5));
        assert_eq!(rows(shop, "audit_record WHERE action = 'passwordChangeFailed'").await, 5);
        assert_eq!(outcome(&enter(&home(shop), "ann@example.com", OTHER_PASSWORD).await), "OK");
        // Nothing is in flight, or a minute later there would be failures.
        assert_eq!(rows(shop, "sign_in_attempt WHERE CAST(in_flight AS text) <> '[]'").await, 0);
        shop.clock.advance(chrono::Duration::seconds(60));
        assert_eq!(outcome(&enter(&home(shop), "ann@example.com", OTHER_PASSWORD).await), "OK");
    }

    async fn a_fault_is_no_attempt(shop: &Shop) {
        let who = sign_up(&home(shop), "ann@example.com").await;
        let ctx = Context::writing(who.actor(), home(shop).origin, shop.platform.clone());
        // After the password was found right: nothing can be recorded any more.
        shop.execute("ALTER TABLE audit_record RENAME TO elsewhere").await.unwrap();
        for _ in 0..3 {
            let command = register::Register { email: "eve@example.com".to_owned(), password: PASSWORD.into(), name: "Eve".to_owned() };
            assert!(matches!(register::register(&ctx, &command).await, Err(Error::Internal(_))));
            assert!(matches!(enter(&home(shop), "ann@example.com", PASSWORD).await, Err(Error::Internal(_))));
            assert!(matches!(password::change_password(&ctx, &PASSWORD.into(), &OTHER_PASSWORD.into()).await, Err(Error::Internal(_))));
        }
        shop.execute("ALTER TABLE elsewhere RENAME TO audit_record").await.unwrap();
        assert_eq!(rows(shop, "sign_in_attempt WHERE CAST(in_flight AS text) <> '[]'").await, 0);
        assert_eq!(outcome(&enter(&home(shop), "ann@example.com", PASSWORD).await), "OK");
    }

    async fn what_a_dead_process_left_holds_nobody_up_for_good(shop: &Shop) {
        sign_up(&home(shop), "ann@example.com").await;
        for _ in 0..5 {
            backoff::begin(&home(shop), "ann@example.com").await.unwrap();
        }
        assert_eq!(outcome(&enter(&home(shop), "ann@example.com", PASSWORD).await), "Throttled 1s");
        // Nobody knows that they did not fail.
        shop.clock.advance(chrono::Duration::seconds(60));
        assert_eq!(outcome(&enter(&home(shop), "ann@example.com", OTHER_PASSWORD).await), "InvalidCredentials");
        assert_eq!(outcome(&enter(&home(shop), "ann@example.com", PASSWORD).await), "Throttled 60s");
    }

    async fn what_a_dead_process_left_shuts_no_address(shop: &Shop) {
        let (here, few) = ("198.51.100.1", shop.beside(&[("SOUK_RATE_LIMIT_REGISTRATION", "3/1h")]).await);
        sign_up(&home(shop), "ann@example.com").await;
        for i in 0..17 {
            backoff::begin(&at(&few, here, "Browser"), &format!("bob{i}@example.com")).await.unwrap();
        }
        for i in 0..3 {
            backoff::begin_registration(&at(&few, here, "Browser"), &format!("eve{i}@example.com")).await.unwrap();
        }
        assert_eq!(outcome(&enter(&at(&few, here, "Browser"), "ann@example.com", PASSWORD).await), "Throttled 1s");
        few.clock.advance(chrono::Duration::seconds(60));
        assert_eq!(outcome(&enter(&at(&few, here, "Browser"), "ann@example.com", PASSWORD).await), "OK");
        sign_up(&at(&few, here, "Browser"), "new@example.com").await;
        // Nor does it give the account back what may have been guesses: these and 95 are a hundred.
        for _ in 0..5 {
            backoff::begin(&at(&few, here, "Browser"), "eve@example.com").await.unwrap();
        }
        few.clock.advance(chrono::Duration::seconds(60));
        for i in 0..95 {
            assert_eq!(outcome(&enter(&at(&few, &format!("203.0.113.{i}"), "Bot"), "eve@example.com", PASSWORD).await), "InvalidCredentials");
        }
        assert_eq!(outcome(&enter(&at(&few, "203.0.113.200", "Bot"), "eve@example.com", PASSWORD).await), "Throttled 3540s");
        few.close().await;
    }

    async fn of_many_who_register_at_once_no_more_than_the_limit_do(shop: &Shop) {
        let few = shop.beside(&[("SOUK_RATE_LIMIT_REGISTRATION", "3/1h")]).await;
        let attempts = (0..10).map(|i| {
            let ctx = home(&few);
            let command = register::Register { email: format!("ann{i}@example.com"), password: PASSWORD.into(), name: "Ann".to_owned() };
            tokio::spawn(async move { register::register(&ctx, &command).await })
        });
        let outcomes: Vec<_> = join_all(attempts).await.into_iter().map(Result::unwrap).collect();
        let told = |code: &str| outcomes.iter().filter(|result| outcome(result) == code).count();
        assert_eq!((told("OK"), told("Throttled 3600s")), (3, 7));
        assert_eq!(rows(shop, "user_account").await, 3);
        few.close().await;
    }

    async fn who_finds_the_queue_full_may_come_again(shop: &Shop) {
        let busy = shop.beside(&[("SOUK_PASSWORD_MEMORY", "32MiB"), ("SOUK_PASSWORD_THREADS", "1"), ("SOUK_PASSWORD_QUEUE", "1")]).await;
        sign_up(&home(shop), "ann@example.com").await;
        let entries = (0..12).map(|i| {
            let ctx = at(&busy, &format!("192.0.2.{i}"), "Browser");
            tokio::spawn(async move { sign_in::sign_in(&ctx, "nobody@example.com", &PASSWORD.into()).await })
        });
        let outcomes: Vec<_> = join_all(entries).await.into_iter().map(Result::unwrap).collect();
        let refused = outcomes.iter().filter(|result| matches!(result, Err(Error::Throttled { .. }))).count();
        assert!((1..12).contains(&refused), "{refused}");
        assert_eq!(outcomes.iter().filter(|result| outcome(result) == "InvalidCredentials").count(), 12 - refused);
        // What was not looked at was no attempt.
        let counted = shop.rows("SELECT CAST(COALESCE(SUM(counted), 0) AS text) FROM sign_in_attempt").await;
        let (kinds, registered) = (3, 1);
        assert_eq!(counted[0][0].parse::<usize>().unwrap(), (12 - refused) * kinds + registered);
        assert_eq!(outcome(&enter(&home(&busy), "ann@example.com", PASSWORD).await), "OK");
        busy.close().await;
    }
}
