//! What an operation says that it has cost.

use serde_json::{Value, json};

use super::SEARCH;
use crate::support::{As, Shop, product};

/// What was asked for at most, and what it was.
async fn cost(shop: &Shop, caller: As, document: &str) -> (u64, u64) {
    let answer = shop.graphql(caller, document, Value::Null).await;
    let cost = &answer["extensions"]["cost"];
    let number = |name: &str| {
        cost[name]
            .as_u64()
            .unwrap_or_else(|| panic!("{document}: {answer}"))
    };
    (number("requestedQueryCost"), number("actualQueryCost"))
}

both! {
    async fn an_answer_costs_the_objects_that_are_in_it(shop: &Shop) {
        for name in ["Mug", "Cup", "Pot"] {
            shop.add(product(name).stock(5)).await;
        }
        for (document, expected) in [
            ("{ __typename }", (1, 1)),
            ("{ shop { name } }", (1, 1)),
            ("{ product(by: {slug: \"nothing\"}) { id } }", (1, 1)),
            // A connection, and what is on its page.
            ("{ products(first: 20) { nodes { id } } }", (40, 4)),
            ("{ products(first: 2) { nodes { id } } }", (4, 3)),
            ("{ products(first: 0) { nodes { id } } }", (1, 1)),
            ("{ products(first: 20) { edges { node { id } } pageInfo { endCursor } } }", (80, 8)),
            ("{ products(first: 10) { nodes { ...P } } } fragment P on Product { variants { price { amount } } }", (2_020, 10)),
            // What is read beyond what is shown.
            ("{ products(first: 20) { totalCount } }", (220, 201)),
            (SEARCH, (200, 200)),
            ("{ a: products(first: 5, filter: {text: \"mug\"}) { n: totalCount nodes { id } } }", (410, 402)),
            ("{ categories(first: 100) { nodes { products(first: 1) { totalCount } } } }", (20_300, 1)),
            ("{ __schema { types { name fields { name } } } }", (10, 10)),
            // One error takes all with it that was read, which does not make it cheaper.
            ("{ products(first: 20, filter: {text: \"mug\"}) { totalCount nodes { images(first: -1) { url } } } }", (440, 440)),
            ("{ product(by: {slug: \"mug\"}) { id variants { inventory { onHand } } } }", (201, 2)),
        ] {
            assert_eq!(cost(shop, As::Anonymous, document).await, expected, "{document}");
        }
        let create = "mutation { productCreate(input: {name: \"Jug\", variants: [{price: \"12.00\"}]}) { product { id } userErrors { code } } }";
        assert_eq!(cost(shop, As::Staff, create).await, (32, 12));
    }

    async fn what_was_not_executed_has_no_cost_and_nobody_a_status_who_has_no_limit(shop: &Shop) {
        for document in ["{", "{ nothing }", "{ shop }"] {
            let answer = shop.graphql(As::Anonymous, document, Value::Null).await;
            assert_eq!((&answer["extensions"], answer.get("data")), (&Value::Null, None), "{document}");
        }
        let answer = shop.graphql(As::Anonymous, "{ shop { name } }", Value::Null).await;
        assert_eq!(answer["extensions"], json!({"cost": {"requestedQueryCost": 1, "actualQueryCost": 1}}));
    }
}
