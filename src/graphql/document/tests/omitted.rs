//! Variables: omitted, null, defaulted, and wrong.

use serde_json::{Value, json};

use super::run;

async fn answers(cases: &[(&str, Value, Value)]) {
    for (text, variables, expected) in cases {
        match run(text, variables.clone()).await {
            Ok(data) => assert_eq!(
                &data.as_object().unwrap().values().next().unwrap().clone(),
                expected,
                "{text} {variables}"
            ),
            Err(error) => panic!("{text} {variables}: {error}"),
        }
    }
}

#[tokio::test]
async fn an_omitted_variable_leaves_its_place_absent() {
    answers(&[
        ("query($n: Int) { withDefault(n: $n) }", json!({}), json!(5)),
        ("query($n: Int) { withDefault(n: $n) }", json!({"n": 3}), json!(3)),
        ("query($n: Int = 4) { withDefault(n: $n) }", json!({}), json!(4)),
        (
            "query($w: String) { maybe(word: $w) }",
            json!({}),
            json!("undefined"),
        ),
        (
            "query($w: String) { maybe(word: $w) }",
            json!({"w": null}),
            json!("null"),
        ),
        (
            "query($w: String) { maybe(word: $w) }",
            json!({"w": "x"}),
            json!("value"),
        ),
        (
            "query($w: String = null) { maybe(word: $w) }",
            json!({}),
            json!("null"),
        ),
        (
            "query($s: Int, $w: String) { filtered(filter: {size: $s, word: $w}) }",
            json!({}),
            json!("7 undefined None None"),
        ),
        (
            "query($s: Int, $w: String) { filtered(filter: {size: $s, word: $w}) }",
            json!({"s": 1, "w": null}),
            json!("1 null None None"),
        ),
        (
            "query($s: Int) { filtered(filter: {nested: [{size: $s}]}) }",
            json!({}),
            json!("7 undefined None Some([7])"),
        ),
        (
            "query($f: Filter!) { filtered(filter: $f) }",
            json!({"f": {"must": true}}),
            json!("7 undefined Some(true) None"),
        ),
        (
            "query($n: Int) { ...F } fragment F on Query { withDefault(n: $n) }",
            json!({}),
            json!(5),
        ),
        ("query($x: Int) { items(of: [1, $x]) }", json!({}), json!(2)),
        (
            "query($b: Boolean = false, $n: Int) { withDefault(n: $n) @skip(if: $b) }",
            json!({}),
            json!(5),
        ),
        // A default is what counts, whether the variable could be null or not.
        (
            "query($b: Boolean = true) { withDefault @include(if: $b) }",
            json!({}),
            json!(5),
        ),
        (
            "query($b: Boolean! = true) { withDefault @skip(if: $b) maybe @include(if: $b) }",
            json!({}),
            json!("undefined"),
        ),
        (
            "query($b: Boolean = true) { withDefault @skip(if: $b) maybe @include(if: $b) }",
            json!({"b": false}),
            json!(5),
        ),
        (
            "query($b: Boolean = true) { ...F @include(if: $b) } fragment F on Query { withDefault ... @skip(if: $b) { maybe } }",
            json!({}),
            json!(5),
        ),
        (
            "query($x: Int) { items(of: [1, $x]) ... { withDefault(n: $x) } }",
            json!({}),
            json!(2),
        ),
        (
            "query($id: Int, $slug: String) { one(by: {id: $id, slug: $slug}) }",
            json!({"slug": "mug"}),
            json!("mug"),
        ),
        (
            "query($c: Color!) { painted(color: $c) }",
            json!({"c": "BLUE"}),
            json!("Blue"),
        ),
        ("query($x: [Int]!) { items(of: $x) }", json!({"x": 1}), json!(1)),
    ])
    .await;
}

