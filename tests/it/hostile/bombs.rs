//! Small requests that ask for much, and large ones that ask for nothing.

use std::fmt::Write as _;

use serde_json::{Value, json};

/// What it is called, what is sent, and the code that it is refused with.
pub(super) fn all() -> Vec<(&'static str, String, &'static str)> {
    let invalid = "GRAPHQL_VALIDATION_FAILED";
    let of = |query: &str, variables: Value| json!({"query": query, "variables": variables}).to_string();
    let document = |query: &str| of(query, Value::Null);
    let many = |text: &str, count: usize| text.repeat(count);
    let numbers = json!({"ids": vec!["x"; 100_000]});
    vec![
        (
            "deep",
            document(&format!("{}a{}", many("{a", 10_000), many("}", 10_000))),
            invalid,
        ),
        (
            "deep within the limits of text",
            document(&format!(
                "{{ categories {{ nodes {}id{} }} }}",
                many("{ parent ", 20),
                many("}", 20)
            )),
            invalid,
        ),
        (
            "wide",
            document(&format!("{{ {} }}", many("__typename ", 50_000))),
            invalid,
        ),
        (
            "circular",
            document("{ ...A } fragment A on Query { ...B } fragment B on Query { ...A }"),
            invalid,
        ),
        ("aliases", document(&format!("{{ {} }}", aliases(500))), invalid),
        (
            "directives",
            document(&format!("{{ __typename {} }}", many("@include(if: true) ", 200))),
            invalid,
        ),
        ("fragments", document(&doubling(30)), invalid),
        (
            "pages inside pages",
            document(
                "{products(first:100){nodes{category{products(first:100){nodes{category{products(first:100){nodes{description}}}}}}}}}",
            ),
            "MAX_COST_EXCEEDED",
        ),
        (
            "a long list",
            of("query($ids: [ID!]!) { nodes(ids: $ids) { id } }", numbers),
            invalid,
        ),
        (
            "a long name",
            document(&format!("{{ {} }}", many("x", 900_000))),
            invalid,
        ),
        (
            "nested variables",
            format!(
                r#"{{"query": "{{ __typename }}", "variables": {{"a": {}{}}}}}"#,
                many("[", 400_000),
                many("]", 400_000)
            ),
            "BAD_USER_INPUT",
        ),
        ("no end of it", document(&many("{", 900_000)), invalid),
        (
            "a batch",
            format!("[{}]", vec![document("{ __typename }"); 1_000].join(",")),
            "BAD_USER_INPUT",
        ),
        (
            "mutations",
            document(&format!(
                "mutation {{ {} }}",
                (0..20).fold(String::new(), |mut text, number| {
                    let _ = write!(text, "a{number}: cartCreate(input: {{}}) {{ cart {{ id }} }} ");
                    text
                })
            )),
            invalid,
        ),
    ]
}

fn aliases(count: usize) -> String {
    (0..count).fold(String::new(), |mut text, number| {
        let _ = write!(text, "a{number}: __typename ");
        text
    })
}

/// Each fragment spreads the next one twice.
fn doubling(levels: usize) -> String {
    let mut text = "{ ...F0 }".to_owned();
    for level in 0..levels {
        let next = level + 1;
        let _ = write!(text, " fragment F{level} on Query {{ ...F{next} ...F{next} }}");
    }
    text + &format!(" fragment F{levels} on Query {{ __typename }}")
}
