//! From where somebody signs in, as records and back-off see it: what a client says about itself does not count.

use serde_json::json;

use super::people::{PASSWORD, home, sign_up};
use crate::support::{Server, Shop};

/// Signs in over a connection from this machine; the address that the session has.
async fn signed_in_from(shop: &Shop, server: &Server, headers: &[(&str, &str)]) -> String {
    let document = "mutation($input: SessionCreateInput!) { sessionCreate(input: $input) { user { id } userErrors { code } } }";
    let input = json!({"email": "ann@example.com", "password": PASSWORD});
    let body = json!({"query": document, "variables": {"input": input}}).to_string();
    let answer = server.post(headers, &body).await;
    assert!(answer.contains(r#""userErrors":[]"#), "{answer}");
    let newest = "SELECT ip_address FROM session WHERE ip_address <> '192.0.2.1'";
    let address = shop.rows(newest).await[0][0].clone();
    shop.execute("DELETE FROM session WHERE ip_address <> '192.0.2.1'")
        .await
        .unwrap();
    address
}

both! {
    async fn a_forged_header_is_not_believed(shop: &Shop) {
        sign_up(&home(shop), "ann@example.com").await;
        let server = shop.serve(&[]).await;
        for headers in [
            vec![],
            vec![("x-forwarded-for", "203.0.113.7")],
            vec![("x-real-ip", "203.0.113.7"), ("forwarded", "for=203.0.113.7"), ("cf-connecting-ip", "203.0.113.7")],
        ] {
            assert_eq!(signed_in_from(shop, &server, &headers).await, "127.0.0.1", "{headers:?}");
        }
        server.stop().await;
    }

    async fn a_proxy_of_ours_is_believed_as_far_as_it_saw(shop: &Shop) {
        sign_up(&home(shop), "ann@example.com").await;
        let server = shop.serve(&[("SOUK_TRUSTED_PROXIES", "127.0.0.1, 10.0.0.0/8")]).await;
        for (lines, expected) in [
            (vec!["203.0.113.7"], "203.0.113.7"),
            (vec!["6.6.6.6, 203.0.113.7, 10.1.2.3"], "203.0.113.7"),
            (vec!["6.6.6.6", "203.0.113.7"], "203.0.113.7"),
            (vec!["2001:db8::7"], "2001:db8::7"),
            (vec!["203.0.113.7, nonsense"], "127.0.0.1"),
            (vec![], "127.0.0.1"),
        ] {
            let headers: Vec<_> = lines.iter().map(|line| ("x-forwarded-for", *line)).collect();
            assert_eq!(signed_in_from(shop, &server, &headers).await, expected, "{lines:?}");
        }
        let others = [("x-real-ip", "203.0.113.7"), ("forwarded", "for=203.0.113.7")];
        assert_eq!(signed_in_from(shop, &server, &others).await, "127.0.0.1");
        server.stop().await;
    }
}
