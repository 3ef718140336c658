//! The path of an error names the field of the answer that failed, however deep it lies.

use serde_json::{Value, json};

use crate::support::{As, Shop, product, variant};

const PAGE: &str = "(first: -1)";

both! {
    async fn an_error_names_the_field_that_failed(shop: &Shop) {
        shop.add_category("Attic", None).await;
        let house = shop.add_category("House", None).await;
        let room = shop.add_category("Room", Some(house)).await;
        let sizes = vec![variant(["S"]), variant(["L"])];
        let goods = [product("Mug").category(room), product("Cup").category(room).variants(["Size"], sizes)];
        let ids = shop.add_all(&goods.map(|goods| goods.build())).await;
        let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
        for (document, path, null) in [
            ("{ products@ { nodes { id } } }", json!(["products"]), json!([])),
            ("{ mine: products@ { nodes { id } } }", json!(["mine"]), json!([])),
            ("{ products { nodes { images@ { url } } } }", json!(["products", "nodes", 0, "images"]), json!([])),
            ("{ products { edges { node { pictures: images@ { url } } } } }", json!(["products", "edges", 0, "node", "pictures"]), json!([])),
            ("{ all: products { some: nodes { ...P } } } fragment P on Product { ... { few: variants@ { id } } }", json!(["all", "some", 0, "few"]), json!([])),
            ("{ products { nodes { images { url } second: images@ { url } } } }", json!(["products", "nodes", 0, "second"]), json!([])),
            // The first category has no children, and the failing one lies in a list inside a list.
            (
                "{ categories { nodes { children { in: products@ { nodes { id } } } } } }",
                json!(["categories", "nodes", 1, "children", 0, "in"]),
                json!([]),
            ),
            (
                "query($ids: [ID!]!) { nodes(ids: $ids) { ... on Product { variants { product { variants@ { id } } } } } }",
                json!(["nodes", 0, "variants", 0, "product", "variants"]),
                json!(["nodes", 0]),
            ),
            // What can be null ends the error's way up, below a list too.
            (
                "{ products { nodes { name category { name products@ { nodes { id } } } } } }",
                json!(["products", "nodes", 0, "category", "products"]),
                json!(["products", "nodes", 0, "category"]),
            ),
        ] {
            let document = document.replace('@', PAGE);
            let answer = shop.graphql(As::Anonymous, &document, json!({"ids": ids})).await;
            let error = &answer["errors"][0];
            assert_eq!((&error["extensions"]["code"], &error["path"]), (&json!("BAD_USER_INPUT"), &path), "{document}: {answer}");
            let emptied = null.as_array().unwrap().iter().fold(&answer["data"], |data, segment| match segment {
                Value::String(name) => &data[name],
                index => &data[index.as_u64().unwrap() as usize],
            });
            assert_eq!(emptied, &Value::Null, "{document}: {answer}");
            assert!(null == json!([]) || answer["data"].is_object(), "{document}: {answer}");
        }
    }
}
