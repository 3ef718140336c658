//! The tests' own ground: databases that do not see each other, a clock that stands still.

use serde_json::json;
use souk::entity::product::ProductStatus;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::support::{As, Reply, Server, Shop, product, variant};

both! {
    async fn every_test_has_a_database_of_its_own(shop: &Shop) {
        let rows = shop.rows("SELECT name FROM product").await;
        assert_eq!(rows, Vec::<Vec<String>>::new());
        shop.add(product("Mug")).await;
        assert_eq!(shop.rows("SELECT name FROM product").await, [["Mug"]]);
    }

    async fn goods_reach_the_tables(shop: &Shop) {
        let home = shop.add_category("Home", None).await;
        let kitchen = shop.add_category("Kitchen & Table", Some(home)).await;
        let mug = product("Mug")
            .slug("the-mug")
            .description("<p>Holds tea.</p>")
            .vendor("Clay")
            .product_type("Cups")
            .tags(&["tea", "blue"])
            .status(ProductStatus::Draft)
            .category(kitchen)
            .images(&["https://img.example/mug.jpg"])
            .variants(
                ["Size"],
                vec![
                    variant(["S"]).sku("MUG-S").price(900).stock(3).image(0),
                    variant(["L"]).price(1_200).compare_at(1_500),
                ],
            );
        shop.add(mug).await;
        shop.add_all(&[product("Cup").price(500).stock(7).build()]).await;
        let range = "SELECT slug, CAST(price_min AS text), CAST(price_max AS text) FROM product ORDER BY slug";
        assert_eq!(shop.rows(range).await, [["cup", "500", "500"], ["the-mug", "900", "1200"]]);
        let listings = "SELECT c.slug FROM product_listing l JOIN category c ON c.id = l.category_id ORDER BY 1";
        assert_eq!(shop.rows(listings).await, [["home"], ["kitchen-table"]]);
        let stock = "SELECT CAST(sum(on_hand) AS text) FROM inventory_level";
        assert_eq!(shop.rows(stock).await, [["10"]]);
    }

    async fn operations_run_and_their_statements_are_counted(shop: &Shop) {
        let id = shop.add(product("Mug").price(1_234)).await.to_string();
        let document = "query ($id: ID!) { product(by: {id: $id}) { name priceRange { min { amount } } } }";
        let data = shop.data(As::Anonymous, document, json!({ "id": id })).await;
        assert_eq!(data, json!({"product": {"name": "Mug", "priceRange": {"min": {"amount": "12.34"}}}}));
        let answer = shop.graphql(As::Staff, "{ nothing }", json!({})).await;
        assert!(answer["errors"][0]["message"].is_string(), "{answer}");

        let uncached = shop.beside(&[("SOUK_CACHE_BYTES", "0")]).await;
        assert_eq!(uncached.statements(As::Anonymous, document, json!({ "id": id })).await, 1);
        assert_eq!(uncached.statements(As::Customer, "{ __typename }", json!({})).await, 0);
        uncached.close().await;
    }

    async fn the_clock_stands_still_until_it_is_moved(shop: &Shop) {
        let before = shop.now();
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
        assert_eq!(shop.now(), before);
        shop.clock.advance(chrono::Duration::minutes(15));
        assert_eq!(shop.now() - before, chrono::Duration::minutes(15));
    }

    async fn a_second_instance_shares_the_database(shop: &Shop) {
        let beside = shop.beside(&[("SOUK_CACHE_BYTES", "0"), ("SOUK_LIMIT_DEPTH", "5")]).await;
        assert_eq!((beside.config.cache.bytes, beside.config.limits.depth), (0, 5));
        beside.add(product("Mug")).await;
        assert_eq!(shop.rows("SELECT name FROM product").await, [["Mug"]]);
        beside.close().await;
    }

    async fn requests_pass_the_front_door(shop: &Shop) {
        let page = shop.get("/health/ready", &[]).await;
        assert_eq!((page.status.as_u16(), page.json()["status"].clone()), (200, json!("ok")));
        assert_eq!(page.header("x-content-type-options"), "nosniff");
        let refused = shop.post(&[("content-type", "text/plain")], "{}").await;
        assert_eq!(refused.status.as_u16(), 415, "{}", refused.text());
        let old = format!("Bearer {}", shop.token(souk::kernel::actor::Role::Staff));
        shop.clock.advance(chrono::Duration::hours(1));
        let headers = [("content-type", "application/json"), ("authorization", &old)];
        let expired: Reply = shop.post(&headers, r#"{"query": "{ __typename }"}"#).await;
        assert_eq!(expired.status.as_u16(), 401, "{}", expired.text());
    }

    async fn a_server_listens_and_stops_in_order(shop: &Shop) {
        let server: Server = shop.serve(&[("SOUK_SHUTDOWN_DELAY", "0s")]).await;
        let mut stream = tokio::net::TcpStream::connect(server.address).await.unwrap();
        stream.write_all(b"GET /health/live HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        let address = server.address;
        server.stop().await;
        assert!(tokio::net::TcpStream::connect(address).await.is_err());
    }
}
