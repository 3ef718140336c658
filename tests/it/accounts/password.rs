//! A new password.

use chrono::Duration;
use serde_json::{Value, json};

use super::people::{
    OTHER_PASSWORD, PASSWORD, at, audit, enter, go_on, home, outcome, refusal, send, send_as, sign_up,
};
use crate::support::Shop;

const CHANGE: &str = "mutation($input: PasswordChangeInput!) { passwordChange(input: $input) { user { email } userErrors { code path } } }";

fn input(current: &str, new: &str) -> Value {
    json!({"input": {"currentPassword": current, "newPassword": new}})
}

both! {
    async fn a_new_password_signs_out_the_others(shop: &Shop) {
        let ctx = home(shop);
        let here = sign_up(&ctx, "ann@example.com").await;
        let there = enter(&ctx, "ann@example.com", PASSWORD).await.unwrap();
        let answer = send_as(shop, &here, CHANGE, input(PASSWORD, OTHER_PASSWORD)).await;
        assert_eq!(answer["data"]["passwordChange"], json!({"user": {"email": "ann@example.com"}, "userErrors": []}));
        assert_eq!(outcome(&go_on(&ctx, &there.refresh.token).await), "TokenInvalid");
        let answer = send_as(shop, &there, "{ me { id } }", json!({})).await;
        assert_eq!(answer["errors"][0]["extensions"]["code"], "UNAUTHENTICATED");
        assert_eq!(outcome(&go_on(&ctx, &here.refresh.token).await), "OK");
        assert_eq!(outcome(&enter(&ctx, "ann@example.com", PASSWORD).await), "InvalidCredentials");
        assert_eq!(outcome(&enter(&ctx, "ann@example.com", OTHER_PASSWORD).await), "OK");
        assert_eq!(audit(shop).await, ["accountRegister", "sessionCreate", "passwordChange", "sessionCreateFailed", "sessionCreate"]);
        let told = shop.rows("SELECT COALESCE(CAST(before AS text), '') || COALESCE(CAST(after AS text), '') FROM audit_record WHERE action = 'passwordChange'").await;
        assert_eq!(told, [[""]]);
    }

    async fn a_stolen_access_token_neither_changes_nor_finds_the_password(shop: &Shop) {
        let who = sign_up(&home(shop), "ann@example.com").await;
        let mut told = Vec::new();
        for guess in 0..8 {
            let answer = send_as(shop, &who, CHANGE, input(&format!("wrong-guess-{guess}"), OTHER_PASSWORD)).await;
            told.push(match answer["data"]["passwordChange"].is_null() {
                true => answer["errors"][0]["extensions"]["code"].as_str().unwrap().to_owned(),
                false => refusal(&answer["data"]["passwordChange"]).1,
            });
        }
        assert_eq!(told[..5], ["input.currentPassword"; 5].map(str::to_owned));
        assert_eq!(told[5..], ["THROTTLED"; 3].map(str::to_owned));
        // The right one, too, has to wait.
        let answer = send_as(shop, &who, CHANGE, input(PASSWORD, OTHER_PASSWORD)).await;
        assert_eq!(answer["errors"][0]["extensions"], json!({"code": "THROTTLED", "retryAfter": 30}));
        shop.clock.advance(Duration::seconds(30));
        let answer = send_as(shop, &who, CHANGE, input(PASSWORD, OTHER_PASSWORD)).await;
        assert_eq!(answer["data"]["passwordChange"]["userErrors"], json!([]));
        assert_eq!(audit(shop).await.iter().filter(|action| *action == "passwordChangeFailed").count(), 5);
    }

    async fn the_new_one_must_be_a_good_one(shop: &Shop) {
        let who = sign_up(&home(shop), "ann@example.com").await;
        let before = shop.rows("SELECT password_hash FROM user_account").await;
        for (new, code) in [
            ("short", "TOO_SHORT"),
            (&"long".repeat(65), "TOO_LONG"),
            ("password1", "WEAK_PASSWORD"),
            ("ann@example.com", "WEAK_PASSWORD"),
        ] {
            let answer = send_as(shop, &who, CHANGE, input(PASSWORD, new)).await;
            assert_eq!(refusal(&answer["data"]["passwordChange"]), (code.to_owned(), "input.newPassword".to_owned()), "{new}");
        }
        assert_eq!(shop.rows("SELECT password_hash FROM user_account").await, before);
        let answer = send(shop, None, CHANGE, input(PASSWORD, OTHER_PASSWORD)).await;
        assert_eq!(answer["errors"][0]["extensions"]["code"], "UNAUTHENTICATED");
    }

    /// Whoever was let in by the old password while it was being changed is not left inside.
    async fn signing_in_and_changing_do_not_pass_each_other(shop: &Shop) {
        let ctx = home(shop);
        for round in 0..10 {
            let email = format!("ann{round}@example.com");
            let who = sign_up(&ctx, &email).await;
            let thief = at(shop, "198.51.100.66", "Thief");
            let (changed, entered) = tokio::join!(
                send_as(shop, &who, CHANGE, input(PASSWORD, OTHER_PASSWORD)),
                enter(&thief, &email, PASSWORD),
            );
            assert_eq!(changed["data"]["passwordChange"]["userErrors"], json!([]), "{changed}");
            if let Ok(entered) = entered {
                assert_eq!(outcome(&go_on(&thief, &entered.refresh.token).await), "TokenInvalid", "round {round}");
            }
            assert_eq!(outcome(&go_on(&ctx, &who.refresh.token).await), "OK");
        }
    }
}
