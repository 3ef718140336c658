//! Changes of products.

use futures_util::future::join_all;
use serde_json::{Value, json};
use souk::kernel::id::ProductId;

use super::staff::{done, mutate, names, refusal, refusals, texts};
use crate::support::{As, Shop, product, variant};

const SHOWN: &str = "product { name slug description vendor productType tags status version updatedAt category { slug } images { url altText position }
    variants { image { url } } }";

async fn update(shop: &Shop, id: ProductId, changes: Value) -> Value {
    let mut input = changes;
    input["productId"] = json!(id.to_string());
    mutate(shop, "productUpdate", SHOWN, input).await
}

async fn updated(shop: &Shop, id: ProductId, changes: Value) -> Value {
    let mut payload = update(shop, id, changes).await;
    assert_eq!(payload["userErrors"], json!([]));
    payload["product"].take()
}

/// A product with everything.
async fn full(shop: &Shop) -> ProductId {
    let shelf = shop.add_category("Shelf", None).await;
    let goods = product("Mug")
        .category(shelf)
        .vendor("Clay")
        .product_type("Cups")
        .tags(&["tea", "blue"])
        .description("<p>Holds tea</p>");
    shop.add(goods.images(&["https://img.example/1.png"])).await
}

const STAYS: &str = r#"{"name": "Mug", "slug": "mug", "description": "<p>Holds tea</p>", "vendor": "Clay", "productType": "Cups", "tags": ["tea", "blue"],
    "status": "ACTIVE", "version": 1, "updatedAt": "2026-03-01T12:00:00Z", "category": {"slug": "shelf"},
    "images": [{"url": "https://img.example/1.png", "altText": null, "position": 1}], "variants": [{"image": null}]}"#;

fn stays() -> Value {
    serde_json::from_str(STAYS).unwrap()
}

