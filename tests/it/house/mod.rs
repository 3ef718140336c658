//! Keeps the floors of the house apart: reads what each file names, and refuses what points up.
//!
//! The plan is `docs/ARCHITECTURE.md`. Where a wall stands wrong, move it there and here; never leave a hole.

mod source;

use std::path::{Path, PathBuf};

use source::{Token, paths, tokens, without_tests};

/// From the ground up. A file may name its own floor and those below it; of two on one line neither the other.
const FLOORS: &[&[&str]] = &[
    &["kernel"],
    &["entity"],
    &["infra"],
    &["domain"],
    &["graphql"],
    &["http", "worker"],
    &["app", "cli", "main", "lib"],
];

/// A room calls only those before it. `context` and `event` are words that all rooms share.
const ROOMS: &[&str] = &[
    "audit",
    "accounts",
    "catalog",
    "inventory",
    "carts",
    "ledger",
    "orders",
    "payments",
    "checkout",
    "exchange",
];
const SHARED: &[&str] = &["answers", "context", "event", "news", "permission"];

/// What a floor never mentions.
const SILENT: &[(&str, &[&str])] = &[
    (
        "kernel",
        &["async_graphql", "axum", "hyper", "tower", "tower_http"],
    ),
    (
        "entity",
        &["async_graphql", "axum", "hyper", "tower", "tower_http", "sqlx"],
    ),
    ("infra", &["async_graphql"]),
    (
        "domain",
        &["async_graphql", "axum", "hyper", "tower", "tower_http"],
    ),
    (
        "graphql",
        &["sea_orm", "sqlx", "axum", "hyper", "tower", "tower_http"],
    ),
    ("http", &["sea_orm", "sqlx", "migration"]),
    ("worker", &["sqlx", "async_graphql", "axum"]),
    ("migration", &["souk"]),
];

/// Who may start something that runs on its own: only who also waits for its end.
const SPAWNERS: &[&str] = &["http", "worker", "app", "cli"];

/// A mutation runs to its end when its client hangs up, and a group when all of them do; the database, which closes last, waits for both.
const MAY_SPAWN: &[&str] = &["src/graphql/engine.rs", "src/infra/group/mod.rs"];

const LONGEST_FILE: usize = 500;
const LONGEST_MAIN: usize = 40;

/// What a file does against the plan of the house.
fn violations(file: &str, source: &str) -> Vec<String> {
    let mut found = shape(file, source);
    let place = place(file);
    let Some(floor) = place.first() else { return found };
    let tokens = tokens(source);
    for path in paths(&tokens) {
        if let Some(silent) = SILENT.iter().find(|(name, _)| name == floor)
            && path.first().is_some_and(|name| silent.1.contains(&name.as_str()))
        {
            found.push(format!("{floor} does not mention {}", path[0]));
        }
        if file.starts_with("src/")
            && let Some(target) = absolute(&path, &place, file)
        {
            found.extend(points_up(&place, &target));
        }
    }
    let code = self::tokens(without_tests(source));
    if file.starts_with("src/")
        && !SPAWNERS.contains(&floor.as_str())
        && !MAY_SPAWN.contains(&file)
        // Whose tests stand beside it.
        && !file.ends_with("/tests.rs")
        && spawns(&code)
    {
        found.push(format!("{floor} does not spawn"));
    }
    found.sort();
    found.dedup();
    found
}

fn spawns(code: &[Token]) -> bool {
    let called = |path: &Vec<String>| {
        path.len() > 1
            && matches!(path[0].as_str(), "tokio" | "task" | "thread" | "std")
            && path
                .last()
                .is_some_and(|name| matches!(name.as_str(), "spawn" | "spawn_local"))
    };
    paths(code).iter().any(called)
}

fn shape(file: &str, source: &str) -> Vec<String> {
    let mut found = Vec::new();
    if !source.starts_with("//!") {
        found.push("opens without `//!` that says what it owns".to_owned());
    }
    let lines = source.lines().count();
    let most = if file == "src/main.rs" {
        LONGEST_MAIN
    } else {
        LONGEST_FILE
    };
    if lines > most {
        found.push(format!("has {lines} lines, where {most} are the most"));
    }
    found
}

