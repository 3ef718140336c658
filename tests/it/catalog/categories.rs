//! New categories.

use futures_util::future::join_all;
use serde_json::{Value, json};
use souk::kernel::id::CategoryId;

use super::staff::{done, mutate, names, refusal, refusals, texts};
use crate::support::{As, Shop};

const SHOWN: &str =
    "category { id slug name parent { slug } ancestors { slug } children { slug } products { totalCount } }";

both! {
    async fn a_category_is_found_where_it_was_put(shop: &Shop) {
        let root = done(shop, "categoryCreate", SHOWN, json!({"name": " Home & Garden "})).await["category"].take();
        assert_eq!(root, json!({"id": root["id"], "slug": "home-garden", "name": "Home & Garden", "parent": null, "ancestors": [], "children": [], "products": {"totalCount": 0}}));
        let child = done(shop, "categoryCreate", SHOWN, json!({"name": "Cups", "slug": "all-cups", "parentId": root["id"]})).await["category"].take();
        assert_eq!((&child["slug"], &child["parent"], &child["ancestors"]), (&json!("all-cups"), &json!({"slug": "home-garden"}), &json!([{"slug": "home-garden"}])));
        let query = "{ category(by: {slug: \"home-garden\"}) { children { slug } } categories { totalCount nodes { slug } } }";
        let data = shop.data(As::Anonymous, query, json!({})).await;
        assert_eq!(data["category"]["children"], json!([{"slug": "all-cups"}]));
        assert_eq!(texts(&data["categories"]["nodes"], "slug"), ["all-cups", "home-garden"]);
        let input = json!({"name": "Mug", "status": "ACTIVE", "categoryId": child["id"], "variants": [{"price": "1"}]});
        done(shop, "productCreate", "product { id }", input).await;
        assert_eq!(names(shop, As::Anonymous, json!({"category": {"id": root["id"]}}), Value::Null).await, ["Mug"]);
    }

    async fn a_tree_has_ten_levels_at_most(shop: &Shop) {
        let mut parent = Value::Null;
        for level in 1..=10 {
            let category = done(shop, "categoryCreate", SHOWN, json!({"name": format!("Level {level}"), "parentId": parent})).await["category"].take();
            assert_eq!(category["ancestors"].as_array().unwrap().len(), level - 1);
            parent = category["id"].clone();
        }
        let payload = mutate(shop, "categoryCreate", SHOWN, json!({"name": "Too deep", "parentId": parent})).await;
        assert_eq!(refusals(&payload), refusal("OUT_OF_RANGE", "input.parentId"));
        assert_eq!(payload["category"], Value::Null);
        assert_eq!(shop.rows("SELECT CAST(count(*) AS text) FROM category").await, [["10"]]);
        let payload = mutate(shop, "categoryCreate", SHOWN, json!({"name": "Orphan", "parentId": CategoryId::new().to_string()})).await;
        assert_eq!(refusals(&payload), refusal("NOT_FOUND", "input.parentId"));
    }

    async fn slugs_are_made_unique_or_refused(shop: &Shop) {
        let input = |i: usize| json!({"name": if i.is_multiple_of(2) { "Tea" } else { "Tea 2" }});
        let created = join_all((0..12).map(|i| done(shop, "categoryCreate", "category { slug }", input(i)))).await;
        let slugs: std::collections::HashSet<_> = created.iter().map(|payload| payload["category"]["slug"].to_string()).collect();
        assert_eq!(slugs.len(), 12);
        let payload = mutate(shop, "categoryCreate", SHOWN, json!({"name": "Other", "slug": "tea"})).await;
        assert_eq!(refusals(&payload), refusal("TAKEN", "input.slug"));
        // Products have slugs of their own.
        let product = json!({"name": "Tea", "variants": [{"price": "1"}]});
        assert_eq!(done(shop, "productCreate", "product { slug }", product).await["product"]["slug"], "tea");
    }
}
