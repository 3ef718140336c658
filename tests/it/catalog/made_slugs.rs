//! Slugs that the shop makes, where many names are alike.

use serde_json::json;

use crate::support::{As, Shop, product};

const CREATE: &str = "mutation ($input: ProductCreateInput!) { productCreate(input: $input) { product { slug } userErrors { code } } }";

both! {
    /// The first free number is found however many are looked up at once.
    async fn the_first_free_number_is_taken(shop: &Shop) {
        let namesakes: Vec<_> = (1..=70)
            .filter(|number| *number != 50)
            .map(|number| if number == 1 { "mug".to_owned() } else { format!("mug-{number}") })
            .chain(["mug-warmer".to_owned(), "mug-2-go".to_owned()])
            .map(|slug| product("Mug").slug(&slug).build())
            .collect();
        shop.add_all(&namesakes).await;
        for expected in ["mug-50", "mug-71", "mug-72"] {
            let input = json!({"name": "Mug", "variants": [{"price": "1"}]});
            let data = shop.data(As::Staff, CREATE, json!({ "input": input })).await;
            assert_eq!(data["productCreate"], json!({"product": {"slug": expected}, "userErrors": []}));
        }
    }
}
