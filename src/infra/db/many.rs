//! Statements about many rows, each one statement however many there are.
//!
//! PostgreSQL is given an array for each column, as text: so the statement reads the same for one row and for a hundred, and is
//! prepared once. (A list of `VALUES` reads differently for each number of rows, is parsed and planned again each time, and
//! drives the others out of what the connection remembers.) SQLite has no arrays, and no way to go for parsing: it gets the list.

use chrono::SecondsFormat;
use sea_orm::sea_query::{ColumnType, Expr, OptionEnum};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseBackend, DatabaseTransaction, DbErr, EntityTrait, IdenStatic as _,
    Iterable as _, ModelTrait, QueryResult, Statement, Value,
};

use super::MAX_BINDS;

/// Rows that a statement takes something from, with the names and types of their columns.
#[derive(Clone, Debug)]
pub struct Rows {
    columns: Vec<(&'static str, &'static str)>,
    rows: Vec<Vec<Value>>,
}

impl Rows {
    /// Types as PostgreSQL calls them.
    pub fn new<const N: usize>(columns: [(&'static str, &'static str); N]) -> Self {
        Self {
            columns: columns.to_vec(),
            rows: Vec::new(),
        }
    }

    pub fn push<const N: usize>(&mut self, row: [Value; N]) {
        self.rows.push(row.to_vec());
    }

    fn of<E>(columns: &[E::Column], models: &[E::Model]) -> Result<Self, DbErr>
    where
        E: EntityTrait,
        E::Model: ModelTrait<Entity = E>,
    {
        let typed = |column: &E::Column| Ok((column.as_str(), type_name(column)?));
        let columns_of = |model: &E::Model| columns.iter().map(|column| model.get(*column)).collect();
        Ok(Self {
            columns: columns.iter().map(typed).collect::<Result<_, DbErr>>()?,
            rows: models.iter().map(columns_of).collect(),
        })
    }

    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    fn names(&self) -> String {
        let names: Vec<String> = self
            .columns
            .iter()
            .map(|(name, _)| format!("\"{name}\""))
            .collect();
        names.join(", ")
    }

    /// For `FROM`, by the name `v`, with what it binds: it must be the first that the statement binds.
    fn source(self, backend: DatabaseBackend) -> Result<(String, Vec<Value>), DbErr> {
        let names = self.names();
        let named: Vec<String> = (1..)
            .zip(&self.columns)
            .map(|(number, (name, _))| format!("column{number} AS \"{name}\""))
            .collect();
        let (rows, values) = self.bound(backend)?;
        if backend == DatabaseBackend::Postgres {
            return Ok((format!("{rows} AS v ({names})"), values));
        }
        let named = named.join(", ");
        Ok((format!("(SELECT {named} FROM ({rows})) AS v"), values))
    }

    /// `UNNEST(…)` or `VALUES …`.
    fn bound(self, backend: DatabaseBackend) -> Result<(String, Vec<Value>), DbErr> {
        if backend != DatabaseBackend::Postgres {
            // Without numbers: SQLite keeps those as names, and walks through all of them for each value that is bound.
            let row = format!("({})", vec!["?"; self.columns.len()].join(", "));
            let rows = vec![row; self.rows.len()].join(", ");
            let values = self.rows.into_iter().flatten().collect();
            return Ok((format!("VALUES {rows}"), values));
        }
        let arrays: Vec<String> = (1..)
            .zip(&self.columns)
            .map(|(number, (_, kind))| format!("${number}::text::{kind}[]"))
            .collect();
        let array = |place: usize| array(self.rows.iter().filter_map(|row| row.get(place)));
        let values = (0..self.columns.len()).map(array).collect::<Result<_, _>>()?;
        Ok((format!("UNNEST({})", arrays.join(", ")), values))
    }

    /// As many rows at a time as one statement may bind values of.
    fn pieces(self, backend: DatabaseBackend) -> Vec<Self> {
        let most = (MAX_BINDS / self.columns.len().max(1)).max(1);
        if self.rows.is_empty() {
            return Vec::new();
        }
        if backend == DatabaseBackend::Postgres || self.rows.len() <= most {
            return vec![self];
        }
        let piece = |rows: &[Vec<Value>]| Self {
            columns: self.columns.clone(),
            rows: rows.to_vec(),
        };
        self.rows.chunks(most).map(piece).collect()
    }

