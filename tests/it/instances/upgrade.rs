//! A new version is rolled out while the old one runs: on a schema that was expanded it goes on, on one that was contracted
//! it does not start.

use serde_json::json;
use souk::app::check_schema;
use souk::infra::db::schema::SchemaState;

use crate::support::{As, Shop, product};

/// What a newer version leaves in the database when it has taken this step.
async fn take(shop: &Shop, step: &str) {
    let sql = format!("INSERT INTO seaql_migrations (version, applied_at) VALUES ('{step}', 0)");
    shop.execute(&sql).await.unwrap();
}

both! {
    async fn old_and_new_instances_run_side_by_side_on_an_expanded_schema(shop: &Shop) {
        take(shop, "m29991231_000001_add_product_colour").await;
        shop.execute("ALTER TABLE product ADD COLUMN colour text").await.unwrap();
        // One that runs already, and one that is started now.
        let started = shop.beside(&[]).await;
        check_schema(started.db(), true).await.unwrap();
        check_schema(started.db(), false).await.unwrap();
        shop.add(product("Mug")).await;
        for instance in [shop, &started] {
            let data = instance.data(As::Anonymous, "{ products(first: 1) { nodes { name } } }", json!({})).await;
            assert_eq!(data["products"]["nodes"][0]["name"], "Mug");
            let ready = instance.get("/health/ready", &[]).await;
            assert_eq!((ready.status.as_u16(), ready.json()["checks"]["migrations"].clone()), (200, json!("newer")));
        }
        started.close().await;
    }

    async fn nobody_runs_on_a_schema_that_was_contracted_without_him(shop: &Shop) {
        take(shop, "m29991231_000001_add_product_colour").await;
        take(shop, "m29991231_000002_contract_product_vendor").await;
        let state = SchemaState::of(shop.db()).await.unwrap();
        assert_eq!(state.contracted().collect::<Vec<_>>(), ["m29991231_000002_contract_product_vendor"]);
        let refusal = check_schema(shop.db(), true).await.unwrap_err().to_string();
        assert!(refusal.contains("m29991231_000002_contract_product_vendor"), "{refusal}");
        assert!(!refusal.contains("colour"), "{refusal}");
        let ready = shop.get("/health/ready", &[]).await;
        assert_eq!((ready.status.as_u16(), ready.json()["checks"]["migrations"].clone()), (503, json!("not current")));
    }

    async fn a_schema_that_lacks_steps_and_has_strange_ones_is_left_alone(shop: &Shop) {
        take(shop, "m29991231_000001_add_product_colour").await;
        shop.execute("DELETE FROM seaql_migrations WHERE version LIKE '%create_ledger_transfer'").await.unwrap();
        let refusal = check_schema(shop.db(), true).await.unwrap_err().to_string();
        assert!(refusal.contains("lacks others"), "{refusal}");
    }
}
