//! Bad input for every argument and input field of the schema, and what becomes of it.
//!
//! Whatever is sent: the answer has a code of the contract and names the place, says nothing of what is
//! inside, and nothing has changed.

mod accounts;
mod carts;
mod case;
mod coverage;
mod documents;
mod furnish;
mod mutations;
mod orders;
mod paths;
mod payments;
mod queries;

use std::collections::BTreeSet;

use axum::http::StatusCode;
use serde_json::{Value, json};
use souk::kernel::actor::Role;

use self::case::{Expected, Operation, Row, resolve};
use self::coverage::Inputs;
use self::furnish::furnish;
use crate::support::Shop;

fn operations() -> Vec<Operation> {
    [
        queries::operations(),
        mutations::operations(),
        carts::operations(),
        payments::operations(),
        orders::operations(),
        accounts::operations(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// What a top-level error's code can be.
const CODES: [&str; 9] = [
    "GRAPHQL_PARSE_FAILED",
    "GRAPHQL_VALIDATION_FAILED",
    "BAD_USER_INPUT",
    "UNAUTHENTICATED",
    "FORBIDDEN",
    "THROTTLED",
    "MAX_COST_EXCEEDED",
    "TIMEOUT",
    "INTERNAL",
];

/// What only the inside knows: SQL, Rust, the machine.
const INSIDE: [&str; 32] = [
    "SELECT ",
    "INSERT ",
    "UPDATE ",
    "DELETE ",
    "WHERE",
    "constraint",
    "UNIQUE",
    "FOREIGN KEY",
    "relation ",
    "column",
    "syntax error at",
    "sqlx",
    "sqlite",
    "postgres",
    "sea_orm",
    "DbErr",
    "Some(",
    "None",
    "Ok(",
    "Err(",
    "panicked",
    "unwrap",
    "Error {",
    "Error(",
    "src/",
    ".rs:",
    "/home",
    "/tmp",
    "/root",
    "::",
    "thread '",
    "backtrace",
];

/// Long enough to explain something, too short to carry a request back.
const LONGEST_MESSAGE: usize = 1_010;

fn place(path: &Value) -> String {
    let segment = |segment: &Value| {
        segment
            .as_str()
            .map_or_else(|| segment.to_string(), str::to_owned)
    };
    path.as_array()
        .into_iter()
        .flatten()
        .map(segment)
        .collect::<Vec<_>>()
        .join(".")
}

/// Whatever was asked, this holds.
fn check_manners(answer: &Value) -> Result<(), String> {
    let errors = answer["errors"].as_array().cloned().unwrap_or_default();
    for error in &errors {
        let code = error["extensions"]["code"].as_str().unwrap_or_default();
        if !CODES.contains(&code) || code == "INTERNAL" {
            return Err(format!("its code is {code:?}"));
        }
    }
    let data = answer["data"]
        .as_object()
        .into_iter()
        .flat_map(|data| data.values());
    let refusals = data.flat_map(|payload| payload["userErrors"].as_array().cloned().unwrap_or_default());
    for error in errors.into_iter().chain(refusals) {
        let message = error["message"].as_str().unwrap_or_default();
        if message.is_empty() || message.len() > LONGEST_MESSAGE {
            return Err(format!("its message has {} bytes", message.len()));
        }
        // What the request itself said may be repeated, quoted.
        let told = format!("{message} {}", error["params"]);
        if let Some(inside) = INSIDE.iter().find(|inside| told.contains(*inside)) {
            return Err(format!("its message tells of {inside:?}"));
        }
    }
    Ok(())
}

fn check(operation: &Operation, row: &Row, status: StatusCode, answer: &Value) -> Result<(), String> {
    check_manners(answer)?;
    let own = row.path;
    match row.expected {
        Expected::WrongType => check_refused(
            status,
            answer,
            "BAD_USER_INPUT",
            &format!("Variable \"${own}\": "),
        ),
        Expected::WrongTypeAt(path) => check_refused(
            status,
            answer,
            "BAD_USER_INPUT",
            &format!("Variable \"${path}\": "),
        ),
        Expected::ListTooLong => check_refused(
            status,
            answer,
            "GRAPHQL_VALIDATION_FAILED",
            "A list in the input has more than 250 items.",
        ),
        Expected::BadArgument => check_argument(operation, status, answer, own),
        Expected::BadArgumentAt(path) => check_argument(operation, status, answer, path),
        Expected::Refused(code) => check_refusal(operation, status, answer, code, own),
        Expected::RefusedAt(code, path) => check_refusal(operation, status, answer, code, path),
    }
}

/// Nothing was executed.
fn check_refused(status: StatusCode, answer: &Value, code: &str, message: &str) -> Result<(), String> {
    if status != StatusCode::BAD_REQUEST || answer.get("data").is_some() {
        return Err(format!("expected 400 without data, not {status}"));
    }
    let errors = answer["errors"].as_array().cloned().unwrap_or_default();
    let fits = |error: &Value| {
        error["extensions"]["code"] == code
            && error["message"].as_str().unwrap_or_default().starts_with(message)
    };
    // A variable that is missing altogether has no colon behind it.
    let missing = message.replace(": ", " of type");
    let fits_missing = |error: &Value| {
        error["extensions"]["code"] == code
            && error["message"]
                .as_str()
                .unwrap_or_default()
                .starts_with(&missing)
    };
    match &errors[..] {
        [error] if fits(error) || fits_missing(error) => Ok(()),
        _ => Err(format!("expected one error, {code}: {message}")),
    }
}

/// The field answered with an error that names its argument.
fn check_argument(
    operation: &Operation,
    status: StatusCode,
    answer: &Value,
    argument: &str,
) -> Result<(), String> {
    let errors = answer["errors"].as_array().cloned().unwrap_or_default();
    let [error] = &errors[..] else {
        return Err("expected one error".to_owned());
    };
    let told = (
        error["extensions"]["code"].as_str(),
        place(&error["extensions"]["argument"]),
        place(&error["path"]),
    );
    let expected = (
        Some("BAD_USER_INPUT"),
        argument.to_owned(),
        operation.answered_at.join("."),
    );
    // A stream that does not begin has no data at all.
    let streams = operation.field.starts_with("Subscription.");
    if status == StatusCode::OK && told == expected && answer.get("data").is_some() != streams {
        Ok(())
    } else {
        Err(format!(
            "expected 200 with {expected:?}, not {status} with {told:?}"
        ))
    }
}

/// The shop said no, once, and shows nothing beside it.
fn check_refusal(
    operation: &Operation,
    status: StatusCode,
    answer: &Value,
    code: &str,
    path: &str,
) -> Result<(), String> {
    let payload = &answer["data"][operation.answered_at[0]];
    let refusals = payload["userErrors"].as_array().cloned().unwrap_or_default();
    let told: Vec<_> = refusals
        .iter()
        .map(|error| (error["code"].as_str().unwrap_or_default(), place(&error["path"])))
        .collect();
    let null = payload.as_object().is_some_and(|payload| {
        payload
            .iter()
            .all(|(name, value)| name == "userErrors" || value.is_null())
    });
    if status == StatusCode::OK && null && told == [(code, path.to_owned())] {
        Ok(())
    } else {
        Err(format!("expected {code} at {path}, not {told:?}"))
    }
}

async fn send(shop: &Shop, document: &str, variables: &Value) -> (StatusCode, Value) {
    let bearer = format!("Bearer {}", shop.token(Role::Admin));
    let headers = [
        ("content-type", "application/json"),
        ("accept", "application/graphql-response+json, text/event-stream"),
        ("authorization", bearer.as_str()),
    ];
    let reply = shop
        .post_for_one(
            &headers,
            json!({"query": document, "variables": variables}).to_string(),
        )
        .await;
    (reply.status, reply.json())
}

/// All that a mutation could have changed.
async fn state(shop: &Shop) -> Vec<Vec<Vec<String>>> {
    let mut state = Vec::new();
    for (table, columns) in [
        (
            "product",
            "slug, name, description, status, vendor, product_type, CAST(version AS text), CAST(price_min AS text)",
        ),
        (
            "product_variant",
            "sku, title, CAST(price AS text), CAST(compare_at_price AS text)",
        ),
        ("product_tag", "tag"),
        ("product_image", "url"),
        ("category", "slug, name"),
        ("inventory_level", "CAST(on_hand AS text), CAST(reserved AS text)"),
        ("inventory_movement", "reason, actor, CAST(on_hand_delta AS text)"),
        ("idempotency_key", "key, fingerprint"),
        ("cart", "currency, CAST(updated_at AS text)"),
        ("cart_line", "CAST(quantity AS text), CAST(unit_price AS text)"),
        ("user_account", "email, name, role, password_hash"),
        ("user_address", "name, line1"),
        ("session", "COALESCE(revoke_reason, 'goes on')"),
        ("refresh_token", "hash, COALESCE(used_from, 'unused')"),
        ("shop_order", "status, payment_status, CAST(last_seq AS text)"),
        (
            "order_line",
            "CAST(fulfilled_quantity AS text), CAST(held AS text)",
        ),
        ("order_event", "type, message"),
        ("fulfillment", "status, COALESCE(tracking_number, 'none')"),
        ("payment", "status, CAST(captured AS text)"),
        ("payment_operation", "kind, status"),
        ("refund", "status, CAST(amount AS text)"),
    ] {
        state.push(
            shop.rows(&format!("SELECT {columns} FROM {table} ORDER BY {columns}"))
                .await,
        );
    }
    state
}

both! {
    async fn every_case_ends_as_the_table_says(shop: &Shop) {
        let names = furnish(shop).await;
        let before = state(shop).await;
        let mut wrong = Vec::new();
        for operation in operations() {
            for row in &operation.rows {
                let mut variables = row.variables(&operation.variables);
                resolve(&mut variables, &names);
                let (status, answer) = send(shop, operation.document, &variables).await;
                if let Err(problem) = check(&operation, row, status, &answer) {
                    let value = row.value.to_string().chars().take(80).collect::<String>();
                    let answer = answer.to_string().chars().take(600).collect::<String>();
                    wrong.push(format!("{} {} = {value}: {problem}: {answer}", operation.field, row.path));
                }
            }
        }
        assert!(wrong.is_empty(), "{} cases: {wrong:#?}", wrong.len());
        assert_eq!(state(shop).await, before);
    }

    async fn every_operation_succeeds_until_it_is_spoilt(shop: &Shop) {
        let names = furnish(shop).await;
        for operation in operations() {
            let mut variables = operation.variables.clone();
            resolve(&mut variables, &names);
            let (status, answer) = send(shop, operation.document, &variables).await;
            assert_eq!((status, &answer["errors"]), (StatusCode::OK, &Value::Null), "{}: {answer}", operation.field);
            let field = &answer["data"][operation.answered_at[0]];
            assert!(field.get("userErrors").is_none_or(|errors| *errors == json!([])), "{}: {answer}", operation.field);
        }
    }

    async fn odd_documents_that_are_right_are_answered(shop: &Shop) {
        furnish(shop).await;
        let variables = json!({"t": "tea", "n": 1, "yes": true});
        for document in documents::GOOD {
            let mut variables = variables.clone();
            if document.contains("$t: [String!]!") {
                variables["t"] = json!(["tea"]);
            } else if document.contains("$t: [String!])") || document.contains("$n: Int =") {
                variables = json!({});
            }
            let (status, answer) = send(shop, document, &variables).await;
            assert_eq!((status, &answer["errors"]), (StatusCode::OK, &Value::Null), "{document}");
        }
    }

    async fn fields_that_conflict_are_not_named_after_their_arguments(shop: &Shop) {
        for (document, message) in [
            ("{ products(first: 1) { nodes { id } } products(first: 2) { nodes { id } } }", "Two fields have the same name in the answer"),
            ("{ products(first: 1) { nodes { id } } products { nodes { id } } }", "Two fields have the same name in the answer"),
            ("{ shop { a: name a: currencyCode } }", "Fields \"a\" conflict because \"name\" and \"currencyCode\" are different"),
        ] {
            let (status, answer) = send(shop, document, &json!({})).await;
            let error = &answer["errors"][0];
            assert_eq!(status, StatusCode::BAD_REQUEST, "{answer}");
            assert!(error["message"].as_str().unwrap().starts_with(message), "{answer}");
            assert_eq!(error["locations"].as_array().unwrap().len(), 2, "{answer}");
        }
    }

    async fn bad_documents_are_refused_before_they_run(shop: &Shop) {
        furnish(shop).await;
        let before = state(shop).await;
        let mut wrong = Vec::new();
        for (document, code) in documents::CASES {
            let (status, answer) = send(shop, document, &json!({})).await;
            let told = &answer["errors"][0]["extensions"]["code"];
            let manners = check_manners(&answer);
            if status != StatusCode::BAD_REQUEST || told != code || answer.get("data").is_some() || manners.is_err() {
                wrong.push(format!("{document}: expected {code}: {status} {manners:?} {answer}"));
            }
        }
        assert!(wrong.is_empty(), "{wrong:#?}");
        assert_eq!(state(shop).await, before);
    }
}

#[test]
fn every_argument_and_every_input_field_has_a_case() {
    let inputs = Inputs::of_schema();
    let mut covered = BTreeSet::new();
    let mut cases = documents::CASES.len();
    for operation in operations() {
        cases += operation.rows.len();
        covered.extend(
            operation
                .rows
                .iter()
                .filter_map(|row| inputs.at(operation.field, row.path)),
        );
    }
    let uncovered: Vec<_> = inputs
        .all()
        .into_iter()
        .filter(|one| !covered.contains(one))
        .collect();
    assert!(uncovered.is_empty(), "without a case: {uncovered:#?}");
    assert!(cases >= 150, "{cases} cases");
}
