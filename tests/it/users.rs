//! Everybody's account as staff see it, and who is staff.

use serde_json::{Value, json};
use souk::kernel::actor::Role;
use souk::kernel::id::UserId;

use crate::support::{As, Shop, user_of};

const USERS: &str = "query($filter: UserFilter, $first: Int, $after: String, $last: Int, $before: String) {
    users(filter: $filter, first: $first, after: $after, last: $last, before: $before) { totalCount
      nodes { name email role } edges { cursor node { id } } pageInfo { hasNextPage hasPreviousPage endCursor startCursor } } }";
const UPDATE: &str =
    "mutation($id: ID!, $role: UserRole!) { userRoleUpdate(input: {userId: $id, role: $role}) {
    user { id role } userErrors { code message path } } }";

/// Sets a role as this admin; the whole answer.
async fn set(shop: &Shop, admin: &str, user: &str, role: &str) -> Value {
    let token = shop.token_of(admin, Role::Admin);
    let variables = json!({"id": user_of(user).to_string(), "role": role});
    shop.graphql_with(Some(&token), UPDATE, variables).await
}

fn code(answer: &Value) -> &str {
    let refusal = &answer["data"]["userRoleUpdate"]["userErrors"][0]["code"];
    let error = &answer["errors"][0]["extensions"]["code"];
    refusal.as_str().or(error.as_str()).unwrap_or("done")
}

async fn admins(shop: &Shop) -> Vec<Vec<String>> {
    shop.rows("SELECT name FROM user_account WHERE role = 'ADMIN' ORDER BY name")
        .await
}

async fn names(shop: &Shop, variables: Value) -> Vec<String> {
    let data = shop.data(As::Staff, USERS, variables).await;
    let nodes = data["users"]["nodes"].as_array().unwrap();
    nodes
        .iter()
        .map(|node| node["name"].as_str().unwrap().to_owned())
        .collect()
}

async fn people(shop: &Shop) {
    for (name, role) in [
        ("ann", Role::Admin),
        ("bob", Role::Staff),
        ("cid", Role::Customer),
        ("dot", Role::Customer),
    ] {
        shop.add_user(name, role).await;
        shop.clock.advance(chrono::Duration::seconds(1));
    }
}

