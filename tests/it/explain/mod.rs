//! The plans of lists: every sort, the first page and a deep one, reads an index and not the table.

mod orders;

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::sync::{Arc, Mutex};

use sea_orm::{
    ActiveValue::Set, ConnectionTrait as _, EntityTrait as _, QueryTrait as _, Statement, TryGetable as _,
};
use serde_json::{Value, json};
use souk::domain::accounts::list as users;
use souk::domain::audit::list::{self as records, AuditFilter};
use souk::domain::carts::forget::forget_idle;
use souk::domain::carts::take_over::take_over;
use souk::domain::catalog::listing::{CategoryRef, Listing, ProductFilter, Sort, SortField};
use souk::domain::context::Context;
use souk::entity::audit_record;
use souk::entity::product::ProductStatus;
use souk::entity::user_account::{self, UserRole};
use souk::kernel::actor::{Actor, Origin, Role};
use souk::kernel::id::{AuditRecordId, CartId, SessionId, UserId};
use souk::kernel::page::{Cursor, Page, PageArgs, SortKey};

use tracing::field::Field;
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{self, Layer, SubscriberExt as _};

use crate::support::{As, Kind, Shop, product, user_of};

/// Enough rows that a planner with statistics would not rather read the table.
const ROWS: usize = 3_000;

async fn stocked(shop: &Shop) -> souk::kernel::id::CategoryId {
    let shelf = shop.add_category("Shelf", None).await;
    let leaf = shop.add_category("Leaf", Some(shelf)).await;
    let statuses = [ProductStatus::Active, ProductStatus::Active, ProductStatus::Draft];
    let goods: Vec<_> = (0..ROWS)
        .map(|i| {
            product(&format!("Thing {i}"))
                .price(i as i64)
                .status(statuses[i % 3])
                .category(leaf)
                .build()
        })
        .collect();
    shop.add_all(&goods).await;
    shop.execute("ANALYZE").await.unwrap();
    shelf
}

async fn plan(shop: &Shop, statement: &Statement) -> String {
    let explain = match shop.kind {
        Kind::Sqlite => "EXPLAIN QUERY PLAN",
        Kind::Postgres => "EXPLAIN",
    };
    let column = match shop.kind {
        Kind::Sqlite => "detail",
        Kind::Postgres => "QUERY PLAN",
    };
    let mut explained = statement.clone();
    explained.sql = format!("{explain} {}", statement.sql);
    let rows = shop.db().fresh().query_all_raw(explained).await.unwrap();
    rows.iter()
        .map(|row| String::try_get(row, "", column).unwrap())
        .collect::<Vec<_>>()
        .join("\n")
}

/// A page 2,000 rows into the list.
fn deep(field: SortField) -> Cursor {
    let (sort, key) = match field {
        SortField::CreatedAt => (
            "CREATED_AT ASC",
            SortKey::Time("2026-03-01T12:00:00Z".parse().unwrap()),
        ),
        SortField::Name => ("NAME ASC", SortKey::Text("thing 2800".to_owned())),
        SortField::Price => ("PRICE ASC", SortKey::Int(2_800)),
        SortField::Relevance => unreachable!("relevance is computed, and reads the full-text index"),
    };
    Cursor {
        sort: sort.to_owned(),
        key,
        id: uuid::Uuid::now_v7(),
    }
}

fn context(shop: &Shop, staff: bool) -> Context {
    let actor = match staff {
        true => Actor::User {
            id: UserId::new(),
            session: SessionId::new(),
            role: Role::Staff,
        },
        false => Actor::Anonymous,
    };
    Context::reading(actor, Origin::default(), std::sync::Arc::clone(&shop.platform))
}

