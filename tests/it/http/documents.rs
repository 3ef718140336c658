//! Documents by their ids: those that the shop trusts, and those that clients register.

use std::path::Path;

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{ACCEPT_NEW, ACCEPT_OLD, JSON};
use crate::support::process::souk;
use crate::support::{As, Reply, Server, Shop, Socket, product};

const LIST: &str = "query List($first: Int) { products(first: $first) { nodes { name } } }";
const SAFE: (&str, &str) = ("graphql-require-preflight", "1");

fn hash(text: &str) -> String {
    format!("{:x}", Sha256::digest(text))
}

fn apollo(hash: &str) -> Value {
    json!({"persistedQuery": {"version": 1, "sha256Hash": hash}})
}

async fn post(shop: &Shop, body: Value) -> Reply {
    shop.post(&[JSON, ACCEPT_NEW], body.to_string()).await
}

/// The first error's message and code.
fn error(answer: &Value) -> (String, String) {
    let error = &answer["errors"][0];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    (text(&error["message"]), text(&error["extensions"]["code"]))
}

fn not_found() -> (String, String) {
    ("PersistedQueryNotFound".to_owned(), "BAD_USER_INPUT".to_owned())
}

/// Files of a client: one by hand, one manifest.
fn documents(folder: &Path) {
    std::fs::write(folder.join("list.graphql"), format!("{LIST}\n")).unwrap();
    let manifest = json!({"shop-1": "query Shop { shop { name } }",
        "events": "subscription { shopOrderEvents { type } }",
        "add": "mutation { cartCreate(input: {}) { cart { id } } }"});
    std::fs::write(folder.join("relay.json"), manifest.to_string()).unwrap();
}

async fn asked_on_a_socket(server: &Server, payload: Value) -> Value {
    let mut socket = Socket::ready(server).await;
    socket
        .say(json!({"type": "subscribe", "id": "1", "payload": payload}))
        .await;
    socket.hear().await
}

