//! The audit log: what is in it, what is not, and who reads it.

use futures_util::future::join_all;
use serde_json::{Value, json};
use souk::domain::context::Context;
use souk::domain::exchange::shopify::{self, Import};
use souk::kernel::actor::{Actor, Origin, Role};

use crate::support::{As, Kind, Shop, product, user_of, variant};

const LOG: &str = "query($filter: AuditLogFilter, $first: Int, $after: String, $last: Int, $before: String) {
    auditLog(filter: $filter, first: $first, after: $after, last: $last, before: $before) { totalCount
      pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
      nodes { id occurredAt action actor user { name } role ipAddress userAgent subjectId before after } } }";

async fn log(shop: &Shop, variables: Value) -> Value {
    shop.data(As::Admin, LOG, variables).await["auditLog"].take()
}

async fn entries(shop: &Shop, filter: Value) -> Vec<Value> {
    let mut log = log(shop, json!({"filter": filter, "first": 100})).await;
    serde_json::from_value(log["nodes"].take()).unwrap()
}

/// Runs a mutation of one `input` as staff; its payload.
async fn mutate(shop: &Shop, field: &str, fields: &str, input: Value) -> Value {
    let kind = format!("{}{}Input", field[..1].to_uppercase(), &field[1..]);
    let document = format!(
        "mutation($input: {kind}!) {{ {field}(input: $input) {{ {fields} userErrors {{ code }} }} }}"
    );
    let mut data = shop.data(As::Staff, &document, json!({ "input": input })).await;
    data[field].take()
}

/// A category, a product and its first variant, each made or changed by staff: seven records.
async fn busy_day(shop: &Shop) -> (Value, Value, Value) {
    let mut made = mutate(shop, "categoryCreate", "category { id }", json!({"name": "Tea"})).await;
    let category = made["category"]["id"].take();
    let variants = json!([{"price": "5.00", "sku": "M", "tracksInventory": true, "onHand": 3}]);
    let input =
        json!({"name": "Mug", "description": "<p>Holds tea.</p>", "tags": ["blue"], "variants": variants});
    let mut made = mutate(shop, "productCreate", "product { id variants { id } }", input).await;
    let (product, variant) = (
        made["product"]["id"].take(),
        made["product"]["variants"][0]["id"].take(),
    );
    let input = json!({"productId": product, "name": "Cup", "status": "DRAFT", "categoryId": category});
    mutate(shop, "productUpdate", "product { id }", input).await;
    let input =
        json!({"productId": product, "tags": ["red", "new"], "imageUrls": ["https://img.example/1.png"]});
    mutate(shop, "productUpdate", "product { id }", input).await;
    let input = json!({"variantId": variant, "price": "6.5", "compareAtPrice": "7.00", "sku": "M"});
    mutate(shop, "productVariantUpdate", "variant { id }", input).await;
    let input = json!({"variantId": variant, "delta": -2, "reason": "broken", "idempotencyKey": "a"});
    mutate(shop, "inventoryAdjust", "variant { id }", input.clone()).await;
    shop.clock.advance(chrono::Duration::minutes(1));
    let child = json!({"name": "Green tea", "parentId": category});
    mutate(shop, "categoryCreate", "category { id }", child).await;
    (category, product, variant)
}

async fn records(shop: &Shop) -> usize {
    shop.rows("SELECT action FROM audit_record").await.len()
}

