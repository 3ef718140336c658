//! What sharding the shop by its customers would meet: every statement against the plan in docs/OPERATIONS.md.
//!
//! The plan says of each table how it would be spread, and of each kind of statement that would ask more than one shard why it
//! does. A table that the plan does not know fails here, and so does such a statement.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use souk::domain::context::Context;
use souk::domain::payments::reconcile::{Difference, Scope, Silence, Watch, reconcile};
use souk::graphql::schema::sdl;
use souk::kernel::actor::{Actor, Origin};
use souk::worker;
use tokio_util::sync::CancellationToken;
use tracing::field::{Field, Visit};
use tracing::{Dispatch, Event, Metadata, Subscriber};
use tracing_subscriber::layer::{Context as LayerContext, SubscriberExt as _};
use tracing_subscriber::{Layer, Registry};

use super::people::{COLUMNS, World};
use super::plan::plan;
use super::quiet;
use crate::support::{Kind, Shop, TestDatabase};

const PLAN: &str = include_str!("../../../docs/OPERATIONS.md");

/// The statements of this thread, each once, without quotes.
#[derive(Clone, Default)]
struct Statements(Arc<Mutex<BTreeSet<String>>>);

impl<S: Subscriber> Layer<S> for Statements {
    fn enabled(&self, metadata: &Metadata<'_>, _: LayerContext<'_, S>) -> bool {
        metadata.target().starts_with("souk::infra::db")
    }

    fn on_event(&self, event: &Event<'_>, _: LayerContext<'_, S>) {
        event.record(&mut Sql(self));
    }
}

struct Sql<'a>(&'a Statements);

impl Visit for Sql<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        if field.name() == "sql" {
            let text = format!("{value:?}").replace('"', "");
            let statement = text.split_whitespace().collect::<Vec<_>>().join(" ");
            self.0.0.lock().unwrap().insert(statement);
        }
    }
}

/// How a table would be spread: the rows of the first table under a heading of the plan, by their first two cells.
fn table_under(heading: &str) -> Vec<(String, String)> {
    let (_, section) = PLAN
        .split_once(heading)
        .unwrap_or_else(|| panic!("the plan has no {heading:?}"));
    let rows = section.lines().skip_while(|line| !line.starts_with("|---"));
    rows.skip(1)
        .take_while(|line| line.starts_with('|'))
        .map(|line| {
            let mut cells = line
                .trim_matches('|')
                .split('|')
                .map(|cell| cell.trim().to_owned());
            (cells.next().unwrap(), cells.next().unwrap())
        })
        .collect()
}

/// The tables that a statement names.
fn tables(statement: &str) -> BTreeSet<&str> {
    let words: Vec<&str> = statement
        .split([' ', '(', ')', ','])
        .filter(|word| !word.is_empty())
        .collect();
    words
        .windows(2)
        .filter(|pair| matches!(pair[0], "FROM" | "JOIN" | "INTO" | "UPDATE"))
        .map(|pair| pair[1])
        .filter(|name| !matches!(*name, "SELECT" | "SET" | "SKIP" | "OF" | "VALUES" | "LATERAL"))
        .collect()
}

/// Whether it asks for rows of one customer, or by the key of something that belongs to one: a shard then, or as many as there
/// are keys in a list.
fn has_a_key(statement: &str, group: &BTreeSet<&str>) -> bool {
    let keys = [
        "id",
        "user_id",
        "order_id",
        "cart_id",
        "payment_id",
        "fulfillment_id",
        "session_id",
        "variant_id",
        "key",
        "actor",
        "hash",
    ];
    statement.starts_with("INSERT INTO")
        || group.iter().any(|table| {
            keys.iter().any(|key| {
                [" = $", " IN ($", " IN (SELECT", " = ANY($", " = v."]
                    .iter()
                    .any(|how| statement.contains(&format!("{table}.{key}{how}")))
            })
        })
}

/// What reconciling finds is not asked here.
struct Nobody;

impl Watch for Nobody {
    fn advanced(&mut self, _: u64, _: u64) {}
    fn differs(&mut self, _: Difference) {}
    fn silent(&mut self, _: Silence) {}
}

