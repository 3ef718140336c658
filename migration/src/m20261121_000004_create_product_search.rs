//! The words of each product, for the text filter: a `tsvector` with a GIN index on PostgreSQL, an
//! FTS5 table on SQLite. Both hold three weights: the name; vendor, type and tags; the description.
//!
//! The words are made by the application (`kernel::text::words`), so both databases find alike; here they are only
//! stored. FTS5's `ascii` tokenizer parts them at the spaces between them and leaves every letter as it is: `unicode61`
//! would fold some of them once more, and part others, by a Unicode of its own. FTS5 knows rows by integer, so SQLite
//! has a table of numbers between.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const POSTGRES_UP: &str = "
    CREATE TABLE product_search (
        product_id uuid PRIMARY KEY
            CONSTRAINT fk_product_search_product_id REFERENCES product (id) ON DELETE CASCADE,
        document tsvector NOT NULL
    );
    CREATE INDEX ix_product_search_document ON product_search USING gin (document);
";
const POSTGRES_DOWN: &str = "DROP TABLE product_search;";

const SQLITE_UP: &str = "
    CREATE TABLE product_search (
        number INTEGER PRIMARY KEY,
        product_id uuid_text NOT NULL UNIQUE REFERENCES product (id) ON DELETE CASCADE
    );
    CREATE VIRTUAL TABLE product_search_words USING fts5 (
        a, b, c,
        content = '', contentless_delete = 1,
        tokenize = 'ascii'
    );
    CREATE TRIGGER product_search_forgets AFTER DELETE ON product_search BEGIN
        DELETE FROM product_search_words WHERE rowid = old.number;
    END;
";
const SQLITE_DOWN: &str = "
    DROP TABLE product_search;
    DROP TABLE product_search_words;
";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        execute(manager, POSTGRES_UP, SQLITE_UP).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        execute(manager, POSTGRES_DOWN, SQLITE_DOWN).await
    }
}

async fn execute(manager: &SchemaManager<'_>, postgres: &str, sqlite: &str) -> Result<(), DbErr> {
    let sql = match manager.get_database_backend() {
        DbBackend::Postgres => postgres,
        DbBackend::Sqlite => sqlite,
        other => {
            return Err(DbErr::Migration(format!(
                "Souk runs on SQLite and PostgreSQL, not on {other:?}"
            )));
        }
    };
    manager.get_connection().execute_unprepared(sql).await.map(|_| ())
}
