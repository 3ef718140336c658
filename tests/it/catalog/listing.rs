//! Lists of products: every sort, both ends, every filter, while rows come and go.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use souk::entity::product::ProductStatus;
use souk::kernel::id::CategoryId;

use crate::support::{As, Shop, product, variant};

const PAGE: &str = "
    query Page($filter: ProductFilter, $sort: ProductSort, $first: Int, $after: String, $last: Int, $before: String) {
      products(filter: $filter, sort: $sort, first: $first, after: $after, last: $last, before: $before) {
        edges { cursor node { name } }
        pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
        totalCount
      }
    }";

const NAMES: &str = "
    query Names($filter: ProductFilter, $sort: ProductSort) {
      products(filter: $filter, sort: $sort, first: 100) { nodes { name } totalCount }
    }";

async fn names(shop: &Shop, caller: As, filter: Value, sort: Value) -> Vec<String> {
    let data = shop
        .data(caller, NAMES, json!({"filter": filter, "sort": sort}))
        .await;
    let names = texts(&data["products"]["nodes"], "/name");
    assert_eq!(data["products"]["totalCount"], json!(names.len()));
    names
}

fn texts(list: &Value, pointer: &str) -> Vec<String> {
    let list = list.as_array().unwrap();
    list.iter()
        .map(|item| item.pointer(pointer).unwrap().as_str().unwrap().to_owned())
        .collect()
}

/// 30 products whose prices and names repeat, half of them in a category two levels down.
async fn stocked(shop: &Shop) -> CategoryId {
    let root = shop.add_category("Home", None).await;
    let middle = shop.add_category("Kitchen", Some(root)).await;
    let leaf = shop.add_category("Cups", Some(middle)).await;
    for i in 0..30 {
        let name = format!("Cup {}", ["b", "A", "ä", "C"][i % 4]);
        let goods = product(&name)
            .slug(&format!("cup-{i}"))
            .price(100 * (i as i64 % 5))
            .stock(i as i64 % 3);
        let goods = if i % 2 == 0 { goods.category(leaf) } else { goods };
        shop.add(goods).await;
        if i % 7 == 0 {
            shop.clock.advance(chrono::Duration::seconds(1));
        }
    }
    root
}

/// Walks a whole list in pages of `size` and gives the cursors in list order.
async fn walk(shop: &Shop, filter: &Value, sort: &Value, size: usize, forwards: bool) -> Vec<String> {
    let mut cursors = Vec::new();
    let mut cursor = Value::Null;
    loop {
        let page = if forwards {
            json!({"first": size, "after": cursor})
        } else {
            json!({"last": size, "before": cursor})
        };
        let mut variables = json!({"filter": filter, "sort": sort});
        variables
            .as_object_mut()
            .unwrap()
            .extend(page.as_object().unwrap().clone());
        let data = shop.data(As::Anonymous, PAGE, variables).await;
        let info = &data["products"]["pageInfo"];
        let page = texts(&data["products"]["edges"], "/cursor");
        assert_eq!(info["startCursor"].as_str(), page.first().map(String::as_str));
        assert_eq!(info["endCursor"].as_str(), page.last().map(String::as_str));
        if forwards {
            cursors.extend(page);
            cursor = info["endCursor"].clone();
        } else {
            cursors.splice(0..0, page);
            cursor = info["startCursor"].clone();
        }
        if info[if forwards {
            "hasNextPage"
        } else {
            "hasPreviousPage"
        }] == false
        {
            return cursors;
        }
    }
}