async fn everything(shop: &Shop) -> BTreeSet<String> {
    let statements = Statements::default();
    // With one subscriber alone, what another thread logs first is taken for uninteresting, for good.
    let _kept = Dispatch::new(Registry::default().with(Statements::default()));
    let guard = tracing::subscriber::set_default(Registry::default().with(statements.clone()));
    let world = World::new(shop).await;
    let mut probes = plan(&sdl()).unwrap();
    probes.sort_by_key(|probe| probe.writes);
    for probe in &probes {
        // They differ in what they are shown, hardly in what is asked of the database.
        for column in COLUMNS
            .into_iter()
            .filter(|column| ["customer:own", "admin"].contains(&column.title))
        {
            world.ask(column, &probe.document, probe.writes).await;
        }
    }
    let stop = CancellationToken::new();
    let work = worker::run(Arc::clone(&shop.platform), stop);
    let _endless = tokio::time::timeout(Duration::from_secs(3), work).await;
    let system = Context::writing(Actor::System, Origin::default(), Arc::clone(&shop.platform));
    shop.platform
        .revocations
        .read(system.db(), system.now(), Duration::from_secs(60))
        .await
        .unwrap();
    let scope = Scope {
        gateway: None,
        since: system.now() - chrono::Duration::days(1),
    };
    reconcile(&system, &scope, &mut Nobody).await.unwrap();
    drop(guard);
    statements.0.lock().unwrap().clone()
}

#[tokio::test]
async fn no_statement_crosses_shards_unknowingly() {
    let Some(database) = TestDatabase::new(Kind::Postgres).await else {
        return;
    };
    let shop = Shop::open(&database, &[]).await;
    let shop = quiet(&shop).await;

    let groups = table_under("### Tables");
    let group_of = |table: &str| {
        let named = format!("`{table}`");
        groups
            .iter()
            .find(|(_, tables)| tables.contains(&named))
            .map(|(group, _)| group.as_str())
    };
    let in_database = "SELECT tablename::text FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'seaql_migrations'";
    for row in shop.rows(in_database).await {
        assert!(
            group_of(&row[0]).is_some(),
            "the plan does not say how {} is spread",
            row[0]
        );
    }

    let functions = "SELECT proname::text FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND prorettype <> 'trigger'::regtype";
    let functions: BTreeSet<String> = shop.rows(functions).await.into_iter().flatten().collect();
    let known = table_under("### Statements that ask every shard");
    let known: Vec<String> = known
        .into_iter()
        .map(|(statement, _)| statement.trim_matches('`').to_owned())
        .collect();
    let mut unknown = Vec::new();
    let mut used = BTreeSet::new();
    for statement in everything(&shop).await {
        let all = tables(&statement);
        let spread: BTreeSet<&str> = all
            .iter()
            .copied()
            .filter(|table| group_of(table).is_some_and(|group| group != "everywhere"))
            .collect();
        let of: BTreeSet<_> = spread.iter().filter_map(|table| group_of(table)).collect();
        let calls = all.iter().any(|name| functions.contains(*name));
        if !calls && (spread.is_empty() || (of.len() == 1 && has_a_key(&statement, &spread))) {
            continue;
        }
        match known.iter().find(|known| is_like(&statement, known)) {
            Some(known) => drop(used.insert(known.clone())),
            None => unknown.push(statement),
        }
    }
    assert!(
        unknown.is_empty(),
        "these would ask every shard, and the plan does not say so:\n{}",
        unknown.join("\n")
    );
    let stale: Vec<_> = known.iter().filter(|known| !used.contains(*known)).collect();
    assert!(
        stale.is_empty(),
        "the plan tells of statements that there are not: {stale:#?}"
    );
    shop.close().await;
}

/// Whether a statement has the parts of a pattern in their order; `…` stands for anything.
fn is_like(statement: &str, pattern: &str) -> bool {
    let mut rest = statement;
    pattern.split('…').all(|part| match rest.find(part.trim()) {
        Some(at) => {
            rest = &rest[at + part.trim().len()..];
            true
        }
        None => false,
    })
}
