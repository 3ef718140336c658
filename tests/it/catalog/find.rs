//! Single products, variants and categories, and any object by its id.

use serde_json::{Value, json};
use souk::entity::product::ProductStatus;
use souk::kernel::id::{CategoryId, ProductId};

use crate::support::{As, Shop, product, variant};

both! {
    async fn a_product_shows_all_that_it_has(shop: &Shop) {
        let home = shop.add_category("Home", None).await;
        let cups = shop.add_category("Cups", Some(home)).await;
        let images = ["https://img.example/1.png", "https://img.example/2.png"];
        shop.add(
            product("Café Cup").category(cups).vendor("Anna").product_type("Cup").tags(&["gift", "blue"])
                .description("<p>Holds <b>tea</b></p>").images(&images)
                .variants(["Size", "Colour"], vec![
                    variant(["S", "Blue"]).price(500).compare_at(700).sku("C-1").stock(3).image(1),
                    variant(["L", "Blue"]).price(900),
                ]),
        ).await;
        let query = "{ product(by: {slug: \"cafe-cup\"}) {
            name slug description vendor productType tags status version inStock
            category { name ancestors { name } parent { name children { name } } }
            options { name values }
            variants { sku title selectedOptions { name value } price { amount currencyCode } compareAtPrice { amount }
                       image { url } inStock availableQuantity inventory { onHand } product { slug } }
            images { url altText position } featuredImage { url }
            priceRange { min { amount } max { amount } }
        } }";
        let data = shop.data(As::Anonymous, query, json!({})).await;
        assert_eq!(data["product"], json!({
            "name": "Café Cup", "slug": "cafe-cup", "description": "<p>Holds <b>tea</b></p>", "vendor": "Anna",
            "productType": "Cup", "tags": ["gift", "blue"], "status": "ACTIVE", "version": 1, "inStock": true,
            "category": {"name": "Cups", "ancestors": [{"name": "Home"}], "parent": {"name": "Home", "children": [{"name": "Cups"}]}},
            "options": [{"name": "Size", "values": ["S", "L"]}, {"name": "Colour", "values": ["Blue"]}],
            "variants": [
                {"sku": "C-1", "title": "S / Blue", "selectedOptions": [{"name": "Size", "value": "S"}, {"name": "Colour", "value": "Blue"}],
                 "price": {"amount": "5.00", "currencyCode": "USD"}, "compareAtPrice": {"amount": "7.00"}, "image": {"url": images[1]},
                 "inStock": true, "availableQuantity": 3, "inventory": null, "product": {"slug": "cafe-cup"}},
                {"sku": null, "title": "L / Blue", "selectedOptions": [{"name": "Size", "value": "L"}, {"name": "Colour", "value": "Blue"}],
                 "price": {"amount": "9.00", "currencyCode": "USD"}, "compareAtPrice": null, "image": null,
                 "inStock": true, "availableQuantity": null, "inventory": null, "product": {"slug": "cafe-cup"}},
            ],
            "images": [{"url": images[0], "altText": null, "position": 1}, {"url": images[1], "altText": null, "position": 2}],
            "featuredImage": {"url": images[0]},
            "priceRange": {"min": {"amount": "5.00"}, "max": {"amount": "9.00"}},
        }));
    }

    async fn staff_see_stock_and_drafts(shop: &Shop) {
        let id = shop.add(product("Mug").stock(5).status(ProductStatus::Draft)).await;
        let query = format!("{{ product(by: {{id: \"{id}\"}}) {{ variants {{ inventory {{ onHand reserved available }} }} }} }}");
        assert_eq!(shop.data(As::Anonymous, &query, json!({})).await["product"], Value::Null);
        assert_eq!(shop.data(As::Customer, &query, json!({})).await["product"], Value::Null);
        let data = shop.data(As::Staff, &query, json!({})).await;
        assert_eq!(data["product"]["variants"][0]["inventory"], json!({"onHand": 5, "reserved": 0, "available": 5}));
    }

    async fn nodes_come_in_order_and_hide_what_may_not_be_seen(shop: &Shop) {
        let shelf = shop.add_category("Shelf", None).await;
        let mug = shop.add(product("Mug")).await;
        let draft = shop.add(product("Draft").status(ProductStatus::Draft)).await;
        let query = format!("{{ mug: product(by: {{id: \"{mug}\"}}) {{ variants {{ id }} }} draft: product(by: {{id: \"{draft}\"}}) {{ variants {{ id }} }} }}");
        let data = shop.data(As::Staff, &query, json!({})).await;
        let mug_variant = data["mug"]["variants"][0]["id"].clone();
        let draft_variant = data["draft"]["variants"][0]["id"].clone();
        let ids = json!([shelf.to_string(), draft.to_string(), mug.to_string(), draft_variant, mug_variant,
                         ProductId::new().to_string(), CategoryId::new().to_string()]);
        let query = "query($ids: [ID!]!) { nodes(ids: $ids) { __typename id ... on ProductVariant { product { name } } } }";
        let data = shop.data(As::Anonymous, query, json!({"ids": ids})).await;
        assert_eq!(data["nodes"], json!([
            {"__typename": "Category", "id": shelf.to_string()}, null, {"__typename": "Product", "id": mug.to_string()}, null,
            {"__typename": "ProductVariant", "id": mug_variant, "product": {"name": "Mug"}}, null, null,
        ]));
        let one = shop.data(As::Anonymous, "query($id: ID!) { node(id: $id) { id } }", json!({"id": mug_variant})).await;
        assert_eq!(one["node"]["id"], mug_variant);
    }

    async fn variants_and_images_can_be_cut_short(shop: &Shop) {
        let sizes = (0..120).map(|i| variant([format!("{i}").as_str()])).collect();
        shop.add(product("Shirt").variants(["Size"], sizes)).await;
        let query = "{ product(by: {slug: \"shirt\"}) { all: variants(first: 2048) { id } some: variants { id } two: variants(first: 2) { title } none: variants(first: 0) { id } null: variants(first: null) { id } } }";
        let data = shop.data(As::Anonymous, query, json!({})).await;
        let count = |name: &str| data["product"][name].as_array().unwrap().len();
        assert_eq!((count("all"), count("some"), count("two"), count("none"), count("null")), (120, 100, 2, 0, 100));
        assert_eq!(data["product"]["two"], json!([{"title": "0"}, {"title": "1"}]));
    }

    async fn the_shop_tells_its_name_and_currency(shop: &Shop) {
        let data = shop.data(As::Anonymous, "{ shop { name currencyCode } }", json!({})).await;
        assert_eq!(data["shop"], json!({"name": "Souk", "currencyCode": "USD"}));
        let other = shop.beside(&[("SOUK_SHOP_NAME", "Bazar"), ("SOUK_CURRENCY", "JPY")]).await;
        let data = other.data(As::Anonymous, "{ shop { name currencyCode } }", json!({})).await;
        assert_eq!(data["shop"], json!({"name": "Bazar", "currencyCode": "JPY"}));
        other.close().await;
    }

    async fn categories_page_by_name_from_both_ends(shop: &Shop) {
        for name in ["d", "B", "ä", "c", "E"] {
            shop.add_category(name, None).await;
        }
        let query = "query($first: Int, $after: String, $last: Int, $before: String) {
            categories(first: $first, after: $after, last: $last, before: $before) {
              totalCount nodes { name } edges { cursor } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }";
        let names = |data: &Value| data["categories"]["nodes"].as_array().unwrap().iter().map(|n| n["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>();
        let first = shop.data(As::Anonymous, query, json!({"first": 2})).await;
        assert_eq!(names(&first), ["ä", "B"]);
        assert_eq!(first["categories"]["totalCount"], 5);
        let next = shop.data(As::Anonymous, query, json!({"first": 10, "after": first["categories"]["pageInfo"]["endCursor"]})).await;
        assert_eq!(names(&next), ["c", "d", "E"]);
        assert_eq!(next["categories"]["pageInfo"]["hasNextPage"], false);
        let last = shop.data(As::Anonymous, query, json!({"last": 2})).await;
        assert_eq!(names(&last), ["d", "E"]);
        let before = shop.data(As::Anonymous, query, json!({"last": 2, "before": last["categories"]["pageInfo"]["startCursor"]})).await;
        assert_eq!(names(&before), ["B", "c"]);
        assert_eq!(before["categories"]["pageInfo"]["hasPreviousPage"], true);
    }
}