/// Where a file stands: `src/domain/catalog/mod.rs` in `domain`, `catalog`.
fn place(file: &str) -> Vec<String> {
    let path = file.strip_prefix("src/").unwrap_or(file).trim_end_matches(".rs");
    path.split('/')
        .filter(|segment| *segment != "mod")
        .map(str::to_owned)
        .collect()
}

/// The module that a path leads to, when it leads into this crate.
fn absolute(path: &[String], place: &[String], file: &str) -> Option<Vec<String>> {
    let home = if matches!(file, "src/lib.rs" | "src/main.rs") {
        &[]
    } else {
        place
    };
    let ups = path.iter().take_while(|segment| *segment == "super").count();
    match path.first()?.as_str() {
        "crate" | "souk" => Some(path[1..].to_vec()),
        "super" => {
            let above = home.len().saturating_sub(ups);
            Some(home[..above].iter().chain(&path[ups..]).cloned().collect())
        }
        _ => None,
    }
}

fn height(floor: &str) -> Option<usize> {
    FLOORS.iter().position(|names| names.contains(&floor))
}

fn points_up(from: &[String], to: &[String]) -> Option<String> {
    let (floor, other) = (from.first()?.as_str(), to.first()?.as_str());
    let (Some(height), Some(above)) = (height(floor), height(other)) else {
        return height(floor)
            .is_none()
            .then(|| format!("{floor} is not a floor of the house"));
    };
    if above > height {
        return Some(format!("{floor} does not know {other}, which stands above it"));
    }
    if above == height && floor != other && matches!(floor, "http" | "worker") {
        return Some(format!("{floor} does not know {other}"));
    }
    if floor == "domain" && other == "domain" {
        return between_rooms(from.get(1)?, to.get(1)?);
    }
    None
}

fn between_rooms(room: &str, other: &str) -> Option<String> {
    if SHARED.contains(&room) || SHARED.contains(&other) || room == other {
        return None;
    }
    let place = |name: &str| ROOMS.iter().position(|room| *room == name);
    match (place(room), place(other)) {
        (None, _) => Some(format!("room {room} is not in the order of rooms")),
        (Some(own), Some(others)) if others > own => {
            Some(format!("room {room} does not call {other}, which comes later"))
        }
        _ => None,
    }
}

