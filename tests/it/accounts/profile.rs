//! What people say about themselves.

use serde_json::{Value, json};

use super::people::{home, send, send_as, sign_up};
use crate::support::Shop;

const UPDATE: &str = "mutation($input: AccountUpdateInput!) { accountUpdate(input: $input) { user { name addresses { name line1 line2 city region postalCode countryCode phone } } userErrors { code path params } } }";

fn address(name: &str) -> Value {
    json!({"name": name, "line1": "1 High Street", "line2": null, "city": "Leeds", "region": null, "postalCode": "LS1 1AA", "countryCode": "GB", "phone": null})
}

both! {
    async fn nobody_is_nobody(shop: &Shop) {
        let answer = send(shop, None, "{ me { id } }", json!({})).await;
        assert_eq!((&answer["data"], &answer["errors"]), (&json!({"me": null}), &Value::Null));
        let answer = send(shop, None, UPDATE, json!({"input": {"name": "Ann"}})).await;
        assert_eq!(answer["errors"][0]["extensions"]["code"], "UNAUTHENTICATED");
    }

    async fn what_is_left_out_stays(shop: &Shop) {
        let who = sign_up(&home(shop), "ann@example.com").await;
        let update = async |input: Value| {
            let mut answer = send_as(shop, &who, UPDATE, json!({"input": input})).await;
            assert_eq!(answer["data"]["accountUpdate"]["userErrors"], json!([]), "{answer}");
            answer["data"]["accountUpdate"]["user"].take()
        };
        assert_eq!(update(json!({})).await, json!({"name": "Ann Droid", "addresses": []}));
        let both = json!([address("Home"), address("Work")]);
        assert_eq!(update(json!({"addresses": both})).await, json!({"name": "Ann Droid", "addresses": both}));
        assert_eq!(update(json!({"name": " Annie "})).await, json!({"name": "Annie", "addresses": both}));
        // The list is the whole of it, in its order.
        let other = json!([address("Work"), address("Home"), address("Mother")]);
        assert_eq!(update(json!({"addresses": other})).await["addresses"], other);
        let sparse = json!({"name": "A", "line1": " B ", "line2": "  ", "city": "C", "region": "", "postalCode": "", "countryCode": "HK", "phone": ""});
        let kept = json!({"name": "A", "line1": "B", "line2": null, "city": "C", "region": null, "postalCode": null, "countryCode": "HK", "phone": null});
        assert_eq!(update(json!({"addresses": [sparse]})).await["addresses"], json!([kept]));
        assert_eq!(update(json!({"addresses": null})).await, json!({"name": "Annie", "addresses": []}));
    }

    async fn all_that_is_wrong_is_told_and_nothing_changes(shop: &Shop) {
        let who = sign_up(&home(shop), "ann@example.com").await;
        let told = async |input: Value| {
            let answer = send_as(shop, &who, UPDATE, json!({"input": input})).await;
            let payload = &answer["data"]["accountUpdate"];
            assert_eq!(payload["user"], Value::Null, "{answer}");
            let errors = payload["userErrors"].as_array().unwrap().clone();
            errors.iter().map(|error| {
                let path: Vec<_> = error["path"].as_array().unwrap().iter().map(|part| part.as_str().unwrap()).collect();
                format!("{} {}", error["code"].as_str().unwrap(), path.join("."))
            }).collect::<Vec<_>>()
        };
        assert_eq!(told(json!({"name": null})).await, ["REQUIRED input.name"]);
        let mut bad = address(" ");
        bad["phone"] = json!("0".repeat(33));
        bad["city"] = json!("Le\u{0}eds");
        let expected = ["TOO_LONG input.name", "REQUIRED input.addresses.1.name", "INVALID input.addresses.1.city", "TOO_LONG input.addresses.1.phone"];
        assert_eq!(told(json!({"name": "n".repeat(256), "addresses": [address("Home"), bad]})).await, expected);
        let many: Vec<_> = (0..51).map(|i| address(&i.to_string())).collect();
        assert_eq!(told(json!({"addresses": many})).await, ["TOO_LONG input.addresses"]);
        let answer = send_as(shop, &who, "{ me { name addresses { name } } }", json!({})).await;
        assert_eq!(answer["data"]["me"], json!({"name": "Ann Droid", "addresses": []}));
        let most: Vec<_> = (0..50).map(|i| address(&i.to_string())).collect();
        let answer = send_as(shop, &who, UPDATE, json!({"input": {"addresses": most}})).await;
        assert_eq!(answer["data"]["accountUpdate"]["user"]["addresses"].as_array().unwrap().len(), 50);
    }

    async fn an_address_lies_in_a_country_that_there_is(shop: &Shop) {
        let who = sign_up(&home(shop), "ann@example.com").await;
        for code in ["", "gb", "GBR", "UK", "XX", "ZZ", "Great Britain", "\u{0}"] {
            let mut address = address("Home");
            address["countryCode"] = json!(code);
            let answer = send_as(shop, &who, UPDATE, json!({"input": {"addresses": [address]}})).await;
            assert_eq!(answer["errors"][0]["extensions"]["code"], "BAD_USER_INPUT", "{code}: {answer}");
        }
    }
}
