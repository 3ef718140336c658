//! Going on with a session.

use chrono::Duration;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;

use super::people::{
    PASSWORD, TOKENS, at, audit, enter, go_on, home, outcome, refusal, rows, send, send_as, sign_up,
};
use crate::support::Shop;

both! {
    async fn a_refresh_token_buys_the_next_ones(shop: &Shop) {
        let who = sign_up(&home(shop), "ann@example.com").await;
        shop.clock.advance(Duration::days(6));
        let document = format!("mutation($input: SessionRefreshInput!) {{ sessionRefresh(input: $input) {{ user {{ email sessions {{ isCurrent lastUsedAt }} }} {TOKENS} }} }}");
        let input = json!({"refreshToken": who.refresh.token.expose_secret()});
        let answer = send(shop, None, &document, json!({"input": input})).await;
        let payload = &answer["data"]["sessionRefresh"];
        assert_eq!(payload["user"], json!({"email": "ann@example.com", "sessions": [{"isCurrent": true, "lastUsedAt": "2026-03-07T12:00:00Z"}]}));
        let tokens = &payload["tokens"];
        assert_eq!(tokens["accessTokenExpiresAt"], "2026-03-07T12:15:00Z");
        assert_eq!(tokens["refreshTokenExpiresAt"], "2026-03-14T12:00:00Z");
        assert_ne!(tokens["refreshToken"], who.refresh.token.expose_secret());
        let me = send(shop, tokens["accessToken"].as_str(), "{ me { email } }", json!({})).await;
        assert_eq!(me["data"]["me"]["email"], "ann@example.com");
        // It went on for as long as it is used.
        shop.clock.advance(Duration::days(6));
        let next: SecretString = tokens["refreshToken"].as_str().unwrap().into();
        assert_eq!(outcome(&go_on(&home(shop), &next).await), "OK");
        assert_eq!(rows(shop, "session").await, 1);
    }

    async fn a_device_that_goes_on_for_long_leaves_no_heap_of_tokens(shop: &Shop) {
        let ctx = home(shop);
        let mut token = sign_up(&ctx, "ann@example.com").await.refresh.token;
        for _ in 0..20 {
            shop.clock.advance(Duration::days(6));
            token = go_on(&ctx, &token).await.unwrap().refresh.token;
        }
        assert!(rows(shop, "refresh_token").await < 8);
    }

    async fn a_session_goes_on_so_often_within_an_hour(shop: &Shop) {
        let ctx = home(shop);
        let mut token = sign_up(&ctx, "ann@example.com").await.refresh.token;
        let other = enter(&ctx, "ann@example.com", PASSWORD).await.unwrap().refresh.token;
        for _ in 0..120 {
            shop.clock.advance(Duration::seconds(10));
            token = go_on(&ctx, &token).await.unwrap().refresh.token;
        }
        assert_eq!(outcome(&go_on(&ctx, &token).await), "Throttled 2400s");
        assert_eq!(outcome(&go_on(&ctx, &other).await), "OK");
        let short = shop.beside(&[("SOUK_ACCESS_TOKEN_LIFE", "1m")]).await;
        short.clock.advance(Duration::seconds(1200));
        assert_eq!(outcome(&go_on(&home(&short), &token).await), "OK");
        short.close().await;
    }

    async fn who_comes_too_often_has_not_used_the_token(shop: &Shop) {
        let ctx = home(shop);
        let mut token = sign_up(&ctx, "ann@example.com").await.refresh.token;
        for _ in 0..120 {
            token = go_on(&ctx, &token).await.unwrap().refresh.token;
        }
        assert_eq!(outcome(&go_on(&ctx, &token).await), "Throttled 3600s");
        shop.clock.advance(Duration::hours(1));
        assert_eq!(outcome(&go_on(&ctx, &token).await), "OK");
    }

    async fn people_of_the_demo_shop_do_not_go_on_in_production(shop: &Shop) {
        let who = sign_up(&home(shop), "ann@demo.souk.example").await;
        let production = shop.beside(&[("SOUK_ENV", "production"), ("SOUK_PASSWORD_MEMORY", "19MiB")]).await;
        assert_eq!(outcome(&go_on(&home(&production), &who.refresh.token).await), "TokenInvalid");
        production.close().await;
        assert_eq!(outcome(&go_on(&home(shop), &who.refresh.token).await), "OK");
    }

    async fn a_lost_answer_is_told_again_to_the_same_client(shop: &Shop) {
        let ctx = home(shop);
        let who = sign_up(&ctx, "ann@example.com").await;
        let told = go_on(&ctx, &who.refresh.token).await.unwrap();
        shop.clock.advance(Duration::milliseconds(9_999));
        let again = go_on(&ctx, &who.refresh.token).await.unwrap();
        assert_eq!(again.refresh.token.expose_secret(), told.refresh.token.expose_secret());
        assert_eq!(again.refresh.expires_at, told.refresh.expires_at);
        assert_eq!(outcome(&go_on(&ctx, &again.refresh.token).await), "OK");
    }

    async fn after_the_grace_it_is_told_to_nobody(shop: &Shop) {
        let ctx = home(shop);
        let who = sign_up(&ctx, "ann@example.com").await;
        let told = go_on(&ctx, &who.refresh.token).await.unwrap();
        shop.clock.advance(Duration::seconds(10));
        assert_eq!(outcome(&go_on(&ctx, &who.refresh.token).await), "TokenReused");
        assert_eq!(outcome(&go_on(&ctx, &told.refresh.token).await), "TokenInvalid");
    }

    async fn once_its_successor_was_used_it_is_told_to_nobody(shop: &Shop) {
        let ctx = home(shop);
        let who = sign_up(&ctx, "ann@example.com").await;
        let told = go_on(&ctx, &who.refresh.token).await.unwrap();
        let newest = go_on(&ctx, &told.refresh.token).await.unwrap();
        assert_eq!(outcome(&go_on(&ctx, &who.refresh.token).await), "TokenReused");
        assert_eq!(outcome(&go_on(&ctx, &newest.refresh.token).await), "TokenInvalid");
    }

    async fn of_a_thief_and_the_owner_neither_goes_on(shop: &Shop) {
        let owner = home(shop);
        for thief in [at(shop, "198.51.100.66", "Browser"), at(shop, "192.0.2.1", "Another browser")] {
            for (first, second) in [(&owner, &thief), (&thief, &owner)] {
                let who = match enter(&owner, "ann@example.com", PASSWORD).await {
                    Ok(who) => who,
                    Err(_) => sign_up(&owner, "ann@example.com").await,
                };
                let won = go_on(first, &who.refresh.token).await.unwrap();
                assert_eq!(outcome(&go_on(second, &who.refresh.token).await), "TokenReused");
                assert_eq!(outcome(&go_on(first, &won.refresh.token).await), "TokenInvalid");
                for access in [&won, &who] {
                    let answer = send_as(shop, access, "{ me { id } }", json!({})).await;
                    assert_eq!(answer["errors"][0]["extensions"]["code"], "UNAUTHENTICATED", "{answer}");
                }
            }
        }
        assert_eq!(audit(shop).await.iter().filter(|action| *action == "refreshTokenReused").count(), 4);
        let reasons = shop.rows("SELECT DISTINCT revoke_reason FROM session").await;
        assert_eq!(reasons, [["TOKEN_REUSED"]]);
    }

    async fn a_stolen_token_does_not_live_on_because_its_owner_was_away(shop: &Shop) {
        let (owner, thief) = (home(shop), at(shop, "198.51.100.66", "Thief"));
        let who = sign_up(&owner, "ann@example.com").await;
        let mut stolen = go_on(&thief, &who.refresh.token).await.unwrap();
        for _ in 0..3 {
            shop.clock.advance(Duration::days(3));
            stolen = go_on(&thief, &stolen.refresh.token).await.unwrap();
        }
        // The owner's token has expired by now, and still tells that there are two.
        assert_eq!(outcome(&go_on(&owner, &who.refresh.token).await), "TokenReused");
        assert_eq!(outcome(&go_on(&thief, &stolen.refresh.token).await), "TokenInvalid");
    }

    async fn what_is_no_token_is_told_alike(shop: &Shop) {
        let ctx = home(shop);
        let expired = sign_up(&ctx, "ann@example.com").await;
        shop.clock.advance(Duration::days(7));
        let revoked = enter(&ctx, "ann@example.com", PASSWORD).await.unwrap();
        send_as(shop, &revoked, "mutation { sessionRevoke { sessionId } }", json!({})).await;
        let document = format!("mutation($input: SessionRefreshInput!) {{ sessionRefresh(input: $input) {{ user {{ id }} {TOKENS} }} }}");
        let real = revoked.refresh.token.expose_secret();
        let mut answers = Vec::new();
        for token in [
            "", "x", "souk_rt_", "\u{0}", &"x".repeat(100_000), &real[..real.len() - 1], &format!("{real}a"), &real.to_uppercase(),
            revoked.access.token.expose_secret(), expired.refresh.token.expose_secret(), real,
            "souk_rt_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        ] {
            let mut answer = send(shop, None, &document, json!({"input": {"refreshToken": token}})).await;
            assert_eq!(refusal(&answer["data"]["sessionRefresh"]), ("TOKEN_INVALID".to_owned(), "input.refreshToken".to_owned()), "{token}");
            answers.push(answer["data"].take());
        }
        answers.dedup();
        assert_eq!(answers.len(), 1);
    }

    async fn tokens_are_stored_as_hashes_only(shop: &Shop) {
        let ctx = home(shop);
        let who = sign_up(&ctx, "ann@example.com").await;
        let next = go_on(&ctx, &who.refresh.token).await.unwrap();
        let stored = shop.rows("SELECT hash || ' ' || seed FROM refresh_token").await.concat().join(" ");
        for secret in [&who.refresh.token, &next.refresh.token] {
            let bare = secret.expose_secret().trim_start_matches("souk_rt_");
            assert_eq!(bare.len(), 43);
            assert!(!stored.contains(bare), "{stored}");
        }
    }

    async fn a_session_goes_on_where_it_was_last_refreshed(shop: &Shop) {
        let who = sign_up(&home(shop), "ann@example.com").await;
        shop.clock.advance(Duration::minutes(1));
        let moved = go_on(&at(shop, "203.0.113.5", "Newer browser"), &who.refresh.token).await.unwrap();
        let answer = send_as(shop, &moved, "{ me { sessions { createdAt lastUsedAt ipAddress userAgent } } }", json!({})).await;
        let expected = json!([{"createdAt": "2026-03-01T12:00:00Z", "lastUsedAt": "2026-03-01T12:01:00Z", "ipAddress": "203.0.113.5", "userAgent": "Newer browser"}]);
        assert_eq!(answer["data"]["me"]["sessions"], expected);
    }

    /// Two who hold tokens of one session, in whatever order: what comes of each step is what the rules say, a session
    /// has one live token at most, and a used token yields nothing after the grace.
    async fn whatever_two_holders_do_the_rules_hold(shop: &Shop) {
        let holders = [home(shop), at(shop, "198.51.100.66", "Other")];
        sign_up(&holders[0], "ann@example.com").await;
        let mut random = Random(0x5eed);
        for round in 0..60 {
            let who = enter(&holders[0], "ann@example.com", PASSWORD).await.unwrap();
            // Of each token that there was: itself, and when and by whom it was used.
            let mut chain: Vec<(SecretString, Option<Use>)> = vec![(who.refresh.token.clone(), None)];
            let mut over = false;
            let mut steps = Vec::new();
            for _ in 0..12 {
                shop.clock.advance(Duration::seconds([0, 0, 1, 4, 9, 11][random.below(6)]));
                let holder = random.below(5) / 4;
                let back = random.below(6).saturating_sub(3).min(chain.len() - 1);
                let index = chain.len() - 1 - back;
                steps.push((holder, index));
                let (token, used) = chain[index].clone();
                let result = go_on(&holders[holder], &token).await;
                let expected = match used {
                    _ if over => "TokenInvalid",
                    None => "OK",
                    Some((at, by)) if shop.now() - at < Duration::seconds(10) && by == holder && index + 2 == chain.len() => "OK",
                    Some(_) => "TokenReused",
                };
                assert_eq!(outcome(&result), expected, "round {round}: {steps:?}");
                over = over || expected == "TokenReused";
                if let Ok(told) = result {
                    if used.is_none() {
                        chain[index].1 = Some((shop.now(), holder));
                        chain.push((told.refresh.token, None));
                    } else {
                        assert_eq!(told.refresh.token.expose_secret(), chain[index + 1].0.expose_secret());
                    }
                }
            }
            let live = shop.rows("SELECT CAST(COUNT(*) AS text) FROM refresh_token WHERE used_at IS NULL GROUP BY session_id HAVING COUNT(*) > 1").await;
            assert!(live.is_empty(), "round {round}: {steps:?}");
        }
        let endings = shop.rows("SELECT DISTINCT COALESCE(revoke_reason, 'none') FROM session ORDER BY 1").await.concat();
        assert!(endings.contains(&"TOKEN_REUSED".to_owned()) && endings.contains(&"none".to_owned()), "{endings:?}");
    }
}

/// When a token was used, and by which holder.
type Use = (chrono::DateTime<chrono::Utc>, usize);

/// The same numbers each time.
struct Random(u64);

impl Random {
    fn below(&mut self, most: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % most
    }
}
