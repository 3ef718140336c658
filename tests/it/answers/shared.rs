//! Answers of several instances: what one changes the others do not go on showing.

use serde_json::{Value, json};

use super::{random, rename};
use crate::instances::Pair;
use crate::support::{As, Shop, product};

const QUERY: &str =
    "{ products(first: 5) { nodes { name inStock variants { id availableQuantity price { amount } } } } }";

async fn ask(shop: &Shop, name: &str) -> Value {
    let data = shop.data(As::Anonymous, QUERY, json!({})).await;
    let nodes = data["products"]["nodes"].as_array().unwrap();
    let node = nodes.iter().find(|node| node["name"] == name);
    node.unwrap_or_else(|| panic!("{data}")).clone()
}

both! {
    async fn what_one_instance_changes_the_other_shows_at_once(shop: &Shop) {
        let Some(pair) = Pair::of(shop).await else { return };
        let (one, other) = (&pair.one, &pair.other);
        let told = one.platform.news.told();
        let mug = one.add(product("Mug").stock(5)).await.to_string();
        random::settle(one, told).await;
        let variant = ask(other, "Mug").await["variants"][0]["id"].clone();
        for name in ["Cup", "Jar"] {
            rename(one, &mug, name).await;
            ask(other, name).await;
        }
        let left = async || ask(other, "Jar").await["variants"][0]["availableQuantity"].clone();
        one.ordered(&[(variant.as_str().unwrap(), 2)]).await;
        assert_eq!(left().await, 3);
        one.ordered(&[(variant.as_str().unwrap(), 3)]).await;
        assert_eq!(ask(other, "Jar").await["inStock"], false);
        pair.close().await;
    }

    async fn kept_answers_say_what_is_true_of_what_others_change(shop: &Shop) {
        let Some(pair) = Pair::of(shop).await else { return };
        random::compare(shop, &pair.one, &pair.other).await;
        pair.close().await;
    }
}