both! {
    async fn a_client_sends_a_text_once_and_its_hash_from_then_on(shop: &Shop) {
        shop.add(product("Mug")).await;
        let hash = hash(LIST);
        let by_hash = json!({"extensions": apollo(&hash), "variables": {"first": 1}});
        for (accept, status) in [(ACCEPT_NEW, 400), (ACCEPT_OLD, 200)] {
            let reply = shop.post(&[JSON, accept], by_hash.to_string()).await;
            assert_eq!((reply.status.as_u16(), error(&reply.json())), (status, not_found()));
            assert_eq!(reply.header("cache-control"), "no-store");
        }
        let with_text = json!({"query": LIST, "extensions": apollo(&hash)});
        assert_eq!(post(shop, with_text).await.json()["data"]["products"]["nodes"][0]["name"], "Mug");
        let known = post(shop, by_hash).await;
        assert_eq!(known.json()["data"]["products"]["nodes"][0]["name"], "Mug");
        let known = post(shop, json!({"documentId": format!("sha256:{hash}")})).await;
        assert_eq!(known.status, 200, "{}", known.text());
        let address = format!("/graphql?extensions=%7B%22persistedQuery%22:%7B%22version%22:1,%22sha256Hash%22:%22{hash}%22%7D%7D");
        assert_eq!(shop.get(&address, &[SAFE]).await.status, 200);
    }

    async fn what_is_registered_has_passed_validation_and_has_its_own_hash(shop: &Shop) {
        for (text, status) in [("{ nothing }", 400), ("{ shop", 400), ("{ shop }", 400), ("query($a: Int!) { __typename }", 400)] {
            let reply = post(shop, json!({"query": text, "extensions": apollo(&hash(text))})).await;
            assert_eq!(reply.status, status, "{text}: {}", reply.text());
            let reply = post(shop, json!({"extensions": apollo(&hash(text))})).await;
            assert_eq!(error(&reply.json()), not_found(), "{text}");
        }
        let other = hash("{ shop { name } }");
        let reply = post(shop, json!({"query": "{ __typename }", "extensions": apollo(&other)})).await;
        assert_eq!((reply.status.as_u16(), error(&reply.json()).1.as_str()), (400, "BAD_USER_INPUT"));
        assert_eq!(error(&post(shop, json!({"extensions": apollo(&other)})).await.json()), not_found());
        for (body, reason) in [
            (json!({"extensions": {"persistedQuery": {"version": 2, "sha256Hash": other}}}), "version"),
            (json!({"extensions": {"persistedQuery": 1}}), "object"),
            (json!({"documentId": "x", "extensions": apollo(&other)}), "twice"),
            (json!({"documentId": 1}), "documentId"),
        ] {
            let reply = post(shop, body).await;
            assert_eq!(reply.status, 400);
            assert!(error(&reply.json()).0.contains(reason), "{}", reply.text());
        }
    }

    async fn registering_can_be_switched_off(shop: &Shop) {
        let off = shop.beside(&[("SOUK_PERSISTED_QUERIES", "0")]).await;
        let reply = post(&off, json!({"extensions": apollo(&hash(LIST))})).await;
        assert_eq!(error(&reply.json()).0, "PersistedQueryNotSupported");
        let reply = post(&off, json!({"query": LIST, "extensions": apollo(&hash(LIST))})).await;
        assert_eq!(reply.status, 200);
        off.close().await;
    }

    async fn a_hash_is_known_on_sockets_and_in_streams_too(shop: &Shop) {
        let server = shop.serve(&[]).await;
        let hash = hash(LIST);
        let told = asked_on_a_socket(&server, json!({"extensions": apollo(&hash)})).await;
        assert_eq!((told["type"].as_str(), told["payload"][0]["message"].as_str()), (Some("error"), Some("PersistedQueryNotFound")));
        let told = asked_on_a_socket(&server, json!({"query": LIST, "extensions": apollo(&hash)})).await;
        assert_eq!(told["type"], "next");
        let told = asked_on_a_socket(&server, json!({"documentId": hash})).await;
        assert_eq!(told["payload"]["data"]["products"]["nodes"], json!([]));
        let stream = server.post(&[("accept", "text/event-stream")], &json!({"documentId": hash}).to_string()).await;
        assert!(stream.contains(r#"data: {"data":{"products""#), "{stream}");
        server.stop().await;
    }

    async fn only_trusted_operations_are_executed(shop: &Shop) {
        let folder = tempfile::tempdir().unwrap();
        documents(folder.path());
        let settings = [("SOUK_TRUSTED_DOCUMENTS", folder.path().to_str().unwrap())];
        let shop = shop.beside(&settings).await;
        for id in ["list".to_owned(), format!("sha256:{}", hash(LIST)), "shop-1".to_owned()] {
            let reply = post(&shop, json!({"documentId": id})).await;
            assert_eq!(reply.status, 200, "{id}: {}", reply.text());
            let reply = shop.get(&format!("/graphql?documentId={id}"), &[SAFE]).await;
            assert_eq!(reply.status, 200, "{id}: {}", reply.text());
        }
        let reply = post(&shop, json!({"extensions": apollo(&hash(LIST))})).await;
        assert_eq!(reply.json()["data"]["products"]["nodes"], json!([]));
        // A text is as good as its id, and no other text is.
        assert_eq!(post(&shop, json!({"query": LIST})).await.status, 200);
        for (body, status, expected) in [
            (json!({"query": "{ __typename }"}), 403, "FORBIDDEN"),
            (json!({"query": "{ __typename }", "extensions": apollo(&hash("{ __typename }"))}), 403, "FORBIDDEN"),
            (json!({"query": "{ __typename }", "documentId": "list"}), 403, "FORBIDDEN"),
            (json!({"documentId": "nothing"}), 400, "BAD_USER_INPUT"),
        ] {
            let reply = post(&shop, body).await;
            assert_eq!((reply.status.as_u16(), error(&reply.json()).1.as_str()), (status, expected), "{}", reply.text());
        }
        // Nobody registers anything here.
        assert_eq!(error(&post(&shop, json!({"extensions": apollo(&hash("{ __typename }"))})).await.json()), not_found());
        // An admin may look at anything; staff may not.
        for (caller, allowed) in [(As::Admin, true), (As::Staff, false)] {
            let answer = shop.graphql(caller, "{ __typename }", Value::Null).await;
            assert_eq!(answer["errors"].is_null(), allowed, "{answer}");
        }
        assert_eq!(shop.get("/graphql?documentId=add", &[SAFE]).await.status, 405);
        shop.close().await;
    }

    async fn only_trusted_operations_run_on_sockets(shop: &Shop) {
        let folder = tempfile::tempdir().unwrap();
        documents(folder.path());
        let server = shop.serve(&[("SOUK_TRUSTED_DOCUMENTS", folder.path().to_str().unwrap())]).await;
        let told = asked_on_a_socket(&server, json!({"query": "{ __typename }"})).await;
        assert_eq!(told["payload"][0]["extensions"]["code"], "FORBIDDEN");
        let told = asked_on_a_socket(&server, json!({"documentId": "list"})).await;
        assert_eq!(told["payload"]["data"]["products"]["nodes"], json!([]));
        // It is subscribed to, and refused for who asks.
        let told = asked_on_a_socket(&server, json!({"documentId": "events"})).await;
        assert_eq!(told["payload"][0]["extensions"]["code"], "UNAUTHENTICATED", "{told}");
        let stream = server.post(&[("accept", "text/event-stream")], r#"{"query": "{ __typename }"}"#).await;
        assert!(stream.contains("FORBIDDEN"), "{stream}");
        server.stop().await;
    }
}

#[test]
fn a_bad_document_stops_the_start_with_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let documents = folder.path().join("documents");
    std::fs::create_dir(&documents).unwrap();
    std::fs::write(
        documents.join("bad.graphql"),
        "{\n  shop {\n    nothing\n  }\n}\n",
    )
    .unwrap();
    let database = format!("sqlite://{}", folder.path().join("souk.db").display());
    let start = |change: &dyn Fn(&mut std::process::Command)| {
        let mut command = souk(folder.path(), &database);
        command.arg("serve").env("SOUK_LISTEN", "127.0.0.1:0");
        change(&mut command);
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        String::from_utf8(output.stderr).unwrap()
    };
    let expected = "bad.graphql:3: Unknown field \"nothing\"";
    let said = start(&|command| {
        command.args(["--trusted-documents", "documents"]);
    });
    assert!(
        said.starts_with("souk: SOUK_TRUSTED_DOCUMENTS: ") && said.contains(expected),
        "{said}"
    );
    let said = start(&|command| {
        command.env("SOUK_TRUSTED_DOCUMENTS", "documents");
    });
    assert!(said.contains(expected), "{said}");
    let said = start(&|command| {
        command.env("SOUK_TRUSTED_DOCUMENTS", "nowhere");
    });
    assert!(said.contains("cannot read nowhere"), "{said}");
}
