//! What carts say of today's prices and today's stock.

use serde_json::{Value, json};
use souk::domain::catalog::validate::MAX_PRICE;

use super::{
    add, change_price, change_product, contents, create, has, line_id, read, set, stock, stock_all, warned,
};
use crate::support::{As, Shop, product, variant};

fn warning(cart: &Value) -> (Value, Value, Value) {
    assert_eq!(warned(cart).len(), 1, "{cart}");
    let warning = &cart["warnings"][0];
    (
        warning["code"].clone(),
        warning["message"].clone(),
        warning["lineId"].clone(),
    )
}

both! {
    async fn a_price_that_changes_is_todays_and_told(shop: &Shop) {
        let mug = stock(shop, product("Mug").price(500)).await;
        let tea = stock(shop, product("Tea").price(100)).await;
        let cart = create(shop, None, &[(&tea, 1), (&mug, 2)]).await;
        let other = shop.beside(&[]).await;
        // Hot in the other instance's cache, which is not asked.
        other.data(As::Anonymous, "{ products(first: 9) { nodes { variants { price { amount } } } } }", json!({})).await;
        change_price(shop, &mug, "6.50").await;
        for instance in [shop, &other] {
            let read = read(instance, None, &cart["id"]).await;
            let line = &read["lines"][1];
            assert_eq!((&line["unitPrice"]["amount"], &line["lineTotal"]["amount"], &read["subtotal"]["amount"]), (&json!("6.50"), &json!("13.00"), &json!("14.00")));
            assert_eq!(warning(&read), (json!("PRICE_CHANGED"), json!("Mug costs 6.50 USD now. It was 5.00 USD."), line["id"].clone()));
        }
        // It is told until the line is touched, of either kind; others are not that line.
        let more = add(shop, None, &cart, &[(&tea, 1)]).await;
        assert_eq!(warned(&more), ["PRICE_CHANGED"]);
        let touched = set(shop, None, &cart, &[(&line_id(&cart, 1), 2)]).await;
        assert_eq!((warned(&touched).len(), &touched["subtotal"]["amount"]), (0, &json!("15.00")));
        change_price(shop, &mug, "4").await;
        assert_eq!(warned(&read(shop, None, &cart["id"]).await), ["PRICE_CHANGED"]);
        assert_eq!(warned(&add(shop, None, &cart, &[(&mug, 1)]).await).len(), 0);
        // Back to what it was is no change.
        change_price(shop, &mug, "9").await;
        change_price(shop, &mug, "4").await;
        assert_eq!(warned(&read(shop, None, &cart["id"]).await).len(), 0);
        other.close().await;
    }

    async fn stock_that_goes_is_told_with_what_is_left(shop: &Shop) {
        let mug = stock(shop, product("Mug").price(500).stock(5)).await;
        let cart = create(shop, None, &[(&mug, 4)]).await;
        for (reserved, message) in [(2, "Only 3 of Mug are left."), (4, "Only 1 of Mug are left."), (5, "Mug is sold out.")] {
            shop.execute(&format!("UPDATE inventory_level SET reserved = {reserved} WHERE tracked")).await.unwrap();
            let read = read(shop, None, &cart["id"]).await;
            assert_eq!(warning(&read), (json!("INSUFFICIENT_STOCK"), json!(message), json!(line_id(&cart, 0))));
            assert_eq!(read["subtotal"]["amount"], "20.00", "they count in full");
        }
        shop.execute("UPDATE inventory_level SET reserved = 1 WHERE tracked").await.unwrap();
        assert_eq!(read(shop, None, &cart["id"]).await, cart);
        // Both at once.
        change_price(shop, &mug, "1").await;
        shop.execute("UPDATE inventory_level SET reserved = 2 WHERE tracked").await.unwrap();
        assert_eq!(warned(&read(shop, None, &cart["id"]).await), ["PRICE_CHANGED", "INSUFFICIENT_STOCK"]);
    }

    async fn what_is_no_longer_sold_stays_and_counts_nothing(shop: &Shop) {
        let mug = stock(shop, product("Mug").slug("mug").price(500).stock(2)).await;
        let tea = stock(shop, product("Tea").price(100)).await;
        let cart = create(shop, None, &[(&mug, 2), (&tea, 1)]).await;
        for status in ["DRAFT", "ARCHIVED"] {
            change_product(shop, "mug", json!({"status": status})).await;
            change_price(shop, &mug, "6").await;
            shop.execute("UPDATE inventory_level SET reserved = 2 WHERE tracked").await.unwrap();
            let read = read(shop, None, &cart["id"]).await;
            assert_eq!(contents(&read), has(&[("Mug", 2), ("Tea", 1)]));
            assert_eq!((&read["subtotal"]["amount"], &read["totalQuantity"]), (&json!("1.00"), &json!(3)));
            assert_eq!(warning(&read), (json!("PRODUCT_UNAVAILABLE"), json!("Mug is not for sale any more."), json!(line_id(&cart, 0))));
            // Nowhere else is it seen.
            let query = "query($id: ID!) { node(id: $id) { id } product(by: {slug: \"mug\"}) { id } }";
            assert_eq!(shop.data(As::Anonymous, query, json!({"id": mug})).await, json!({"node": null, "product": null}));
        }
        // All that a variant can say, though the product is hidden.
        let query = "query($id: ID!) { node(id: $id) { ... on CartLine { variant { title price { amount } inStock availableQuantity inventory { onHand }
            selectedOptions { name } image { url } product { slug status variants { id } } } } } }";
        let line = shop.data(As::Anonymous, query, json!({"id": line_id(&cart, 0)})).await;
        assert_eq!(line["node"]["variant"], json!({"title": "Default", "price": {"amount": "6.00"}, "inStock": false, "availableQuantity": 0, "inventory": null,
            "selectedOptions": [], "image": null, "product": {"slug": "mug", "status": "ARCHIVED", "variants": [{"id": mug}]}}));
        change_product(shop, "mug", json!({"status": "ACTIVE"})).await;
        change_price(shop, &mug, "5").await;
        shop.execute("UPDATE inventory_level SET reserved = 0 WHERE tracked").await.unwrap();
        assert_eq!(read(shop, None, &cart["id"]).await, cart);
    }

    async fn the_dearest_cart_can_be_counted(shop: &Shop) {
        let sizes = (0..250).map(|size| variant([size.to_string().as_str()]).price(MAX_PRICE)).collect();
        let variants = stock_all(shop, product("Palace").variants(["Size"], sizes)).await;
        let all: Vec<_> = variants.iter().map(|id| (id.as_str(), 10_000)).collect();
        let cart = create(shop, None, &all).await;
        assert_eq!((&cart["subtotal"]["amount"], &cart["totalQuantity"]), (&json!("25000000000000000.00"), &json!(2_500_000)));
        assert_eq!(cart["lines"][249]["lineTotal"]["amount"], "100000000000000.00");
    }
}
