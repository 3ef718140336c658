//! The access matrix: every field of the schema, asked by everybody, about what is theirs and what is not.
//!
//! `matrix.txt` is what came of it when somebody last looked. A field that the schema grows is a row that is missing there,
//! and fails; so does an answer that is another one. When that is meant:
//!
//! ```console
//! $ SOUK_UPDATE_ACCESS_MATRIX=1 cargo test --test it access::
//! ```
//!
//! and read the difference before you commit it.

mod bought;
mod people;
mod plan;
mod roots;
mod shards;

use std::fmt::Write as _;

use serde_json::Value;
use souk::graphql::schema::sdl;

use self::people::{COLUMNS, Column, World};
use self::plan::{Probe, plan};
use crate::support::{Kind, Shop};

const MATRIX: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/access/matrix.txt");
const UPDATE: &str = "SOUK_UPDATE_ACCESS_MATRIX";

const LEGEND: &str = "\
# Who gets what: each field of the schema, asked by nobody in particular, a customer, staff and an admin.
#
# :own     about what is the customer's own, or public
# :hidden  about what is another customer's, or not for sale; staff and admins ask about the same
#
# (guest)  about a guest's cart, or a guest's order with its token; none: without it; bad: with another guest's
#
# ok       a value, or an event            empty    a list without items
# null     null, and no error             -        the object that has the field is null
# CODE     an error with this code, or for mutations a user error
#
# Made by a test: see tests/it/access/mod.rs.
";

const ROOTS_FIRST: [&str; 3] = ["Query.", "Mutation.", "Subscription."];

/// What came back for a probe.
fn outcome(probe: &Probe, answer: &Value) -> String {
    let error = || {
        answer["errors"][0]["extensions"]["code"]
            .as_str()
            .map(str::to_owned)
    };
    let mut place = &answer["data"];
    for segment in &probe.path {
        if let Some(items) = place.as_array() {
            place = items.first().unwrap_or(&Value::Null);
        }
        if place.is_null() {
            return error().unwrap_or_else(|| "-".to_owned());
        }
        place = &place[segment.as_str()];
    }
    let refusal = place["userErrors"][0]["code"].as_str();
    match (refusal, place) {
        (Some(code), _) if probe.refuses => code.to_owned(),
        (_, Value::Null) => error().unwrap_or_else(|| "null".to_owned()),
        (_, Value::Array(items)) if items.is_empty() => "empty".to_owned(),
        (_, Value::Array(items)) if items.iter().all(Value::is_null) => "null".to_owned(),
        _ => "ok".to_owned(),
    }
}

fn table(rows: &[(String, Vec<String>)]) -> String {
    let mut text = LEGEND.to_owned();
    let widest = rows.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
    let mut line = |name: &str, cells: &[&str]| {
        let mut line = format!("\n{name:widest$}");
        for (cell, column) in cells.iter().zip(COLUMNS) {
            write!(line, "  {cell:width$}", width = column.title.len().max(15)).unwrap();
        }
        text.push_str(line.trim_end_matches(' '));
    };
    line("", &COLUMNS.map(|column| column.title));
    for (name, cells) in rows {
        line(name, &cells.iter().map(String::as_str).collect::<Vec<_>>());
    }
    text.push('\n');
    text
}

/// The lines that only one of the two has.
fn differences(known: &str, found: &str) -> Vec<String> {
    let only = |sign: char, these: &str, those: &str| -> Vec<String> {
        these
            .lines()
            .filter(|line| !those.lines().any(|other| other == *line))
            .map(|line| format!("{sign} {line}"))
            .collect()
    };
    [only('-', known, found), only('+', found, known)].concat()
}

fn hides(outcome: &str) -> bool {
    matches!(outcome, "null" | "-" | "empty" | "NOT_FOUND")
}

#[expect(
    clippy::disallowed_methods,
    reason = "a setting of the tests, not of the program"
)]
fn is_update() -> bool {
    std::env::var_os(UPDATE).is_some()
}

/// A shop where signing in hundreds of times is nothing unusual.
async fn quiet(shop: &Shop) -> Shop {
    shop.beside(&[
        ("SOUK_RATE_LIMIT_AUTH", "off"),
        ("SOUK_RATE_LIMIT_REGISTRATION", "off"),
    ])
    .await
}

