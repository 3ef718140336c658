//! Which access tokens no longer count although they have not expired.
//!
//! An access token is not looked up, so each process keeps in memory what has ended during the life of such a token: a
//! few rows, read once before it serves. What this process ends it adds itself, at once, after the commit; what
//! others end it reads from the tables every few seconds, and when one of them says that there is news. Forgotten is what is
//! older than any token.
//!
//! What must hold, and why it does:
//!
//! * *A commit is not missed.* Its row has the time at which it was decided, and becomes visible later, by a clock that may
//!   differ from ours. So each reading goes back `OVERLAP` before the last one that succeeded, which is far longer
//!   than a transaction lives (the deadline of an operation). Servers' clocks must agree to within half a minute.
//! * *A token is not issued past it.* A refresh that looked before the commit may issue its token after it. The token expires
//!   at most a deadline later than one issued at the time of the commit, and entries are kept `OVERLAP` longer than those.
//! * *An old role does not come back.* Which of two changes came last is not told by their times, which different clocks
//!   made, but by the table: what a reading finds wins, unless this process changed it after the reading began.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};
use std::time::Duration as StdDuration;

use chrono::{DateTime, Duration, Utc};
use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _, QuerySelect as _};
use tokio::sync::{Notify, watch};

use crate::domain::news::{News, NewsBus};
use crate::entity::user_account::UserRole;
use crate::entity::{session, user_account};
use crate::infra::db::Db;
use crate::infra::token::Holder;
use crate::kernel::actor::Role;
use crate::kernel::clock::{Clock, jittered};
use crate::kernel::error::{Error, Result};
use crate::kernel::id::{SessionId, UserId};

/// How far behind its own time a commit may become visible, the clocks of two servers' difference included.
const OVERLAP: Duration = Duration::seconds(60);

/// How often the tables are read. Instances that were started together do not stay in step.
pub const EVERY: StdDuration = StdDuration::from_secs(2);

/// How long a hint is left to itself, so that those of one burst are one reading.
const BURST: StdDuration = StdDuration::from_millis(5);

/// A reading that takes longer has failed: it is a handful of rows.
const PATIENCE: StdDuration = StdDuration::from_secs(10);

#[derive(Debug, Default)]
struct Ended {
    sessions: HashMap<SessionId, DateTime<Utc>>,
    roles: HashMap<UserId, RoleChange>,
    /// Up to when the tables have been read.
    read_at: Option<DateTime<Utc>>,
    /// Counts the role changes that this process made.
    own: u64,
}

#[derive(Clone, Copy, Debug)]
struct RoleChange {
    role: Role,
    at: DateTime<Utc>,
    /// Which of this process's changes it is; 0 for what was read.
    own: u64,
}

/// What a reading found.
#[derive(Debug)]
struct Found {
    /// The last of this process's role changes when the reading began.
    own: u64,
    sessions: Vec<(SessionId, DateTime<Utc>)>,
    roles: Vec<(UserId, UserRole, DateTime<Utc>)>,
}

/// The revocations of the last while.
#[derive(Debug, Default)]
pub struct Revocations {
    ended: RwLock<Ended>,
    changed: watch::Sender<()>,
    /// Told when others say that they have ended something.
    woken: Notify,
    news: NewsBus,
}

impl Ended {
    /// Whether that is news.
    fn end(&mut self, session: SessionId, at: DateTime<Utc>) -> bool {
        self.sessions.insert(session, at).is_none()
    }

    fn change(&mut self, user: UserId, change: RoleChange) -> bool {
        let known = self.roles.insert(user, change);
        known.is_none_or(|known| known.role != change.role)
    }

    fn learn(&mut self, found: Found) -> bool {
        let mut news = false;
        for (session, at) in found.sessions {
            news |= self.end(session, at);
        }
        for (user, role, at) in found.roles {
            let own = self.roles.get(&user).map_or(0, |known| known.own);
            if own <= found.own {
                let role = role.into();
                news |= self.change(user, RoleChange { role, at, own: 0 });
            }
        }
        news
    }
}

impl Revocations {
    /// What this process ends the others are told by `news`.
    pub fn new(news: NewsBus) -> Self {
        Self {
            news,
            ..Self::default()
        }
    }

    /// Whether a token that says this still counts.
    pub fn admits(&self, holder: &Holder) -> bool {
        let ended = self.ended.read().unwrap_or_else(PoisonError::into_inner);
        let role = ended.roles.get(&holder.user).map(|change| change.role);
        !ended.sessions.contains_key(&holder.session) && role.is_none_or(|role| role == holder.role)
    }

