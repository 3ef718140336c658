//! The refresh token as a cookie: for browsers that ask, and for nobody else.

use serde_json::{Value, json};

use super::people::{PASSWORD, TOKENS, home, refusal, rows, sign_up};
use crate::support::{Reply, Shop};

const WISH: (&str, &str) = ("souk-refresh-token", "cookie");

/// Sends an operation with these headers.
async fn send(shop: &Shop, headers: &[(&str, &str)], document: &str, variables: Value) -> Reply {
    let body = json!({"query": document, "variables": variables}).to_string();
    let mut all = vec![("content-type", "application/json"), ("user-agent", "Browser")];
    all.extend(headers);
    shop.post(&all, body).await
}

async fn enter(shop: &Shop, headers: &[(&str, &str)]) -> Reply {
    let document =
        format!("mutation($input: SessionCreateInput!) {{ sessionCreate(input: $input) {{ {TOKENS} }} }}");
    let input = json!({"email": "ann@example.com", "password": PASSWORD});
    send(shop, headers, &document, json!({ "input": input })).await
}

async fn refresh(shop: &Shop, headers: &[(&str, &str)], token: &str) -> Reply {
    let document =
        format!("mutation($input: SessionRefreshInput!) {{ sessionRefresh(input: $input) {{ {TOKENS} }} }}");
    send(
        shop,
        headers,
        &document,
        json!({"input": {"refreshToken": token}}),
    )
    .await
}

/// What the browser keeps and sends again: `name=value`.
fn kept(reply: &Reply) -> String {
    let mut lines = reply.headers.get_all("set-cookie").iter();
    let line = lines.next().unwrap().to_str().unwrap().to_owned();
    assert!(lines.next().is_none(), "one cookie");
    let (pair, attributes) = line.split_once("; ").unwrap();
    let week = 7 * 24 * 60 * 60;
    assert_eq!(
        attributes,
        format!("Max-Age={week}; Path=/; Secure; HttpOnly; SameSite=Strict")
    );
    assert_eq!(reply.header("cache-control"), "no-store");
    pair.to_owned()
}

fn cleared(reply: &Reply) -> bool {
    reply.header("set-cookie") == "__Host-souk-refresh=; Max-Age=0; Path=/; Secure; HttpOnly; SameSite=Strict"
}

both! {
    async fn who_asks_gets_a_cookie_and_goes_on_with_it(shop: &Shop) {
        sign_up(&home(shop), "ann@example.com").await;
        let reply = enter(shop, &[WISH]).await;
        let first = kept(&reply);
        assert!(first.starts_with("__Host-souk-refresh=souk_rt_"), "{first}");
        let tokens = &reply.json()["data"]["sessionCreate"]["tokens"];
        assert_eq!(tokens["refreshToken"], "");
        assert!(tokens["accessToken"].as_str().unwrap().len() > 100);
        // Nothing of it is elsewhere in the answer.
        assert!(!reply.text().contains("souk_rt_"), "{}", reply.text());

        let reply = refresh(shop, &[WISH, ("cookie", &format!("theme=dark; {first}"))], "").await;
        assert_eq!(reply.json()["data"]["sessionRefresh"]["userErrors"], json!([]));
        let second = kept(&reply);
        assert_ne!(first, second);
        let access = reply.json()["data"]["sessionRefresh"]["tokens"]["accessToken"].as_str().unwrap().to_owned();
        let bearer = format!("Bearer {access}");
        let out = send(shop, &[WISH, ("cookie", &second), ("authorization", &bearer)], "mutation { sessionRevoke { userErrors { code } } }", json!({})).await;
        assert_eq!(out.json()["data"]["sessionRevoke"]["userErrors"], json!([]));
        assert!(cleared(&out), "{:?}", out.headers);
        let reply = refresh(shop, &[WISH, ("cookie", &second)], "").await;
        assert_eq!(refusal(&reply.json()["data"]["sessionRefresh"]).0, "TOKEN_INVALID");
        assert!(cleared(&reply), "{:?}", reply.headers);
    }

    async fn who_does_not_ask_gets_none(shop: &Shop) {
        sign_up(&home(shop), "ann@example.com").await;
        for headers in [vec![], vec![("souk-refresh-token", "body")], vec![("cookie", "__Host-souk-refresh=souk_rt_x")]] {
            let reply = enter(shop, &headers).await;
            assert_eq!(reply.header("set-cookie"), "");
            assert_eq!(reply.header("cache-control"), "no-store");
            let body = reply.json();
            assert!(body["data"]["sessionCreate"]["tokens"]["refreshToken"].as_str().unwrap().starts_with("souk_rt_"));
        }
    }

    /// A page elsewhere makes a browser send the cookie, and cannot make it send the header.
    async fn a_cookie_alone_does_nothing(shop: &Shop) {
        sign_up(&home(shop), "ann@example.com").await;
        let cookie = kept(&enter(shop, &[WISH]).await);
        let used = "SELECT CAST(COUNT(*) AS text) FROM refresh_token WHERE used_at IS NOT NULL";
        for headers in [vec![("cookie", cookie.as_str())], vec![("cookie", cookie.as_str()), ("souk-refresh-token", "")], vec![("cookie", cookie.as_str()), ("souk-refresh-token", "Cookie")]] {
            let reply = refresh(shop, &headers, "").await;
            assert_eq!(refusal(&reply.json()["data"]["sessionRefresh"]).0, "TOKEN_INVALID");
            assert_eq!(reply.header("set-cookie"), "");
        }
        let twice = format!("{cookie}; {cookie}");
        let reply = refresh(shop, &[WISH, ("cookie", &twice)], "").await;
        assert_eq!(refusal(&reply.json()["data"]["sessionRefresh"]).0, "TOKEN_INVALID");
        let document = "mutation { sessionRefresh(input: {refreshToken: \"\"}) { userErrors { code } } }";
        let address = format!("/graphql?query={}", document.replace(' ', "%20").replace('"', "%22").replace('{', "%7B").replace('}', "%7D"));
        let linked = shop.get(&address, &[WISH, ("cookie", &cookie), ("graphql-require-preflight", "1")]).await;
        assert_eq!(linked.status.as_u16(), 405);
        assert_eq!(shop.rows(used).await, [["0"]]);
        assert_eq!(rows(shop, "refresh_token").await, 2);
        // It was not used up by any of these.
        let reply = refresh(shop, &[WISH, ("cookie", &cookie)], "").await;
        assert_eq!(reply.json()["data"]["sessionRefresh"]["userErrors"], json!([]));
    }

    async fn a_token_in_the_body_comes_before_the_cookie(shop: &Shop) {
        sign_up(&home(shop), "ann@example.com").await;
        let cookie = kept(&enter(shop, &[WISH]).await);
        let body = enter(shop, &[]).await.json();
        let token = body["data"]["sessionCreate"]["tokens"]["refreshToken"].as_str().unwrap();
        let reply = refresh(shop, &[WISH, ("cookie", &cookie)], token).await;
        assert_ne!(kept(&reply), cookie);
        // The cookie's own session has not moved.
        let reply = refresh(shop, &[WISH, ("cookie", &cookie)], "").await;
        assert_eq!(reply.json()["data"]["sessionRefresh"]["userErrors"], json!([]));
    }
}
