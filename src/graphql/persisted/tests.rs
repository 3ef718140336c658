//! Which text a request means, and what is kept.

use super::*;
use crate::graphql::document::{Known, test_limits};
use crate::graphql::schema;

const QUERY: &str = "{ shop { name } }";

fn types() -> InputTypes {
    InputTypes::of(&schema::build(&test_limits(), true))
}

fn read(files: &[(&str, &str)]) -> anyhow::Result<Persisted> {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    Persisted::new(Some(folder.path()), 0, &types(), &test_limits(), &Known::new(0))
}

/// The text, or the error's code and message.
fn find(
    persisted: &Persisted,
    query: Option<&str>,
    id: Option<&str>,
    unbound: bool,
) -> Result<String, String> {
    let mut request = GraphqlRequest {
        query: query.map(str::to_owned),
        document_id: id.map(str::to_owned),
        ..GraphqlRequest::default()
    };
    match persisted.find(&mut request, unbound) {
        Ok((text, registration)) => {
            registration.into_iter().for_each(|one| persisted.register(one));
            Ok(text.to_string())
        }
        Err(errors) => Err(errors[0].message.clone()),
    }
}

#[test]
fn trusted_documents_are_found_by_id_and_by_hash() {
    let manifest = r#"{"own-id": "query B { __typename }", "sha256:abc": "query C { shop { name } }"}"#;
    let apollo = r#"{"format": "apollo-persisted-query-manifest", "version": 1,
        "operations": [{"id": "apollo-id", "name": "D", "type": "query", "body": "query D { __typename }"}]}"#;
    let persisted = read(&[
        ("shop.graphql", "{ shop { name } }\n"),
        ("relay.json", manifest),
        ("z.json", apollo),
        ("notes.txt", "not {"),
    ])
    .unwrap();
    let found = |id: &str| find(&persisted, None, Some(id), false);
    assert_eq!(found("shop").unwrap(), "{ shop { name } }\n");
    assert_eq!(
        found(&digest("{ shop { name } }\n")).unwrap(),
        "{ shop { name } }\n"
    );
    assert_eq!(found(&format!("sha256:{}", digest(QUERY))).unwrap(), QUERY);
    assert_eq!(found("own-id").unwrap(), "query B { __typename }");
    assert_eq!(found("sha256:abc").unwrap(), "query C { shop { name } }");
    assert_eq!(found("apollo-id").unwrap(), "query D { __typename }");
    assert_eq!(found("other").unwrap_err(), "PersistedQueryNotFound");
}

#[test]
fn a_text_is_executed_only_when_it_is_registered_or_an_admin_sends_it() {
    let persisted = read(&[("shop.graphql", "{ shop { name } }\n")]).unwrap();
    assert_eq!(find(&persisted, Some(QUERY), None, false).unwrap(), QUERY);
    for id in [None, Some("shop"), Some("other")] {
        let refused = find(&persisted, Some("{ __typename }"), id, false).unwrap_err();
        assert!(refused.starts_with("Only registered"), "{refused}");
    }
    assert!(find(&persisted, Some("{ __typename }"), None, true).is_ok());
}

#[test]
fn a_bad_document_is_named_with_its_line() {
    let deep = format!(
        "{{ product(by: {{slug: \"a\"}}) {{ name }} }}\n{}",
        "{".repeat(100)
    );
    for (name, text, expected) in [
        ("a.graphql", "{\n  shop {\n    nothing\n  }\n}", "a.graphql:3: "),
        ("a.graphql", "{\n  shop {", "a.graphql:2: Syntax error"),
        (
            "a.gql",
            "query A { shop { name } }\nquery A { shop { name } }",
            "a.gql",
        ),
        (
            "a.graphql",
            "query {\n  products(first: $b) { totalCount }\n}",
            "a.graphql:2: ",
        ),
        (
            "a.graphql",
            "query A { shop { name } }\nquery B($x: String) { shop { name } }",
            "a.graphql:2: ",
        ),
        ("a.graphql", &deep, "a.graphql: The document has more than"),
        (
            "m.json",
            r#"{"one": "{ nothing }"}"#,
            "m.json: document one, line 1: ",
        ),
        ("m.json", r#"{"one": 1}"#, "m.json: is no manifest"),
        ("m.json", "[]", "m.json: is no manifest"),
        (
            "m.json",
            r#"{"format": "x", "operations": []}"#,
            "m.json: has an unknown format",
        ),
        ("m.txt", "", "has no documents"),
    ] {
        let error = format!("{:#}", read(&[(name, text)]).unwrap_err());
        assert!(error.contains(expected), "{text}: {error}");
    }
    let twice = read(&[("a.graphql", QUERY), ("b.json", r#"{"a": "{ __typename }"}"#)]);
    let error = twice.unwrap_err().to_string();
    assert!(error.contains("the id a is that of another document"), "{error}");
}

#[test]
fn a_client_registers_a_text_by_its_hash() {
    let persisted = Persisted::new(None, 1 << 20, &types(), &test_limits(), &Known::new(0)).unwrap();
    let hash = digest(QUERY);
    let by_hash = |text: Option<&str>| find(&persisted, text, Some(&hash), false);
    assert_eq!(by_hash(None).unwrap_err(), "PersistedQueryNotFound");
    let wrong = by_hash(Some("{ __typename }")).unwrap_err();
    assert!(wrong.starts_with("The hash is not"), "{wrong}");
    assert_eq!(by_hash(None).unwrap_err(), "PersistedQueryNotFound");
    assert_eq!(by_hash(Some(QUERY)).unwrap(), QUERY);
    assert_eq!(by_hash(None).unwrap(), QUERY);
    // What is kept does not vouch for another text.
    assert!(by_hash(Some("{ __typename }")).is_err());
    let off = Persisted::new(None, 0, &types(), &test_limits(), &Known::new(0)).unwrap();
    assert_eq!(
        find(&off, None, Some(&hash), false).unwrap_err(),
        "PersistedQueryNotSupported"
    );
    assert_eq!(find(&off, Some(QUERY), Some(&hash), false).unwrap(), QUERY);
}

#[test]
fn what_is_kept_is_bounded() {
    let persisted = Persisted::new(None, 10_000, &types(), &test_limits(), &Known::new(0)).unwrap();
    for number in 0..200 {
        let text = format!("{{ a{number}: __typename }} # {}", "x".repeat(500));
        find(&persisted, Some(&text), Some(&digest(&text)), false).unwrap();
    }
    assert!(persisted.registered.as_ref().unwrap().bytes() <= 10_000);
    let long = format!("{QUERY} # {}", "x".repeat(64 * 1024));
    let roomy = Persisted::new(None, 1 << 20, &types(), &test_limits(), &Known::new(0)).unwrap();
    find(&roomy, Some(&long), Some(&digest(&long)), false).unwrap();
    assert_eq!(roomy.registered.as_ref().unwrap().bytes(), 0);
}
