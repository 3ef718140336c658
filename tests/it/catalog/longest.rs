//! The longest values that the API takes, at their most bytes: what an index or a document cannot hold is not a fault.

use serde_json::{Value, json};
use souk::kernel::actor::Role;

use crate::support::{As, Shop, product};

/// Characters of four bytes in an order that no database compresses.
fn noise(seed: u64, length: usize, ranges: &[std::ops::Range<u32>]) -> String {
    let mut state = seed;
    let mut next = |below: u32| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as u32 % below
    };
    let one = |_| {
        let range = &ranges[next(ranges.len() as u32) as usize];
        char::from_u32(range.start + next(range.len() as u32)).unwrap()
    };
    (0..length).map(one).collect()
}

/// Letters, for what may have nothing else.
fn letters(seed: u64, length: usize) -> String {
    noise(seed, length, &[0x20000..0x2a6df, 0x30000..0x3134a])
}

fn text(seed: u64) -> String {
    noise(
        seed,
        255,
        &[
            0x20000..0x2a6df,
            0x30000..0x3134a,
            0xf0000..0xffffd,
            0x100000..0x10fffd,
        ],
    )
}

fn image(seed: u64) -> String {
    let path = (0..2048 - 18)
        .map(|i| char::from(b'a' + (seed.wrapping_mul(31).wrapping_add(i * i * i + i / 7) % 26) as u8));
    format!("https://a.example/{}", path.collect::<String>())
}

async fn change(shop: &Shop, mutation: &str, input: Value) -> Value {
    let name = format!("{}{}", mutation[..1].to_uppercase(), &mutation[1..]);
    let document = format!(
        "mutation($input: {name}Input!) {{ it: {mutation}(input: $input) {{ userErrors {{ code path }}
        {} }} }}",
        match mutation {
            "categoryCreate" => "category { id name slug }",
            "inventoryAdjust" => "variant { id inventory { onHand } }",
            "productVariantUpdate" => "variant { sku title }",
            _ =>
                "product { id name slug vendor productType tags images { url } options { name values } variants { id sku title selectedOptions { name value } } }",
        }
    );
    shop.data(As::Staff, &document, json!({ "input": input })).await["it"].take()
}

/// Everything that a product has, each of it another one for each seed.
fn longest(seed: u64, category: &Value) -> Value {
    let options = |value: u64| {
        (1..4)
            .map(|i| json!({"name": text(seed + i), "value": text(seed + value + i)}))
            .collect::<Vec<_>>()
    };
    let variant = |value: u64| {
        json!({"sku": text(seed + value + 7), "title": text(seed + value + 8), "price": "1", "selectedOptions": options(value),
        "tracksInventory": true, "onHand": 5})
    };
    json!({
        "name": text(seed + 4), "slug": letters(seed + 5, 255), "vendor": text(seed + 6), "productType": text(seed + 9),
        "status": "ACTIVE", "categoryId": category,
        "tags": (0..200).map(|i| text(seed + 1_000 + i)).collect::<Vec<_>>(),
        "imageUrls": (0..20).map(|i| image(seed + i)).collect::<Vec<_>>(),
        "description": letters(seed + 10, 40_000),
        "variants": [variant(100), variant(200)],
    })
}