    /// Sends what `statement` makes of them, which are `v` in what it is given to select from, and of one more value, of which it
    /// is given the placeholder, which must stand after them. What it returns.
    ///
    /// # Errors
    /// The database does not answer, or refuses.
    pub async fn query(
        self,
        txn: &DatabaseTransaction,
        more: Option<Value>,
        statement: impl Fn(&str, &str) -> String,
    ) -> Result<Vec<QueryResult>, DbErr> {
        let backend = txn.get_database_backend();
        let mut found = Vec::new();
        for piece in self.pieces(backend) {
            let (source, mut values) = piece.source(backend)?;
            let place = if backend == DatabaseBackend::Postgres {
                format!("${}", values.len() + 1)
            } else {
                "?".to_owned()
            };
            values.extend(more.clone());
            let statement = Statement::from_sql_and_values(backend, statement(&source, &place), values);
            found.extend(txn.query_all_raw(statement).await?);
        }
        Ok(found)
    }
}

/// Inserts all of them. `conflict` says what else there is to say, such as `ON CONFLICT … RETURNING …`; what that returns.
///
/// # Errors
/// The database does not answer, or refuses one of them.
pub async fn insert<E>(
    txn: &DatabaseTransaction,
    models: &[E::Model],
    conflict: &str,
) -> Result<Vec<QueryResult>, DbErr>
where
    E: EntityTrait,
    E::Model: ModelTrait<Entity = E>,
{
    let backend = txn.get_database_backend();
    let columns: Vec<E::Column> = E::Column::iter().collect();
    let rows = Rows::of::<E>(&columns, models)?;
    let (table, names) = (E::default().table_name().to_owned(), rows.names());
    let mut returned = Vec::new();
    for piece in rows.pieces(backend) {
        let (source, values) = piece.bound(backend)?;
        let select = if backend == DatabaseBackend::Postgres {
            "SELECT * FROM "
        } else {
            ""
        };
        let sql = format!("INSERT INTO \"{table}\" ({names}) {select}{source} {conflict}");
        let statement = Statement::from_sql_and_values(backend, sql.trim_end(), values);
        returned.extend(txn.query_all_raw(statement).await?);
    }
    Ok(returned)
}

/// Sets these columns of rows that are there, to what they are in the models.
///
/// # Errors
/// The database does not answer, or refuses one of them, or one of them is gone.
pub async fn update<E>(
    txn: &DatabaseTransaction,
    key: E::Column,
    changed: &[E::Column],
    models: &[E::Model],
) -> Result<(), DbErr>
where
    E: EntityTrait,
    E::Model: ModelTrait<Entity = E>,
{
    if changed.is_empty() || models.is_empty() {
        return Ok(());
    }
    let columns: Vec<E::Column> = std::iter::once(key).chain(changed.iter().copied()).collect();
    let (table, key) = (E::default().table_name().to_owned(), key.as_str());
    let set: Vec<String> = changed
        .iter()
        .map(|column| format!("\"{0}\" = v.\"{0}\"", column.as_str()))
        .collect();
    let set = set.join(", ");
    let statement = |source: &str, _: &str| {
        format!(
            "UPDATE \"{table}\" SET {set} FROM {source} WHERE \"{table}\".\"{key}\" = v.\"{key}\" RETURNING \"{table}\".\"{key}\""
        )
    };
    let updated = Rows::of::<E>(&columns, models)?
        .query(txn, None, statement)
        .await?;
    if updated.len() == models.len() {
        Ok(())
    } else {
        Err(DbErr::RecordNotUpdated)
    }
}

/// The columns in which any of the rows is another than it was.
pub fn differing<'a, M: ModelTrait + 'a>(
    pairs: impl Iterator<Item = (&'a M, &'a M)> + Clone,
) -> Vec<<M::Entity as EntityTrait>::Column> {
    <M::Entity as EntityTrait>::Column::iter()
        .filter(|column| {
            pairs
                .clone()
                .any(|(one, other)| one.get(*column) != other.get(*column))
        })
        .collect()
}

