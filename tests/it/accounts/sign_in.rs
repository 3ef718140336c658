//! Signing in with an email and a password.

use std::time::Instant;

use serde_json::{Value, json};

use super::people::{
    OTHER_PASSWORD, PASSWORD, TOKENS, at, audit, enter, home, outcome, refusal, rows, send, send_as, sign_up,
};
use crate::support::Shop;

async fn sign_in(shop: &Shop, email: &str, password: &str) -> Value {
    let input = json!({"email": email, "password": password});
    let document = format!(
        "mutation($input: SessionCreateInput!) {{ sessionCreate(input: $input) {{ user {{ email }} {TOKENS} }} }}"
    );
    let mut answer = send(shop, None, &document, json!({"input": input})).await;
    assert_eq!(answer["errors"], Value::Null, "{answer}");
    answer["data"]["sessionCreate"].take()
}

both! {
    async fn whoever_knows_the_password_is_let_in(shop: &Shop) {
        sign_up(&home(shop), "ann@example.com").await;
        let answer = sign_in(shop, " ANN@example.com", PASSWORD).await;
        assert_eq!(answer["user"], json!({"email": "ann@example.com"}));
        let access = answer["tokens"]["accessToken"].as_str();
        let me = send(shop, access, "{ me { sessions { id isCurrent } } }", json!({})).await;
        let current: Vec<_> = me["data"]["me"]["sessions"].as_array().unwrap().iter().map(|session| &session["isCurrent"]).collect();
        assert_eq!(current, [true, false]);
        assert_eq!(audit(shop).await, ["accountRegister", "sessionCreate"]);
    }

    async fn an_unknown_email_and_a_wrong_password_are_told_alike(shop: &Shop) {
        sign_up(&home(shop), "ann@example.com").await;
        let count = async |email: &str| {
            let before = shop.db().statements();
            let answer = sign_in(shop, email, OTHER_PASSWORD).await;
            (answer, shop.db().statements() - before)
        };
        let (known, known_statements) = count("ann@example.com").await;
        let (unknown, unknown_statements) = count("eve@example.com").await;
        assert_eq!(known, unknown);
        assert_eq!(known_statements, unknown_statements);
        assert_eq!(refusal(&known), ("INVALID_CREDENTIALS".to_owned(), "input".to_owned()));
        for email in ["", "ann", "ann@example.com\r\nx", "\u{0}"] {
            assert_eq!(sign_in(shop, email, OTHER_PASSWORD).await, known, "{email:?}");
        }
        assert_eq!(rows(shop, "session").await, 1);
        // What strangers type is kept nowhere as they typed it.
        let subjects = shop.rows("SELECT subject FROM audit_record WHERE action = 'sessionCreateFailed' ORDER BY id").await;
        assert!(subjects[0][0].starts_with("user_") && subjects[1][0].starts_with("email_"), "{subjects:?}");
    }

    async fn a_hundred_kilobytes_are_refused_without_hashing(shop: &Shop) {
        let costly = shop.beside(&[("SOUK_PASSWORD_MEMORY", "128MiB"), ("SOUK_RATE_LIMIT_AUTH", "off")]).await;
        let input = "x".repeat(100_000);
        let mut cheap = std::time::Duration::MAX;
        // The best of a few: any one of them may have waited for the disk.
        for _ in 0..4 {
            let started = Instant::now();
            assert_eq!(refusal(&sign_in(&costly, "ann@example.com", &input).await).0, "INVALID_CREDENTIALS");
            cheap = cheap.min(started.elapsed());
        }
        let started = Instant::now();
        assert_eq!(refusal(&sign_in(&costly, "ann@example.com", OTHER_PASSWORD).await).0, "INVALID_CREDENTIALS");
        let dear = started.elapsed();
        assert!(cheap * 4 < dear, "{cheap:?} {dear:?}");
        costly.close().await;
    }

    async fn an_older_hash_is_made_anew(shop: &Shop) {
        sign_up(&home(shop), "ann@example.com").await;
        let stored = async || shop.rows("SELECT password_hash FROM user_account").await[0][0].clone();
        let old = stored().await;
        assert!(old.starts_with("$argon2id$v=19$m=64,t=2,p=1$"), "{old}");
        let stricter = shop.beside(&[("SOUK_PASSWORD_MEMORY", "128KiB")]).await;
        assert_eq!(outcome(&enter(&home(&stricter), "ann@example.com", OTHER_PASSWORD).await), "InvalidCredentials");
        assert_eq!(stored().await, old);
        assert_eq!(outcome(&enter(&home(&stricter), "ann@example.com", PASSWORD).await), "OK");
        let new = stored().await;
        assert!(new.starts_with("$argon2id$v=19$m=128,t=2,p=1$"), "{new}");
        assert_eq!(outcome(&enter(&home(&stricter), "ann@example.com", PASSWORD).await), "OK");
        assert_eq!(stored().await, new);
        stricter.close().await;
    }

    async fn many_who_sign_in_at_once_may_find_an_older_hash(shop: &Shop) {
        sign_up(&home(shop), "ann@example.com").await;
        let stricter = shop.beside(&[("SOUK_PASSWORD_MEMORY", "128KiB"), ("SOUK_PASSWORD_THREADS", "4")]).await;
        let places: Vec<_> = (1..=8).map(|n| at(&stricter, &format!("203.0.113.{n}"), "Browser")).collect();
        let entered = places.iter().map(|place| enter(place, "ann@example.com", PASSWORD));
        let outcomes: Vec<_> = futures_util::future::join_all(entered).await.iter().map(outcome).collect();
        assert_eq!(outcomes, ["OK"; 8]);
        stricter.close().await;
    }

    async fn many_at_once_from_one_place_find_their_count(shop: &Shop) {
        let ctx = home(shop);
        sign_up(&ctx, "ann@example.com").await;
        for _ in 0..20 {
            let entered = (0..4).map(|_| enter(&ctx, "ann@example.com", PASSWORD));
            let outcomes: Vec<_> = futures_util::future::join_all(entered).await.iter().map(outcome).collect();
            assert_eq!(outcomes, ["OK"; 4]);
        }
    }

    async fn a_user_agent_is_kept_without_what_could_act(shop: &Shop) {
        let agent = format!("Evil\r\nSet-Cookie: a=b\u{1b}[2J{}", "\u{1F600}".repeat(10_000));
        let there = at(shop, "2001:db8::7", &agent);
        let who = sign_up(&there, "ann@example.com").await;
        let answer = send_as(shop, &who, "{ me { sessions { userAgent ipAddress } } }", json!({})).await;
        let session = &answer["data"]["me"]["sessions"][0];
        let agent = session["userAgent"].as_str().unwrap();
        assert!(agent.starts_with("EvilSet-Cookie: a=b[2J") && agent.chars().count() == 255, "{agent}");
        assert_eq!(session["ipAddress"], "2001:db8::7");
        let recorded = shop.rows("SELECT user_agent, ip_address FROM audit_record").await;
        assert_eq!(recorded, [[agent, "2001:db8::7"]]);
    }

    async fn an_account_has_a_hundred_sessions_at_most(shop: &Shop) {
        let ctx = home(shop);
        let first = sign_up(&ctx, "ann@example.com").await;
        for _ in 0..100 {
            shop.clock.advance(chrono::Duration::seconds(1));
            enter(&ctx, "ann@example.com", PASSWORD).await.unwrap();
        }
        let ended = shop.rows("SELECT revoke_reason FROM session WHERE revoked_at IS NOT NULL").await;
        assert_eq!(ended, [["TOO_MANY"]]);
        // At once, on this instance.
        let answer = send_as(shop, &first, "{ me { id } }", json!({})).await;
        assert_eq!(answer["errors"][0]["extensions"]["code"], "UNAUTHENTICATED");
    }

    async fn what_ended_long_ago_is_forgotten(shop: &Shop) {
        let ctx = home(shop);
        sign_up(&ctx, "ann@example.com").await;
        shop.clock.advance(chrono::Duration::days(36));
        enter(&ctx, "ann@example.com", PASSWORD).await.unwrap();
        assert_eq!((rows(shop, "session").await, rows(shop, "refresh_token").await), (2, 2));
        shop.clock.advance(chrono::Duration::days(2));
        enter(&ctx, "ann@example.com", PASSWORD).await.unwrap();
        assert_eq!((rows(shop, "session").await, rows(shop, "refresh_token").await), (2, 2));
    }
}