both! {
    async fn everybody_gets_what_the_matrix_says(shop: &Shop) {
        let shop = quiet(shop).await;
        let world = World::new(&shop).await;
        let mut probes = plan(&sdl()).unwrap_or_else(|unknown| panic!("{unknown:#?}"));
        // Reading comes first, while everything is as it was made.
        probes.sort_by_key(|probe| probe.writes);
        let mut rows = Vec::new();
        for probe in &probes {
            let mut cells = Vec::new();
            for column in COLUMNS {
                let answer = world.ask(column, &probe.document, probe.writes).await;
                let validated = answer["errors"][0]["extensions"]["code"] != "GRAPHQL_VALIDATION_FAILED";
                assert!(validated, "{}: {answer}", probe.document);
                cells.push(outcome(probe, &answer));
            }
            assert!(cells.iter().any(|cell| cell == "ok" || probe.name.ends_with(".userErrors")), "nobody gets {}: {cells:?}", probe.name);
            rows.push((probe.name.clone(), cells));
        }
        rows.sort_by_key(|(name, _)| (ROOTS_FIRST.iter().position(|root| name.starts_with(root)).unwrap_or(ROOTS_FIRST.len()), name.clone()));
        let found = table(&rows);
        if is_update() {
            if shop.kind == Kind::Sqlite {
                std::fs::write(MATRIX, &found).unwrap();
            }
        } else {
            let differences = differences(&std::fs::read_to_string(MATRIX).unwrap(), &found);
            assert!(differences.is_empty(), "who gets what has changed: is that meant? Then {UPDATE}=1\n{}", differences.join("\n"));
        }
        shop.close().await;
    }

    async fn what_is_hidden_answers_as_what_does_not_exist(shop: &Shop) {
        let shop = quiet(shop).await;
        let world = World::new(&shop).await;
        let mut compared = 0;
        let mut probes = plan(&sdl()).unwrap();
        probes.retain(|probe| probe.path.len() == 1);
        // Last what ends sessions.
        probes.sort_by_key(|probe| probe.writes);
        for probe in &probes {
            // Signing in by an email or a token is about who somebody is, not about what he sees.
            if !probe.document.contains("\"@") || probe.document.contains("@refresh") || probe.document.contains("@email") {
                continue;
            }
            for column in COLUMNS {
                let hidden = world.ask(column, &probe.document, probe.writes).await;
                if hides(&outcome(probe, &hidden)) || hidden["errors"].is_array() {
                    let nothing = world.ask_for_nothing(column, &probe.document, probe.writes).await;
                    assert_eq!(hidden, nothing, "{} {}", column.title, probe.document);
                    compared += 1;
                }
            }
        }
        assert!(compared > 30, "{compared}");
        shop.close().await;
    }
}

/// The tests of the test.
#[test]
fn a_field_that_the_matrix_does_not_know_is_noticed() {
    let grown = |kind: &str| {
        sdl().replacen(
            &format!("type {kind} {{"),
            &format!("type {kind} {{\n\tsecret: String"),
            1,
        )
    };
    for root in ["Query", "Mutation", "Subscription"] {
        let unknown = plan(&grown(root)).unwrap_err();
        assert_eq!(
            unknown,
            [format!("{root}.secret: say in roots.rs what to ask it for")]
        );
    }
    let matrix = std::fs::read_to_string(MATRIX).unwrap();
    let names =
        |sdl: &str| -> Vec<String> { plan(sdl).unwrap().into_iter().map(|probe| probe.name).collect() };
    let known = |name: &String| {
        matrix.lines().any(|line| {
            line.strip_prefix(name.as_str())
                .is_some_and(|rest| rest.starts_with(' '))
        })
    };
    let missing = |sdl: &str| -> Vec<String> { names(sdl).into_iter().filter(|name| !known(name)).collect() };
    assert_eq!(missing(&sdl()), Vec::<String>::new());
    for kind in [
        "Address",
        "User implements Node",
        "UserRoleUpdatePayload",
        "Money",
    ] {
        let name = kind.split(' ').next().unwrap();
        assert_eq!(missing(&grown(kind)), [format!("{name}.secret")]);
    }
    let island = format!("{}\ntype Island {{ secret: String }}", sdl());
    assert_eq!(
        plan(&island).unwrap_err(),
        ["Island: say in roots.rs how to come to one"]
    );
}

#[test]
fn another_outcome_is_noticed() {
    let row = |cell: &str| table(&[("User.email".to_owned(), vec![cell.to_owned(); COLUMNS.len()])]);
    assert_eq!(differences(&row("ok"), &row("ok")), Vec::<String>::new());
    let changed = differences(&row("FORBIDDEN"), &row("ok"));
    assert!(
        changed.len() == 2
            && changed[0].starts_with("- User.email  FORBIDDEN")
            && changed[1].starts_with("+ User.email  ok"),
        "{changed:?}"
    );
    let titles: Vec<_> = COLUMNS.iter().map(|column: &Column| column.title).collect();
    assert_eq!(
        titles,
        [
            "nobody",
            "nobody:hidden",
            "customer:own",
            "customer:hidden",
            "staff",
            "admin"
        ]
    );
}