#[tokio::test]
async fn a_variable_that_does_not_fit_is_refused_once_and_before_anything_runs() {
    let cases = [
        (
            "query($n: Int!) { withDefault(n: $n) }",
            json!({}),
            "Variable \"$n\" of type \"Int!\" is required and was not sent.",
        ),
        (
            "query($n: Int!) { withDefault(n: $n) }",
            json!({"n": null}),
            "Variable \"$n\": null, where a Int! is needed",
        ),
        (
            "query($n: Int) { withDefault(n: $n) }",
            json!({"n": "3"}),
            "Variable \"$n\": not a value of type Int",
        ),
        (
            "query($n: Int) { withDefault(n: $n) }",
            json!({"n": 1.5}),
            "Variable \"$n\": not a value of type Int",
        ),
        (
            "query($n: Int) { withDefault(n: $n) }",
            json!({"n": 2_147_483_648_u32}),
            "Variable \"$n\": not a value of type Int",
        ),
        (
            "query($n: Int) { withDefault(n: $n) }",
            json!({"n": [1]}),
            "Variable \"$n\": not a value of type Int",
        ),
        (
            "query($w: String) { maybe(word: $w) }",
            json!({"w": 1}),
            "Variable \"$w\": not a value of type String",
        ),
        (
            "query($f: Filter!) { filtered(filter: $f) }",
            json!({"f": 1}),
            "Variable \"$f\": not a value of type Filter",
        ),
        (
            "query($f: Filter!) { filtered(filter: $f) }",
            json!({"f": {"sizes": 1}}),
            "Variable \"$f\": Filter has no field \"sizes\"",
        ),
        (
            "query($f: Filter!) { filtered(filter: $f) }",
            json!({"f": {"nested": [{}, {"size": true}]}}),
            "Variable \"$f.nested.1.size\": not a value of type Int",
        ),
        (
            "query($x: [Int]!) { items(of: $x) }",
            json!({"x": [1, "2"]}),
            "Variable \"$x.1\": not a value of type Int",
        ),
        (
            "query($b: By!) { one(by: $b) }",
            json!({"b": {}}),
            "Variable \"$b\": needs exactly one of the fields of By, and not null",
        ),
        (
            "query($b: By!) { one(by: $b) }",
            json!({"b": {"id": 1, "slug": "x"}}),
            "Variable \"$b\": needs exactly one of the fields of By, and not null",
        ),
        (
            "query($b: By!) { one(by: $b) }",
            json!({"b": {"id": null}}),
            "Variable \"$b\": needs exactly one of the fields of By, and not null",
        ),
        (
            "query($c: Color!) { painted(color: $c) }",
            json!({"c": "GREEN"}),
            "Variable \"$c\": not a value of type Color",
        ),
        (
            "query($c: Color!) { painted(color: $c) }",
            json!({"c": 1}),
            "Variable \"$c\": not a value of type Color",
        ),
    ];
    for (text, variables, message) in cases {
        let errors = super::try_prepare(text, variables.clone(), &super::test_limits()).unwrap_err();
        assert_eq!(errors.len(), 1, "{text} {variables}");
        assert_eq!(
            super::describe(&errors),
            format!("BAD_USER_INPUT: {message}"),
            "{text} {variables}"
        );
    }
}

#[tokio::test]
async fn stripping_does_not_hide_what_validation_must_find() {
    for (text, expected) in [
        ("query($unused: Int) { leaf }", "Variable \"$unused\" is not used"),
        ("{ withDefault(n: $n) }", "Variable \"$n\" is not defined"),
        (
            "query($id: Int) { one(by: $id) }",
            "Variable \"$id\" of type \"Int\" is used where a \"By!\" is needed.",
        ),
        (
            "query($s: String) { withDefault(n: $s) }",
            "Variable \"$s\" of type \"String\" is used where a \"Int",
        ),
        (
            "query($s: String) { filtered(filter: {size: $s}) }",
            "Variable \"$s\" of type \"String\" is used where a \"Int",
        ),
        (
            "query($f: Filter) { filtered(filter: $f) }",
            "is used where a \"Filter!\" is needed.",
        ),
        (
            "query($x: Int) { items(of: $x) }",
            "is used where a \"[Int]!\" is needed.",
        ),
        (
            "query($b: Boolean) { leaf @skip(if: $b) }",
            "is used where a \"Boolean!\" is needed.",
        ),
        (
            "query($s: String) { ...F } fragment F on Query { items(of: [$s]) }",
            "is used where a \"Int\" is needed.",
        ),
        ("query($x: Int) { withDefault(m: $x) }", "Unknown argument \"m\""),
        ("query($x: Int) { filtered(filter: {sizes: $x}) }", "sizes"),
        (
            "query($x: Int) { withDefault(n: $x) nowhere(n: $x) }",
            "Unknown field \"nowhere\"",
        ),
    ] {
        let error = run(text, json!({})).await.unwrap_err();
        assert!(error.contains(expected), "{text}: {error}");
    }
}
