//! Where somebody is signed in, and signing out.

use serde_json::{Value, json};

use super::people::{PASSWORD, at, audit, enter, go_on, home, outcome, refusal, send, send_as, sign_up};
use crate::support::Shop;

const REVOKE: &str =
    "mutation($id: ID) { sessionRevoke(sessionId: $id) { sessionId userErrors { code path } } }";

both! {
    async fn whoever_has_signed_out_does_nothing_more_in_the_same_request(shop: &Shop) {
        let ann = sign_up(&home(shop), "ann@example.com").await;
        let document = "mutation { sessionRevokeAll { revokedCount } accountUpdate(input: {name: \"Ghost\"}) { user { name } } }";
        let answer = send_as(shop, &ann, document, json!({})).await;
        assert_eq!(answer["errors"][0]["extensions"]["code"], "UNAUTHENTICATED", "{answer}");
        assert_eq!(shop.rows("SELECT name FROM user_account").await, [["Ann Droid"]]);
    }

    async fn sessions_are_ones_own(shop: &Shop) {
        let ann = sign_up(&home(shop), "ann@example.com").await;
        let ben = sign_up(&at(shop, "192.0.2.2", "Ben's"), "ben@example.com").await;
        let (session, user) = (ann.session.to_string(), ann.user.id.to_string());
        let document = "query($ids: [ID!]!) { nodes(ids: $ids) { __typename id ... on User { email sessions { id } } ... on Session { isCurrent userAgent } } }";
        let variables = json!({"ids": [session, user]});
        let own = send_as(shop, &ann, document, variables.clone()).await;
        let expected = json!([
            {"__typename": "Session", "id": session, "isCurrent": true, "userAgent": "Browser"},
            {"__typename": "User", "id": user, "email": "ann@example.com", "sessions": [{"id": session}]},
        ]);
        assert_eq!(own["data"]["nodes"], expected);
        for answer in [send_as(shop, &ben, document, variables.clone()).await, send(shop, None, document, variables.clone()).await] {
            assert_eq!((&answer["data"], &answer["errors"]), (&json!({"nodes": [null, null]}), &Value::Null));
        }
        shop.execute("UPDATE user_account SET role = 'STAFF' WHERE email = 'ben@example.com'").await.unwrap();
        let staff = enter(&home(shop), "ben@example.com", PASSWORD).await.unwrap();
        let seen = send_as(shop, &staff, document, variables).await;
        assert_eq!(seen["data"]["nodes"], json!([null, {"__typename": "User", "id": user, "email": "ann@example.com", "sessions": []}]));
    }

    async fn one_signs_out_of_one_device(shop: &Shop) {
        let here = sign_up(&home(shop), "ann@example.com").await;
        let there = enter(&at(shop, "192.0.2.2", "Phone"), "ann@example.com", PASSWORD).await.unwrap();
        let answer = send_as(shop, &here, REVOKE, json!({"id": there.session.to_string()})).await;
        assert_eq!(answer["data"]["sessionRevoke"], json!({"sessionId": there.session.to_string(), "userErrors": []}));
        assert_eq!(outcome(&go_on(&home(shop), &there.refresh.token).await), "TokenInvalid");
        let answer = send_as(shop, &there, "{ me { id } }", json!({})).await;
        assert_eq!(answer["errors"][0]["extensions"]["code"], "UNAUTHENTICATED");
        let left = send_as(shop, &here, "{ me { sessions { isCurrent } } }", json!({})).await;
        assert_eq!(left["data"]["me"]["sessions"], json!([{"isCurrent": true}]));
        // A customer's coming and going is not recorded beyond signing in.
        assert_eq!(audit(shop).await, ["accountRegister", "sessionCreate"]);
    }

    async fn without_an_id_it_is_the_one_that_asks(shop: &Shop) {
        let here = sign_up(&home(shop), "ann@example.com").await;
        let answer = send_as(shop, &here, REVOKE, json!({})).await;
        assert_eq!(answer["data"]["sessionRevoke"]["sessionId"], here.session.to_string());
        let answer = send_as(shop, &here, REVOKE, json!({})).await;
        assert_eq!(answer["errors"][0]["extensions"]["code"], "UNAUTHENTICATED");
    }

    async fn nobody_else_is_signed_out(shop: &Shop) {
        let ann = sign_up(&home(shop), "ann@example.com").await;
        let ben = sign_up(&at(shop, "192.0.2.2", "Ben's"), "ben@example.com").await;
        let nobodys = souk::kernel::id::SessionId::new();
        for id in [ann.session, nobodys] {
            let answer = send_as(shop, &ben, REVOKE, json!({"id": id.to_string()})).await;
            let payload = &answer["data"]["sessionRevoke"];
            assert_eq!(refusal(payload), ("NOT_FOUND".to_owned(), "sessionId".to_owned()));
            assert_eq!(payload["sessionId"], Value::Null);
        }
        let answer = send_as(shop, &ben, "mutation { sessionRevokeAll { revokedCount } }", json!({})).await;
        assert_eq!(answer["data"]["sessionRevokeAll"]["revokedCount"], 1);
        assert_eq!(outcome(&go_on(&home(shop), &ann.refresh.token).await), "OK");
        for document in [REVOKE, "mutation { sessionRevokeAll { revokedCount } }"] {
            let answer = send(shop, None, document, json!({})).await;
            assert_eq!(answer["errors"][0]["extensions"]["code"], "UNAUTHENTICATED");
        }
        let answer = send_as(shop, &ann, REVOKE, json!({"id": ann.user.id.to_string()})).await;
        assert_eq!(answer["errors"][0]["extensions"], json!({"code": "BAD_USER_INPUT", "argument": ["sessionId"]}));
    }

    async fn one_signs_out_everywhere(shop: &Shop) {
        let ctx = home(shop);
        let here = sign_up(&ctx, "ann@example.com").await;
        let there = enter(&ctx, "ann@example.com", PASSWORD).await.unwrap();
        let answer = send_as(shop, &here, "mutation { sessionRevokeAll { revokedCount userErrors { code } } }", json!({})).await;
        assert_eq!(answer["data"]["sessionRevokeAll"], json!({"revokedCount": 2, "userErrors": []}));
        for ended in [&here, &there] {
            assert_eq!(outcome(&go_on(&ctx, &ended.refresh.token).await), "TokenInvalid");
            let answer = send_as(shop, ended, "{ me { id } }", json!({})).await;
            assert_eq!(answer["errors"][0]["extensions"]["code"], "UNAUTHENTICATED");
        }
    }

    async fn staff_leave_a_record(shop: &Shop) {
        sign_up(&home(shop), "ann@example.com").await;
        shop.execute("UPDATE user_account SET role = 'ADMIN'").await.unwrap();
        let admin = enter(&home(shop), "ann@example.com", PASSWORD).await.unwrap();
        send_as(shop, &admin, "mutation { accountUpdate(input: {name: \"Boss\"}) { userErrors { code } } }", json!({})).await;
        send_as(shop, &admin, REVOKE, json!({})).await;
        assert_eq!(audit(shop).await, ["accountRegister", "sessionCreate", "accountUpdate", "sessionRevoke"]);
        let change = shop.rows("SELECT CAST(before AS text), CAST(after AS text) FROM audit_record WHERE action = 'accountUpdate'").await;
        let change: Vec<Value> = change[0].iter().map(|json| serde_json::from_str(json).unwrap()).collect();
        assert_eq!(change, [json!({"name": "Ann Droid"}), json!({"name": "Boss"})]);
    }
}