fn reads_only_indexes(kind: Kind, plan: &str, table: &str) {
    match kind {
        Kind::Sqlite => {
            assert!(
                plan.contains(&format!("SEARCH {table} USING COVERING INDEX")),
                "{plan}"
            );
            assert!(!plan.contains("SCAN product"), "{plan}");
        }
        Kind::Postgres => {
            assert!(plan.contains("Index Only Scan"), "{plan}");
            assert!(!plan.contains("Seq Scan"), "{plan}");
        }
    }
    // Staff see several statuses: their slices, of a page each, are sorted where they meet. Nothing else is.
    let merged = plan.contains("Append") || plan.contains("UNION ALL");
    let sorted = plan.contains("Sort Key") || plan.contains("TEMP B-TREE");
    assert!(merged || !sorted, "{plan}");
}

both! {
    async fn every_sort_reads_an_index_however_deep(shop: &Shop) {
        let shelf = stocked(shop).await;
        if shop.kind == Kind::Postgres {
            // Index-only scans need the visibility map.
            let pool = shop.db().fresh();
            pool.execute_unprepared("VACUUM ANALYZE").await.unwrap();
        }
        for field in [SortField::CreatedAt, SortField::Name, SortField::Price] {
            for category in [None, Some(shelf)] {
                for after in [None, Some(deep(field).encode())] {
                    for staff in [false, true] {
                        let filter = ProductFilter { category: category.map(CategoryRef::Id), ..ProductFilter::default() };
                        let sort = Sort { field, descending: false };
                        let page = PageArgs { first: Some(20), after: after.clone(), ..PageArgs::default() };
                        let listing = Listing::new(filter, Some(sort), &page, 100).unwrap();
                        let statement = souk::domain::catalog::listing::statement(&context(shop, staff), &[None], &listing).unwrap();
                        let plan = plan(shop, &shop.db().backend().build(&statement)).await;
                        let table = if category.is_some() { "product_listing" } else { "product" };
                        reads_only_indexes(shop.kind, &plan, table);
                    }
                }
            }
        }
    }

    /// All that the API sends for these queries, as it sends it.
    async fn nothing_reads_a_large_table_whole(shop: &Shop) {
        let shelf = stocked(shop).await.to_string();
        for i in 0..100 {
            shop.add_category(&format!("Category {i}"), None).await;
        }
        shop.execute("ANALYZE").await.unwrap();
        let ids = shop.data(As::Staff, "{ products(first: 1, sort: {field: NAME}) { nodes { id variants { id } } } }", json!({})).await;
        let thing = &ids["products"]["nodes"][0];
        let (product, variant) = (thing["id"].clone(), thing["variants"][0]["id"].clone());
        let filters = [
            json!({}), json!({"ids": [product]}), json!({"text": "thing 7"}), json!({"category": {"id": shelf}}), json!({"category": {"slug": "leaf"}}),
            json!({"vendors": ["v"]}), json!({"productTypes": ["t"]}), json!({"tags": ["t", "u"]}), json!({"price": {"min": "2", "max": "9"}}),
            json!({"inStock": true}), json!({"inStock": false}), json!({"statuses": ["ACTIVE", "DRAFT"]}),
        ];
        let list = "query($f: ProductFilter, $s: ProductSort, $after: String) { products(filter: $f, sort: $s, first: 2, after: $after) { totalCount edges { cursor }
            nodes { tags category { name ancestors { name } } options { name } images { url } featuredImage { url } priceRange { min { amount } }
            variants { inStock image { url } inventory { onHand } } } } }";
        let nested = "query($f: ProductFilter, $s: ProductSort) { categories(first: 3) { totalCount nodes { parent { name } children { name }
            products(filter: $f, sort: $s, first: 2) { totalCount nodes { name } } } } }";
        let recorded = Recorded::default();
        let recording = tracing::subscriber::set_default(tracing_subscriber::registry().with(recorded.clone()));
        for filter in &filters {
            for field in ["CREATED_AT", "NAME", "PRICE", "RELEVANCE"] {
                if field == "RELEVANCE" && filter["text"].is_null() {
                    continue;
                }
                for caller in [As::Anonymous, As::Staff] {
                    let cold = shop.beside(&[]).await;
                    let sort = json!({"field": field});
                    let page = cold.data(caller, list, json!({"f": filter, "s": sort})).await;
                    let after = &page["products"]["edges"][0]["cursor"];
                    cold.data(caller, list, json!({"f": filter, "s": sort, "after": after})).await;
                    cold.data(caller, nested, json!({"f": filter, "s": sort})).await;
                    cold.close().await;
                }
            }
        }
        let one = "query($p: ID!, $v: ID!) { product(by: {slug: \"thing-7\"}) { name } category(by: {slug: \"leaf\"}) { name } nodes(ids: [$p, $v]) { id } }";
        shop.data(As::Staff, one, json!({"p": product, "v": variant})).await;
        let adjust = "mutation($input: InventoryAdjustInput!) { inventoryAdjust(input: $input) { userErrors { code } } }";
        shop.data(As::Staff, adjust, json!({"input": {"variantId": variant, "delta": 1, "reason": "count", "idempotencyKey": "a"}})).await;
        let update = "mutation($input: ProductUpdateInput!) { productUpdate(input: $input) { userErrors { code } } }";
        shop.data(As::Staff, update, json!({"input": {"productId": product, "name": "Other", "slug": "other", "tags": ["t"], "imageUrls": ["https://a.example/b"]}})).await;
        let update = "mutation($input: ProductVariantUpdateInput!) { productVariantUpdate(input: $input) { userErrors { code } } }";
        shop.data(As::Staff, update, json!({"input": {"variantId": variant, "price": "3"}})).await;
        shop_with_carts(shop, &variant).await;
        drop(recording);
        let statements = recorded.0.lock().unwrap().clone();
        assert!(statements.len() > 50, "{statements:#?}");
        for sql in &statements {
            for line in unbound_plan(shop, sql).await {
                let whole = match shop.kind {
                    Kind::Sqlite => line.strip_prefix("SCAN "),
                    Kind::Postgres => line.split_once("Seq Scan on ").map(|(_, table)| table),
                };
                let table = whole.unwrap_or_default().split(' ').next().unwrap();
                assert!(!LARGE.contains(&table), "{line}\n{sql}");
            }
        }
    }
}

