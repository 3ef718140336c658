//! The demo shop, as a newcomer meets it.

use serde_json::{Value, json};
use souk::cli::demo::load_if_empty;

use crate::support::{As, Shop, product};

async fn load(shop: &Shop) -> bool {
    load_if_empty(&shop.platform).await.unwrap()
}

/// How many products, categories and variants there are.
async fn counts(shop: &Shop) -> Vec<Vec<String>> {
    let count = |table: &str| format!("(SELECT CAST(count(*) AS text) FROM {table})");
    let counts = ["product", "category", "product_variant"].map(count);
    shop.rows(&format!("SELECT {}", counts.join(", "))).await
}

fn names(connection: &Value) -> Vec<&str> {
    connection["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|node| node["name"].as_str().unwrap())
        .collect()
}

both! {
    async fn an_empty_catalog_is_filled_and_only_once(shop: &Shop) {
        assert!(load(shop).await);
        let filled = counts(shop).await;
        assert_eq!(filled, [["35", "30", "119"]]);
        assert!(!load(shop).await);
        assert_eq!(counts(shop).await, filled);
    }

    async fn a_shop_with_goods_of_its_own_is_left_alone(shop: &Shop) {
        shop.add(product("Mug")).await;
        assert!(!load(shop).await);
        assert_eq!(counts(shop).await, [["1", "0", "1"]]);
    }

    async fn a_shop_with_shelves_of_its_own_is_left_alone(shop: &Shop) {
        shop.add_category("Home", None).await;
        assert!(!load(shop).await);
        assert_eq!(counts(shop).await, [["0", "1", "0"]]);
    }

    async fn of_several_that_start_at_once_one_fills_it(shop: &Shop) {
        let others = [shop.beside(&[]).await, shop.beside(&[]).await, shop.beside(&[]).await];
        let loads = tokio::join!(load(shop), load(&others[0]), load(&others[1]), load(&others[2]));
        let loads = [loads.0, loads.1, loads.2, loads.3];
        assert_eq!(loads.iter().filter(|loaded| **loaded).count(), 1, "{loads:?}");
        assert_eq!(counts(shop).await, [["35", "30", "119"]]);
        for other in others {
            other.close().await;
        }
    }

    async fn customers_find_what_is_for_sale(shop: &Shop) {
        assert!(load(shop).await);
        let document = r#"{
            all: products { totalCount }
            sorted: products(filter: {category: {slug: "lamps-candles"}}, sort: {field: NAME}) { nodes { name } }
            home: products(filter: {category: {slug: "home"}}) { totalCount }
            found: products(filter: {text: "peştemal"}) { nodes { name } }
            folded: products(filter: {text: "pestemal towels"}) { nodes { name } }
            draft: product(by: {slug: "flying-carpet-grounded"}) { id }
            soldOut: product(by: {slug: "saffron-one-gram"}) { inStock variants { title availableQuantity } }
            toOrder: product(by: {slug: "emile-reading-light"}) { inStock variants { title availableQuantity } }
            pendant: product(by: {slug: "nazar-pendant"}) {
                options { name values }
                priceRange { min { amount } max { amount currencyCode } }
                category { slug ancestors { slug } }
                variants(first: 1) { title image { url } }
            }
        }"#;
        let data = shop.data(As::Anonymous, document, json!({})).await;
        assert_eq!(data["all"]["totalCount"], 33, "all but the draft and the archived one");
        let lamps = ["Beeswax Candles", "Émile’s Reading Light", "Fès Blue Oil Lamp", "Lamp of Uncertain Origin"];
        assert_eq!(names(&data["sorted"]), lamps);
        assert_eq!(data["home"]["totalCount"], 14);
        assert_eq!(names(&data["found"]), ["Peştemal Towel"]);
        assert_eq!(names(&data["folded"]), ["Peştemal Towel"]);
        assert_eq!(data["draft"], Value::Null);
        let sold_out = json!({"inStock": false, "variants": [{"title": "Default Title", "availableQuantity": 0}]});
        assert_eq!(data["soldOut"], sold_out);
        let variant = |title: &str| json!({"title": title, "availableQuantity": null});
        assert_eq!(data["toOrder"], json!({"inStock": true, "variants": [variant("Table"), variant("Floor")]}));
        let pendant = json!({
            "options": [
                {"name": "Metal", "values": ["Silver", "Gold-plated"]},
                {"name": "Glass", "values": ["Cobalt", "Turquoise", "Smoke"]},
                {"name": "Chain", "values": ["40 cm", "55 cm"]},
            ],
            "priceRange": {"min": {"amount": "24.00"}, "max": {"amount": "33.50", "currencyCode": "USD"}},
            "category": {"slug": "jewellery", "ancestors": [{"slug": "leather-adornment"}]},
            "variants": [{
                "title": "Silver / Cobalt / 40 cm",
                "image": {"url": "https://placehold.co/800x800/27406b/f6e7c8/png?text=In+Silver"},
            }],
        });
        assert_eq!(data["pendant"], pendant);
    }

    async fn its_first_stock_is_accounted_for(shop: &Shop) {
        assert!(load(shop).await);
        let sql = "SELECT DISTINCT actor, reason FROM inventory_movement";
        assert_eq!(shop.rows(sql).await, [["system", "demo"]]);
        let sql = "SELECT CAST(count(*) AS text) FROM inventory_level l WHERE on_hand <>
            (SELECT coalesce(sum(on_hand_delta), 0) FROM inventory_movement m WHERE m.variant_id = l.variant_id)";
        assert_eq!(shop.rows(sql).await, [["0"]]);
    }
}