    /// Told whenever something was added, for those who serve one caller for long.
    pub fn changes(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    /// These sessions have ended. Call it after the commit that says so, and before the answer.
    pub fn end(&self, sessions: &[SessionId], now: DateTime<Utc>) {
        self.update_and_tell(|ended| {
            let news = sessions.iter().map(|session| ended.end(*session, now));
            news.fold(false, |news, one| news | one)
        });
    }

    /// This account has another role. Call it after the commit that says so, and before the answer.
    pub fn role_changed(&self, user: UserId, role: Role, now: DateTime<Utc>) {
        self.update_and_tell(|ended| {
            ended.own += 1;
            let own = ended.own;
            ended.change(user, RoleChange { role, at: now, own })
        });
    }

    /// Others have ended something: read now rather than at the next turn.
    pub fn wake(&self) {
        self.woken.notify_one();
    }

    fn update_and_tell(&self, update: impl FnOnce(&mut Ended) -> bool) {
        if self.update(update) {
            self.news.tell(|| News::Revoked);
        }
    }

    /// Tells those who wait when there was news.
    fn update(&self, update: impl FnOnce(&mut Ended) -> bool) -> bool {
        let mut ended = self.ended.write().unwrap_or_else(PoisonError::into_inner);
        let news = update(&mut ended);
        drop(ended);
        if news {
            self.changed.send_replace(());
        }
        news
    }

    /// Reads what other processes have ended, and forgets what is older than `life`, the longest that a token lives.
    /// `now` is from before the call.
    ///
    /// # Errors
    /// The database does not answer. Nothing is forgotten then, and the next reading goes back as far as this one.
    pub async fn read(&self, db: &Db, now: DateTime<Utc>, life: StdDuration) -> Result<()> {
        let life = Duration::from_std(life).map_err(Error::internal)?;
        let oldest = now - life - OVERLAP;
        let (read_at, own) = {
            let ended = self.ended.read().unwrap_or_else(PoisonError::into_inner);
            (ended.read_at, ended.own)
        };
        let since = read_at.map_or(oldest, |at| at - OVERLAP).max(oldest);
        let found = Found {
            own,
            sessions: ended_since(db, since).await?,
            roles: roles_since(db, since).await?,
        };
        self.update(|ended| {
            let news = ended.learn(found);
            ended.sessions.retain(|_, at| *at >= oldest);
            ended.roles.retain(|_, change| change.at >= oldest);
            ended.read_at = Some(now);
            news
        });
        Ok(())
    }

    /// Reads again and again, until it is dropped: so often, and when it is woken.
    pub async fn follow(&self, db: &Db, clock: &dyn Clock, life: StdDuration, every: StdDuration) {
        let mut failing = false;
        loop {
            if failing {
                // Hints cannot hurry a database that does not answer.
                tokio::time::sleep(jittered(every)).await;
            } else if tokio::time::timeout(jittered(every), self.woken.notified())
                .await
                .is_ok()
            {
                tokio::time::sleep(BURST).await;
            }
            let read = tokio::time::timeout(PATIENCE, self.read(db, clock.now(), life));
            let problem = match read.await {
                Ok(Ok(())) => None,
                Ok(Err(error)) => Some(format!("{:#}", anyhow::Error::from(error))),
                Err(_) => Some("the database takes too long to answer".to_owned()),
            };
            match &problem {
                Some(error) if !failing => {
                    tracing::error!(error, "what other instances revoke is not seen for now");
                }
                None if failing => tracing::info!("what other instances revoke is seen again"),
                Some(_) | None => {}
            }
            failing = problem.is_some();
        }
    }
}

async fn ended_since(db: &Db, since: DateTime<Utc>) -> Result<Vec<(SessionId, DateTime<Utc>)>> {
    let rows = session::Entity::find()
        .select_only()
        .columns([session::Column::Id, session::Column::RevokedAt])
        .filter(session::Column::RevokedAt.gte(since))
        .into_tuple();
    Ok(rows.all(db.fresh()).await?)
}

async fn roles_since(db: &Db, since: DateTime<Utc>) -> Result<Vec<(UserId, UserRole, DateTime<Utc>)>> {
    let rows = user_account::Entity::find()
        .select_only()
        .columns([
            user_account::Column::Id,
            user_account::Column::Role,
            user_account::Column::RoleChangedAt,
        ])
        .filter(user_account::Column::RoleChangedAt.gte(since))
        .into_tuple();
    Ok(rows.all(db.fresh()).await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A reading that began before a change of ours finds what was there before it.
    #[test]
    fn a_reading_does_not_undo_what_overtook_it() {
        let revocations = Revocations::default();
        let now = DateTime::UNIX_EPOCH;
        let user = UserId::new();
        let holder = |role| Holder {
            user,
            session: SessionId::new(),
            role,
        };
        let learn = |own, role| {
            let (sessions, roles) = (Vec::new(), vec![(user, role, now + Duration::seconds(1))]);
            let found = Found { own, sessions, roles };
            revocations.update(|ended| ended.learn(found));
        };
        let counts = |role| revocations.admits(&holder(role));
        learn(0, UserRole::Staff);
        assert!(counts(Role::Staff) && !counts(Role::Customer));
        revocations.role_changed(user, Role::Customer, now);
        learn(0, UserRole::Staff);
        assert!(counts(Role::Customer) && !counts(Role::Staff));
        // One that began after it knows better: another instance has changed the role since.
        learn(1, UserRole::Staff);
        assert!(counts(Role::Staff) && !counts(Role::Customer));
    }

    #[test]
    fn only_news_is_told() {
        let revocations = Revocations::default();
        let mut changes = revocations.changes();
        let (user, session) = (UserId::new(), SessionId::new());
        let now = DateTime::UNIX_EPOCH;
        let mut told = || {
            let told = changes.has_changed().unwrap();
            changes.mark_unchanged();
            told
        };
        revocations.end(&[], now);
        assert!(!told());
        revocations.end(&[session], now);
        assert!(told());
        revocations.end(&[session], now);
        assert!(!told());
        revocations.role_changed(user, Role::Staff, now);
        assert!(told());
        revocations.role_changed(user, Role::Staff, now);
        assert!(!told());
    }
}
