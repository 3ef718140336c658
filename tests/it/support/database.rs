//! A database for one test: migrated, empty, gone afterwards.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use sea_orm::{ConnectionTrait as _, Statement};
use secrecy::SecretString;
use souk::infra::db::{Db, schema};
use souk::kernel::config::DatabaseConfig;
use tempfile::TempDir;

use super::cluster::{Cluster, on_own_thread};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Sqlite,
    Postgres,
}

pub(crate) enum TestDatabase {
    Sqlite(TempDir),
    Postgres {
        cluster: &'static Cluster,
        name: String,
    },
    /// A PostgreSQL that somebody else started, and stops.
    Other(String),
}

impl TestDatabase {
    /// None when it should be on PostgreSQL, there is none, and that is all right.
    pub(crate) async fn new(kind: Kind) -> Option<Self> {
        match kind {
            Kind::Sqlite => {
                let folder = tempfile::Builder::new().prefix("souk-test-").tempdir().unwrap();
                std::fs::write(folder.path().join("souk.db"), sqlite_template()).unwrap();
                Some(Self::Sqlite(folder))
            }
            Kind::Postgres => {
                static NUMBER: AtomicU32 = AtomicU32::new(1);
                let cluster = Cluster::get()?;
                let number = NUMBER.fetch_add(1, Ordering::Relaxed);
                let name = format!("souk_test_{}_{number}", std::process::id());
                cluster.copy(&name).await;
                Some(Self::Postgres { cluster, name })
            }
        }
    }

    pub(crate) fn kind(&self) -> Kind {
        match self {
            Self::Sqlite(_) => Kind::Sqlite,
            Self::Postgres { .. } | Self::Other(_) => Kind::Postgres,
        }
    }

    /// What `DATABASE_URL` is for this one.
    pub(crate) fn url(&self) -> String {
        match self {
            Self::Sqlite(folder) => format!("sqlite://{}", folder.path().join("souk.db").display()),
            Self::Postgres { cluster, name } => cluster.url(name),
            Self::Other(url) => url.clone(),
        }
    }

    /// Removes it. A test that fails before leaves its PostgreSQL database to whoever wants to look.
    pub(crate) async fn drop(self) {
        match self {
            Self::Sqlite(folder) => folder.close().unwrap(),
            Self::Postgres { cluster, name } => cluster.drop(&name).await,
            Self::Other(_) => {}
        }
    }
}

async fn connect(url: &str) -> Db {
    let config = DatabaseConfig {
        url: SecretString::from(url),
        replica_url: None,
        replica_max_lag: std::time::Duration::from_secs(10),
        connections: 1,
        auto_migrate: false,
        statement_timeout: None,
    };
    Db::connect(&config).await.unwrap()
}

/// Makes the schema in an empty database.
pub(super) async fn migrate(url: &str) {
    let db = connect(url).await;
    schema::migrate_up(&db).await.unwrap();
    db.close().await.unwrap();
}

/// The bytes of a migrated SQLite file, made once: copying them takes a millisecond.
fn sqlite_template() -> &'static [u8] {
    static TEMPLATE: OnceLock<Vec<u8>> = OnceLock::new();
    TEMPLATE.get_or_init(|| {
        on_own_thread(|| async {
            let folder = tempfile::tempdir().unwrap();
            let file = folder.path().join("souk.db");
            migrate(&format!("sqlite://{}", file.display())).await;
            let log = folder.path().join("souk.db-wal");
            assert!(!log.exists(), "closing the database moves its log into the file");
            std::fs::read(file).unwrap()
        })
    })
}

/// Rows of any query whose columns are all text, for looking at what the API does not show.
pub(crate) async fn rows(db: &Db, sql: &str) -> Vec<Vec<String>> {
    let rows = db
        .fresh()
        .query_all_raw(Statement::from_string(db.backend(), sql))
        .await;
    let rows = rows.unwrap_or_else(|error| panic!("{sql}: {error}"));
    let text = |row: &sea_orm::QueryResult, index: usize| -> String {
        row.try_get_by_index::<Option<String>>(index)
            .unwrap()
            .unwrap_or_default()
    };
    rows.iter()
        .map(|row| {
            (0..row.column_names().len())
                .map(|index| text(row, index))
                .collect()
        })
        .collect()
}