/// Whether the column has one of these values.
///
/// # Errors
/// Internal: a type of which there is no list.
pub fn among<C: ColumnTrait, V: Into<Value>>(
    backend: DatabaseBackend,
    column: C,
    values: impl IntoIterator<Item = V>,
) -> Result<Expr, DbErr> {
    let mut values: Vec<Value> = values.into_iter().map(Into::into).collect();
    if backend == DatabaseBackend::Postgres {
        let (table, name) = column.as_column_ref();
        let kind = type_name(&column)?;
        let sql = format!("\"{table}\".\"{name}\" = ANY($1::text::{kind}[])");
        return Ok(Expr::cust_with_values(sql, [array(values.iter())?]));
    }
    // Few lengths are few statements to remember.
    if let Some(last) = values.last().cloned() {
        values.resize(
            values.len().next_power_of_two().min(MAX_BINDS.max(values.len())),
            last,
        );
    }
    Ok(column.is_in(values))
}

/// What PostgreSQL calls the type of a column.
fn type_name<C: ColumnTrait>(column: &C) -> Result<&'static str, DbErr> {
    match column.def().get_column_type() {
        ColumnType::Uuid => Ok("uuid"),
        ColumnType::Text | ColumnType::String(_) | ColumnType::Char(_) => Ok("text"),
        ColumnType::Integer => Ok("integer"),
        ColumnType::BigInteger => Ok("bigint"),
        ColumnType::Boolean => Ok("boolean"),
        ColumnType::Date => Ok("date"),
        ColumnType::TimestampWithTimeZone => Ok("timestamptz"),
        ColumnType::Json | ColumnType::JsonBinary => Ok("jsonb"),
        other => Err(DbErr::Type(format!(
            "a column of the type {other:?} is in no list"
        ))),
    }
}

/// An array as PostgreSQL reads it.
fn array<'a>(values: impl Iterator<Item = &'a Value>) -> Result<Value, DbErr> {
    let mut text = String::from("{");
    for (place, value) in values.enumerate() {
        if place > 0 {
            text.push(',');
        }
        match plain(value)? {
            Some(plain) => {
                text.push('"');
                for letter in plain.chars() {
                    if matches!(letter, '"' | '\\') {
                        text.push('\\');
                    }
                    text.push(letter);
                }
                text.push('"');
            }
            None => text.push_str("NULL"),
        }
    }
    text.push('}');
    Ok(Value::String(Some(text)))
}

fn plain(value: &Value) -> Result<Option<String>, DbErr> {
    Ok(match value {
        Value::Bool(value) => value.map(|value| value.to_string()),
        Value::Int(value) => value.map(|value| value.to_string()),
        Value::BigInt(value) => value.map(|value| value.to_string()),
        Value::String(value) => value.clone(),
        Value::Enum(OptionEnum::Some(value)) => Some(value.value.to_string()),
        Value::Enum(OptionEnum::None(_)) => None,
        Value::Uuid(value) => value.map(|value| value.to_string()),
        Value::ChronoDate(value) => value.map(|value| value.to_string()),
        // What is finer is cut off, as it is where a single value is bound.
        Value::ChronoDateTimeUtc(value) => {
            value.map(|value| value.to_rfc3339_opts(SecondsFormat::Micros, true))
        }
        Value::Json(value) => value.as_ref().map(ToString::to_string),
        other => return Err(DbErr::Type(format!("{other:?} is in no list"))),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ends_an_array_does_not_end_it_within_a_text() {
        let texts = ["plain", "", "NULL", r#"a "quoted", {braced}\ one"#, "two\nlines"];
        let mut values: Vec<Value> = texts.into_iter().map(Value::from).collect();
        values.push(Value::String(None));
        let expected =
            "{\"plain\",\"\",\"NULL\",\"a \\\"quoted\\\", {braced}\\\\ one\",\"two\nlines\",NULL}".to_owned();
        assert_eq!(array(values.iter()).unwrap(), Value::String(Some(expected)));
    }

    #[test]
    fn a_statement_reads_the_same_for_one_and_for_many() {
        let mut rows = Rows::new([("id", "bigint"), ("name", "text")]);
        let mut texts = Vec::new();
        for number in 0..3_i64 {
            rows.push([number.into(), "name".into()]);
            texts.push(rows.clone().source(DatabaseBackend::Postgres).unwrap().0);
        }
        let expected = r#"UNNEST($1::text::bigint[], $2::text::text[]) AS v ("id", "name")"#;
        assert_eq!(texts, [expected; 3]);
        let (sqlite, values) = rows.source(DatabaseBackend::Sqlite).unwrap();
        assert_eq!(
            sqlite,
            r#"(SELECT column1 AS "id", column2 AS "name" FROM (VALUES (?, ?), (?, ?), (?, ?))) AS v"#
        );
        assert_eq!(values.len(), 6);
    }
}
