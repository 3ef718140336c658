//! Which access tokens no longer count although they have not expired.
//!
//! An access token is not looked up, so each process keeps in memory what has ended during the life of such a token: a
//! few rows, read once when it starts. What this process ends it adds itself, at once, after the commit; what
//! others end it reads from the tables every few seconds. Forgotten is what is older than any token.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

use chrono::{DateTime, Duration, Utc};
use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _, QuerySelect as _};
use tokio::sync::watch;

use crate::entity::user_account::UserRole;
use crate::entity::{session, user_account};
use crate::infra::db::Db;
use crate::infra::token::Holder;
use crate::kernel::actor::Role;
use crate::kernel::error::Result;
use crate::kernel::id::{SessionId, UserId};

/// How far behind its own time a commit may become visible, and the clocks of two servers may differ.
const OVERLAP: Duration = Duration::seconds(60);

#[derive(Debug, Default)]
struct Ended {
    sessions: HashMap<SessionId, DateTime<Utc>>,
    roles: HashMap<UserId, (Role, DateTime<Utc>)>,
    /// Up to when the tables have been read.
    read_at: Option<DateTime<Utc>>,
}

/// The revocations of the last while.
#[derive(Debug)]
pub struct Revocations {
    ended: RwLock<Ended>,
    changed: watch::Sender<()>,
}

impl Default for Revocations {
    fn default() -> Self {
        Self {
            ended: RwLock::default(),
            changed: watch::Sender::new(()),
        }
    }
}

impl Revocations {
    /// Whether a token that says this still counts.
    pub fn admits(&self, holder: &Holder) -> bool {
        let ended = self.ended.read().unwrap_or_else(PoisonError::into_inner);
        let role = ended.roles.get(&holder.user).map(|(role, _)| *role);
        !ended.sessions.contains_key(&holder.session) && role.is_none_or(|role| role == holder.role)
    }

    /// Told whenever something was added, for those who serve one caller for long.
    pub fn changes(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    /// These sessions have ended. Call it after the commit that says so, and before the answer.
    pub fn end(&self, sessions: &[SessionId], now: DateTime<Utc>) {
        self.add(sessions.iter().map(|id| (*id, now)), []);
    }

    /// This account has another role. Call it after the commit that says so, and before the answer.
    pub fn role_changed(&self, user: UserId, role: Role, now: DateTime<Utc>) {
        self.add([], [(user, role, now)]);
    }

    fn add(
        &self,
        sessions: impl IntoIterator<Item = (SessionId, DateTime<Utc>)>,
        roles: impl IntoIterator<Item = (UserId, Role, DateTime<Utc>)>,
    ) {
        let mut ended = self.ended.write().unwrap_or_else(PoisonError::into_inner);
        let mut news = false;
        for (session, at) in sessions {
            news |= ended.sessions.insert(session, at).is_none();
        }
        for (user, role, at) in roles {
            // What is read may be older than what was added here.
            let known = ended.roles.get(&user).copied();
            if known.is_none_or(|(_, known)| known < at) {
                ended.roles.insert(user, (role, at));
                news = true;
            }
        }
        drop(ended);
        if news {
            self.changed.send_replace(());
        }
    }

    /// Reads what other processes have ended, and forgets what is older than `life`, the longest that a token lives.
    pub async fn read(&self, db: &Db, now: DateTime<Utc>, life: Duration) -> Result<()> {
        let oldest = now - life - OVERLAP;
        let read_at = self.ended.read().unwrap_or_else(PoisonError::into_inner).read_at;
        let since = read_at.map_or(oldest, |at| at - OVERLAP).max(oldest);
        let sessions: Vec<(SessionId, DateTime<Utc>)> = session::Entity::find()
            .select_only()
            .columns([session::Column::Id, session::Column::RevokedAt])
            .filter(session::Column::RevokedAt.gte(since))
            .into_tuple()
            .all(db.fresh())
            .await?;
        let roles: Vec<(UserId, UserRole, DateTime<Utc>)> = user_account::Entity::find()
            .select_only()
            .columns([
                user_account::Column::Id,
                user_account::Column::Role,
                user_account::Column::RoleChangedAt,
            ])
            .filter(user_account::Column::RoleChangedAt.gte(since))
            .into_tuple()
            .all(db.fresh())
            .await?;
        self.add(
            sessions,
            roles.into_iter().map(|(id, role, at)| (id, role.into(), at)),
        );
        let mut ended = self.ended.write().unwrap_or_else(PoisonError::into_inner);
        ended.sessions.retain(|_, at| *at >= oldest);
        ended.roles.retain(|_, (_, at)| *at >= oldest);
        ended.read_at = Some(now);
        Ok(())
    }
}
