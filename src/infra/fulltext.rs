//! Words to rows: one full-text index on both databases, with the same answers.
//!
//! The words come ready made (see `kernel::text::words`) in three weights. A row matches when it has
//! every word; its score adds up, for each word, 4, 2 or 1 by the best weight that holds it. Unlike
//! BM25 that does not depend on the other rows, so a page by score stays where it is while rows come.

use sea_orm::sea_query::{CommonTableExpression, Expr, ExprTrait as _, Query, SelectStatement};
use sea_orm::{ConnectionTrait, DatabaseBackend, DbErr, Statement, TryGetable as _, Value};
use std::collections::{BTreeMap, HashMap, HashSet};
use uuid::Uuid;

/// The tables of one index: `table` with the owner's id, and for SQLite `{table}_words` beside it.
#[derive(Clone, Copy, Debug)]
pub struct FullText {
    pub table: &'static str,
    pub owner: &'static str,
}

/// The words of one row, best weight first.
#[derive(Clone, Debug)]
pub struct Document {
    pub owner: Uuid,
    pub words: [Vec<String>; 3],
}

/// Longer words are cut, in the index and in what is looked for.
const MAX_WORD: usize = 64;
/// The bytes of a row's words, best weight first; what comes after is not found. A `tsvector` holds a megabyte with
/// what it adds to each word, and a text of a hundred thousand characters may have more once they are taken apart.
const MAX_BYTES: usize = 900_000;
/// At most what PostgreSQL adds to a word: alignment, the number of its places, and the place.
const BYTES_BESIDE: usize = 6;
const WEIGHTS: [char; 3] = ['A', 'B', 'C'];
const SCORES: [i32; 3] = [4, 2, 1];
/// Rows of one statement.
const BATCH: usize = 500;

fn cut(word: &str) -> String {
    word.chars().take(MAX_WORD).collect()
}

/// A word between quotes: nothing in it is an operator.
fn quoted(word: &str, quote: char) -> String {
    let inner: String = cut(word)
        .chars()
        .filter(|c| c.is_alphanumeric() || !c.is_ascii())
        .collect();
    format!("{quote}{inner}{quote}")
}

impl FullText {
    /// Stores the words of these rows, in place of those that they had.
    pub async fn put<C: ConnectionTrait>(&self, connection: &C, documents: &[Document]) -> Result<(), DbErr> {
        for batch in documents.chunks(BATCH) {
            match connection.get_database_backend() {
                DatabaseBackend::Postgres => self.put_postgres(connection, batch).await?,
                _ => self.put_sqlite(connection, batch).await?,
            }
        }
        Ok(())
    }

    async fn put_postgres<C: ConnectionTrait>(
        &self,
        connection: &C,
        batch: &[Document],
    ) -> Result<(), DbErr> {
        let Self { table, owner } = self;
        let rows = placeholders(batch.len(), |n| {
            format!("(${}, ${}::tsvector)", 2 * n + 1, 2 * n + 2)
        });
        let sql = format!(
            "INSERT INTO {table} ({owner}, document) VALUES {rows} \
             ON CONFLICT ({owner}) DO UPDATE SET document = excluded.document"
        );
        let values = batch
            .iter()
            .flat_map(|d| [Value::from(d.owner), Value::from(tsvector(d))]);
        execute(connection, sql, values.collect()).await
    }

    async fn put_sqlite<C: ConnectionTrait>(&self, connection: &C, batch: &[Document]) -> Result<(), DbErr> {
        let Self { table, owner } = self;
        let owners: Vec<Value> = batch.iter().map(|d| Value::from(d.owner)).collect();
        let rows = placeholders(batch.len(), |_| "(?)".to_owned());
        let sql = format!("INSERT INTO {table} ({owner}) VALUES {rows} ON CONFLICT DO NOTHING");
        execute(connection, sql, owners.clone()).await?;

        let list = placeholders(batch.len(), |_| "?".to_owned());
        let sql = format!("SELECT {owner}, number FROM {table} WHERE {owner} IN ({list})");
        let numbers = connection
            .query_all_raw(Statement::from_sql_and_values(
                DatabaseBackend::Sqlite,
                sql,
                owners,
            ))
            .await?
            .iter()
            .map(|row| Ok((Uuid::try_get_by(row, 0)?, i64::try_get_by(row, 1)?)))
            .collect::<Result<HashMap<Uuid, i64>, DbErr>>()?;

        let rows = placeholders(batch.len(), |_| "(?, ?, ?, ?)".to_owned());
        let sql = format!("INSERT OR REPLACE INTO {table}_words (rowid, a, b, c) VALUES {rows}");
        let mut values = Vec::with_capacity(4 * batch.len());
        for document in batch {
            values.push(Value::from(numbers.get(&document.owner).copied()));
            values.extend(bounded(document).map(|words| Value::from(words.join(" "))));
        }
        execute(connection, sql, values).await
    }