both! {
    async fn each_field_is_kept_emptied_or_set_on_its_own(shop: &Shop) {
        let other = shop.add_category("Other", None).await;
        let id = full(shop).await;
        shop.clock.advance(chrono::Duration::minutes(1));
        assert_eq!(updated(shop, id, json!({})).await, stays());
        // What is sent, and what must be seen then; null where null is refused.
        let url = "https://img.example/9.png";
        let cases = [
            ("name", "name", json!("Jug"), json!("Jug"), None),
            ("slug", "slug", json!("jug"), json!("jug"), None),
            ("description", "description", json!("<b>New</b><script></script>"), json!("<b>New</b>"), Some(json!(""))),
            ("vendor", "vendor", json!("Stone"), json!("Stone"), Some(Value::Null)),
            ("productType", "productType", json!("Jugs"), json!("Jugs"), Some(Value::Null)),
            ("tags", "tags", json!(["b", "a", "b"]), json!(["b", "a"]), Some(json!([]))),
            ("status", "status", json!("ARCHIVED"), json!("ARCHIVED"), None),
            ("categoryId", "category", json!(other.to_string()), json!({"slug": "other"}), Some(Value::Null)),
            ("imageUrls", "images", json!([url]), json!([{"url": url, "altText": null, "position": 1}]), Some(json!([]))),
        ];
        let mut expected = stays();
        let mut version = 1;
        for (field, shown, value, seen, emptied) in cases {
            version += 1;
            shop.clock.advance(chrono::Duration::minutes(1));
            expected[shown] = seen;
            expected["version"] = json!(version);
            expected["updatedAt"] = json!(shop.now().to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true));
            assert_eq!(updated(shop, id, json!({field: value})).await, expected, "{field}");
            // The same again changes nothing.
            shop.clock.advance(chrono::Duration::minutes(1));
            assert_eq!(updated(shop, id, json!({field: value})).await, expected, "{field}");
            match emptied {
                None => assert_eq!(refusals(&update(shop, id, json!({field: null})).await), refusal("REQUIRED", &format!("input.{field}"))),
                Some(empty) => {
                    version += 1;
                    expected[shown] = empty;
                    expected["version"] = json!(version);
                    expected["updatedAt"] = json!(shop.now().to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true));
                    assert_eq!(updated(shop, id, json!({field: null})).await, expected, "{field}");
                }
            }
        }
        // Another instance reads the same from the tables.
        let beside = shop.beside(&[]).await;
        let query = format!("{{ {} }}", SHOWN.replacen("product {", "product(by: {slug: \"jug\"}) {", 1));
        assert_eq!(beside.data(As::Staff, &query, json!({})).await["product"], expected);
        beside.close().await;
    }

    async fn many_changes_at_once_are_one_version(shop: &Shop) {
        let id = full(shop).await;
        let product = updated(shop, id, json!({"name": "Jug", "tags": [], "imageUrls": [], "expectedVersion": 1})).await;
        assert_eq!((&product["version"], &product["name"], &product["tags"]), (&json!(2), &json!("Jug"), &json!([])));
    }

    async fn of_two_who_expect_the_same_version_one_wins(shop: &Shop) {
        let id = full(shop).await;
        for round in 1..=5 {
            let both = join_all(["Red", "Blue"].map(|name| update(shop, id, json!({"name": format!("{name} {round}"), "expectedVersion": round})))).await;
            let (won, lost): (Vec<_>, Vec<_>) = both.iter().partition(|payload| payload["userErrors"] == json!([]));
            assert_eq!((won.len(), lost.len()), (1, 1), "{both:?}");
            assert_eq!(won[0]["product"]["version"], round + 1);
            assert_eq!(refusals(lost[0]), refusal("STALE_OBJECT", "input.expectedVersion"));
            assert_eq!(lost[0]["userErrors"][0]["params"], json!({"currentVersion": round + 1}));
            assert_eq!(lost[0]["product"], Value::Null);
        }
    }

    async fn without_an_expected_version_none_is_lost(shop: &Shop) {
        let id = full(shop).await;
        let all = join_all((0..20).map(|i| updated(shop, id, json!({"name": format!("Name {i}")})))).await;
        let mut versions: Vec<_> = all.iter().map(|product| product["version"].as_i64().unwrap()).collect();
        assert!(versions.iter().all(|version| (2..=21).contains(version)));
        versions.sort_unstable();
        let now = updated(shop, id, json!({})).await;
        assert_eq!(now["version"], 21);
    }

    async fn refused_changes_change_nothing(shop: &Shop) {
        let id = full(shop).await;
        shop.add(product("Cups")).await;
        let payload = update(shop, id, json!({"name": "Jug", "tags": ["new"], "imageUrls": ["https://img.example/9.png"], "slug": "cups"})).await;
        assert_eq!(refusals(&payload), refusal("TAKEN", "input.slug"));
        assert_eq!(updated(shop, id, json!({})).await, stays());
        let gone = update(shop, ProductId::new(), json!({"name": "Jug"})).await;
        assert_eq!(refusals(&gone), refusal("NOT_FOUND", "input.productId"));
    }

    async fn images_that_stay_keep_their_text_and_their_variants(shop: &Shop) {
        let url = |n: u32| format!("https://img.example/{n}.png");
        let (one, two, three) = (url(1), url(2), url(3));
        let variants = vec![variant(["S"]).image(0), variant(["L"]).image(1)];
        let id = shop.add(product("Mug").images(&[&one, &two]).variants(["Size"], variants)).await;
        shop.execute("UPDATE product_image SET alt_text = 'text of ' || position").await.unwrap();
        let shown = updated(shop, id, json!({"imageUrls": [three, two]})).await;
        assert_eq!(shown["images"], json!([{"url": three, "altText": null, "position": 1}, {"url": two, "altText": "text of 2", "position": 2}]));
        assert_eq!(shown["variants"], json!([{"image": null}, {"image": {"url": two}}]));
        let shown = updated(shop, id, json!({"imageUrls": [two, three]})).await;
        assert_eq!(texts(&shown["images"], "url"), [two, three]);
        assert_eq!((&shown["version"], &shown["images"][0]["altText"]), (&json!(3), &json!("text of 2")));
    }

    async fn a_product_moves_between_the_lists_of_its_categories(shop: &Shop) {
        let home = shop.add_category("Home", None).await;
        let kitchen = shop.add_category("Kitchen", Some(home)).await;
        let garden = shop.add_category("Garden", None).await;
        let pots = shop.add_category("Pots", Some(garden)).await;
        let id = shop.add(product("Mug").category(kitchen)).await;
        let lists = async || {
            let query = "{ categories { nodes { slug products { totalCount nodes { name } } } } }";
            let data = shop.data(As::Anonymous, query, json!({})).await;
            let nodes = data["categories"]["nodes"].as_array().unwrap();
            let with = nodes.iter().filter(|node| node["products"]["totalCount"] == 1 && node["products"]["nodes"] == json!([{"name": "Mug"}]));
            with.map(|node| node["slug"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(lists().await, ["home", "kitchen"]);
        updated(shop, id, json!({"categoryId": pots.to_string()})).await;
        assert_eq!(lists().await, ["garden", "pots"]);
        updated(shop, id, json!({"categoryId": garden.to_string()})).await;
        assert_eq!(lists().await, ["garden"]);
        updated(shop, id, json!({"status": "DRAFT"})).await;
        assert_eq!(lists().await, [""; 0]);
        updated(shop, id, json!({"status": "ACTIVE", "categoryId": null})).await;
        assert_eq!(lists().await, [""; 0]);
        assert_eq!(names(shop, As::Anonymous, Value::Null, Value::Null).await, ["Mug"]);
    }

    async fn searches_and_sorts_see_a_change_at_once(shop: &Shop) {
        let shelf = shop.add_category("Shelf", None).await;
        let id = shop.add(product("Apple").tags(&["old"]).category(shelf)).await;
        shop.add(product("Melon").category(shelf)).await;
        let by_name = || names(shop, As::Anonymous, json!({"category": {"slug": "shelf"}}), json!({"field": "NAME"}));
        assert_eq!(by_name().await, ["Apple", "Melon"]);
        updated(shop, id, json!({"name": "Zucchini", "description": "<p>green</p>", "vendor": "Farm", "productType": "Vegetable", "tags": ["fresh"]})).await;
        assert_eq!(by_name().await, ["Melon", "Zucchini"]);
        for (text, found) in [("zucchini", 1), ("green farm vegetable fresh", 1), ("apple", 0), ("old", 0)] {
            assert_eq!(names(shop, As::Anonymous, json!({"text": text}), Value::Null).await.len(), found, "{text}");
        }
        let filters = [json!({"vendors": ["Farm"]}), json!({"productTypes": ["Vegetable"]}), json!({"tags": ["fresh"]})];
        for filter in filters {
            assert_eq!(names(shop, As::Anonymous, filter, Value::Null).await, ["Zucchini"]);
        }
        assert_eq!(names(shop, As::Anonymous, json!({"tags": ["old"]}), Value::Null).await, [""; 0]);
    }

    async fn the_cache_never_shows_what_was_before(shop: &Shop) {
        let shelf = shop.add_category("Shelf", None).await;
        let id = shop.add(product("A").slug("x").tags(&["t"]).images(&["https://img.example/1.png"])).await;
        let fields = "id name slug tags status category { slug } images { url } variants { image { url } }";
        let warm = format!("query($id: ID!) {{ product(by: {{id: $id}}) {{ {fields} }} x: product(by: {{slug: \"x\"}}) {{ id }} y: product(by: {{slug: \"y\"}}) {{ id }} }}");
        let look = || shop.data(As::Anonymous, &warm, json!({"id": id.to_string()}));
        assert_eq!(look().await["x"]["id"], id.to_string());
        assert_eq!(shop.statements(As::Anonymous, "{ product(by: {slug: \"x\"}) { name } }", json!({})).await, 0, "it is warm");
        updated(shop, id, json!({"slug": "y", "name": "Renamed", "tags": ["u"], "imageUrls": [], "categoryId": shelf.to_string()})).await;
        let data = look().await;
        assert_eq!(data["product"], json!({"id": id.to_string(), "name": "Renamed", "slug": "y", "tags": ["u"], "status": "ACTIVE",
            "category": {"slug": "shelf"}, "images": [], "variants": [{"image": null}]}));
        assert_eq!((&data["x"], &data["y"]["id"]), (&Value::Null, &json!(id.to_string())));
        // The slug that became free is somebody else's now.
        let input = json!({"name": "B", "slug": "x", "status": "ACTIVE", "variants": [{"price": "1"}]});
        let b = done(shop, "productCreate", "product { id }", input).await["product"]["id"].take();
        let data = look().await;
        assert_eq!((&data["x"]["id"], &data["y"]["id"]), (&b, &json!(id.to_string())));
        updated(shop, id, json!({"status": "ARCHIVED"})).await;
        assert_eq!(look().await["product"], Value::Null);
    }
}
