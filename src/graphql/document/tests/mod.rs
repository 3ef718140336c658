//! Documents that must pass, and documents that must not, against a schema of a few fields.

mod bombs;
mod omitted;

use std::time::{Duration, Instant};

use async_graphql::{
    EmptySubscription, Enum, ErrorExtensionValues, InputObject, MaybeUndefined, Object, OneofObject, Request,
    Schema, ServerError, Value, Variables,
};
use serde_json::json;

use super::{InputTypes, Prepared, bind, check};
use crate::kernel::config::{Config, LimitsConfig, Source};

const INTROSPECTION: &str = include_str!("introspection.graphql");

pub(crate) fn test_limits() -> LimitsConfig {
    Config::from_source(&Source::default()).unwrap().limits
}

/// As a request that comes for the first time.
pub(crate) fn prepare(
    text: &str,
    operation_name: Option<&str>,
    variables: Variables,
    types: &InputTypes,
    limits: &LimitsConfig,
    introspection: bool,
) -> Result<Prepared, Vec<ServerError>> {
    let checked = check(text, operation_name, types, limits)?;
    bind(&checked, variables, types, limits, introspection)
}

#[derive(InputObject)]
struct Filter {
    #[graphql(default = 7)]
    size: i32,
    word: MaybeUndefined<String>,
    must: Option<bool>,
    nested: Option<Vec<Filter>>,
}

#[derive(OneofObject)]
enum By {
    Id(i32),
    Slug(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
enum Color {
    Red,
    Blue,
}

struct Query;

#[Object]
impl Query {
    async fn a(&self) -> &Self {
        self
    }

    async fn leaf(&self) -> i32 {
        1
    }

    async fn with_default(&self, #[graphql(default = 5)] n: i32) -> i32 {
        n
    }

    async fn maybe(&self, word: MaybeUndefined<String>) -> &str {
        shown(&word)
    }

    async fn filtered(&self, filter: Filter) -> String {
        let Filter {
            size,
            word,
            must,
            nested,
        } = filter;
        let nested = nested.map(|filters| filters.iter().map(|f| f.size).collect::<Vec<_>>());
        format!("{size} {} {must:?} {nested:?}", shown(&word))
    }

    async fn items(&self, of: Vec<Option<i32>>) -> usize {
        of.len()
    }

    async fn one(&self, by: By) -> String {
        match by {
            By::Id(id) => id.to_string(),
            By::Slug(slug) => slug,
        }
    }

    async fn painted(&self, color: Color) -> String {
        format!("{color:?}")
    }
}

fn shown(word: &MaybeUndefined<String>) -> &'static str {
    match word {
        MaybeUndefined::Undefined => "undefined",
        MaybeUndefined::Null => "null",
        MaybeUndefined::Value(_) => "value",
    }
}

struct Mutation;

#[Object]
impl Mutation {
    async fn b(&self) -> i32 {
        1
    }
}

type Tiny = Schema<Query, Mutation, EmptySubscription>;

fn schema() -> Tiny {
    Schema::new(Query, Mutation, EmptySubscription)
}

fn try_prepare(
    text: &str,
    variables: serde_json::Value,
    limits: &LimitsConfig,
) -> Result<Prepared, Vec<ServerError>> {
    prepare(
        text,
        None,
        Variables::from_json(variables),
        &InputTypes::of(&schema()),
        limits,
        true,
    )
}

/// Prepares and executes; the data, or the first error's code and message.
async fn run(text: &str, variables: serde_json::Value) -> Result<serde_json::Value, String> {
    let prepared = try_prepare(text, variables, &test_limits()).map_err(|errors| describe(&errors))?;
    let mut request = Request::new("").variables(prepared.variables);
    request.operation_name = prepared.operation_name;
    request.set_parsed_query(prepared.document);
    let response = schema().execute(request).await;
    if response.errors.is_empty() {
        Ok(response.data.into_json().unwrap())
    } else {
        Err(describe(&response.errors))
    }
}

fn describe(errors: &[ServerError]) -> String {
    let code = |extensions: &ErrorExtensionValues| match extensions.get("code") {
        Some(Value::String(code)) => code.clone(),
        _ => String::new(),
    };
    let error = &errors[0];
    format!(
        "{}: {}",
        error.extensions.as_ref().map(code).unwrap_or_default(),
        error.message
    )
}

#[test]
fn the_introspection_of_every_tool_passes_with_the_default_limits() {
    try_prepare(INTROSPECTION, json!({}), &test_limits()).unwrap();
}

#[tokio::test]
async fn the_introspection_of_every_tool_is_answered() {
    let data = run(INTROSPECTION, json!({})).await.unwrap();
    assert_eq!(data["__schema"]["queryType"]["name"], "Query");
}

#[test]
fn what_does_not_parse_says_where_and_repeats_nothing() {
    let long = "x".repeat(100_000);
    for (text, line, column) in [
        ("{ leaf", 1, 7),
        ("{\n  leaf ! }", 2, 8),
        ("", 1, 1),
        (&*format!("{{ leaf }} ? \"{long}\""), 1, 10),
    ] {
        let errors = try_prepare(text, json!({}), &test_limits()).unwrap_err();
        let message = describe(&errors);
        assert!(
            message.starts_with("GRAPHQL_PARSE_FAILED: Syntax error: expected "),
            "{message}"
        );
        assert!(message.len() < 300, "{message}");
        assert_eq!(
            (errors[0].locations[0].line, errors[0].locations[0].column),
            (line, column),
            "{text:.40}"
        );
    }
}

#[test]
fn the_operation_that_is_meant_is_found() {
    let types = InputTypes::of(&schema());
    let select = |text: &str, name: Option<&str>| {
        prepare(text, name, Variables::default(), &types, &test_limits(), true)
            .map(|prepared| prepared.operation_name)
            .map_err(|errors| describe(&errors))
    };
    let two = "query A { leaf ...F } query B { a { leaf } } fragment F on Query { leaf }";
    assert_eq!(select("{ leaf }", None), Ok(None));
    assert_eq!(select("{ leaf }", Some("")), Ok(None));
    assert_eq!(select("query A { leaf }", None), Ok(Some("A".to_owned())));
    assert_eq!(select(two, Some("B")), Ok(Some("B".to_owned())));
    for (text, name) in [
        ("{ leaf }", Some("A")),
        ("query A { leaf }", Some("B")),
        (two, None),
        (two, Some("C")),
    ] {
        assert!(
            select(text, name)
                .unwrap_err()
                .starts_with("GRAPHQL_VALIDATION_FAILED: The document has"),
            "{text} {name:?}"
        );
    }
}

#[test]
fn introspection_can_be_switched_off() {
    let types = InputTypes::of(&schema());
    for (text, allowed) in [
        ("{ __typename leaf }", true),
        ("{ __schema { queryType { name } } }", false),
        (
            "{ leaf ...F } fragment F on Query { x: __type(name: \"Query\") { name } }",
            false,
        ),
    ] {
        let outcome = prepare(text, None, Variables::default(), &types, &test_limits(), false);
        assert_eq!(outcome.is_ok(), allowed, "{text}");
    }
}

/// Every case takes milliseconds. What is not linear would take minutes: the bound leaves room for a slow machine.
fn quickly<T>(work: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let outcome = work();
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    outcome
}
