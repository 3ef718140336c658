//! Small documents that stand for large ones.

use serde_json::json;

use super::{describe, quickly, test_limits, try_prepare};
use crate::kernel::config::LimitsConfig;

fn refused(text: &str) -> String {
    refused_by(text, json!({}), &test_limits())
}

fn refused_by(text: &str, variables: serde_json::Value, limits: &LimitsConfig) -> String {
    describe(&quickly(|| try_prepare(text, variables, limits)).unwrap_err())
}

/// Fragments that each spread the next one twice.
fn doubling(levels: usize, end: &str) -> String {
    let mut text = "{ ...F0 }".to_owned();
    for level in 0..levels {
        text.push_str(&format!(
            " fragment F{level} on Query {{ ...F{n} ...F{n} }}",
            n = level + 1
        ));
    }
    text.push_str(&format!(" fragment F{levels} on Query {{ {end} }}"));
    text
}

#[test]
fn fragments_that_double_are_counted_without_being_walked() {
    assert!(refused(&doubling(30, "leaf")).contains("more than 2000 fields"));
    assert!(refused(&doubling(150, "leaf")).contains("more than 2000 fields"));
    assert!(refused(&doubling(30, "__typename")).contains("more than 2000 fields"));
    assert!(refused(&doubling(30, "...Nowhere")).contains("does not exist"));
    // Ten levels are 1,024 fields, which is within the limit.
    quickly(|| try_prepare(&doubling(10, "leaf"), json!({}), &test_limits())).unwrap();
    let unused = doubling(30, "leaf").replacen("{ ...F0 }", "{ leaf }", 1);
    assert!(refused(&unused).contains("is never used"));
}

#[test]
fn a_bomb_in_another_operation_is_not_walked_either() {
    let text = doubling(30, "leaf").replacen("{ ...F0 }", "query A { leaf } query B { ...F0 }", 1);
    let types = super::InputTypes::of(&super::schema());
    let prepared =
        quickly(|| super::prepare(&text, Some("A"), Default::default(), &types, &test_limits(), true));
    assert!(prepared.unwrap().document.fragments.is_empty());
}

#[test]
fn fragments_in_a_circle_are_refused() {
    for text in [
        "{ ...A } fragment A on Query { ...A }",
        "{ ...A } fragment A on Query { leaf ...B } fragment B on Query { a { ...A } }",
        "{ a { ... { ...A } } } fragment A on Query { a { ...B ...B } } fragment B on Query { ...A ...A }",
    ] {
        assert!(refused(text).ends_with("spreads itself."), "{text}");
    }
}

#[test]
fn a_variable_has_no_directives() {
    let many = format!("query($n: Int {} = 1) {{ leaf }}", "@x ".repeat(600));
    assert!(refused(&many).contains("more than 50 directives"));
    for text in [
        "query($n: Int @x) { withDefault(n: $n) }",
        "query($n: Int @x(a: $m) = 1) { withDefault(n: $n) }",
        "query($n: Int @skip(if: false)) { withDefault(n: $n) }",
    ] {
        assert!(refused(text).contains("may not stand at a variable"), "{text}");
    }
}

#[test]
fn every_limit_has_a_last_document_that_passes_and_a_first_that_does_not() {
    let limits = LimitsConfig {
        fields: 5,
        depth: 3,
        aliases: 2,
        directives: 2,
        root_mutations: 2,
        list_items: 3,
        tokens: 60,
        nesting: 10,
        ..test_limits()
    };
    let cases = [
        (
            "{ leaf a { leaf } ...F } fragment F on Query { a { leaf } }",
            "{ leaf a { leaf leaf } ...F } fragment F on Query { a { leaf } }",
        ),
        ("{ a { a { leaf } } }", "{ a { a { a { leaf } } } }"),
        (
            "{ a { ...F } } fragment F on Query { a { leaf } }",
            "{ a { ...F } } fragment F on Query { a { a { leaf } } }",
        ),
        (
            "{ x: leaf ...F } fragment F on Query { y: leaf }",
            "{ ...F ...F ...F } fragment F on Query { y: leaf }",
        ),
        (
            "{ leaf @skip(if: true) @include(if: true) }",
            "{ ... @skip(if: true) { leaf @skip(if: true) @include(if: true) } }",
        ),
        (
            "{ ...F ...F } fragment F on Query { leaf @skip(if: true) }",
            "{ ...F @skip(if: true) ...F } fragment F on Query { leaf @skip(if: true) }",
        ),
        ("mutation { b b }", "mutation { b b b }"),
        (
            "mutation { b ... { b } }",
            "mutation { b ...F ...F } fragment F on Mutation { b }",
        ),
        ("{ items(of: [1, 2, 3]) }", "{ items(of: [1, 2, 3, 4]) }"),
        (
            "query($x: [Int] = [1, 2, 3]) { items(of: $x) }",
            "query($x: [Int] = [1, 2, 3, 4]) { items(of: $x) }",
        ),
    ];
    for (passes, fails) in cases {
        if let Err(errors) = try_prepare(passes, json!({}), &limits) {
            panic!("{passes}: {}", describe(&errors));
        }
        let message = refused_by(fails, json!({}), &limits);
        assert!(
            message.starts_with("GRAPHQL_VALIDATION_FAILED: "),
            "{fails}: {message}"
        );
        assert!(message.contains("more than"), "{fails}: {message}");
    }
}

#[test]
fn lists_in_variables_are_counted_however_deep() {
    let limits = LimitsConfig {
        list_items: 3,
        ..test_limits()
    };
    let list = "query($x: [Int]!) { items(of: $x) }";
    try_prepare(list, json!({"x": [1, 2, 3]}), &limits).unwrap();
    assert!(refused_by(list, json!({"x": [1, 2, 3, 4]}), &limits).contains("more than 3 items"));
    let nested = "query($f: Filter!) { filtered(filter: $f) }";
    let deep = json!({"f": {"nested": [{"nested": [{}, {}, {}, {}]}]}});
    assert!(refused_by(nested, deep, &limits).contains("more than 3 items"));
}

#[test]
fn introspection_may_be_deep_but_not_fan_out() {
    let bomb = "{ __schema { types { fields { type { fields { type { fields { type { name } } } } } } } } }";
    assert!(refused(bomb).contains("deeper than introspection goes"));
    let by_interfaces = "{ __type(name: \"Query\") { ...T } } fragment T on __Type { possibleTypes { interfaces { possibleTypes { name } } } }";
    assert!(refused(by_interfaces).contains("deeper than introspection goes"));
    // The name proves nothing, and neither does a root field of the schema beside another one.
    let deep = (0..16).fold("leaf".to_owned(), |inner, _| format!("a {{ {inner} }}"));
    for text in [
        format!("query IntrospectionQuery {{ {deep} }}"),
        format!("{{ __schema {{ queryType {{ name }} }} {deep} }}"),
    ] {
        assert!(refused(&text).contains("more than 15 fields deep"), "{text}");
    }
}

#[test]
fn brackets_without_end_never_reach_the_parser() {
    for text in [
        "{a".repeat(100_000),
        "[".repeat(100_000),
        format!("{{ items(of: {}", "[".repeat(50_000)),
    ] {
        assert!(refused(&text).contains("more than"), "{text:.30}");
    }
    assert!(refused(&format!("{{ {} }}", "leaf ".repeat(3_000))).contains("more than 2000 tokens"));
    assert!(refused(&format!("{{ {} }}", "x".repeat(201))).contains("more than 200 letters"));
}
