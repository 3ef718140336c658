//! What is exported comes back unchanged.

use souk::domain::exchange::shopify::{self, Lossy};
use souk::entity::product::ProductStatus;

use super::{contents, context, counts, currency, file, import, order, try_import};
use crate::support::{Shop, TestDatabase, product, variant};

/// A shop with everything that is awkward in a file.
async fn fill(shop: &Shop) {
    let home = shop.add_category("Home", None).await;
    let odd = shop.add_category("Under > Over", Some(home)).await;
    shop.add(
        product("Чайник, \"большой\"")
            .description("<p>A\n<b>kettle</b> &amp; more</p>")
            .vendor("Émile")
            .product_type("Kettle")
            .tags(&["hot", "with, comma"])
            .category(odd)
            .images(&[
                "https://x.example/1.png?a=1,2",
                "https://x.example/2.png",
                "https://x.example/3.png",
            ])
            .variants(
                ["Colour", "Size"],
                vec![
                    variant(["Red", "1 l"])
                        .price(1_999)
                        .compare_at(1_000)
                        .sku("A-1")
                        .stock(3)
                        .image(1),
                    variant(["Red", "2 l"]).price(0).sku("A-1"),
                ],
            ),
    )
    .await;
    shop.add(product("Plain").status(ProductStatus::Archived)).await;
    shop.add(
        product("Draft")
            .status(ProductStatus::Draft)
            .product_type("Kettle"),
    )
    .await;
    shop.add(product("Titled").variants(["Title"], vec![variant(["Default Title"]).price(100)]))
        .await;
}

both! {
    async fn the_import_of_an_export_changes_nothing(shop: &Shop) {
        fill(shop).await;
        let path = file("");
        let exported = shopify::export(&context(shop), path.path(), None).await.unwrap();
        assert_eq!((exported.products, exported.variants, exported.images), (4, 5, 3));
        assert_eq!(exported.lossy, Lossy { split_tags: 1, titles: 2, split_categories: 1 });
        let before = contents(shop).await;
        shop.clock.advance(chrono::Duration::seconds(1));
        assert_eq!(counts(&import(shop, path.path()).await), [[0, 0, 4, 0], [0, 0, 5, 0], [0, 0, 3, 0]]);
        let after = contents(shop).await;
        for (table, (after, before)) in after.iter().zip(&before).enumerate().filter(|(table, _)| *table != 5) {
            assert_eq!(after, before, "table {table}");
        }
        // Of stock the file's number is remembered, and nothing else.
        let numbers = |rows: &[Vec<String>]| rows.iter().map(|row| row[..3].to_vec()).collect::<Vec<_>>();
        assert_eq!(numbers(&after[5]), numbers(&before[5]));
    }

    async fn an_export_makes_the_same_shop_elsewhere(shop: &Shop) {
        fill(shop).await;
        let (first, second) = (file(""), file(""));
        shopify::export(&context(shop), first.path(), None).await.unwrap();
        let database = TestDatabase::new(shop.kind).await.unwrap();
        let other = Shop::open(&database, &[]).await;
        let report = import(&other, first.path()).await;
        assert_eq!(counts(&report), [[4, 0, 0, 0], [5, 0, 0, 0], [3, 0, 0, 0]]);
        shopify::export(&context(&other), second.path(), None).await.unwrap();
        let read = |file: &tempfile::NamedTempFile| std::fs::read_to_string(file.path()).unwrap();
        // A type makes a category where there is none, which its owner had not.
        let typed = read(&first).replace("draft,Draft,,,,Kettle", "draft,Draft,,,Kettle,Kettle");
        assert_eq!(read(&second), typed);
        other.close().await;
        database.drop().await;
    }

    async fn several_currencies_need_a_choice(shop: &Shop) {
        let files = [("a", "USD", "5.25"), ("b", "JPY", "500"), ("c", "KWD", "1.125")];
        for (handle, code, price) in files {
            let path = file(format!("Handle,Title,Variant Price\n{handle},X,{price}\n"));
            let mut order = order(path.path());
            order.currency = currency(code);
            try_import(shop, &order).await.unwrap();
        }
        let path = file("as it was");
        let error = shopify::export(&context(shop), path.path(), None).await.unwrap_err();
        assert!(anyhow::Error::from(error).to_string().contains("JPY, KWD, USD"));
        assert_eq!(std::fs::read_to_string(path.path()).unwrap(), "as it was");
        for (handle, code, price) in files {
            let exported = shopify::export(&context(shop), path.path(), Some(currency(code))).await.unwrap();
            assert_eq!((exported.currency, exported.products), (currency(code), 1));
            let text = std::fs::read_to_string(path.path()).unwrap();
            assert!(text.contains(&format!("\n{handle},X,")) && text.contains(&format!(",{price},,")), "{text}");
        }
    }

    async fn no_half_file_is_left(shop: &Shop) {
        let folder = tempfile::tempdir().unwrap();
        let taken = folder.path().join("taken");
        std::fs::create_dir(&taken).unwrap();
        shop.add(product("A")).await;
        shopify::export(&context(shop), &taken, None).await.unwrap_err();
        shopify::export(&context(shop), &folder.path().join("nowhere/a.csv"), None).await.unwrap_err();
        let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["taken"]);
    }

    async fn more_than_one_page_is_exported_in_order(shop: &Shop) {
        let many: Vec<_> = (0..250).map(|n| product(&format!("P {n}")).build()).collect();
        shop.add_all(&many).await;
        let path = file("");
        shopify::export(&context(shop), path.path(), None).await.unwrap();
        let text = std::fs::read_to_string(path.path()).unwrap();
        let handles: Vec<_> = text.lines().skip(1).map(|line| line.split(',').next().unwrap().to_owned()).collect();
        assert_eq!(handles, (0..250).map(|n| format!("p-{n}")).collect::<Vec<_>>());
    }
}
