//! What browsers and a CDN may keep, and what is never compressed.

use serde_json::json;
use souk::kernel::actor::Role;

use super::{ACCEPT_NEW, ACCEPT_OLD, JSON};
use crate::support::{Shop, product};

const PRODUCTS: &str = "/graphql?query=%7Bproducts%7Bnodes%7Bname%7D%7D%7D";
const SAFE: (&str, &str) = ("graphql-require-preflight", "1");

both! {
    async fn a_public_answer_is_kept_and_asked_for_again_by_its_tag(shop: &Shop) {
        shop.add(product("Mug")).await;
        // As a link: no header is needed for what everybody may know.
        let fresh = shop.get(PRODUCTS, &[]).await;
        assert_eq!((fresh.status.as_u16(), fresh.header("cache-control")), (200, "public, max-age=30"));
        assert!(fresh.header("vary").contains("accept, authorization"), "{:?}", fresh.headers);
        let tag = fresh.header("etag");
        assert!(tag.starts_with("W/\"") && tag.len() == 36, "{tag}");
        let known = shop.get(PRODUCTS, &[("if-none-match", tag)]).await;
        assert_eq!((known.status.as_u16(), known.text(), known.header("etag")), (304, "", tag));
        assert_eq!(known.header("cache-control"), "public, max-age=30");
        assert_eq!(shop.get(PRODUCTS, &[("if-none-match", "\"other\"")]).await.status, 200);
        shop.add(product("Cup")).await;
        let changed = shop.get(PRODUCTS, &[("if-none-match", tag)]).await;
        assert_eq!(changed.status, 200);
        assert_ne!(changed.header("etag"), tag);
        for (accept, media_type) in [(ACCEPT_NEW, "application/graphql-response+json"), (ACCEPT_OLD, "application/json")] {
            let reply = shop.get(PRODUCTS, &[accept]).await;
            assert!(reply.header("content-type").starts_with(media_type));
            assert_eq!(reply.header("cache-control"), "public, max-age=30");
        }
    }

    async fn whatever_else_is_kept_by_nobody(shop: &Shop) {
        shop.add(product("Mug")).await;
        let bearer = format!("Bearer {}", shop.token(Role::Customer));
        for (address, headers) in [
            // Somebody asks: what is answered may be theirs.
            (PRODUCTS, vec![("authorization", bearer.as_str())]),
            (PRODUCTS, vec![SAFE, ("cookie", "a=b")]),
            // Not all of it is public.
            ("/graphql?query=%7Bproducts%7Bnodes%7Bname%7D%7Dme%7Bemail%7D%7D", vec![SAFE]),
            ("/graphql?query=%7B__typename%7D", vec![SAFE]),
            // Something went wrong.
            ("/graphql?query=%7Bproducts(first:-1)%7Bnodes%7Bname%7D%7D%7D", vec![]),
            ("/graphql?query=%7Bnothing%7D", vec![SAFE]),
            (PRODUCTS, vec![SAFE, ("accept", "text/event-stream")]),
        ] {
            let reply = shop.get(address, &headers).await;
            assert_eq!(reply.header("cache-control"), "no-store", "{address} {headers:?}: {}", reply.text());
            assert_eq!(reply.header("etag"), "", "{address}");
        }
        let body = json!({"query": "{ products { nodes { name } } }"}).to_string();
        assert_eq!(shop.post(&[JSON], body).await.header("cache-control"), "no-store");
        // And without a header a link gets nothing of it.
        assert_eq!(shop.get("/graphql?query=%7Bme%7Bemail%7D%7D", &[]).await.status, 403);
        assert_eq!(shop.get(PRODUCTS, &[("cookie", "a=b")]).await.status, 403);
    }

    async fn what_has_a_secret_in_it_is_not_compressed(shop: &Shop) {
        let text = "x".repeat(5_000);
        shop.add(product("Mug").description(&text)).await;
        let zipped = ("accept-encoding", "gzip, br");
        let encoding = |headers: Vec<(&'static str, String)>, query: &str| {
            let body = json!({"query": query}).to_string();
            async move {
                let mut all = vec![JSON, zipped];
                all.extend(headers.iter().map(|(name, value)| (*name, value.as_str())));
                let reply = shop.post(&all, body).await;
                reply.header("content-encoding").to_owned()
            }
        };
        let list = "{ products { nodes { description } } }";
        assert_eq!(encoding(vec![], list).await, "br");
        let bearer = format!("Bearer {}", shop.token(Role::Customer));
        assert_eq!(encoding(vec![("authorization", bearer)], list).await, "");
        assert_eq!(encoding(vec![("cookie", "a=b".to_owned())], list).await, "");
        // Little is not worth it.
        assert_eq!(encoding(vec![], "{ products { nodes { name } } }").await, "");
        // Tokens are what mutations answer, and what is said beside them may be anybody's.
        let register = format!(
            "mutation {{ accountRegister(input: {{email: \"ann@example.com\", password: \"correct horse battery\", name: \"{}\"}}) {{ user {{ {} }} tokens {{ accessToken }} }} }}",
            "A".repeat(200),
            (0..20).map(|i| format!("a{i}: name")).collect::<Vec<_>>().join(" ")
        );
        assert_eq!(encoding(vec![], &register).await, "");
        let link = "/graphql?query=%7Bproducts%7Bnodes%7Bdescription%7D%7D%7D";
        assert_eq!(shop.get(link, &[zipped]).await.header("content-encoding"), "br");
        assert_eq!(shop.get(link, &[zipped, SAFE, ("cookie", "a=b")]).await.header("content-encoding"), "");
    }

    async fn pages_elsewhere_may_read_the_headers_they_need(shop: &Shop) {
        let listed = shop.beside(&[("SOUK_CORS_ORIGINS", "https://shop.example")]).await;
        let reply = listed.get(PRODUCTS, &[("origin", "https://shop.example")]).await;
        let exposed = reply.header("access-control-expose-headers").to_ascii_lowercase();
        for name in ["etag", "retry-after", "x-request-id"] {
            assert!(exposed.contains(name), "{exposed}");
        }
        let varies: Vec<_> = reply.headers.get_all("vary").iter().map(|value| value.to_str().unwrap()).collect();
        assert!(varies.join(",").contains("origin") && varies.join(",").contains("authorization"), "{varies:?}");
        assert_eq!(reply.header("cross-origin-resource-policy"), "same-origin");
        assert!(reply.header("permissions-policy").contains("geolocation=()"));
        listed.close().await;
    }
}