/// All that is done with carts.
async fn shop_with_carts(shop: &Shop, variant: &Value) {
    shop.add_user("tester", Role::Customer).await;
    let cart = "cart { id lines { id variant { inStock product { name } } } subtotal { amount } warnings { code } } userErrors { code }";
    let create = format!(
        "mutation($v: ID!) {{ cartCreate(input: {{lines: [{{variantId: $v, quantity: 1}}]}}) {{ {cart} }} }}"
    );
    let add = format!(
        "mutation($id: ID!, $v: ID!) {{ cartLinesAdd(input: {{cartId: $id, lines: [{{variantId: $v, quantity: 1}}]}}) {{ {cart} }} }}"
    );
    let update = format!(
        "mutation($id: ID!, $line: ID!) {{ cartLinesUpdate(input: {{cartId: $id, lines: [{{lineId: $line, quantity: 0}}]}}) {{ {cart} }} }}"
    );
    let read =
        "query($id: ID!, $line: ID!) { cart(id: $id) { id } node(id: $line) { id } me { cart { id } } }";
    for caller in [As::Customer, As::Anonymous] {
        let made = shop.data(caller, &create, json!({"v": variant})).await["cartCreate"]["cart"].take();
        let (id, line) = (&made["id"], &made["lines"][0]["id"]);
        shop.data(caller, &add, json!({"id": id, "v": variant})).await;
        shop.data(caller, read, json!({"id": id, "line": line})).await;
        let id: CartId = id.as_str().unwrap().parse().unwrap();
        let actor = Actor::User {
            id: user_of("tester"),
            session: SessionId::new(),
            role: Role::Customer,
        };
        let ctx = Context::writing(actor, Origin::default(), Arc::clone(&shop.platform));
        if caller == As::Customer {
            shop.data(caller, &update, json!({"id": id.to_string(), "line": line}))
                .await;
        } else {
            take_over(&ctx, id).await.unwrap();
        }
        assert_eq!(forget_idle(&ctx, 10).await.unwrap(), 0);
    }
    shop.clock.advance(chrono::Duration::days(31));
    let ctx = Context::writing(Actor::System, Origin::default(), Arc::clone(&shop.platform));
    assert_eq!(forget_idle(&ctx, 10).await.unwrap(), 1);
}

