//! A changed file changes just that.

use serde_json::json;

use super::{assert_movements_add_up, contents, counts, currency, file, import, order, rows, try_import};
use crate::support::{As, Shop, product, variant};

const TEE: &str = "tee,Tee,Size,S,,shopify,10,5,,https://x.example/s.png,active\ntee,,,M,,shopify,20,5,,https://x.example/m.png,\n";

async fn stock(shop: &Shop) -> Vec<Vec<String>> {
    shop.rows(
        "SELECT v.option1, CAST(l.on_hand AS text) FROM inventory_level l \
         JOIN product_variant v ON v.id = l.variant_id ORDER BY v.position",
    )
    .await
}

async fn set_stock(shop: &Shop, option: &str, on_hand: i64, reserved: i64) {
    let of = format!("variant_id IN (SELECT id FROM product_variant WHERE option1 = '{option}')");
    shop.execute(&format!(
        "UPDATE inventory_level SET on_hand = {on_hand}, reserved = {reserved} WHERE {of}"
    ))
    .await
    .unwrap();
}

fn tee(change: impl Fn(String) -> String) -> tempfile::NamedTempFile {
    rows(&change(TEE.to_owned()))
}

both! {
    async fn a_price_is_one_variant_and_one_version(shop: &Shop) {
        import(shop, rows(&format!("{TEE}mug,Mug,,,,,,7,,,\n")).path()).await;
        shop.clock.advance(chrono::Duration::seconds(1));
        let changed = rows(&format!("{}mug,Mug,,,,,,7,,,\n", TEE.replace("20,5,", "20,6,")));
        assert_eq!(counts(&import(shop, changed.path()).await), [[0, 1, 1, 0], [0, 1, 2, 0], [0, 0, 2, 0]]);
        let sql = "SELECT slug, CAST(version AS text), CAST(price_max AS text) FROM product ORDER BY slug";
        assert_eq!(shop.rows(sql).await, [["mug", "1", "700"], ["tee", "2", "600"]]);
        let sql = "SELECT count(DISTINCT updated_at) FROM product_variant";
        assert_eq!(shop.rows(&sql.replace("count(DISTINCT updated_at)", "CAST(count(DISTINCT updated_at) AS text)")).await, [["2"]]);
    }

    async fn unchanged_files_take_no_transaction(shop: &Shop) {
        let path = tee(|text| text);
        import(shop, path.path()).await;
        let before = shop.db().statements();
        let held = shop.db().begin().await.unwrap();
        // On SQLite this would wait for the writer in vain.
        assert_eq!(counts(&import(shop, path.path()).await)[0], [0, 0, 1, 0]);
        drop(held);
        assert!(shop.db().statements() - before < 12);
    }

    async fn images_tags_and_options_follow_the_file_and_variants_stay(shop: &Shop) {
        let head = "Handle,Title,Tags,Option1 Name,Option1 Value,Variant Price,Image Src,Image Alt Text,Variant Image\n";
        import(shop, file(format!("{head}a,A,\"x, y\",Size,S,5,https://x.example/1.png,one,https://x.example/1.png\n\
            a,,,,M,6,https://x.example/2.png,two,https://x.example/2.png\na,,,,,,https://x.example/3.png,,\n")).path()).await;
        // Without M: its image stays with it, the third goes.
        let report = import(shop, file(format!("{head}a,A,\"y, z\",Measure,S,5,https://x.example/4.png,four,https://x.example/4.png\n")).path()).await;
        assert_eq!(counts(&report), [[0, 1, 0, 0], [0, 1, 0, 0], [1, 0, 1, 0]]);
        let data = shop.data(As::Staff, "{ product(by: {slug: \"a\"}) { tags options { name values } images { url altText }
            variants { title image { url } } } }", json!({})).await;
        assert_eq!(data["product"], json!({
            "tags": ["y", "z"],
            "options": [{"name": "Measure", "values": ["S", "M"]}],
            "images": [{"url": "https://x.example/4.png", "altText": "four"}, {"url": "https://x.example/2.png", "altText": "two"}],
            "variants": [
                {"title": "S", "image": {"url": "https://x.example/4.png"}},
                {"title": "M", "image": {"url": "https://x.example/2.png"}},
            ],
        }));
    }

    async fn what_a_file_has_no_column_for_is_left_alone(shop: &Shop) {
        shop.add(product("A").vendor("Maker").tags(&["x"]).description("<p>d</p>").images(&["https://x.example/1.png"]).stock(4)).await;
        let before = contents(shop).await;
        let report = import(shop, file("Handle,Title,Variant Price\na,A,10\n").path()).await;
        let after = contents(shop).await;
        let prices = |rows: &[Vec<String>]| rows.iter().map(|row| row[8].clone()).collect::<Vec<_>>();
        assert_eq!(report.products.updated + report.products.unchanged, 1, "{report:?}");
        assert_eq!(prices(&after[4]), ["1000"]);
        for table in [1, 2, 3, 5, 6, 7, 8].into_iter().filter(|table| *table != 8) {
            assert_eq!(after[table], before[table]);
        }
        assert_eq!(after[0][0][3..7], before[0][0][3..7]);
    }

    async fn the_cache_does_not_outlive_an_import(shop: &Shop) {
        let query = "{ product(by: {slug: \"tee\"}) { name variants { price { amount } } } }";
        import(shop, tee(|text| text).path()).await;
        let before = shop.data(As::Anonymous, query, json!({})).await;
        import(shop, tee(|text| text.replace("Tee", "Shirt").replace(",5,", ",6,")).path()).await;
        let after = shop.data(As::Anonymous, query, json!({})).await;
        assert_eq!(before["product"]["name"], "Tee");
        assert_eq!(after["product"], json!({"name": "Shirt", "variants": [{"price": {"amount": "6.00"}}, {"price": {"amount": "6.00"}}]}));
    }

    async fn stock_set_since_is_kept_until_the_file_says_otherwise(shop: &Shop) {
        let path = tee(|text| text);
        import(shop, path.path()).await;
        set_stock(shop, "S", 7, 0).await;
        let report = import(shop, path.path()).await;
        assert_eq!(counts(&report)[1], [0, 0, 2, 0]);
        assert_eq!(stock(shop).await, [["S", "7"], ["M", "20"]]);

        let report = import(shop, tee(|text| text.replace("20,5", "21,5")).path()).await;
        assert_eq!(counts(&report)[..2], [[0, 1, 0, 0], [0, 1, 1, 0]]);
        assert_eq!(stock(shop).await, [["S", "7"], ["M", "21"]]);
        assert_eq!(shop.rows("SELECT CAST(version AS text) FROM product").await, [["1"]], "stock is no new version");

        let mut order = order(path.path());
        order.overwrite_stock = true;
        try_import(shop, &order).await.unwrap();
        assert_eq!(stock(shop).await, [["S", "10"], ["M", "20"]]);
        let sql = "SELECT CAST(on_hand_delta AS text), reason, actor FROM inventory_movement m \
                   JOIN product_variant v ON v.id = m.variant_id ORDER BY v.position, m.id";
        assert_eq!(shop.rows(sql).await, [
            ["10", "import", "system"], ["3", "import", "system"],
            ["20", "import", "system"], ["1", "import", "system"], ["-1", "import", "system"],
        ]);
    }

    async fn stock_never_falls_below_what_is_reserved(shop: &Shop) {
        import(shop, tee(|text| text).path()).await;
        set_stock(shop, "S", 10, 4).await;
        let report = import(shop, tee(|text| text.replace("10,5", "1,5")).path()).await;
        assert_eq!(stock(shop).await, [["S", "4"], ["M", "20"]]);
        assert_eq!(report.warnings.len(), 1);
        assert!(report.warnings[0].line == 2 && report.warnings[0].reason.contains("reserved"), "{report:?}");
        assert_movements_add_up(shop).await;
    }

    async fn the_only_variant_becomes_the_first_one_of_new_options(shop: &Shop) {
        import(shop, rows("tee,Tee,Title,Default Title,,shopify,9,5,,,\n").path()).await;
        let id = contents(shop).await[4][0][0].clone();
        let report = import(shop, tee(|text| text).path()).await;
        assert_eq!(counts(&report)[1], [1, 1, 0, 0]);
        let variants = contents(shop).await[4].clone();
        assert!(variants.iter().any(|row| row[0] == id && row[4] == "S" && row[5] == "S"), "{variants:?}");

        // Back again there would be two where only one can be.
        let report = import(shop, rows("tee,Tee,,,,shopify,9,5,,,\n").path()).await;
        assert_eq!(counts(&report)[0], [0, 0, 0, 1]);
        assert!(report.rejected_rows[0].reason.contains("leaves out 2 of its variants"), "{report:?}");
        assert_eq!(contents(shop).await[4], variants);
    }

    async fn another_currency_is_for_whole_products_only(shop: &Shop) {
        import(shop, tee(|text| text).path()).await;
        let part = rows("tee,Tee,Size,S,,,,500,,,\n");
        let mut yen = order(part.path());
        yen.currency = currency("JPY");
        let report = try_import(shop, &yen).await.unwrap();
        assert_eq!(counts(&report)[0], [0, 0, 0, 1]);
        assert!(report.rejected_rows[0].reason.contains("priced in USD"), "{report:?}");
        let whole = tee(|text| text);
        yen.path = whole.path().into();
        assert_eq!(counts(&try_import(shop, &yen).await.unwrap())[0], [0, 1, 0, 0]);
        assert_eq!(shop.rows("SELECT currency, CAST(price_max AS text) FROM product").await, [["JPY", "5"]]);
    }

    async fn types_and_paths_become_categories_once(shop: &Shop) {
        let head = "Handle,Title,Variant Price,Type,Product Category\n";
        let text = format!("{head}a,A,5,Mugs,\nb,B,5,mugs,\nc,C,5,Mug,Home > Mugs\nd,D,5,,\n");
        import(shop, file(&text).path()).await;
        let sql = "SELECT p.slug, coalesce(c.slug, '-') FROM product p LEFT JOIN category c ON c.id = p.category_id ORDER BY 1";
        assert_eq!(shop.rows(sql).await, [["a", "mugs"], ["b", "mugs"], ["c", "home-mugs"], ["d", "-"]]);

        // Staff moves a: the file has nothing new to say about it, until its type changes.
        shop.execute("UPDATE product SET category_id = (SELECT id FROM category WHERE slug = 'home') WHERE slug = 'a'").await.unwrap();
        assert_eq!(counts(&import(shop, file(&text).path()).await)[0], [0, 0, 4, 0]);
        assert_eq!(counts(&import(shop, file(text.replace("5,Mugs,", "5,Cups,")).path()).await)[0], [0, 1, 3, 0]);
        assert_eq!(shop.rows(sql).await, [["a", "cups"], ["b", "mugs"], ["c", "home-mugs"], ["d", "-"]]);
        let found = shop.data(As::Anonymous, "{ products(filter: {category: {slug: \"home\"}}) { nodes { slug } } }", json!({})).await;
        assert_eq!(found["products"]["nodes"], json!([{"slug": "c"}]));
    }

    async fn status_comes_from_status_or_published(shop: &Shop) {
        let head = "Handle,Title,Variant Price,Published,Status\n";
        import(shop, file(format!("{head}a,A,5,FALSE,Active\nb,B,5,TRUE,DRAFT\nc,C,5,,archived\nd,D,5,false,\ne,E,5,,\n")).path()).await;
        let sql = "SELECT slug, status FROM product ORDER BY slug";
        assert_eq!(shop.rows(sql).await, [["a", "ACTIVE"], ["b", "DRAFT"], ["c", "ARCHIVED"], ["d", "DRAFT"], ["e", "ACTIVE"]]);
        // Archived is unpublished already, and a blank cell is no word.
        import(shop, file("Handle,Title,Variant Price,Published\nb,B,5,\nc,C,5,FALSE\nd,D,5,TRUE\n").path()).await;
        assert_eq!(shop.rows(sql).await, [["a", "ACTIVE"], ["b", "DRAFT"], ["c", "ARCHIVED"], ["d", "ACTIVE"], ["e", "ACTIVE"]]);
    }

    async fn more_than_one_batch_is_imported_whole(shop: &Shop) {
        let many: String = (0..1_000).map(|n| format!("p{n},P {n},,,,shopify,{n},{n},,,\n")).collect();
        let path = rows(&many);
        assert_eq!(counts(&import(shop, path.path()).await)[0], [1_000, 0, 0, 0]);
        assert_eq!(counts(&import(shop, path.path()).await)[0], [0, 0, 1_000, 0]);
        let changed = rows(&many.replace("P 777", "Q 777"));
        assert_eq!(counts(&import(shop, changed.path()).await)[0], [0, 1, 999, 0]);
    }

    async fn products_made_by_hand_are_met_by_their_slug(shop: &Shop) {
        shop.add(product("Tee").slug("tee").variants(["Size"], vec![variant(["S"]).price(500).stock(3), variant(["XL"]).price(900)])).await;
        let report = import(shop, tee(|text| text).path()).await;
        assert_eq!(counts(&report)[1], [1, 1, 0, 0]);
        assert_eq!(stock(shop).await, [["S", "10"], ["M", "20"], ["XL", "0"]]);
        assert_movements_add_up(shop).await;
    }

    async fn two_imports_at_once_make_nothing_twice(shop: &Shop) {
        let many: String = (0..300).map(|n| format!("p{n},P {n},,,,shopify,{n},{n},,,\n")).collect();
        let path = file(format!("{}{many}", "Handle,Title,Type,Option1 Value,Variant SKU,Variant Inventory Tracker,\
            Variant Inventory Qty,Variant Price,Variant Compare At Price,Image Src,Status\n").replace(",,,,shopify", ",Cups,,,shopify"));
        let other = shop.beside(&[]).await;
        let (one, two) = tokio::join!(import(shop, path.path()), import(&other, path.path()));
        other.close().await;
        assert_eq!(one.products.created + two.products.created, 300);
        assert_eq!(one.products.unchanged + two.products.unchanged, 300);
        assert_eq!(shop.rows("SELECT slug FROM category").await, [["cups"]]);
        assert_movements_add_up(shop).await;
    }
}