both! {
    async fn staff_find_accounts_by_email_and_role(shop: &Shop) {
        people(shop).await;
        assert_eq!(names(shop, json!({})).await, ["dot", "cid", "bob", "ann"]);
        for (filter, expected) in [
            (json!({"role": "CUSTOMER"}), vec!["dot", "cid"]),
            (json!({"email": "cid@example.com"}), vec!["cid"]),
            (json!({"email": "  CID@Example.COM\t"}), vec!["cid"]),
            (json!({"email": "ｃｉｄ@example.com"}), vec!["cid"]),
            (json!({"email": "cid@example.com", "role": "STAFF"}), vec![]),
            (json!({"email": "id@example.com"}), vec![]),
            (json!({"email": "%@example.com"}), vec![]),
        ] {
            assert_eq!(names(shop, json!({"filter": filter})).await, expected, "{filter}");
        }
        let data = shop.data(As::Staff, USERS, json!({"first": 2, "filter": {"role": "CUSTOMER"}})).await;
        assert_eq!((&data["users"]["totalCount"], &data["users"]["pageInfo"]["hasNextPage"]), (&json!(2), &json!(false)));
    }

    async fn accounts_come_a_page_at_a_time(shop: &Shop) {
        people(shop).await;
        let data = shop.data(As::Staff, USERS, json!({"first": 3})).await;
        assert_eq!((&data["users"]["totalCount"], &data["users"]["pageInfo"]["hasNextPage"]), (&json!(4), &json!(true)));
        let (end, start) = (&data["users"]["edges"][2]["cursor"], &data["users"]["edges"][0]["cursor"]);
        assert_eq!(names(shop, json!({"first": 3, "after": end})).await, ["ann"]);
        assert_eq!(names(shop, json!({"last": 1})).await, ["ann"]);
        assert_eq!(names(shop, json!({"last": 5, "before": end})).await, ["dot", "cid"]);
        assert_eq!(names(shop, json!({"last": 5, "before": start})).await, Vec::<String>::new());
        assert_eq!(data["users"]["edges"][2]["node"]["id"], user_of("bob").to_string());
    }

    async fn customers_do_not_learn_who_else_there_is(shop: &Shop) {
        people(shop).await;
        for (caller, expected) in [(As::Anonymous, "UNAUTHENTICATED"), (As::Customer, "FORBIDDEN")] {
            for filter in [json!({"email": "ann@example.com"}), json!({"email": "nobody@example.com"}), Value::Null] {
                let answer = shop.graphql(caller, USERS, json!({"filter": filter})).await;
                assert_eq!((&answer["errors"][0]["extensions"]["code"], &answer["data"]), (&json!(expected), &Value::Null));
            }
        }
    }

    async fn an_admin_changes_a_role_at_once(shop: &Shop) {
        people(shop).await;
        let beside = shop.beside(&[]).await;
        let bob = shop.token_of("bob", Role::Staff);
        let users = "{ users { totalCount } }";
        assert_eq!(shop.graphql_with(Some(&bob), users, json!({})).await["data"]["users"]["totalCount"], 4);
        let answer = set(shop, "ann", "bob", "CUSTOMER").await;
        assert_eq!(answer["data"]["userRoleUpdate"], json!({"user": {"id": user_of("bob").to_string(), "role": "CUSTOMER"}, "userErrors": []}));
        let answer = shop.graphql_with(Some(&bob), users, json!({})).await;
        assert_eq!(answer["errors"][0]["extensions"]["code"], "UNAUTHENTICATED", "{answer}");
        // Another instance hears of it from the database.
        beside.platform.revocations.read(beside.db(), beside.now(), std::time::Duration::from_secs(900)).await.unwrap();
        let answer = beside.graphql_with(Some(&bob), users, json!({})).await;
        assert_eq!(answer["errors"][0]["extensions"]["code"], "UNAUTHENTICATED", "{answer}");
        let customer = shop.token_of("bob", Role::Customer);
        assert_eq!(code(&shop.graphql_with(Some(&customer), users, json!({})).await), "FORBIDDEN");
        let log = "{ auditLog { nodes { action actor subjectId role before after } } }";
        let ann = shop.token_of("ann", Role::Admin);
        let log = shop.graphql_with(Some(&ann), log, json!({})).await;
        let (ann, bob) = (user_of("ann").to_string(), user_of("bob").to_string());
        assert_eq!(log["data"]["auditLog"]["nodes"], json!([
            {"action": "userRoleUpdate", "actor": ann, "subjectId": bob, "role": "ADMIN", "before": {"role": "STAFF"}, "after": {"role": "CUSTOMER"}}]));
        beside.close().await;
    }

    async fn the_role_that_somebody_has_is_no_change(shop: &Shop) {
        people(shop).await;
        assert_eq!(code(&set(shop, "ann", "bob", "STAFF").await), "done");
        assert_eq!(code(&set(shop, "ann", "ann", "ADMIN").await), "done");
        assert_eq!(shop.rows("SELECT action FROM audit_record").await, Vec::<Vec<String>>::new());
        let bob = shop.token_of("bob", Role::Staff);
        assert_eq!(code(&shop.graphql_with(Some(&bob), "{ users { totalCount } }", json!({})).await), "done");
    }

    async fn in_production_the_demo_admin_is_not_one_who_stays(shop: &Shop) {
        people(shop).await;
        shop.execute("UPDATE user_account SET role = 'ADMIN', email = 'bob@demo.souk.example', email_key = 'bob@demo.souk.example' WHERE name = 'bob'").await.unwrap();
        let production = shop.beside(&[("SOUK_ENV", "production"), ("SOUK_PASSWORD_MEMORY", "19MiB")]).await;
        assert_eq!(code(&set(&production, "ann", "ann", "STAFF").await), "INVALID");
        // Who could not act as one is not missed.
        assert_eq!(code(&set(&production, "ann", "bob", "STAFF").await), "done");
        assert_eq!(code(&set(&production, "ann", "bob", "ADMIN").await), "done");
        production.close().await;
        assert_eq!(code(&set(shop, "ann", "ann", "STAFF").await), "done");
    }

    async fn the_last_admin_stays_one(shop: &Shop) {
        people(shop).await;
        let refused = set(shop, "ann", "ann", "STAFF").await;
        assert_eq!(refused["data"]["userRoleUpdate"], json!({"user": null, "userErrors": [
            {"code": "INVALID", "message": "is the only admin: make somebody else an admin first", "path": ["input", "role"]}]}));
        assert_eq!(code(&set(shop, "ann", "bob", "ADMIN").await), "done");
        assert_eq!(code(&set(shop, "ann", "ann", "CUSTOMER").await), "done");
        assert_eq!(code(&set(shop, "bob", "bob", "CUSTOMER").await), "INVALID");
        assert_eq!(admins(shop).await, [["bob"]]);
    }

    async fn of_two_admins_who_demote_each_other_one_stays(shop: &Shop) {
        let beside = shop.beside(&[]).await;
        for round in 0..20 {
            let (one, other) = (format!("one {round}"), format!("other {round}"));
            shop.execute("DELETE FROM user_account").await.unwrap();
            shop.add_user(&one, Role::Admin).await;
            shop.add_user(&other, Role::Admin).await;
            let (first, second) = tokio::join!(set(shop, &one, &other, "STAFF"), set(&beside, &other, &one, "STAFF"));
            let mut codes = [code(&first), code(&second)];
            codes.sort_unstable();
            // By the time of its turn the second was no admin any more; its token may have been refused even before.
            assert!(matches!(codes, ["FORBIDDEN" | "UNAUTHENTICATED", "done"]), "{first} {second}");
            assert_eq!(admins(shop).await.len(), 1);
        }
        beside.close().await;
    }

    async fn of_many_who_resign_at_once_one_stays(shop: &Shop) {
        let names = ["a", "b", "c", "d", "e", "f"];
        for name in names {
            shop.add_user(name, Role::Admin).await;
        }
        let answers = futures_util::future::join_all(names.map(|name| set(shop, name, name, "STAFF"))).await;
        let refused: Vec<_> = answers.iter().map(code).filter(|code| *code != "done").collect();
        assert_eq!(refused, ["INVALID"]);
        assert_eq!(admins(shop).await.len(), 1);
    }

    async fn a_token_of_somebody_who_is_no_admin_any_more_changes_nothing(shop: &Shop) {
        people(shop).await;
        // As an instance that has not heard of it yet.
        shop.execute("UPDATE user_account SET role = 'STAFF' WHERE name = 'ann'").await.unwrap();
        assert_eq!(code(&set(shop, "ann", "bob", "ADMIN").await), "FORBIDDEN");
        assert_eq!(code(&set(shop, "nobody", "bob", "ADMIN").await), "FORBIDDEN");
        assert_eq!(admins(shop).await, Vec::<Vec<String>>::new());
    }

    async fn only_admins_change_roles(shop: &Shop) {
        people(shop).await;
        let variables = json!({"id": user_of("cid").to_string(), "role": "ADMIN"});
        for (token, expected) in [
            (None, "UNAUTHENTICATED"),
            (Some(shop.token_of("cid", Role::Customer)), "FORBIDDEN"),
            (Some(shop.token_of("bob", Role::Staff)), "FORBIDDEN"),
        ] {
            let answer = shop.graphql_with(token.as_deref(), UPDATE, variables.clone()).await;
            assert_eq!((code(&answer), &answer["data"]), (expected, &Value::Null));
        }
        let answer = shop.graphql_with(Some(&shop.token_of("ann", Role::Admin)), UPDATE, json!({"id": UserId::new().to_string(), "role": "ADMIN"})).await;
        assert_eq!(answer["data"]["userRoleUpdate"], json!({"user": null, "userErrors": [{"code": "NOT_FOUND", "message": "there is no such account", "path": ["input", "userId"]}]}));
        assert_eq!(admins(shop).await, [["ann"]]);
    }
}
