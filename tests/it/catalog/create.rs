//! New products.

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::staff::{done, mutate, names, refusal, refusals, texts};
use crate::support::{As, Shop, product, user_of};

const ALL: &str = "product { id slug name description vendor productType tags status version createdAt updatedAt inStock
    category { slug } options { name values } images { url altText position } featuredImage { url }
    priceRange { min { amount currencyCode } max { amount } }
    variants { sku title selectedOptions { name value } price { amount currencyCode } compareAtPrice { amount } image { url }
               inStock availableQuantity inventory { onHand reserved available } } }";

both! {
    async fn all_that_is_given_is_kept(shop: &Shop) {
        let shelf = shop.add_category("Shelf", None).await;
        let option = |name: &str, value: &str| json!({"name": name, "value": value});
        let input = json!({
            "name": "  Café Cup ", "slug": "the-cup", "description": "<p onclick=\"x()\">Holds <b>tea</b></p><script>alert(1)</script>",
            "vendor": " Anna ", "productType": "Cups", "tags": ["gift", "blue", "gift", " blue "], "status": "ACTIVE", "categoryId": shelf.to_string(),
            "imageUrls": ["https://img.example/1.png", "https://img.example/2.png", "https://img.example/1.png"],
            "variants": [
                {"sku": "C-1", "selectedOptions": [option("Size", "S"), option("Colour", "Blue")], "price": "5", "compareAtPrice": "7.50", "onHand": 3},
                {"title": "The large one", "selectedOptions": [option("Size", "L"), option("Colour", "Blue")], "price": "9.99", "tracksInventory": false},
                {"sku": "", "title": " ", "selectedOptions": [option("Size", "L"), option("Colour", "Red")], "price": 12},
            ]});
        let payload = done(shop, "productCreate", ALL, input).await;
        let mut expected = json!({
            "slug": "the-cup", "name": "Café Cup", "description": "<p>Holds <b>tea</b></p>", "vendor": "Anna", "productType": "Cups",
            "tags": ["gift", "blue"], "status": "ACTIVE", "version": 1, "createdAt": "2026-03-01T12:00:00Z", "updatedAt": "2026-03-01T12:00:00Z",
            "inStock": true, "category": {"slug": "shelf"},
            "options": [{"name": "Size", "values": ["S", "L"]}, {"name": "Colour", "values": ["Blue", "Red"]}],
            "images": [{"url": "https://img.example/1.png", "altText": null, "position": 1}, {"url": "https://img.example/2.png", "altText": null, "position": 2}],
            "featuredImage": {"url": "https://img.example/1.png"},
            "priceRange": {"min": {"amount": "5.00", "currencyCode": "USD"}, "max": {"amount": "12.00"}},
            "variants": [
                {"sku": "C-1", "title": "S / Blue", "selectedOptions": [option("Size", "S"), option("Colour", "Blue")], "image": null,
                 "price": {"amount": "5.00", "currencyCode": "USD"}, "compareAtPrice": {"amount": "7.50"},
                 "inStock": true, "availableQuantity": 3, "inventory": {"onHand": 3, "reserved": 0, "available": 3}},
                {"sku": null, "title": "The large one", "selectedOptions": [option("Size", "L"), option("Colour", "Blue")], "image": null,
                 "price": {"amount": "9.99", "currencyCode": "USD"}, "compareAtPrice": null,
                 "inStock": true, "availableQuantity": null, "inventory": null},
                {"sku": null, "title": "L / Red", "selectedOptions": [option("Size", "L"), option("Colour", "Red")], "image": null,
                 "price": {"amount": "12.00", "currencyCode": "USD"}, "compareAtPrice": null,
                 "inStock": false, "availableQuantity": 0, "inventory": {"onHand": 0, "reserved": 0, "available": 0}},
            ],
        });
        expected["id"] = payload["product"]["id"].clone();
        assert_eq!(payload["product"], expected);
        // Another instance reads the same from the tables.
        let other = shop.beside(&[]).await;
        let query = format!("{{ {} }}", ALL.replacen("product {", "product(by: {slug: \"the-cup\"}) {", 1));
        assert_eq!(other.data(As::Staff, &query, json!({})).await["product"], expected);
        other.close().await;
        let movements = "SELECT m.actor, m.reason, CAST(m.on_hand_delta AS text) FROM inventory_movement m";
        assert_eq!(shop.rows(movements).await, [[user_of("tester").to_string().as_str(), "first stock", "3"]]);
        assert_eq!(names(shop, As::Anonymous, json!({"text": "tea gift anna"}), Value::Null).await, ["Café Cup"]);
        assert_eq!(names(shop, As::Anonymous, json!({"category": {"slug": "shelf"}, "price": {"min": "12"}}), Value::Null).await, ["Café Cup"]);
    }

    async fn little_is_enough(shop: &Shop) {
        let input = json!({"name": "Mug", "variants": [{"price": "0"}]});
        let product = done(shop, "productCreate", ALL, input).await["product"].take();
        assert_eq!(product["slug"], "mug");
        assert_eq!(product["status"], "DRAFT");
        assert_eq!(product["description"], "");
        for null in ["vendor", "productType", "category", "featuredImage"] {
            assert_eq!(product[null], Value::Null, "{null}");
        }
        for empty in ["tags", "options", "images"] {
            assert_eq!(product[empty], json!([]), "{empty}");
        }
        assert_eq!(product["variants"], json!([{"sku": null, "title": "Default Title", "selectedOptions": [], "image": null,
            "price": {"amount": "0.00", "currencyCode": "USD"}, "compareAtPrice": null, "inStock": false, "availableQuantity": 0,
            "inventory": {"onHand": 0, "reserved": 0, "available": 0}}]));
        let nulls = json!({"name": "Nulls", "slug": null, "description": null, "vendor": null, "productType": null, "tags": null, "status": null,
            "categoryId": null, "imageUrls": null, "variants": [{"price": "1", "sku": null, "title": null, "selectedOptions": null,
            "compareAtPrice": null, "tracksInventory": null, "onHand": null}]});
        let product = done(shop, "productCreate", ALL, nulls).await["product"].take();
        assert_eq!((&product["status"], &product["variants"][0]["availableQuantity"]), (&json!("DRAFT"), &json!(0)));
    }

    async fn drafts_are_hidden_from_customers(shop: &Shop) {
        let id = done(shop, "productCreate", "product { id }", json!({"name": "Secret", "variants": [{"price": "1"}]})).await["product"]["id"].clone();
        let query = "query($id: ID!) { product(by: {id: $id}) { id } bySlug: product(by: {slug: \"secret\"}) { id } node(id: $id) { id }
                     products(filter: {ids: [$id]}) { totalCount } }";
        for caller in [As::Anonymous, As::Customer] {
            let data = shop.data(caller, query, json!({"id": id})).await;
            assert_eq!(data, json!({"product": null, "bySlug": null, "node": null, "products": {"totalCount": 0}}));
            assert_eq!(names(shop, caller, json!({"text": "secret"}), Value::Null).await, [""; 0]);
        }
        let data = shop.data(As::Staff, query, json!({"id": id})).await;
        assert_eq!(data["bySlug"]["id"], id);
        assert_eq!(names(shop, As::Staff, json!({"statuses": ["DRAFT"]}), Value::Null).await, ["Secret"]);
    }

    async fn twenty_at_once_get_twenty_slugs(shop: &Shop) {
        let create = |name: &'static str| done(shop, "productCreate", "product { slug }", json!({"name": name, "variants": [{"price": "1"}]}));
        let created = join_all((0..20).map(|_| create("Tea Cup"))).await;
        let mut slugs: Vec<_> = created.iter().map(|payload| payload["product"]["slug"].as_str().unwrap().to_owned()).collect();
        slugs.sort_by_key(|slug| (slug.len(), slug.clone()));
        let expected: Vec<_> = std::iter::once("tea-cup".to_owned()).chain((2..=20).map(|n| format!("tea-cup-{n}"))).collect();
        assert_eq!(slugs, expected);
    }

    async fn slugs_of_like_names_made_at_once_are_told_apart(shop: &Shop) {
        // `Mug` makes the slug of `Mug 2` as its second one.
        let create = |i: usize| {
            let name = if i.is_multiple_of(2) { "Mug" } else { "Mug 2" };
            done(shop, "productCreate", "product { slug }", json!({"name": name, "variants": [{"price": "1"}]}))
        };
        let created = join_all((0..16).map(create)).await;
        let slugs: std::collections::HashSet<_> = created.iter().map(|payload| payload["product"]["slug"].to_string()).collect();
        assert_eq!(slugs.len(), 16);
    }

    async fn a_slug_that_is_made_gives_way_to_one_that_is_given(shop: &Shop) {
        let made = (0..8).map(|_| json!({"name": "Pot", "variants": [{"price": "1"}]}));
        let given = (2..10).map(|n| json!({"name": "Other", "slug": format!("pot-{n}"), "variants": [{"price": "1"}]}));
        let payloads = join_all(made.chain(given).map(|input| mutate(shop, "productCreate", "product { slug name }", input))).await;
        let mut slugs = std::collections::HashSet::new();
        for (index, payload) in payloads.iter().enumerate() {
            match payload["product"]["slug"].as_str() {
                Some(slug) => assert!(slugs.insert(slug.to_owned()), "{slug} twice"),
                // Who asks for one in particular may come too late; who leaves it to the shop never does.
                None => assert!(index >= 8 && refusals(payload) == refusal("TAKEN", "input.slug"), "{payload}"),
            }
        }
    }

    async fn a_given_slug_is_kept_or_refused(shop: &Shop) {
        shop.add(product("Mug").slug("mug")).await;
        let input = |slug: &str| json!({"name": "Another", "slug": slug, "variants": [{"price": "1"}]});
        let payload = mutate(shop, "productCreate", "product { id }", input("mug")).await;
        assert_eq!(refusals(&payload), refusal("TAKEN", "input.slug"));
        assert_eq!(payload["product"], Value::Null);
        let at_once = join_all((0..10).map(|_| mutate(shop, "productCreate", "product { id }", input("кружка_№7".trim_end_matches("№7"))))).await;
        let won: Vec<_> = at_once.iter().filter(|payload| payload["userErrors"] == json!([])).collect();
        assert_eq!(won.len(), 1);
        assert!(at_once.iter().filter(|payload| payload["product"].is_null()).all(|payload| refusals(payload) == refusal("TAKEN", "input.slug")));
        assert_eq!(shop.rows("SELECT CAST(count(*) AS text) FROM product").await, [["2"]]);
    }

    async fn names_without_letters_get_slugs_too(shop: &Shop) {
        let slug = async |name: &str| done(shop, "productCreate", "product { slug }", json!({"name": name, "variants": [{"price": "1"}]})).await["product"]["slug"].take();
        assert_eq!(slug("***").await, "product");
        assert_eq!(slug("!!!").await, "product-2");
        assert_eq!(slug("किताब").await, "किताब");
        let long = "long ".repeat(51);
        let first = slug(long.trim()).await;
        let second = slug(long.trim()).await;
        assert_eq!(second.as_str().unwrap(), format!("{}-2", first.as_str().unwrap()));
    }

    async fn everything_that_is_wrong_is_told_at_once(shop: &Shop) {
        let input = json!({"name": "", "slug": "A B", "tags": ["ok", ""], "variants": [
            {"price": "-1", "onHand": -1, "selectedOptions": [{"name": "Size", "value": ""}]},
            {"price": "1.999", "selectedOptions": [{"name": "Size", "value": "M"}]}]});
        let payload = mutate(shop, "productCreate", "product { id }", input).await;
        let mut told: Vec<_> = refusals(&payload).into_iter().map(|(code, path)| format!("{path} {code}")).collect();
        told.sort();
        assert_eq!(told, ["input.name REQUIRED", "input.slug INVALID", "input.tags.1 REQUIRED", "input.variants.0.onHand OUT_OF_RANGE",
            "input.variants.0.price OUT_OF_RANGE", "input.variants.0.selectedOptions.0.value REQUIRED", "input.variants.1.price INVALID"]);
        assert_eq!(payload["product"], Value::Null);
        assert!(payload["userErrors"].as_array().unwrap().iter().all(|error| error["retryable"] == false));
        assert_eq!(shop.rows("SELECT id FROM product WHERE 1 = 0 OR slug <> ''").await.len(), 0);
    }

    async fn prices_have_the_decimals_of_the_shops_currency(shop: &Shop) {
        for (currency, good, shown, bad) in [("JPY", "1500", "1500", "1500.5"), ("KWD", "1.234", "1.234", "1.2345"), ("USD", "0.1", "0.10", "0.001")] {
            let other = shop.beside(&[("SOUK_CURRENCY", currency)]).await;
            let input = |price: &str| json!({"name": "Tea", "status": "ACTIVE", "variants": [{"price": price, "compareAtPrice": good}]});
            let payload = done(&other, "productCreate", "product { variants { price { amount currencyCode } compareAtPrice { amount } } priceRange { min { amount } } }", input(good)).await;
            let product = &payload["product"];
            assert_eq!(product["variants"][0]["price"], json!({"amount": shown, "currencyCode": currency}));
            assert_eq!(product["variants"][0]["compareAtPrice"]["amount"], shown);
            assert_eq!(product["priceRange"]["min"]["amount"], shown);
            let payload = mutate(&other, "productCreate", "product { id }", input(bad)).await;
            assert_eq!(refusals(&payload), refusal("INVALID", "input.variants.0.price"));
            other.close().await;
        }
    }

    async fn the_limits_themselves_are_allowed(shop: &Shop) {
        let long = "ü".repeat(255);
        let variants: Vec<_> = (0..250).map(|i| json!({"price": "10000000000", "onHand": i32::MAX, "sku": long, "title": long,
            "selectedOptions": [{"name": long, "value": format!("{i}{}", "v".repeat(250))}]})).collect();
        let tags: Vec<_> = (0..250).map(|i| format!("tag {i}")).collect();
        let urls: Vec<_> = (0..250).map(|i| format!("https://img.example/{i}.png")).collect();
        let input = json!({"name": long, "slug": long, "vendor": long, "productType": long, "description": "x".repeat(100_000),
            "tags": tags, "imageUrls": urls, "variants": variants});
        let payload = done(shop, "productCreate", "product { name description tags variants(first: 250) { title } images(first: 250) { url } }", input).await;
        let product = &payload["product"];
        assert_eq!(product["name"], long);
        assert_eq!(product["description"].as_str().unwrap().len(), 100_000);
        assert_eq!((texts(&product["variants"], "title").len(), texts(&product["images"], "url").len()), (250, 250));
        assert_eq!(product["tags"].as_array().unwrap().len(), 250);
    }
}