/// As many people and records as products, of few roles, actors and deeds: a page is short beside what a filter leaves.
async fn crowded(shop: &Shop) {
    let txn = shop.db().begin().await.unwrap();
    let now = shop.now();
    let moment = |i: usize| now - chrono::Duration::seconds(i as i64);
    for rows in (0..ROWS).collect::<Vec<_>>().chunks(500) {
        let users = rows.iter().map(|i| user_account::ActiveModel {
            id: Set(UserId::new()),
            email: Set(format!("{i}@example.com")),
            email_key: Set(format!("{i}@example.com")),
            name: Set("Somebody".to_owned()),
            role: Set([UserRole::Customer, UserRole::Staff, UserRole::Admin][i % 3]),
            password_hash: Set("none".to_owned()),
            password_version: Set(1),
            role_changed_at: Set(None),
            created_at: Set(moment(*i)),
            updated_at: Set(now),
        });
        user_account::Entity::insert_many(users)
            .exec_without_returning(&txn)
            .await
            .unwrap();
        let records = rows.iter().map(|i| audit_record::ActiveModel {
            id: Set(AuditRecordId::new()),
            occurred_at: Set(moment(*i)),
            actor: Set(format!("user_{}", i % 3)),
            role: Set(None),
            session: Set(None),
            ip_address: Set(None),
            user_agent: Set(None),
            action: Set(format!("deed{}", i % 5)),
            subject: Set(Some(format!("thing_{}", i % 2))),
            before: Set(None),
            after: Set(Some(serde_json::json!({"name": "Somebody"}))),
        });
        audit_record::Entity::insert_many(records)
            .exec_without_returning(&txn)
            .await
            .unwrap();
    }
    txn.commit().await.unwrap();
    shop.execute("ANALYZE").await.unwrap();
}

/// A page, and one deep in the list, from either end.
fn pages(sort: &str, shop: &Shop) -> Vec<Page> {
    let key = SortKey::Time(shop.now() - chrono::Duration::seconds(2_000));
    let deep = Cursor {
        sort: sort.to_owned(),
        key,
        id: uuid::Uuid::now_v7(),
    }
    .encode();
    let args = |first, last, after, before| PageArgs {
        first,
        last,
        after,
        before,
    };
    [
        args(Some(20), None, None, None),
        args(Some(20), None, Some(deep.clone()), None),
        args(None, Some(20), None, Some(deep)),
    ]
    .map(|args| args.page(100, sort).unwrap())
    .to_vec()
}

fn reads_in_order(kind: Kind, plan: &str, index: &str) {
    match kind {
        Kind::Sqlite => assert!(
            plan.contains(index) && !plan.contains("TEMP B-TREE"),
            "{index}: {plan}"
        ),
        // Which of the indexes in this order is the cheapest, its statistics say.
        Kind::Postgres => assert!(
            plan.contains(" using ix_") && !plan.contains("Sort") && !plan.contains("Seq Scan"),
            "{plan}"
        ),
    }
}