both! {
    async fn every_sort_pages_alike_from_both_ends(shop: &Shop) {
        let root = stocked(shop).await;
        for filter in [json!({}), json!({"category": {"id": root.to_string()}}), json!({"text": "cup"})] {
            for field in ["CREATED_AT", "NAME", "PRICE", "RELEVANCE"] {
                if field == "RELEVANCE" && filter["text"].is_null() {
                    continue;
                }
                let mut walks = Vec::new();
                for direction in ["ASC", "DESC"] {
                    let sort = json!({"field": field, "direction": direction});
                    let whole = walk(shop, &filter, &sort, 100, true).await;
                    assert_eq!(whole.iter().collect::<BTreeSet<_>>().len(), whole.len());
                    assert_eq!(whole.len(), if filter["category"].is_null() { 30 } else { 15 });
                    assert_eq!(walk(shop, &filter, &sort, 7, true).await, whole, "{filter} {sort}");
                    assert_eq!(walk(shop, &filter, &sort, 7, false).await, whole, "{filter} {sort}");
                    walks.push(texts(&shop.data(As::Anonymous, PAGE, json!({"filter": filter, "sort": sort, "first": 100}))
                        .await["products"]["edges"], "/node/name"));
                }
                if field == "NAME" {
                    let mut expected = walks[0].clone();
                    expected.sort_by_key(|name| name.to_lowercase().replace('ä', "a"));
                    assert_eq!(walks[0], expected);
                    walks[1].reverse();
                    assert_eq!(walks[0].len(), walks[1].len());
                }
            }
        }
    }

    async fn a_walk_sees_every_old_row_once_while_rows_come(shop: &Shop) {
        stocked(shop).await;
        for field in ["CREATED_AT", "NAME", "PRICE"] {
            let sort = json!({"field": field});
            let before = walk(shop, &json!({}), &sort, 100, true).await;
            let mut seen = Vec::new();
            let mut cursor = Value::Null;
            loop {
                let data = shop.data(As::Anonymous, PAGE, json!({"sort": sort, "first": 4, "after": cursor})).await;
                seen.extend(texts(&data["products"]["edges"], "/cursor"));
                cursor = data["products"]["pageInfo"]["endCursor"].clone();
                // One row that sorts before nearly all, and one that sorts after them.
                let number = seen.len();
                shop.add(product("AAA").slug(&format!("early-{field}-{number}")).price(0)).await;
                shop.add(product("zzz").slug(&format!("late-{field}-{number}")).price(9_000_000)).await;
                if number > before.len() + 8 || data["products"]["pageInfo"]["hasNextPage"] == false {
                    break;
                }
            }
            let old: Vec<_> = seen.iter().filter(|cursor| before.contains(cursor)).cloned().collect();
            assert_eq!(old, before, "{field}");
        }
    }

    async fn filters_narrow_together(shop: &Shop) {
        let home = shop.add_category("Home", None).await;
        let kitchen = shop.add_category("Kitchen", Some(home)).await;
        let garden = shop.add_category("Garden", None).await;
        shop.add(product("Mug").category(kitchen).vendor("Anna").product_type("Cup").tags(&["blue", "gift"]).price(500).stock(3)).await;
        shop.add(product("Bowl").category(kitchen).vendor("Bo").product_type("Bowl").tags(&["blue"]).price(900).stock(0)).await;
        shop.add(product("Rake").category(garden).vendor("Anna").product_type("Tool").price(1_500)).await;
        shop.add(product("Tin").category(home).vendor("Cy").tags(&["gift"]).variants(["Size"], vec![
            variant(["S"]).price(300).stock(0), variant(["L"]).price(2_000).stock(2),
        ])).await;
        let sort = json!({"field": "NAME"});
        for (filter, expected) in [
            (json!({}), vec!["Bowl", "Mug", "Rake", "Tin"]),
            (json!({"category": {"slug": "home"}}), vec!["Bowl", "Mug", "Tin"]),
            (json!({"category": {"id": kitchen.to_string()}}), vec!["Bowl", "Mug"]),
            (json!({"category": {"slug": "nowhere"}}), vec![]),
            (json!({"vendors": ["Anna"]}), vec!["Mug", "Rake"]),
            (json!({"vendors": ["Anna", "Bo"], "category": {"slug": "home"}}), vec!["Bowl", "Mug"]),
            (json!({"vendors": []}), vec![]),
            (json!({"productTypes": ["Cup", "Tool"]}), vec!["Mug", "Rake"]),
            (json!({"tags": ["gift"]}), vec!["Mug", "Tin"]),
            (json!({"tags": ["gift", "blue"], "inStock": true}), vec!["Mug", "Tin"]),
            (json!({"inStock": false}), vec!["Bowl"]),
            (json!({"inStock": true, "category": {"slug": "home"}}), vec!["Mug", "Tin"]),
            (json!({"price": {"min": "9.00"}}), vec!["Bowl", "Rake", "Tin"]),
            (json!({"price": {"max": "3.00"}}), vec!["Tin"]),
            (json!({"price": {"min": "4", "max": "10"}}), vec!["Bowl", "Mug"]),
            (json!({"price": {"min": "3.01", "max": "4.99"}}), vec![]),
            (json!({"price": {"min": "5", "max": "5"}, "category": {"slug": "home"}, "vendors": ["Anna"]}), vec!["Mug"]),
            (json!({"text": "bowl"}), vec!["Bowl"]),
            (json!({"text": "anna", "tags": ["blue"], "inStock": true, "price": {"max": "5"}}), vec!["Mug"]),
        ] {
            assert_eq!(names(shop, As::Anonymous, filter.clone(), sort.clone()).await, expected, "{filter}");
        }
    }

    async fn ids_filter_among_what_may_be_seen(shop: &Shop) {
        let mug = shop.add(product("Mug")).await;
        let draft = shop.add(product("Draft").status(ProductStatus::Draft)).await;
        shop.add(product("Other")).await;
        let filter = json!({"ids": [mug.to_string(), draft.to_string()]});
        assert_eq!(names(shop, As::Anonymous, filter.clone(), Value::Null).await, ["Mug"]);
        assert_eq!(names(shop, As::Staff, filter, json!({"field": "NAME"})).await, ["Draft", "Mug"]);
    }

    async fn customers_see_what_is_for_sale_and_staff_see_all(shop: &Shop) {
        let shelf = shop.add_category("Shelf", None).await;
        for (name, status) in [("a", ProductStatus::Archived), ("b", ProductStatus::Active), ("c", ProductStatus::Draft), ("d", ProductStatus::Active)] {
            shop.add(product(name).status(status).category(shelf)).await;
        }
        let sort = json!({"field": "NAME"});
        for filter in [json!({}), json!({"category": {"slug": "shelf"}})] {
            let with = |statuses: Value| {
                let mut filter = filter.clone();
                filter["statuses"] = statuses;
                filter
            };
            for caller in [As::Anonymous, As::Customer] {
                assert_eq!(names(shop, caller, filter.clone(), sort.clone()).await, ["b", "d"]);
                assert_eq!(names(shop, caller, with(json!(["DRAFT", "ARCHIVED"])), sort.clone()).await, [""; 0]);
                assert_eq!(names(shop, caller, with(json!(["DRAFT", "ACTIVE"])), sort.clone()).await, ["b", "d"]);
            }
            assert_eq!(names(shop, As::Staff, filter.clone(), sort.clone()).await, ["a", "b", "c", "d"]);
            assert_eq!(names(shop, As::Staff, with(json!(["DRAFT", "ARCHIVED"])), sort.clone()).await, ["a", "c"]);
            assert_eq!(names(shop, As::Staff, with(json!([])), sort.clone()).await, [""; 0]);
        }
    }

    async fn categories_list_their_own_pages(shop: &Shop) {
        let root = stocked(shop).await;
        let query = "{ categories(first: 10) { nodes { name products(first: 2, sort: {field: NAME}) {
            totalCount nodes { name } pageInfo { hasNextPage }
        } } } }";
        let data = shop.data(As::Anonymous, query, json!({})).await;
        let categories = data["categories"]["nodes"].as_array().unwrap();
        assert_eq!(categories.len(), 3);
        for category in categories {
            assert_eq!(category["products"]["totalCount"], 15, "{category}");
            assert_eq!(category["products"]["pageInfo"]["hasNextPage"], true);
            assert_eq!(texts(&category["products"]["nodes"], "/name").len(), 2);
        }
        let both = format!("{{ category(by: {{slug: \"cups\"}}) {{ products(filter: {{category: {{id: \"{root}\"}}}}) {{ totalCount nodes {{ name }} }} }} }}");
        let data = shop.data(As::Anonymous, &both, json!({})).await;
        assert_eq!(data["category"]["products"]["totalCount"], 15);
    }

    async fn the_default_order_is_the_newest_first(shop: &Shop) {
        for name in ["one", "two", "three"] {
            shop.add(product(name)).await;
            shop.clock.advance(chrono::Duration::seconds(1));
        }
        assert_eq!(names(shop, As::Anonymous, Value::Null, Value::Null).await, ["three", "two", "one"]);
    }

    async fn total_count_costs_a_statement_only_when_asked_for(shop: &Shop) {
        stocked(shop).await;
        let without = shop.statements(As::Anonymous, "{ products { nodes { id } } }", json!({})).await;
        let with = shop.statements(As::Anonymous, "{ products { totalCount nodes { id } } }", json!({})).await;
        // The second time the rows are in the cache.
        assert_eq!((without, with), (2, 2));
        let again = shop.statements(As::Anonymous, "{ products { nodes { id } } }", json!({})).await;
        assert_eq!(again, 1);
    }

    /// A hundred categories with three statuses and hundreds of values are more than a statement binds.
    async fn more_categories_than_fit_into_a_statement_have_their_pages(shop: &Shop) {
        for i in 0..100 {
            let category = shop.add_category(&format!("Category {i:03}"), None).await;
            let thing = product(&format!("Thing {i:03}")).category(category);
            let hidden = product(&format!("Draft {i:03}")).category(category).status(ProductStatus::Draft);
            shop.add_all(&[thing.tags(&["yes"]).build(), hidden.tags(&["yes"]).build()]).await;
        }
        let mut tags: Vec<_> = (0..249).map(|i| format!("no {i}")).collect();
        tags.push("yes".to_owned());
        let query = "query($tags: [String!]) { categories(first: 100) { nodes {
            products(first: 1, sort: {field: NAME, direction: DESC}, filter: {tags: $tags}) { totalCount nodes { name } pageInfo { hasNextPage } } } } }";
        for (caller, count) in [(As::Anonymous, 1), (As::Staff, 2)] {
            let before = shop.db().statements();
            let data = shop.data(caller, query, json!({ "tags": tags })).await;
            // Categories, pages, counts and products, had all fitted.
            assert!(shop.db().statements() - before > 4);
            for (i, category) in data["categories"]["nodes"].as_array().unwrap().iter().enumerate() {
                assert_eq!(category["products"], json!({"totalCount": count, "nodes": [{"name": format!("Thing {i:03}")}],
                    "pageInfo": {"hasNextPage": count > 1}}));
            }
        }
    }
}
