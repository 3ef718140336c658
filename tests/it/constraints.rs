//! The database itself refuses what must never be, whatever the code above it does.

use crate::support::{Shop, product, variant};

/// A statement that would leave a row that must not be.
const CHECKS: &[&str] = &[
    "UPDATE inventory_level SET on_hand = -1",
    "UPDATE inventory_level SET reserved = -1",
    "UPDATE inventory_level SET reserved = on_hand + 1",
    "UPDATE inventory_level SET on_hand = 2147483648",
    "UPDATE inventory_level SET reserved = 2147483648, tracked = NOT tracked",
    "UPDATE inventory_movement SET on_hand_delta = 0",
    "UPDATE inventory_movement SET reason = ''",
    "UPDATE product SET slug = ''",
    "UPDATE product SET name = ''",
    "UPDATE product SET vendor = ''",
    "UPDATE product SET product_type = ''",
    "UPDATE product SET currency = 'US'",
    "UPDATE product SET status = 'SOLD'",
    "UPDATE product SET price_min = -1",
    "UPDATE product SET price_min = price_max + 1",
    "UPDATE product SET version = 0",
    "UPDATE product_variant SET price = -1",
    "UPDATE product_variant SET compare_at_price = -1",
    "UPDATE product_variant SET position = 0",
    "UPDATE product_variant SET sku = ''",
    "UPDATE product_variant SET title = ''",
    "UPDATE product_variant SET option1 = ''",
    "UPDATE product_variant SET option3 = 'silk'",
    "UPDATE product_image SET url = ''",
    "UPDATE product_image SET position = 0",
    "UPDATE product_option SET position = 4",
    "UPDATE product_option SET name = ''",
    "UPDATE product_tag SET tag = ''",
    "UPDATE product_listing SET status = 'SOLD'",
    "UPDATE category SET slug = ''",
    "UPDATE category SET name = ''",
    "UPDATE category SET parent_id = id",
    "UPDATE category_ancestor SET distance = distance + 1",
    "UPDATE category_ancestor SET distance = -1",
];

const UNIQUE: &[&str] = &[
    "UPDATE product SET slug = 'mug'",
    "UPDATE category SET slug = 'home'",
    "UPDATE product_variant SET option1 = 'S', option2 = 'red'",
    "UPDATE product_option SET name = 'Size'",
    "UPDATE product_image SET url = 'https://img.example/1.jpg'",
    "UPDATE product_tag SET tag = 'tea'",
];

const FOREIGN: &[&str] = &[
    "DELETE FROM category",
    "UPDATE category SET parent_id = (SELECT id FROM product LIMIT 1)",
    "UPDATE product SET category_id = (SELECT id FROM product LIMIT 1)",
    "UPDATE product_variant SET product_id = (SELECT id FROM category LIMIT 1)",
    "UPDATE product_variant SET image_id = product_id",
    "UPDATE inventory_level SET variant_id = (SELECT id FROM category WHERE slug = 'home') WHERE on_hand = 3",
    "UPDATE inventory_movement SET variant_id = (SELECT id FROM category LIMIT 1)",
];

/// As many rows as it takes for each statement above to break something.
async fn stock(shop: &Shop) {
    let home = shop.add_category("Home", None).await;
    let kitchen = shop.add_category("Kitchen", Some(home)).await;
    let colours = vec![
        variant(["S", "red"]).sku("A").compare_at(9_900).stock(3),
        variant(["S", "blue"]).stock(4),
    ];
    let mug = product("Mug")
        .vendor("Clay")
        .product_type("Cups")
        .tags(&["tea", "blue"])
        .category(kitchen)
        .images(&["https://img.example/1.jpg", "https://img.example/2.jpg"])
        .variants(["Size", "Colour"], colours);
    shop.add(mug).await;
    shop.add(product("Cup")).await;
}

async fn expect_refusals(shop: &Shop, statements: &[&str], by: [&str; 2]) {
    for sql in statements {
        match shop.execute(sql).await {
            Ok(rows) => panic!("{sql}: changed {rows} rows, and should have been refused"),
            Err(error) => {
                let error = error.to_string();
                assert!(
                    by.iter().any(|text| error.contains(text)),
                    "{sql}: refused for another reason: {error}"
                );
            }
        }
    }
}

both! {
    async fn rows_that_make_no_sense_are_refused(shop: &Shop) {
        stock(shop).await;
        expect_refusals(shop, CHECKS, ["CHECK constraint failed", "violates check constraint"]).await;
        expect_refusals(shop, UNIQUE, ["UNIQUE constraint failed", "violates unique constraint"]).await;
        expect_refusals(shop, FOREIGN, ["FOREIGN KEY constraint failed", "violates foreign key constraint"]).await;
        let untouched = "SELECT CAST(sum(on_hand) AS text), CAST(sum(reserved) AS text) FROM inventory_level";
        assert_eq!(shop.rows(untouched).await, [["7", "0"]]);
    }

    async fn stock_that_is_not_counted_is_not_bounded(shop: &Shop) {
        shop.add(product("Gift card")).await;
        let changed = shop.execute("UPDATE inventory_level SET reserved = 5 WHERE NOT tracked").await.unwrap();
        assert_eq!(changed, 1);
    }

    async fn what_belongs_to_a_product_goes_with_it(shop: &Shop) {
        stock(shop).await;
        shop.execute("DELETE FROM product").await.unwrap();
        for table in [
            "product_variant", "product_image", "product_option", "product_tag", "product_listing",
            "product_search", "inventory_level", "inventory_movement",
        ] {
            assert_eq!(shop.rows(&format!("SELECT CAST(count(*) AS text) FROM {table}")).await, [["0"]], "{table}");
        }
        assert_eq!(shop.rows("SELECT CAST(count(*) AS text) FROM category").await, [["2"]]);
    }
}