fn rust_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if path.is_dir() {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn every_file_keeps_to_the_plan() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for folder in ["src", "migration/src", "tests/it"] {
        rust_files(&root.join(folder), &mut files);
    }
    assert!(files.len() > 50, "the house has more files than {}", files.len());
    let complaints: Vec<String> = files
        .iter()
        .flat_map(|path| {
            let file = path
                .strip_prefix(root)
                .unwrap()
                .to_string_lossy()
                .replace('\\', "/");
            let source = std::fs::read_to_string(path).unwrap();
            violations(&file, &source)
                .into_iter()
                .map(move |what| format!("{file}: {what}"))
        })
        .collect();
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

#[test]
fn every_room_has_a_place_in_the_order() {
    let domain = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/domain");
    for entry in std::fs::read_dir(domain).unwrap().map(Result::unwrap) {
        let name = entry
            .file_name()
            .to_string_lossy()
            .trim_end_matches(".rs")
            .to_owned();
        let known = name == "mod" || SHARED.contains(&name.as_str()) || ROOMS.contains(&name.as_str());
        assert!(known, "domain/{name} has no place in the order of rooms");
    }
}

/// The test of the test: each of these would go unnoticed if it were blind.
#[test]
fn a_breach_is_noticed() {
    for (file, source, complaint) in [
        (
            "src/kernel/id.rs",
            "use crate::infra::db::Db;",
            "kernel does not know infra, which stands above it",
        ),
        (
            "src/domain/catalog/repo.rs",
            "use crate::graphql::schema;",
            "domain does not know graphql, which stands above it",
        ),
        (
            "src/domain/catalog/repo.rs",
            "use crate::{kernel::id, graphql::schema};",
            "domain does not know graphql",
        ),
        (
            "src/domain/catalog/repo.rs",
            "fn f() -> crate::graphql::X { todo() }",
            "domain does not know graphql",
        ),
        (
            "src/domain/catalog/repo.rs",
            "use super::super::super::http::x;",
            "domain does not know http",
        ),
        (
            "src/domain/catalog/mod.rs",
            "use super::inventory::adjust;",
            "room catalog does not call inventory, which comes later",
        ),
        (
            "src/domain/catalog/mod.rs",
            "use crate::domain::{context, exchange::x};",
            "room catalog does not call exchange",
        ),
        (
            "src/domain/attic/mod.rs",
            "use super::catalog::x;",
            "room attic is not in the order of rooms",
        ),
        (
            "src/domain/catalog/mod.rs",
            "use async_graphql::Object;",
            "domain does not mention async_graphql",
        ),
        (
            "src/domain/catalog/mod.rs",
            "fn f(x: axum::Json<u8>) {}",
            "domain does not mention axum",
        ),
        (
            "src/entity/product.rs",
            "#[derive(async_graphql::SimpleObject)] struct A;",
            "entity does not mention async_graphql",
        ),
        (
            "src/graphql/catalog/query.rs",
            "use sea_orm::EntityTrait;",
            "graphql does not mention sea_orm",
        ),
        (
            "src/http/graphql.rs",
            "use crate::worker::x;",
            "http does not know worker",
        ),
        (
            "src/worker/mod.rs",
            "use crate::http::x;",
            "worker does not know http",
        ),
        (
            "src/http/graphql.rs",
            "fn f() { sea_orm::Statement::x() }",
            "http does not mention sea_orm",
        ),
        (
            "src/http/graphql.rs",
            "use crate::app::App;",
            "http does not know app, which stands above it",
        ),
        (
            "migration/src/lib.rs",
            "use souk::entity::product;",
            "does not mention souk",
        ),
        (
            "src/cellar/mod.rs",
            "use crate::kernel::id;",
            "cellar is not a floor of the house",
        ),
        (
            "src/infra/bus.rs",
            "fn f() { tokio::spawn(async {}); }",
            "infra does not spawn",
        ),
        (
            "src/domain/catalog/mod.rs",
            "fn f() { std::thread::spawn(|| ()); }",
            "domain does not spawn",
        ),
    ] {
        let source = format!("//! Something.\n{source}");
        let found = violations(file, &source);
        assert!(
            found.iter().any(|found| found.contains(complaint)),
            "{file}: {source}\n{found:?}"
        );
    }
    assert_eq!(
        violations("src/kernel/id.rs", "use std::fmt;"),
        ["opens without `//!` that says what it owns"]
    );
    let long = "//! Long.\n".repeat(41);
    assert_eq!(
        violations("src/main.rs", &long),
        ["has 41 lines, where 40 are the most"]
    );
    assert_eq!(violations("src/kernel/id.rs", &long), Vec::<String>::new());
    assert_eq!(violations("src/kernel/id.rs", &long.repeat(13)).len(), 1);
}

#[test]
fn what_is_allowed_is_not_complained_of() {
    for (file, source) in [
        (
            "src/graphql/catalog/query.rs",
            "use crate::domain::catalog::{self, listing}; use crate::kernel::id::ProductId;",
        ),
        (
            "src/graphql/orders/types.rs",
            "use super::super::accounts::User; use crate::entity::order;",
        ),
        (
            "src/domain/exchange/mod.rs",
            "use crate::domain::catalog::insert::insert_products; use super::inventory;",
        ),
        (
            "src/domain/catalog/mod.rs",
            "// crate::graphql would be wrong\n/* axum /* async_graphql */ */ use std::fmt;",
        ),
        (
            "src/domain/catalog/mod.rs",
            r##"const A: &str = "use axum::Json; \" sea"; const B: &str = r#"crate::http "x" "#;"##,
        ),
        (
            "src/domain/catalog/mod.rs",
            "const Q: char = '\"'; fn f<'a>(x: &'a str) -> crate::kernel::id::Id { x }",
        ),
        (
            "src/infra/cache.rs",
            "fn f() {}\n#[cfg(test)]\nmod tests { fn g() { tokio::spawn(async {}); } }",
        ),
        (
            "src/http/server.rs",
            "use crate::graphql::execution; fn f() { tokio::spawn(async {}); }",
        ),
        (
            "src/cli/serve.rs",
            "use crate::app::App; use crate::worker; use crate::http;",
        ),
        ("src/main.rs", "use souk::cli; fn main() {}"),
    ] {
        assert_eq!(
            violations(file, &format!("//! Something.\n{source}")),
            Vec::<String>::new(),
            "{file}: {source}"
        );
    }
}