    /// Whether the row with this id has all the words.
    pub fn matches(&self, backend: DatabaseBackend, id: &Expr, words: &[String]) -> Expr {
        id.clone().in_subquery(self.found(backend, words))
    }

    /// All rows that have all the words, as a table `hit (owner, score)`. It is made once for a statement, whatever
    /// reads it: the planner, left to itself, would look the words up anew wherever they are asked for.
    pub fn hits(&self, backend: DatabaseBackend, words: &[String]) -> CommonTableExpression {
        let score = words.iter().fold(Expr::cust("0"), |sum, word| {
            sum.add(self.score(backend, std::slice::from_ref(word)))
        });
        let found = self
            .found(backend, words)
            .expr(score.cast_as("bigint"))
            .to_owned();
        CommonTableExpression::new()
            .table_name(HIT)
            .columns([OWNER, SCORE])
            .query(found)
            .materialized(true)
            .to_owned()
    }

    fn found(&self, backend: DatabaseBackend, words: &[String]) -> SelectStatement {
        Query::select()
            .column(self.owner)
            .from(self.table)
            .and_where(self.has(backend, words, None))
            .to_owned()
    }

    /// What a row that has the word scores for it.
    fn score(&self, backend: DatabaseBackend, word: &[String]) -> Expr {
        let [best, good, least] = SCORES.map(|score| Expr::cust(score.to_string()));
        Expr::case(self.has(backend, word, Some(0)), best)
            .case(self.has(backend, word, Some(1)), good)
            .finally(least)
            .into()
    }

    /// Whether a row of the index has all the words, in one weight or in any. No words are in no row.
    fn has(&self, backend: DatabaseBackend, words: &[String], weight: Option<usize>) -> Expr {
        let table = self.table;
        if words.is_empty() {
            return Expr::cust("1 = 0");
        }
        match backend {
            DatabaseBackend::Postgres => {
                let weight = weight
                    .and_then(|w| WEIGHTS.get(w))
                    .map_or(String::new(), |w| format!(":{w}"));
                let query = join(words, " & ", |word| format!("{}{weight}", quoted(word, '\'')));
                Expr::cust_with_values("document @@ $1::tsquery", [query])
            }
            _ => {
                let column = weight.and_then(|w| ["a", "b", "c"].get(w).copied());
                let column = column.map_or(String::new(), |c| format!("{{{c}}} : "));
                let query = join(words, " AND ", |word| format!("{column}{}", quoted(word, '"')));
                let sql = format!("number IN (SELECT rowid FROM {table}_words WHERE {table}_words MATCH ?)");
                Expr::cust_with_values(sql, [query])
            }
        }
    }
}

/// The table of [`FullText::hits`], and its columns.
pub const HIT: &str = "hit";
pub const OWNER: &str = "owner";
pub const SCORE: &str = "score";

async fn execute<C: ConnectionTrait>(connection: &C, sql: String, values: Vec<Value>) -> Result<(), DbErr> {
    let statement = Statement::from_sql_and_values(connection.get_database_backend(), sql, values);
    connection.execute_raw(statement).await.map(|_| ())
}

fn placeholders(count: usize, one: impl Fn(usize) -> String) -> String {
    (0..count).map(one).collect::<Vec<_>>().join(", ")
}

fn join(words: &[String], by: &str, one: impl Fn(&str) -> String) -> String {
    words.iter().map(|word| one(word)).collect::<Vec<_>>().join(by)
}

/// The words of each weight, each once and no more of them than fit.
fn bounded(document: &Document) -> [Vec<String>; 3] {
    let mut room = MAX_BYTES;
    document.words.each_ref().map(|words| {
        let mut kept = Vec::new();
        let mut seen = HashSet::new();
        for word in words.iter().map(|word| cut(word)) {
            if seen.contains(&word) {
                continue;
            }
            let Some(left) = room.checked_sub(word.len() + BYTES_BESIDE) else {
                break;
            };
            room = left;
            seen.insert(word.clone());
            kept.push(word);
        }
        kept
    })
}

/// `'red':1A,3C 'shirt':2B`: each word with one position for each weight that it has.
fn tsvector(document: &Document) -> String {
    let mut weights: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for ((position, weight), words) in (1..).zip(WEIGHTS).zip(bounded(document)) {
        for word in words {
            weights
                .entry(quoted(&word, '\''))
                .or_default()
                .push(format!("{position}{weight}"));
        }
    }
    weights
        .into_iter()
        .map(|(word, at)| format!("{word}:{}", at.join(",")))
        .collect::<Vec<_>>()
        .join(" ")
}