both! {
    async fn each_change_says_who_did_what_and_what_it_was_before(shop: &Shop) {
        shop.add_user("tester", Role::Staff).await;
        let (category, product, variant) = busy_day(shop).await;
        let told: Vec<Value> = entries(shop, json!(null)).await.into_iter().rev()
            .map(|entry| json!([entry["action"], entry["subjectId"], entry["before"], entry["after"]])).collect();
        let green = &told[6][1];
        let expected = json!([
            ["categoryCreate", category, null, {"name": "Tea", "slug": "tea"}],
            ["productCreate", product, null, {"name": "Mug", "slug": "mug", "description": "<p>Holds tea.</p>", "tags": ["blue"], "status": "DRAFT",
              "currencyCode": "USD", "variants": [{"title": "Default Title", "sku": "M", "price": "5.00", "onHand": 3}]}],
            ["productUpdate", product, {"name": "Mug", "categoryId": null}, {"name": "Cup", "categoryId": category}],
            ["productUpdate", product, {"tags": ["blue"], "imageUrls": []}, {"tags": ["red", "new"], "imageUrls": ["https://img.example/1.png"]}],
            ["productVariantUpdate", variant, {"price": "5.00", "compareAtPrice": null}, {"price": "6.50", "compareAtPrice": "7.00"}],
            ["inventoryAdjust", variant, {"onHand": 3}, {"onHand": 1, "reason": "broken"}],
            ["categoryCreate", green, null, {"name": "Green tea", "slug": "green-tea", "parentId": category}],
        ]);
        assert_eq!(json!(told), expected);
        let tester = user_of("tester").to_string();
        for entry in entries(shop, json!(null)).await {
            let who = json!([entry["actor"], entry["user"]["name"], entry["role"], entry["ipAddress"], entry["userAgent"]]);
            assert_eq!(who, json!([tester, "tester", "STAFF", null, "souk tests"]));
        }
    }

    async fn what_was_not_done_is_not_recorded(shop: &Shop) {
        let (category, product, variant) = busy_day(shop).await;
        let all = records(shop).await;
        assert_eq!(all, 7);
        let key = |key: &str, delta: i32| json!({"variantId": variant, "delta": delta, "reason": "broken", "idempotencyKey": key});
        for (field, fields, input) in [
            // Done before, or nothing that would change anything.
            ("inventoryAdjust", "variant { id }", key("a", -2)),
            ("productUpdate", "product { id }", json!({"productId": product, "name": "Cup", "tags": ["red", "new"]})),
            ("productVariantUpdate", "variant { id }", json!({"variantId": variant, "price": "6.50"})),
            // Refused, before the transaction or within it.
            ("inventoryAdjust", "variant { id }", key("b", -2)),
            ("inventoryAdjust", "variant { id }", key("a", -1)),
            ("productUpdate", "product { id }", json!({"productId": product, "name": "Pot", "expectedVersion": 1})),
            ("productUpdate", "product { id }", json!({"productId": product, "name": ""})),
            ("productVariantUpdate", "variant { id }", json!({"variantId": variant, "price": "-1"})),
            ("categoryCreate", "category { id }", json!({"name": "Other", "slug": "tea"})),
            ("productCreate", "product { id }", json!({"name": "Other", "slug": "mug", "variants": [{"price": "1"}]})),
        ] {
            mutate(shop, field, fields, input).await;
            assert_eq!(records(shop).await, all, "{field}");
        }
        // Fifty times at once is once.
        let key = &key("c", 1);
        join_all((0..50).map(|_| mutate(shop, "inventoryAdjust", "variant { id }", key.clone()))).await;
        assert_eq!(records(shop).await, all + 1);
        for caller in [As::Anonymous, As::Customer] {
            let document = "mutation($input: CategoryCreateInput!) { categoryCreate(input: $input) { category { id } } }";
            shop.graphql(caller, document, json!({"input": {"name": "Mine", "parentId": category}})).await;
        }
        assert_eq!(records(shop).await, all + 1);
    }

    async fn pages_go_from_new_to_old_and_back(shop: &Shop) {
        busy_day(shop).await;
        let all = log(shop, json!({"first": 100})).await;
        assert_eq!((&all["totalCount"], all["nodes"].as_array().unwrap().len()), (&json!(7), 7));
        let mut found = Vec::new();
        let mut after = Value::Null;
        for size in [3, 3, 1] {
            let page = log(shop, json!({"first": 3, "after": after})).await;
            assert_eq!((page["nodes"].as_array().unwrap().len(), &page["pageInfo"]["hasNextPage"]), (size, &json!(size == 3)));
            found.extend(page["nodes"].as_array().unwrap().clone());
            after = page["pageInfo"]["endCursor"].clone();
        }
        assert_eq!(json!(found), all["nodes"]);
        let last = log(shop, json!({"last": 2})).await;
        assert_eq!(last["nodes"].as_array().unwrap()[..], found[5..]);
        let before = log(shop, json!({"last": 2, "before": last["pageInfo"]["startCursor"]})).await;
        assert_eq!(before["nodes"].as_array().unwrap()[..], found[3..5]);
        assert_eq!(found[0]["occurredAt"], "2026-03-01T12:01:00Z");
    }

    async fn filters_combine(shop: &Shop) {
        let (_, product, variant) = busy_day(shop).await;
        let tester = user_of("tester").to_string();
        for (filter, count) in [
            (json!({}), 7),
            (json!({"actor": tester}), 7),
            (json!({"actor": "system"}), 0),
            (json!({"actor": "'; DROP TABLE audit_record; --"}), 0),
            (json!({"action": "productUpdate"}), 2),
            (json!({"subjectId": product}), 3),
            (json!({"subjectId": variant, "action": "inventoryAdjust"}), 1),
            (json!({"since": "2026-03-01T12:00:30Z"}), 1),
            (json!({"since": "2026-03-01T12:00:00Z", "until": "2026-03-01T12:01:00Z"}), 6),
            (json!({"until": "2026-03-01T12:00:00Z"}), 0),
            (json!({"since": "2026-03-01T15:00:30+03:00", "actor": tester, "action": "categoryCreate"}), 1),
        ] {
            let found = log(shop, json!({"filter": filter})).await;
            assert_eq!((&found["totalCount"], found["nodes"].as_array().unwrap().len()), (&json!(count), count), "{filter}");
        }
    }

    async fn only_admins_read_it(shop: &Shop) {
        busy_day(shop).await;
        let id = entries(shop, json!(null)).await[0]["id"].clone();
        let node = "query($id: ID!) { node(id: $id) { ... on AuditRecord { action } } }";
        for (caller, code) in [(As::Anonymous, "UNAUTHENTICATED"), (As::Customer, "FORBIDDEN"), (As::Staff, "FORBIDDEN")] {
            let answer = shop.graphql(caller, LOG, json!({})).await;
            assert_eq!((&answer["errors"][0]["extensions"]["code"], &answer["data"]), (&json!(code), &Value::Null));
            assert_eq!(shop.data(caller, node, json!({"id": id})).await, json!({"node": null}));
        }
        assert_eq!(shop.data(As::Admin, node, json!({"id": id})).await["node"], json!({"action": "categoryCreate"}));
    }

    async fn nobody_changes_or_deletes_a_record(shop: &Shop) {
        busy_day(shop).await;
        let mut attempts = vec![
            "UPDATE audit_record SET action = 'nothing'",
            "UPDATE audit_record SET action = action WHERE action = 'productCreate'",
            "DELETE FROM audit_record",
            "DELETE FROM audit_record WHERE action = 'productCreate'",
        ];
        match shop.kind {
            Kind::Sqlite => attempts.extend([
                "INSERT OR REPLACE INTO audit_record (id, occurred_at, actor, action) SELECT id, occurred_at, 'x', 'x' FROM audit_record",
                "REPLACE INTO audit_record (rowid, id, occurred_at, actor, action) VALUES (1, x'00', '2026-03-01', 'x', 'x')",
            ]),
            Kind::Postgres => attempts.extend([
                "TRUNCATE audit_record",
                "TRUNCATE audit_record CASCADE",
                "INSERT INTO audit_record (id, occurred_at, actor, action) SELECT id, occurred_at, 'x', 'x' FROM audit_record
                    ON CONFLICT (id) DO UPDATE SET action = 'x'",
            ]),
        }
        let before = shop.rows("SELECT action, actor FROM audit_record ORDER BY occurred_at, action").await;
        for sql in attempts {
            let error = shop.execute(sql).await.unwrap_err().to_string();
            assert!(error.contains("audit records are only added"), "{sql}: {error}");
        }
        assert_eq!(shop.rows("SELECT action, actor FROM audit_record ORDER BY occurred_at, action").await, before);
    }

    async fn an_import_is_one_record(shop: &Shop) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("goods.csv");
        std::fs::write(&path, "Handle,Title,Variant Price\nmug,Mug,5\ncup,Cup,6\n").unwrap();
        let context = Context::writing(Actor::System, Origin::default(), std::sync::Arc::clone(&shop.platform));
        let order = |dry_run| Import { path: path.clone(), currency: "USD".parse().unwrap(), dry_run, overwrite_stock: false };
        shopify::import(&context, &order(true), &mut ()).await.unwrap();
        assert_eq!(records(shop).await, 0);
        shopify::import(&context, &order(false), &mut ()).await.unwrap();
        std::fs::write(&path, "no,file,of,Shopify\n").unwrap();
        shopify::import(&context, &order(false), &mut ()).await.unwrap_err();
        let told: Vec<_> = entries(shop, json!(null)).await.into_iter().map(|entry|
            json!([entry["action"], entry["actor"], entry["role"], entry["subjectId"], entry["after"]["file"], entry["after"]["finished"], entry["after"]["products"]["created"]])).collect();
        assert_eq!(told, [
            json!(["importShopify", "system", null, null, "goods.csv", false, 0]),
            json!(["importShopify", "system", null, null, "goods.csv", true, 2]),
        ]);
    }

    async fn a_record_outlives_what_it_is_about(shop: &Shop) {
        let id = shop.add(product("Mug").variants(["Size"], vec![variant(["S"])])).await.to_string();
        mutate(shop, "productUpdate", "product { id }", json!({"productId": id, "name": "Cup"})).await;
        shop.execute("DELETE FROM product").await.unwrap();
        let entry = &entries(shop, json!({"subjectId": id})).await[0];
        assert_eq!((&entry["subjectId"], &entry["user"]), (&json!(id), &Value::Null), "the tester has no account");
    }
}