both! {
    async fn people_and_records_are_read_along_an_index(shop: &Shop) {
        crowded(shop).await;
        let backend = shop.db().backend();
        for page in pages(users::SORT, shop) {
            for (role, index) in [(None, "ix_user_account_created_at_id"), (Some(Role::Staff), "ix_user_account_role_created_at_id")] {
                let filter = users::UserFilter { email: None, role };
                let statement = users::statement(&filter, &page).unwrap().build(backend);
                reads_in_order(shop.kind, &plan(shop, &statement).await, index);
            }
            let email = Some("7@example.com".parse().unwrap());
            let statement = users::statement(&users::UserFilter { email, role: None }, &page).unwrap().build(backend);
            assert!(plan(shop, &statement).await.contains("uq_user_account_email_key"));
        }
        let some = |text: &str| Some(text.to_owned());
        for page in pages(records::SORT, shop) {
            let since = Some(shop.now() - chrono::Duration::seconds(2_500));
            for (filter, index) in [
                (AuditFilter::default(), "ix_audit_record_occurred_at_id"),
                (AuditFilter { since, ..AuditFilter::default() }, "ix_audit_record_occurred_at_id"),
                (AuditFilter { actor: some("user_1"), ..AuditFilter::default() }, "ix_audit_record_actor_occurred_at_id"),
                (AuditFilter { action: some("deed1"), ..AuditFilter::default() }, "ix_audit_record_action_occurred_at_id"),
                (AuditFilter { subject: some("thing_1"), since, ..AuditFilter::default() }, "ix_audit_record_subject_occurred_at_id"),
            ] {
                let statement = records::statement(&filter, &page).unwrap().build(backend);
                reads_in_order(shop.kind, &plan(shop, &statement).await, index);
            }
        }
    }
}

const LARGE: [&str; 8] = [
    "cart",
    "cart_line",
    "product",
    "product_variant",
    "product_listing",
    "product_image",
    "inventory_level",
    "product_tag",
];

/// The statements that the server sent, each once.
#[derive(Clone, Default)]
struct Recorded(Arc<Mutex<BTreeSet<String>>>);

impl<S: Subscriber> Layer<S> for Recorded {
    fn on_event(&self, event: &Event<'_>, _: layer::Context<'_, S>) {
        event.record(&mut |field: &Field, value: &dyn Debug| {
            let sql = format!("{value:?}");
            if field.name() == "sql" && !sql.starts_with("SET ") {
                self.0.lock().unwrap().insert(sql);
            }
        });
    }
}

/// The plan of a statement for any values. PostgreSQL reads a table whole, or sorts, here only for want of an index.
async fn unbound_plan(shop: &Shop, sql: &str) -> Vec<String> {
    let txn = shop.db().begin().await.unwrap();
    let (explain, column) = match shop.kind {
        Kind::Sqlite => (format!("EXPLAIN QUERY PLAN {sql}"), "detail"),
        Kind::Postgres => {
            let highest = (1..1_000)
                .rev()
                .find(|n| sql.contains(&format!("${n}")))
                .unwrap_or(0);
            let values = if highest == 0 {
                String::new()
            } else {
                format!("({})", vec!["NULL"; highest].join(", "))
            };
            // What a case yields has a type where it is sent, and none in the statement alone.
            let mut cases = sql.split("THEN $");
            let mut typed = cases.next().unwrap_or_default().to_owned();
            for case in cases {
                let end = case.find(|c: char| !c.is_ascii_digit()).unwrap_or(case.len());
                let (number, rest) = case.split_at(end);
                typed.push_str(&format!("THEN ${number}::bigint{rest}"));
            }
            let prepare = format!(
                "SET LOCAL enable_seqscan = off; SET LOCAL enable_sort = off; SET LOCAL plan_cache_mode = force_generic_plan; PREPARE asked AS {typed}"
            );
            txn.execute_unprepared(&prepare)
                .await
                .unwrap_or_else(|error| panic!("{sql}: {error}"));
            (format!("EXPLAIN EXECUTE asked{values}"), "QUERY PLAN")
        }
    };
    let rows = txn
        .query_all_raw(Statement::from_string(shop.db().backend(), explain))
        .await
        .unwrap();
    if shop.kind == Kind::Postgres {
        txn.execute_unprepared("DEALLOCATE asked").await.unwrap();
    }
    rows.iter()
        .map(|row| String::try_get(row, "", column).unwrap())
        .collect()
}
