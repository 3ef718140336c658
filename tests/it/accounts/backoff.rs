//! How often signing in may be tried.

use chrono::Duration;
use souk::domain::accounts::{password, register};
use souk::domain::context::Context;

use super::people::{OTHER_PASSWORD, PASSWORD, at, enter, home, outcome, rows, sign_up};
use crate::support::Shop;

both! {
    async fn after_five_the_wait_grows(shop: &Shop) {
        sign_up(&home(shop), "ann@example.com").await;
        for email in ["ann@example.com", "eve@example.com"] {
            let ctx = at(shop, "198.51.100.1", "Browser");
            for _ in 0..5 {
                assert_eq!(outcome(&enter(&ctx, email, OTHER_PASSWORD).await), "InvalidCredentials");
            }
            for wait in [30, 60, 120] {
                assert_eq!(outcome(&enter(&ctx, email, OTHER_PASSWORD).await), format!("Throttled {wait}s"));
                // Asking meanwhile does not make it longer.
                shop.clock.advance(Duration::seconds(wait - 1));
                assert_eq!(outcome(&enter(&ctx, email, OTHER_PASSWORD).await), "Throttled 1s");
                shop.clock.advance(Duration::seconds(1));
                assert_eq!(outcome(&enter(&ctx, email, OTHER_PASSWORD).await), "InvalidCredentials");
            }
            // Typed otherwise it is the same account, and in one household the same address.
            assert_eq!(outcome(&enter(&ctx, &email.to_uppercase(), OTHER_PASSWORD).await), "Throttled 240s");
        }
        let ctx = at(shop, "2001:db8::1", "Browser");
        for _ in 0..5 {
            enter(&ctx, "ann@example.com", OTHER_PASSWORD).await.unwrap_err();
        }
        let neighbour = at(shop, "2001:db8::ffff:2", "Browser");
        assert_eq!(outcome(&enter(&neighbour, "ann@example.com", PASSWORD).await), "Throttled 30s");
        let elsewhere = at(shop, "2001:db8:0:1::1", "Browser");
        assert_eq!(outcome(&enter(&elsewhere, "ann@example.com", PASSWORD).await), "OK");
    }

    async fn the_right_password_clears_the_count(shop: &Shop) {
        let ctx = home(shop);
        sign_up(&ctx, "ann@example.com").await;
        for _ in 0..3 {
            for _ in 0..4 {
                assert_eq!(outcome(&enter(&ctx, "ann@example.com", OTHER_PASSWORD).await), "InvalidCredentials");
            }
            assert_eq!(outcome(&enter(&ctx, "ann@example.com", PASSWORD).await), "OK");
        }
        assert_eq!(rows(shop, "sign_in_attempt WHERE counted > 0").await, 1, "she has registered: at home neither the address nor the account counts");
        // What others try from here is counted all the same: an account of one's own buys no guesses at another.
        for n in 0..3 {
            assert_eq!(outcome(&enter(&ctx, &format!("other{n}@example.com"), OTHER_PASSWORD).await), "InvalidCredentials");
        }
        assert_eq!(outcome(&enter(&ctx, "ann@example.com", PASSWORD).await), "OK");
        assert_eq!(rows(shop, "sign_in_attempt WHERE counted = 3").await, 1);
    }

    async fn an_address_has_so_many_whatever_it_tries(shop: &Shop) {
        let ctx = at(shop, "198.51.100.1", "Browser");
        sign_up(&home(shop), "ann@example.com").await;
        for i in 0..20 {
            assert_eq!(outcome(&enter(&ctx, &format!("nobody{i}@example.com"), OTHER_PASSWORD).await), "InvalidCredentials");
        }
        shop.clock.advance(Duration::minutes(5));
        assert_eq!(outcome(&enter(&ctx, "ann@example.com", PASSWORD).await), "Throttled 600s");
        assert_eq!(outcome(&enter(&home(shop), "ann@example.com", PASSWORD).await), "OK");
        let free = shop.beside(&[("SOUK_RATE_LIMIT_AUTH", "off")]).await;
        assert_eq!(outcome(&enter(&at(&free, "198.51.100.1", "Browser"), "ann@example.com", PASSWORD).await), "OK");
        free.close().await;
        shop.clock.advance(Duration::minutes(10));
        assert_eq!(outcome(&enter(&ctx, "ann@example.com", PASSWORD).await), "OK");
    }

    async fn strangers_do_not_lock_out_the_owner(shop: &Shop) {
        let ctx = home(shop);
        sign_up(&ctx, "ann@example.com").await;
        for email in ["ann@example.com", "nobody@example.com"] {
            for i in 0..100 {
                let stranger = at(shop, &format!("198.51.100.{i}"), "Bot");
                assert_eq!(outcome(&enter(&stranger, email, OTHER_PASSWORD).await), "InvalidCredentials");
            }
            let stranger = at(shop, "203.0.113.200", "Bot");
            assert_eq!(outcome(&enter(&stranger, email, PASSWORD).await), "Throttled 3600s", "{email}");
        }
        // At home, and wherever else she has been, she comes in.
        assert_eq!(outcome(&enter(&ctx, "ann@example.com", PASSWORD).await), "OK");
        shop.clock.advance(Duration::minutes(60));
        assert_eq!(outcome(&enter(&at(shop, "203.0.113.1", "Phone"), "ann@example.com", PASSWORD).await), "OK");
        for i in 0..100 {
            let stranger = at(shop, &format!("198.51.100.{i}"), "Bot");
            enter(&stranger, "ann@example.com", OTHER_PASSWORD).await.unwrap_err();
        }
        assert_eq!(outcome(&enter(&at(shop, "203.0.113.1", "Phone"), "ann@example.com", PASSWORD).await), "OK");
        // Nobody has an address for good.
        shop.clock.advance(Duration::days(31));
        for i in 0..100 {
            let stranger = at(shop, &format!("198.51.100.{i}"), "Bot");
            enter(&stranger, "ann@example.com", OTHER_PASSWORD).await.unwrap_err();
        }
        assert_eq!(outcome(&enter(&ctx, "ann@example.com", PASSWORD).await), "Throttled 3600s");
    }

    async fn a_thief_is_at_no_place_of_the_owners(shop: &Shop) {
        let ctx = home(shop);
        let who = sign_up(&ctx, "ann@example.com").await;
        let (thief, shared) = (at(shop, "198.51.100.66", "Thief"), at(shop, "198.51.100.67", "Phone"));
        for ctx in [&thief, &shared] {
            enter(ctx, "ann@example.com", PASSWORD).await.unwrap();
        }
        let change = Context::writing(who.actor(), ctx.origin.clone(), shop.platform.clone());
        password::change_password(&change, &PASSWORD.into(), &OTHER_PASSWORD.into()).await.unwrap();
        enter(&shared, "ann@example.com", OTHER_PASSWORD).await.unwrap();
        for i in 0..100 {
            let stranger = at(shop, &format!("203.0.113.{i}"), "Bot");
            enter(&stranger, "ann@example.com", PASSWORD).await.unwrap_err();
        }
        assert_eq!(outcome(&enter(&thief, "ann@example.com", OTHER_PASSWORD).await), "Throttled 3600s");
        // Where she changed it she is known, and where she has signed in since.
        for ctx in [&ctx, &shared] {
            assert_eq!(outcome(&enter(ctx, "ann@example.com", OTHER_PASSWORD).await), "OK");
        }
    }

    async fn each_wait_is_recorded_once(shop: &Shop) {
        sign_up(&home(shop), "ann@example.com").await;
        let stranger = at(shop, "198.51.100.1", "Bot");
        for email in ["ann@example.com", "eve@example.com", "nobody"] {
            for _ in 0..2 {
                while outcome(&enter(&stranger, email, OTHER_PASSWORD).await) == "InvalidCredentials" {}
                for _ in 0..20 {
                    assert!(outcome(&enter(&stranger, email, PASSWORD).await).starts_with("Throttled"));
                }
                shop.clock.advance(Duration::seconds(30));
            }
        }
        let of = async |subject: &str| {
            let sql = "SELECT action, CAST(COUNT(*) AS text) FROM audit_record WHERE subject LIKE";
            let all = shop.rows(&format!("{sql} '{subject}' GROUP BY subject, action ORDER BY subject, action")).await;
            all.into_iter().map(|row| format!("{} {}", row[0], row[1])).collect::<Vec<_>>()
        };
        let each = ["sessionCreateFailed 6", "signInThrottled 2"];
        assert_eq!(of("user_%").await, ["accountRegister 1", each[0], each[1]]);
        // What was typed is told apart, and not told.
        assert_eq!(of("email_%").await, [each, each].concat());
        let subjects = shop.rows("SELECT DISTINCT subject FROM audit_record WHERE subject LIKE 'email_%'").await;
        assert!(subjects.len() == 2 && subjects.iter().all(|row| row[0].len() == 38 && !row[0].contains("eve")), "{subjects:?}");
        let after = shop.rows("SELECT CAST(after AS text) FROM audit_record WHERE action = 'signInThrottled' ORDER BY id").await;
        assert!(after[0][0].contains("accountFromAddress") && after[0][0].contains("2026-03-01T12:00:30Z"), "{after:?}");
    }

    async fn an_address_opens_so_many_accounts(shop: &Shop) {
        let ctx = home(shop);
        let open = async |ctx: &souk::domain::context::Context, email: &str, password: &str| {
            let command = register::Register { email: email.to_owned(), password: password.into(), name: "Ann".to_owned() };
            outcome(&register::register(ctx, &command).await)
        };
        for i in 0..20 {
            // None of these is a new one.
            assert_eq!(open(&ctx, "weak@example.com", "12345678").await, "WeakPassword");
            if i > 0 {
                assert_eq!(open(&ctx, "ann0@example.com", PASSWORD).await, "OK");
            }
            assert_eq!(open(&ctx, &format!("ann{i}@example.com"), PASSWORD).await, "OK");
        }
        shop.clock.advance(Duration::minutes(10));
        for (email, password) in [("ann0@example.com", PASSWORD), ("ann0@example.com", OTHER_PASSWORD), ("new@example.com", PASSWORD)] {
            assert_eq!(open(&ctx, email, password).await, "Throttled 3000s", "{email}");
        }
        assert_eq!(outcome(&enter(&ctx, "ann0@example.com", PASSWORD).await), "OK");
        assert_eq!(open(&at(shop, "198.51.100.1", "Browser"), "new@example.com", PASSWORD).await, "OK");
        let free = shop.beside(&[("SOUK_RATE_LIMIT_REGISTRATION", "off")]).await;
        assert_eq!(open(&home(&free), "newer@example.com", PASSWORD).await, "OK");
        free.close().await;
        shop.clock.advance(Duration::minutes(50));
        assert_eq!(open(&ctx, "newest@example.com", PASSWORD).await, "OK");
    }

    async fn a_long_window_lasts(shop: &Shop) {
        let week = shop.beside(&[("SOUK_RATE_LIMIT_AUTH", "3/7d"), ("SOUK_RATE_LIMIT_REGISTRATION", "off")]).await;
        sign_up(&home(&week), "ann@example.com").await;
        let there = at(&week, "198.51.100.1", "Browser");
        for i in 0..3 {
            enter(&there, &format!("x{i}@example.com"), OTHER_PASSWORD).await.unwrap_err();
        }
        for day in (1..7).rev() {
            week.clock.advance(Duration::days(1));
            // A success clears away what has no effect any more.
            enter(&home(&week), "ann@example.com", PASSWORD).await.unwrap();
            assert_eq!(outcome(&enter(&there, "ann@example.com", PASSWORD).await), format!("Throttled {}s", day * 24 * 60 * 60));
        }
        week.clock.advance(Duration::days(1));
        assert_eq!(outcome(&enter(&there, "ann@example.com", PASSWORD).await), "OK");
        week.close().await;
    }

    async fn old_counts_go(shop: &Shop) {
        let ctx = home(shop);
        sign_up(&ctx, "ann@example.com").await;
        for i in 0..30 {
            let stranger = at(shop, &format!("198.51.100.{i}"), "Bot");
            enter(&stranger, &format!("x{i}@example.com"), OTHER_PASSWORD).await.unwrap_err();
        }
        assert_eq!(rows(shop, "sign_in_attempt WHERE counted > 0").await, 91);
        shop.clock.advance(Duration::hours(49));
        enter(&ctx, "ann@example.com", PASSWORD).await.unwrap();
        // Those of this attempt are left, with nothing counted.
        assert_eq!(rows(shop, "sign_in_attempt").await, rows(shop, "sign_in_attempt WHERE counted = 0").await);
    }
}
