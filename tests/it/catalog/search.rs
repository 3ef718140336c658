//! The text filter: which words find what, alike on both databases.

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};
use souk::entity::product::ProductStatus;
use souk::kernel::text::words;

use crate::support::{As, Shop, product};

async fn found(shop: &Shop, text: &str) -> Vec<String> {
    let query = "query($text: String) { products(filter: {text: $text}, first: 100) { nodes { name } } }";
    let data = shop.data(As::Anonymous, query, json!({"text": text})).await;
    data["products"]["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|n| n["name"].as_str().unwrap().to_owned())
        .collect()
}

/// Words of many scripts, with what case, composition and tokenizers stumble over; the same ones each time.
fn words_of_many_scripts(count: usize) -> Vec<String> {
    let scripts = [
        "[a-zA-Z0-9ßẞſŉﬀﬁﬃﬅÅÅøØłŁæÆĳǅﬆKk\u{212a}\u{212b}ªº²]{1,8}",
        "[α-ωΑ-ΩςϐϑϕϰϱϵάέήίόύώΐΰᾳᾴᾼᾷῼΩ\u{345}\u{301}]{1,8}",
        "[iIİıçğöşüÇĞÖŞÜ\u{307}]{1,8}",
        "[а-яА-ЯёЁйЙіІїЇєЄґҐѣꙋᲀᲈ\u{306}\u{1e030}\u{2de0}]{1,8}",
        "[ء-ي٠-٩\u{64b}-\u{652}ﻻﷺ\u{200d}]{1,8}",
        "[א-ת\u{5b0}-\u{5bc}]{1,8}",
        "[क-ह०-९\u{93e}-\u{94d}\u{93c}]{1,8}",
        "[ก-ฮ๐-๙\u{e31}-\u{e3a}]{1,8}",
        "[가-깋\u{1100}-\u{1112}\u{1161}-\u{1175}\u{11a8}-\u{11c2}]{1,6}",
        "[一-十ぁ-んァ-ンヶｱ-ﾝ\u{ff9e}\u{3099}々〇\u{f900}\u{fa11}]{1,6}",
        "[Ꭰ-Ᏽꭰ-ꮿᏸ-ᏽႠ-Ⴥა-ჰᲐ-Ჺⴀ-ⴥ]{1,6}",
        "[𐐀-𐑏𐒰-𐓻𞤀-𞥃𐲀-𐲲𖹀-𖹿𐵐-𐵥]{1,6}",
        "[Ⅷⅷⓐ-ⓩⒶ-Ⓩ①㎏℃№½🄰🅐🅱𝒜𝔸𝟘Ａ-Ｚａ-ｚ]{1,6}",
        "[\u{300}-\u{36f}\u{20d0}-\u{20f0}\u{1ab0}-\u{1abe}a-eÄβж]{1,8}",
        "[\\p{L}\\p{M}\\p{N}]{1,6}",
    ];
    let mut runner = TestRunner::deterministic();
    let strategies = scripts.map(|script| proptest::string::string_regex(script).unwrap());
    let words = strategies.iter().cycle().take(count);
    words
        .map(|word| word.new_tree(&mut runner).unwrap().current())
        .collect()
}

both! {
    // The words that the application makes decide; both databases are held against them, and so against each other.
    async fn words_of_every_script_are_found_alike(shop: &Shop) {
        let all = words_of_many_scripts(150);
        for (index, pair) in all.chunks(2).enumerate() {
            shop.add(product(&pair.join(" ")).slug(&format!("pair-{index}"))).await;
        }
        let texts = all.iter().flat_map(|word| [word.clone(), word.to_uppercase(), word.to_lowercase()]);
        for text in texts.filter(|text| !text.trim().is_empty()) {
            let wanted = words(&text);
            let holds = |pair: &&[String]| {
                let has = words(&pair.join(" "));
                !wanted.is_empty() && wanted.iter().all(|word| has.contains(word))
            };
            let mut expected: Vec<_> = all.chunks(2).filter(holds).map(|pair| pair.join(" ")).collect();
            let mut names = found(shop, &text).await;
            expected.sort();
            names.sort();
            assert_eq!(names, expected, "{text:?} {}", text.escape_unicode());
        }
    }

    async fn case_is_folded_in_full(shop: &Shop) {
        shop.add(product("ΔΊΣΚΟΣ").slug("disc")).await;
        shop.add(product("ßtraße").slug("street")).await;
        shop.add(product("α\u{345}").slug("alpha")).await;
        for (text, name) in [
            ("δίσκος", "ΔΊΣΚΟΣ"), ("δίσκοσ", "ΔΊΣΚΟΣ"), ("ΔΊΣΚΟΣ", "ΔΊΣΚΟΣ"), ("SSTRASSE", "ßtraße"), ("ẞTRAẞE", "ßtraße"),
            ("αι", "α\u{345}"), ("ᾼ", "α\u{345}"), ("ΑΙ", "α\u{345}"),
        ] {
            assert_eq!(found(shop, text).await, [name], "{text}");
        }
    }

    async fn words_are_found_wherever_they_stand(shop: &Shop) {
        shop.add(product("Crème Brûlée Torch").vendor("O'Brien & Söhne").product_type("Kitchen-Tools").tags(&["hot stuff", "gift/idea"])
            .description("<p>Makes <b>caramel</b>&nbsp;crusts &amp; more.</p><ul><li>1.5kW</li></ul>")).await;
        shop.add(product("Чайник эмалированный")).await;
        shop.add(product("किताब")).await;
        for text in ["creme", "CRÈME brulee", "torches torch", "obrien", "o'brien", "sohne", "kitchen", "tool", "hot", "gifts",
                     "caramel more", "crust", "torch caramel obrien", "1", "5kw"] {
            let expected: &[&str] = match text { "obrien" | "torches torch" | "torch caramel obrien" => &[], _ => &["Crème Brûlée Torch"] };
            assert_eq!(found(shop, text).await, expected, "{text}");
        }
        assert_eq!(found(shop, "чайник").await, ["Чайник эмалированный"]);
        assert_eq!(found(shop, "किताब").await, ["किताब"]);
        for text in ["cat", "torch missing", "nbsp", "amp", "!!!", "cre", "ul", "li"] {
            assert_eq!(found(shop, text).await, [""; 0], "{text}");
        }
        assert_eq!(found(shop, "   ").await.len(), 3);
    }

    async fn nothing_in_a_text_is_an_operator(shop: &Shop) {
        shop.add(product("Plain and or not near mug")).await;
        for text in ["mug OR", "mug AND plain", "\"mug\"", "mug*", "mug' | 'plain", "(mug", "mug:A", "a : mug", "mug ! plain", "{b}: mug", "NEAR(mug)",
                     "mug\u{0}", "mug <-> plain", "mug\\", "'; DROP TABLE product; --mug"] {
            let answer = shop.graphql(As::Anonymous, "query($t: String) { products(filter: {text: $t}) { totalCount nodes { name } } }", json!({"t": text})).await;
            assert_eq!(answer["errors"], Value::Null, "{text}: {answer}");
        }
        assert_eq!(found(shop, "mug OR plain").await.len(), 1);
    }

    async fn the_best_match_comes_first(shop: &Shop) {
        shop.add(product("Tray").description("for a mug")).await;
        shop.add(product("Blue mug")).await;
        shop.add(product("Cup").product_type("Mug")).await;
        shop.add(product("Saucer").tags(&["mug"]).description("mug")).await;
        assert_eq!(found(shop, "mug").await, ["Blue mug", "Saucer", "Cup", "Tray"]);
        for direction in ["ASC", "DESC"] {
            let query = "query($d: SortDirection!) { products(filter: {text: \"mugs\"}, sort: {field: RELEVANCE, direction: $d}, first: 1) { nodes { name } } }";
            let data = shop.data(As::Anonymous, query, json!({"d": direction})).await;
            assert_eq!(data["products"]["nodes"][0]["name"], "Blue mug");
        }
    }

    async fn a_cursor_by_relevance_is_bound_to_its_words(shop: &Shop) {
        shop.add(product("Mug one")).await;
        shop.add(product("Mug two")).await;
        let query = "query($t: String, $after: String) { products(filter: {text: $t}, first: 1, after: $after) { nodes { name } pageInfo { endCursor } } }";
        let first = shop.data(As::Anonymous, query, json!({"t": "mug"})).await;
        let after = &first["products"]["pageInfo"]["endCursor"];
        let second = shop.data(As::Anonymous, query, json!({"t": "mug", "after": after})).await;
        assert_eq!(second["products"]["nodes"].as_array().unwrap().len(), 1);
        assert_ne!(first["products"]["nodes"], second["products"]["nodes"]);
        let other = shop.graphql(As::Anonymous, query, json!({"t": "one", "after": after})).await;
        assert_eq!(other["errors"][0]["extensions"]["code"], "BAD_USER_INPUT");
    }

    async fn each_category_has_its_own_best_matches(shop: &Shop) {
        let home = shop.add_category("Home", None).await;
        let cups = shop.add_category("Cups", Some(home)).await;
        shop.add_category("Empty", None).await;
        let mugs = [("Red mug", cups), ("Tea mug", cups), ("Mug hook", home)];
        for (name, category) in mugs {
            shop.add(product(name).category(category)).await;
        }
        shop.add(product("Tray").description("for a mug, red").category(home)).await;
        shop.add(product("Mug of no category")).await;
        shop.add(product("Red draft mug").category(home).status(ProductStatus::Draft)).await;
        let query = "query($text: String!, $sort: ProductSort, $first: Int, $last: Int) { categories(first: 10) { nodes {
            products(filter: {text: $text}, sort: $sort, first: $first, last: $last) { totalCount nodes { name } pageInfo { hasNextPage } } } } }";
        let read = async |caller, variables: Value| {
            let data = shop.data(caller, query, variables).await;
            let lists = data["categories"]["nodes"].as_array().unwrap().iter().map(|category| {
                let products = &category["products"];
                let names = products["nodes"].as_array().unwrap().iter().map(|node| node["name"].as_str().unwrap());
                (names.collect::<Vec<_>>().join(", "), products["totalCount"].clone(), products["pageInfo"]["hasNextPage"].clone())
            });
            lists.collect::<Vec<_>>()
        };
        let list = |names: &str, count: u32, more: bool| (names.to_owned(), json!(count), json!(more));
        assert_eq!(read(As::Anonymous, json!({"text": "red mug"})).await, [
            list("Red mug", 1, false), list("", 0, false), list("Red mug, Tray", 2, false),
        ]);
        assert_eq!(read(As::Staff, json!({"text": "red mug", "first": 1})).await, [
            list("Red mug", 1, false), list("", 0, false), list("Red draft mug", 3, true),
        ]);
        assert_eq!(read(As::Anonymous, json!({"text": "mug", "sort": {"field": "NAME"}, "first": 2})).await, [
            list("Red mug, Tea mug", 2, false), list("", 0, false), list("Mug hook, Red mug", 4, true),
        ]);
        assert_eq!(read(As::Anonymous, json!({"text": "mug", "sort": {"field": "NAME", "direction": "DESC"}, "last": 1})).await, [
            list("Red mug", 2, false), list("", 0, false), list("Mug hook", 4, false),
        ]);
        assert_eq!(read(As::Staff, json!({"text": "!"})).await, [list("", 0, false), list("", 0, false), list("", 0, false)]);
    }
}
