//! What statements fail of that is nobody's fault: they took too long, the database went away, somebody else was quicker.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use sea_orm::sqlx::Error as SqlxError;
use sea_orm::{DbErr, RuntimeErr};
use tokio::time::Instant;

use crate::kernel::error::Error;

/// An outage is over when this long nothing failed by it.
const QUIET: Duration = Duration::from_secs(30);

/// Why a statement failed that may well succeed another time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// The database stopped it at its deadline.
    Stopped,
    /// The database went away, is not there, or is one that cannot be written to. Of a COMMIT nobody knows whether it was
    /// heard: only the idempotency key does.
    Unreachable,
    /// It met another transaction, and nothing of its own was done.
    Conflict,
}

impl Trouble {
    pub fn of(error: &Error) -> Option<Self> {
        let Error::Internal(error) = error else {
            return None;
        };
        Self::of_database(error.downcast_ref::<DbErr>()?)
    }

    pub fn of_database(error: &DbErr) -> Option<Self> {
        match error {
            DbErr::ConnectionAcquire(_) => Some(Self::Unreachable),
            DbErr::Conn(RuntimeErr::SqlxError(error))
            | DbErr::Exec(RuntimeErr::SqlxError(error))
            | DbErr::Query(RuntimeErr::SqlxError(error)) => Self::of_driver(error),
            _ => None,
        }
    }

    fn of_driver(error: &SqlxError) -> Option<Self> {
        match error {
            SqlxError::Io(_)
            | SqlxError::Tls(_)
            | SqlxError::Protocol(_)
            | SqlxError::PoolTimedOut
            | SqlxError::PoolClosed
            | SqlxError::WorkerCrashed => Some(Self::Unreachable),
            SqlxError::Database(error) => error.code().as_deref().and_then(Self::of_code),
            _ => None,
        }
    }

    /// PostgreSQL's codes have five characters, SQLite's are numbers.
    fn of_code(code: &str) -> Option<Self> {
        match code {
            // query_canceled; SQLITE_INTERRUPT.
            "57014" | "9" => Some(Self::Stopped),
            // Shut down, crashed, starting; too many connections; our own transaction was left idle, because we stood still;
            // and read-only: what was the primary is a standby now.
            "57P01" | "57P02" | "57P03" | "53300" | "25P03" | "25006" => Some(Self::Unreachable),
            code if code.len() == 5 && code.starts_with("08") => Some(Self::Unreachable),
            // serialization_failure, deadlock_detected, lock_not_available; SQLITE_BUSY with its kinds.
            "40001" | "40P01" | "55P03" | "5" | "261" | "517" | "773" => Some(Self::Conflict),
            _ => None,
        }
    }
}

/// Whether a statement failed because the database stopped it at its deadline.
pub fn was_stopped(error: &Error) -> bool {
    Trouble::of(error) == Some(Trouble::Stopped)
}

/// Tells the log that the database is away: once for an outage, however many requests meet it.
pub fn report_outage(reason: &str) {
    static LAST: Mutex<Option<Instant>> = Mutex::new(None);
    if begins(&LAST, Instant::now()) {
        tracing::error!(reason, "the database cannot be reached for now");
    } else {
        tracing::debug!(reason, "the database cannot be reached");
    }
}

fn begins(last: &Mutex<Option<Instant>>, now: Instant) -> bool {
    let before = last.lock().unwrap_or_else(PoisonError::into_inner).replace(now);
    before.is_none_or(|before| now.duration_since(before) > QUIET)
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn what_went_away_is_told_from_what_was_wrong() {
        for (code, trouble) in [
            ("57014", Some(Trouble::Stopped)),
            ("57P01", Some(Trouble::Unreachable)),
            ("57P03", Some(Trouble::Unreachable)),
            ("08006", Some(Trouble::Unreachable)),
            ("25006", Some(Trouble::Unreachable)),
            ("40001", Some(Trouble::Conflict)),
            ("40P01", Some(Trouble::Conflict)),
            ("55P03", Some(Trouble::Conflict)),
            ("5", Some(Trouble::Conflict)),
            // A unique index, a syntax error, and SQLite's own kind of the former.
            ("23505", None),
            ("42601", None),
            ("2067", None),
            ("08", None),
        ] {
            assert_eq!(Trouble::of_code(code), trouble, "{code}");
        }
        let lost = || SqlxError::Io(io::Error::from(io::ErrorKind::UnexpectedEof));
        let lost = DbErr::Exec(RuntimeErr::SqlxError(std::sync::Arc::new(lost())));
        assert_eq!(Trouble::of(&Error::from(lost)), Some(Trouble::Unreachable));
        let wrong = DbErr::Type("not a number".to_owned());
        assert_eq!(Trouble::of(&Error::from(wrong)), None);
        assert_eq!(Trouble::of(&Error::Forbidden), None);
    }

    #[test]
    fn an_outage_is_told_once() {
        let (last, start) = (Mutex::new(None), Instant::now());
        let told = |seconds| begins(&last, start + Duration::from_secs(seconds));
        assert!(told(0));
        assert!(!told(20) && !told(45));
        assert!(told(45 + 31));
    }
}
