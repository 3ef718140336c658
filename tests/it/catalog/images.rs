//! Images whose address stays are the same images, however it is spelled.

use serde_json::{Value, json};

use crate::support::{As, Shop, product, variant};

const READ: &str = "query ($id: ID!) { product(by: {id: $id}) { version images { url position } variants { image { url } } } }";
const UPDATE: &str = "mutation ($input: ProductUpdateInput!) { productUpdate(input: $input) { userErrors { code path } product { version } } }";

async fn set(shop: &Shop, id: &str, urls: &[&str]) -> Value {
    let input = json!({"productId": id, "imageUrls": urls});
    shop.data(As::Staff, UPDATE, json!({ "input": input })).await["productUpdate"].take()
}

both! {
    /// Files spell addresses as they like: with capitals, spaces, letters of any script.
    async fn what_a_client_read_it_can_send_back(shop: &Shop) {
        let mug = product("Mug")
            .images(&["https://CDN.example/Größe 1.jpg", "https://cdn.example", "https://cdn.example/gone.jpg"])
            .variants(["Size"], vec![variant(["S"]).image(0), variant(["L"]).image(2)]);
        let id = shop.add(mug).await.to_string();
        shop.execute("UPDATE product_image SET alt_text = 'A mug' WHERE position = 1").await.unwrap();
        let before = "SELECT url, alt_text FROM product_image ORDER BY position";
        let raw = shop.rows(before).await;
        let data = shop.data(As::Staff, READ, json!({ "id": id })).await;
        let urls: Vec<_> = data["product"]["images"].as_array().unwrap().iter().map(|image| image["url"].as_str().unwrap()).collect();
        assert_eq!(urls, ["https://cdn.example/Gr%C3%B6%C3%9Fe%201.jpg", "https://cdn.example/", "https://cdn.example/gone.jpg"]);

        let same = set(shop, &id, &urls).await;
        assert_eq!(same, json!({"userErrors": [], "product": {"version": 1}}));
        assert_eq!(shop.rows(before).await, raw);

        let moved = set(shop, &id, &[urls[1], "https://cdn.example/new.jpg", urls[0]]).await;
        assert_eq!(moved, json!({"userErrors": [], "product": {"version": 2}}));
        let after = shop.data(As::Anonymous, READ, json!({ "id": id })).await;
        assert_eq!(after["product"]["images"], json!([
            {"url": urls[1], "position": 1},
            {"url": "https://cdn.example/new.jpg", "position": 2},
            {"url": urls[0], "position": 3},
        ]));
        assert_eq!(after["product"]["variants"], json!([{"image": {"url": urls[0]}}, {"image": null}]));
        assert_eq!(shop.rows(before).await, [raw[1].clone(), vec!["https://cdn.example/new.jpg".to_owned(), String::new()], raw[0].clone()]);
    }

    async fn two_spellings_of_one_address_become_one_image(shop: &Shop) {
        let id = shop.add(product("Mug").images(&["https://a.example", "https://a.example/"])).await.to_string();
        let once = set(shop, &id, &["https://a.example/"]).await;
        assert_eq!(once["product"]["version"], 2);
        assert_eq!(shop.rows("SELECT url FROM product_image").await, [["https://a.example"]]);
    }
}
