//! Hints between the processes on one PostgreSQL server: LISTEN. Only `place_order_events` says NOTIFY, a function of the database that
//! runs in one process at a time anyway: PostgreSQL lets only one of the transactions that notify commit at a time.
//!
//! A hint may be lost, with the connection or with the process that was to send it. So whoever waits for one also looks
//! by itself now and then, and on SQLite, which has nothing of the kind, does only that.

use std::sync::Arc;

use sea_orm::sqlx;
use sea_orm::sqlx::postgres::{PgListener, PgPoolOptions};
use sea_orm::{DatabaseBackend, DbErr, RuntimeErr};

use super::Db;

/// Hears the hints of one name, on a connection of its own: one of the pool would be missing there for good.
#[derive(Debug)]
pub struct Listener(PgListener);

impl Db {
    /// Hears the hints of this name from now on; None on SQLite.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn listen(&self, name: &str) -> Result<Option<Listener>, DbErr> {
        if self.backend() != DatabaseBackend::Postgres {
            return Ok(None);
        }
        let options = self.writer.get_postgres_connection_pool().connect_options();
        let pool = PgPoolOptions::new()
            .max_connections(1)
            .max_lifetime(None)
            .idle_timeout(None)
            .connect_with(options.as_ref().clone())
            .await
            .map_err(lost)?;
        let mut listener = PgListener::connect_with(&pool).await.map_err(lost)?;
        listener.listen(name).await.map_err(lost)?;
        Ok(Some(Listener(listener)))
    }
}

impl Listener {
    /// Waits for a hint: its text. A connection that was lost and is there again counts as one, of which nobody knows the text:
    /// what was sent meanwhile is gone.
    ///
    /// # Errors
    /// The connection is lost, and there is no other to be had.
    pub async fn heard(&mut self) -> Result<Option<String>, DbErr> {
        let hint = self.0.try_recv().await.map_err(lost)?;
        Ok(hint.map(|hint| hint.payload().to_owned()))
    }
}

fn lost(error: sqlx::Error) -> DbErr {
    DbErr::Conn(RuntimeErr::SqlxError(Arc::new(error)))
}
