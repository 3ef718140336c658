//! The cache of hot rows: it saves statements, and never shows what was before a write.

use serde_json::json;
use souk::entity::product::ProductStatus;
use souk::infra::cache::CacheCounts;

use crate::support::{As, Shop, product};

const PAGE: &str = "{ products { nodes { name tags options { name } images { url } variants { title } category { name } } } }";

both! {
    async fn hot_rows_cost_no_statements(shop: &Shop) {
        let shelf = shop.add_category("Shelf", None).await;
        shop.add(product("Mug").category(shelf)).await;
        let cold = shop.statements(As::Anonymous, PAGE, json!({})).await;
        let hot = shop.statements(As::Anonymous, PAGE, json!({})).await;
        assert_eq!((cold, hot), (7, 1));
        let counts = shop.platform.catalog_cache.counts();
        let products = counts.iter().find(|(name, _)| *name == "products").unwrap().1;
        assert_eq!(products, CacheCounts { hits: 1, misses: 1 });
    }

    async fn what_is_cached_for_staff_is_hidden_from_others(shop: &Shop) {
        let id = shop.add(product("Secret").status(ProductStatus::Draft)).await;
        let query = format!("{{ product(by: {{id: \"{id}\"}}) {{ name }} bySlug: product(by: {{slug: \"secret\"}}) {{ name }} }}");
        let hers = shop.data(As::Staff, &query, json!({})).await;
        assert_eq!(hers["product"]["name"], "Secret");
        assert_eq!(shop.statements(As::Staff, &query, json!({})).await, 0);
        assert_eq!(shop.data(As::Anonymous, &query, json!({})).await, json!({"product": null, "bySlug": null}));
    }

    async fn it_can_be_switched_off(shop: &Shop) {
        let off = shop.beside(&[("SOUK_CACHE_BYTES", "0")]).await;
        shop.add(product("Mug")).await;
        let once = off.statements(As::Anonymous, PAGE, json!({})).await;
        assert_eq!(off.statements(As::Anonymous, PAGE, json!({})).await, once);
        off.close().await;
    }
}