both! {
    async fn every_field_holds_its_longest_value(shop: &Shop) {
        let made = change(shop, "categoryCreate", json!({"name": text(1), "slug": letters(2, 255)})).await;
        assert_eq!(made["userErrors"], json!([]));
        let category = &made["category"]["id"];
        let input = longest(1_000_000, category);
        let made = change(shop, "productCreate", input.clone()).await;
        assert_eq!(made["userErrors"], json!([]));
        let product = &made["product"];
        for field in ["name", "slug", "vendor", "productType", "tags"] {
            assert_eq!(product[field], input[field], "{field}");
        }
        assert_eq!(product["images"].as_array().unwrap().len(), 20);
        assert_eq!(product["variants"][1]["selectedOptions"], input["variants"][1]["selectedOptions"]);

        let mut other = longest(2_000_000, category);
        let other = other.as_object_mut().unwrap();
        other.remove("variants");
        other.insert("productId".to_owned(), product["id"].clone());
        let changed = change(shop, "productUpdate", json!(other)).await;
        assert_eq!((&changed["userErrors"], &changed["product"]["slug"]), (&json!([]), &other["slug"]));

        let variant = &product["variants"][0]["id"];
        let changed = change(shop, "productVariantUpdate", json!({"variantId": variant, "sku": text(3), "title": text(4)})).await;
        assert_eq!(changed, json!({"userErrors": [], "variant": {"sku": text(3), "title": text(4)}}));

        let filter = json!({"text": letters(5, 200), "vendors": [other["vendor"]], "productTypes": [other["productType"]], "tags": other["tags"],
            "category": {"slug": letters(2, 255)}});
        for filter in [json!({}), filter] {
            for sort in ["NAME", "PRICE"] {
                let query = "query($f: ProductFilter, $s: ProductSort, $after: String) { products(filter: $f, sort: $s, after: $after) { totalCount edges { cursor } } }";
                let page = shop.data(As::Anonymous, query, json!({"f": filter, "s": {"field": sort}})).await;
                let after = &page["products"]["edges"][0]["cursor"];
                let next = shop.data(As::Anonymous, query, json!({"f": filter, "s": {"field": sort}, "after": after})).await;
                assert_eq!(next["products"]["edges"], json!([]));
            }
        }
    }

    async fn the_longest_key_is_remembered(shop: &Shop) {
        let id = shop.add(product("Mug").stock(5)).await;
        let query = format!("{{ product(by: {{id: \"{id}\"}}) {{ variants {{ id }} }} }}");
        let variant = shop.data(As::Staff, &query, json!({})).await["product"]["variants"][0]["id"].take();
        let adjust = "mutation($input: InventoryAdjustInput!) { inventoryAdjust(input: $input) { userErrors { code } variant { inventory { onHand } } } }";
        let input = json!({"variantId": variant, "delta": 2, "reason": text(5), "idempotencyKey": text(6)});
        let body = json!({"query": adjust, "variables": {"input": input}}).to_string();
        let bearer = format!("Bearer {}", shop.token(Role::Staff));
        for _ in 0..2 {
            let reply = shop.post(&[("content-type", "application/json"), ("authorization", &bearer)], body.clone()).await;
            assert_eq!(reply.json()["data"]["inventoryAdjust"], json!({"userErrors": [], "variant": {"inventory": {"onHand": 7}}}));
        }
    }

    /// Each of these characters is a word of several: `㌀` is `アパート`. A description of them alone has more than a
    /// megabyte of different words.
    async fn a_description_is_found_by_as_many_words_as_fit(shop: &Shop) {
        let signs: Vec<char> = "㌖㌗㌘㌫㌶㌎㌒㌕㌡㌢㌬㌳㌵㌹㌺㍃㍇㍊㍌㍖".chars().collect();
        let word = |number: usize| -> String { (0..10).map(|place| signs[number / 20_usize.pow(place % 4) % 20]).collect() };
        let words: Vec<_> = (0..9_000).map(word).collect();
        let input = json!({"name": "Book", "status": "ACTIVE", "description": words.join(" "), "variants": [{"price": "1"}]});
        assert_eq!(change(shop, "productCreate", input).await["userErrors"], json!([]));
        let found = async |text: &str| {
            let query = "query($text: String) { products(filter: {text: $text}) { totalCount } }";
            shop.data(As::Anonymous, query, json!({"text": text})).await["products"]["totalCount"] == 1
        };
        assert!(found("book").await);
        let mut last = 0;
        for number in (0..9_000).step_by(500) {
            if !found(&words[number]).await {
                break;
            }
            last = number;
        }
        assert_eq!(last, 6_000, "alike on both databases");
        assert!(!found(&words[8_999]).await);
        // A sign without a letter's or a digit's category can be a letter all the same.
        shop.add(product("Badge").description("\u{1f150}\u{1f151}")).await;
        assert!(found("\u{1f150}\u{1f151}").await);
    }
}
