//! Opening an account.

use serde_json::{Value, json};

use super::people::{OTHER_PASSWORD, PASSWORD, TOKENS, audit, refusal, rows, send};
use crate::support::Shop;

const REGISTER: &str = "mutation($input: AccountRegisterInput!) { accountRegister(input: $input) { user { id email name role createdAt addresses { city } sessions { userAgent isCurrent } } TOKENS } }";

async fn register(shop: &Shop, email: &str, password: &str, name: &str) -> Value {
    let input = json!({"email": email, "password": password, "name": name});
    let document = REGISTER.replace("TOKENS", TOKENS);
    let mut answer = send(shop, None, &document, json!({"input": input})).await;
    assert_eq!(answer["errors"], Value::Null, "{answer}");
    answer["data"]["accountRegister"].take()
}

/// So many characters of four bytes each, in no order that one could guess.
fn emoji(count: u32) -> String {
    let one = |i: u32| char::from_u32(0x1F300 + (i * i * 31 + i * 7) % 700).unwrap();
    (0..count).map(one).collect()
}

both! {
    async fn who_registers_is_a_customer_and_signed_in(shop: &Shop) {
        let answer = register(shop, "  Ann@Example.com ", PASSWORD, " Ann ").await;
        assert_eq!(answer["userErrors"], json!([]));
        let user = &answer["user"];
        assert_eq!((&user["email"], &user["name"], &user["role"]), (&json!("Ann@Example.com"), &json!("Ann"), &json!("CUSTOMER")));
        assert_eq!(user["createdAt"], "2026-03-01T12:00:00Z");
        assert_eq!((&user["addresses"], &user["sessions"]), (&json!([]), &json!([{"userAgent": "Browser", "isCurrent": true}])));
        let tokens = &answer["tokens"];
        assert_eq!(tokens["accessTokenExpiresAt"], "2026-03-01T12:15:00Z");
        assert_eq!(tokens["refreshTokenExpiresAt"], "2026-03-08T12:00:00Z");
        assert!(tokens["refreshToken"].as_str().unwrap().starts_with("souk_rt_"));
        let me = send(shop, tokens["accessToken"].as_str(), "{ me { id email sessions { isCurrent } } }", json!({})).await;
        assert_eq!(me["data"]["me"], json!({"id": user["id"], "email": "Ann@Example.com", "sessions": [{"isCurrent": true}]}));
        assert_eq!(audit(shop).await, ["accountRegister"]);
    }

    async fn an_email_is_one_account_however_it_is_typed(shop: &Shop) {
        let first = register(shop, "josé@bücher.example", PASSWORD, "José").await;
        for email in ["JOSÉ@BÜCHER.example", "jose\u{301}@xn--bcher-kva.example", "\u{3000}Jose\u{301}@bu\u{308}cher.example\n"] {
            let again = register(shop, email, PASSWORD, "Somebody").await;
            assert_eq!(again["user"]["id"], first["user"]["id"], "{email}");
            assert_eq!(again["user"]["name"], "José");
        }
        assert_eq!(rows(shop, "user_account").await, 1);
        assert_eq!(rows(shop, "session").await, 4);
    }

    async fn a_taken_email_says_what_signing_in_would(shop: &Shop) {
        register(shop, "ann@example.com", PASSWORD, "Ann").await;
        let taken = register(shop, "ann@example.com", OTHER_PASSWORD, "Eve").await;
        let input = json!({"email": "ann@example.com", "password": OTHER_PASSWORD});
        let document = format!("mutation($input: SessionCreateInput!) {{ sessionCreate(input: $input) {{ user {{ id }} {TOKENS} }} }}");
        let wrong = send(shop, None, &document, json!({"input": input})).await;
        let wrong = &wrong["data"]["sessionCreate"];
        assert_eq!(taken["userErrors"], wrong["userErrors"]);
        assert_eq!(refusal(&taken), ("INVALID_CREDENTIALS".to_owned(), "input".to_owned()));
        assert_eq!((&taken["user"], &taken["tokens"]), (&Value::Null, &Value::Null));
        assert_eq!(audit(shop).await, ["accountRegister", "accountRegisterFailed", "sessionCreateFailed"]);
    }

    async fn all_that_is_wrong_is_told_at_once(shop: &Shop) {
        let answer = register(shop, "nobody", "short", " ").await;
        let errors = answer["userErrors"].as_array().unwrap();
        let told: Vec<_> = errors.iter().map(|error| (error["code"].as_str().unwrap(), error["path"][1].as_str().unwrap())).collect();
        assert_eq!(told, [("REQUIRED", "name"), ("TOO_SHORT", "password"), ("INVALID", "email")]);
        for (email, password, name, expected) in [
            ("", PASSWORD, "Ann", ("REQUIRED", "input.email")),
            ("ann@localhost", PASSWORD, "Ann", ("INVALID", "input.email")),
            ("ann@example.com\r\nBcc: eve@example.com", PASSWORD, "Ann", ("INVALID", "input.email")),
            ("a\u{0}nn@example.com", PASSWORD, "Ann", ("INVALID", "input.email")),
            ("ann@example.com", "1234567", "Ann", ("TOO_SHORT", "input.password")),
            ("ann@example.com", "password1", "Ann", ("WEAK_PASSWORD", "input.password")),
            ("ann@example.com", "ann@example.com", "Ann", ("WEAK_PASSWORD", "input.password")),
            ("ann@example.com", "Annabelle", "Annabelle", ("WEAK_PASSWORD", "input.password")),
            ("ann@example.com", PASSWORD, "An\u{0}n", ("INVALID", "input.name")),
            ("ann@example.com", PASSWORD, &"n".repeat(256), ("TOO_LONG", "input.name")),
        ] {
            let answer = register(shop, email, password, name).await;
            assert_eq!(refusal(&answer), (expected.0.to_owned(), expected.1.to_owned()), "{email:?} {password:?}");
        }
        assert_eq!((rows(shop, "user_account").await, rows(shop, "session").await, rows(shop, "audit_record").await), (0, 0, 0));
    }

    async fn a_password_may_be_long_and_of_any_script(shop: &Shop) {
        let long: String = emoji(256);
        assert_eq!(long.len(), 1024);
        let answer = register(shop, "ann@example.com", &long, "Ann").await;
        assert_eq!(answer["userErrors"], json!([]));
        let longer = format!("{long}x");
        assert_eq!(refusal(&register(shop, "ben@example.com", &longer, "Ben").await).0, "TOO_LONG");
        // All of it counts.
        let cut: String = long.chars().take(255).collect();
        assert_eq!(refusal(&register(shop, "ann@example.com", &cut, "Ann").await).0, "INVALID_CREDENTIALS");
        let again = register(shop, "ann@example.com", &long, "Ann").await;
        assert_eq!(again["user"]["id"], answer["user"]["id"]);
    }

    async fn the_demo_shops_people_are_kept_for_demonstrations(shop: &Shop) {
        let production = shop.beside(&[("SOUK_ENV", "production"), ("SOUK_PASSWORD_MEMORY", "19MiB")]).await;
        let email = "admin@demo.souk.example";
        assert_eq!(refusal(&register(&production, email, PASSWORD, "Eve").await), ("INVALID".to_owned(), "input.email".to_owned()));
        assert_eq!(register(shop, email, PASSWORD, "Admin").await["userErrors"], json!([]));
        let input = json!({"email": email, "password": PASSWORD});
        let document = format!("mutation($input: SessionCreateInput!) {{ sessionCreate(input: $input) {{ {TOKENS} }} }}");
        let answer = send(&production, None, &document, json!({"input": input})).await;
        assert_eq!(refusal(&answer["data"]["sessionCreate"]).0, "INVALID_CREDENTIALS");
        production.close().await;
    }
}
