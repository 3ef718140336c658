//! How often signing in may be tried: few enough times that nobody guesses, and never so that a stranger keeps somebody
//! out of their own account where they usually are.
//!
//! An attempt is counted before the password is looked at, so that a hundred at once get no further than one after
//! the other; what turns out right takes it back. Three counts are kept, under hashes of what they are about:
//!
//! * of an account from one address: after five the wait grows from half a minute to a quarter of an hour;
//! * of an address, whatever it tries where it is not known (`SOUK_RATE_LIMIT_AUTH`);
//! * of an account, from all addresses where its owner has not been lately: a hundred an hour.
//!
//! Accounts that do not exist are counted alike. What is refused here is not counted, so the waits end.

use std::net::IpAddr;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::sea_query::{LockBehavior, LockType, OnConflict};
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, Condition, ConnectionTrait, DatabaseTransaction, EntityTrait as _,
    QueryFilter as _, QueryOrder as _, QuerySelect as _, QueryTrait as _,
};

use crate::domain::context::Context;
use crate::entity::session::RevokeReason;
use crate::entity::{session, sign_in_attempt, user_account};
use crate::infra::secret::digest;
use crate::kernel::actor::network;
use crate::kernel::config::Rate;
use crate::kernel::error::{Error, Result};

/// How many attempts of one account from one address need not wait.
const FREE: i32 = 5;
const FIRST_WAIT: TimeDelta = TimeDelta::seconds(30);
const LONGEST_WAIT: TimeDelta = TimeDelta::minutes(15);
/// When they are forgotten, counted from the last.
const FORGOTTEN: TimeDelta = TimeDelta::days(1);

/// Of an account, from where its owner has not been.
const FROM_STRANGERS: Rate = Rate {
    count: 100,
    per: Duration::from_secs(60 * 60),
};

/// How long somebody is known where they have been signed in.
const KNOWN_FOR: TimeDelta = TimeDelta::days(30);
/// How many of somebody's sessions are looked at for where that is.
const LOOKED_AT: u64 = 500;

/// How many counts that nobody needs any more go with each success.
const CLEARED: u64 = 100;

/// An attempt that has been counted.
#[derive(Clone, Debug)]
pub struct Attempt {
    counted: Vec<sign_in_attempt::Model>,
    pair: String,
}

#[derive(Clone, Copy, Debug)]
enum Rule {
    /// So many, then a wait that doubles.
    Growing,
    /// So many in a window that begins with the first.
    Within(Rate),
}

/// Counts an attempt on the account with this key, from where the caller is.
///
/// # Errors
/// Throttled, with how long to wait.
pub async fn count(ctx: &Context, account: &str) -> Result<Attempt> {
    let now = ctx.now();
    let known = is_known(ctx, account).await?;
    let network = ctx.origin.network();
    let pair = digest(&format!("pair {network} {account}"));
    let mut rules = vec![(pair.clone(), Rule::Growing)];
    // Where the owner usually is, neighbours who try other accounts have no say either.
    if let Some(rate) = ctx.platform.accounts.attempts.filter(|_| !known) {
        rules.push((digest(&format!("address {network}")), Rule::Within(rate)));
    }
    if !known {
        rules.push((
            digest(&format!("account {account}")),
            Rule::Within(FROM_STRANGERS),
        ));
    }
    // Everybody locks in the same order, so nobody waits in a circle.
    rules.sort_by(|(one, _), (other, _)| one.cmp(other));

    let txn = ctx.db().begin().await?;
    let keys: Vec<String> = rules.iter().map(|(key, _)| key.clone()).collect();
    insert(&txn, &keys, now).await?;
    let rows = lock(&txn, &keys).await?;
    let mut counted = Vec::with_capacity(rules.len());
    let mut wait = TimeDelta::zero();
    for (key, rule) in &rules {
        let row = rows.iter().find(|row| row.key == *key);
        let row = row.ok_or_else(|| Error::internal(anyhow::anyhow!("a count of attempts is gone")))?;
        match next(*rule, row, now) {
            Ok(row) => counted.push(row),
            Err(until) => wait = wait.max(until - now),
        }
    }
    if wait > TimeDelta::zero() {
        let retry_after = wait.to_std().map_err(Error::internal)?;
        return Err(Error::Throttled { retry_after });
    }
    write(&txn, &counted).await?;
    txn.commit().await?;
    Ok(Attempt { counted, pair })
}

/// The password was right: the attempt was none. The account may be tried from here as if it never had been.
pub async fn forgive(txn: &DatabaseTransaction, attempt: &Attempt, now: DateTime<Utc>) -> Result<()> {
    for row in &attempt.counted {
        if row.key == attempt.pair {
            reset(txn, row).await?;
        } else {
            uncount(txn, row).await?;
        }
    }
    clear(txn, now).await
}

/// It was never found out whether the password was right.
pub async fn take_back(ctx: &Context, attempt: &Attempt) -> Result<()> {
    let txn = ctx.db().begin().await?;
    for row in &attempt.counted {
        uncount(&txn, row).await?;
    }
    txn.commit().await?;
    Ok(())
}

/// The count after one more, or when the next one may be made.
fn next(
    rule: Rule,
    row: &sign_in_attempt::Model,
    now: DateTime<Utc>,
) -> Result<sign_in_attempt::Model, DateTime<Utc>> {
    let (most, free_at, over) = match rule {
        Rule::Growing => {
            let doublings = u32::try_from(row.failures - FREE).unwrap_or_default().min(16);
            let wait = (FIRST_WAIT * 2_i32.pow(doublings)).min(LONGEST_WAIT);
            (FREE, row.last_at + wait, row.last_at + FORGOTTEN <= now)
        }
        Rule::Within(rate) => {
            let per = TimeDelta::from_std(rate.per).unwrap_or(TimeDelta::MAX);
            let end = row
                .since
                .checked_add_signed(per)
                .unwrap_or(DateTime::<Utc>::MAX_UTC);
            (i32::try_from(rate.count).unwrap_or(i32::MAX), end, end <= now)
        }
    };
    if over || row.failures == 0 {
        return Ok(sign_in_attempt::Model {
            key: row.key.clone(),
            failures: 1,
            since: now,
            last_at: now,
        });
    }
    if row.failures >= most && now < free_at {
        return Err(free_at);
    }
    Ok(sign_in_attempt::Model {
        failures: row.failures.saturating_add(1),
        last_at: now,
        ..row.clone()
    })
}

/// Whether the account's owner has lately been signed in where this request comes from. Nobody owns an address for
/// good, and a session that was stolen says nothing of where the owner is.
async fn is_known(ctx: &Context, account: &str) -> Result<bool> {
    let owner = user_account::Entity::find()
        .select_only()
        .column(user_account::Column::Id)
        .filter(user_account::Column::EmailKey.eq(account))
        .into_query();
    let addresses: Vec<Option<String>> = session::Entity::find()
        .select_only()
        .column(session::Column::IpAddress)
        .distinct()
        .filter(session::Column::UserId.in_subquery(owner))
        .filter(session::Column::LastUsedAt.gt(ctx.now() - KNOWN_FOR))
        .filter(
            Condition::any()
                .add(session::Column::RevokeReason.is_null())
                .add(session::Column::RevokeReason.ne(RevokeReason::TokenReused)),
        )
        .limit(LOOKED_AT)
        .into_tuple()
        .all(ctx.db().fresh())
        .await?;
    let Some(here) = ctx.origin.address.map(network) else {
        return Ok(false);
    };
    let mut networks = addresses.into_iter().flatten();
    Ok(networks.any(|address| {
        address
            .parse::<IpAddr>()
            .is_ok_and(|address| network(address) == here)
    }))
}

/// Makes the rows that are not there yet, and locks all: one that was only looked at could be cleared away before
/// it is locked.
async fn insert(txn: &DatabaseTransaction, keys: &[String], now: DateTime<Utc>) -> Result<()> {
    let rows = keys.iter().map(|key| sign_in_attempt::ActiveModel {
        key: Set(key.clone()),
        failures: Set(0),
        since: Set(now),
        last_at: Set(now),
    });
    let keep = OnConflict::column(sign_in_attempt::Column::Key)
        .update_column(sign_in_attempt::Column::Key)
        .to_owned();
    sign_in_attempt::Entity::insert_many(rows)
        .on_conflict(keep)
        .exec_without_returning(txn)
        .await?;
    Ok(())
}

async fn lock(txn: &DatabaseTransaction, keys: &[String]) -> Result<Vec<sign_in_attempt::Model>> {
    Ok(sign_in_attempt::Entity::find()
        .filter(sign_in_attempt::Column::Key.is_in(keys.to_vec()))
        .order_by_asc(sign_in_attempt::Column::Key)
        .lock_exclusive()
        .all(txn)
        .await?)
}

async fn write(txn: &DatabaseTransaction, rows: &[sign_in_attempt::Model]) -> Result<()> {
    use sign_in_attempt::Column;

    let rows = rows.iter().map(|row| sign_in_attempt::ActiveModel {
        key: Set(row.key.clone()),
        failures: Set(row.failures),
        since: Set(row.since),
        last_at: Set(row.last_at),
    });
    let replace = OnConflict::column(Column::Key)
        .update_columns([Column::Failures, Column::Since, Column::LastAt])
        .to_owned();
    sign_in_attempt::Entity::insert_many(rows)
        .on_conflict(replace)
        .exec_without_returning(txn)
        .await?;
    Ok(())
}

/// None any more. The row stays: another attempt may be about to lock it.
async fn reset<C: ConnectionTrait>(connection: &C, row: &sign_in_attempt::Model) -> Result<()> {
    let none = sign_in_attempt::ActiveModel {
        key: Set(row.key.clone()),
        failures: Set(0),
        ..Default::default()
    };
    sign_in_attempt::Entity::update(none).exec(connection).await?;
    Ok(())
}

/// One less, if it is still the window in which it was counted.
async fn uncount<C: ConnectionTrait>(connection: &C, row: &sign_in_attempt::Model) -> Result<()> {
    use sea_orm::ExprTrait as _;
    use sea_orm::sea_query::Expr;
    use sign_in_attempt::Column;

    sign_in_attempt::Entity::update_many()
        .col_expr(Column::Failures, Expr::col(Column::Failures).sub(1))
        .filter(Column::Key.eq(row.key.clone()))
        .filter(Column::Since.eq(row.since))
        .filter(Column::Failures.gt(0))
        .exec(connection)
        .await?;
    Ok(())
}

/// Deletes what has no effect any more and nobody holds.
async fn clear(txn: &DatabaseTransaction, now: DateTime<Utc>) -> Result<()> {
    use sign_in_attempt::Column;

    let old = sign_in_attempt::Entity::find()
        .select_only()
        .column(Column::Key)
        .filter(Column::LastAt.lt(now - FORGOTTEN - FORGOTTEN))
        .limit(CLEARED)
        .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked)
        .into_query();
    sign_in_attempt::Entity::delete_many()
        .filter(Column::Key.in_subquery(old))
        .exec(txn)
        .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn none(now: DateTime<Utc>) -> sign_in_attempt::Model {
        sign_in_attempt::Model {
            key: String::new(),
            failures: 0,
            since: now,
            last_at: now,
        }
    }

    #[test]
    fn the_wait_doubles_from_half_a_minute_to_a_quarter_of_an_hour() {
        let mut now = DateTime::<Utc>::UNIX_EPOCH;
        let mut row = none(now);
        for _ in 0..FREE {
            row = next(Rule::Growing, &row, now).unwrap();
        }
        let mut waits = Vec::new();
        for _ in 0..8 {
            let until = next(Rule::Growing, &row, now).unwrap_err();
            assert!(next(Rule::Growing, &row, until - TimeDelta::microseconds(1)).is_err());
            waits.push((until - now).num_seconds());
            now = until;
            row = next(Rule::Growing, &row, now).unwrap();
        }
        assert_eq!(waits, [30, 60, 120, 240, 480, 900, 900, 900]);
        row.failures = i32::MAX;
        assert_eq!(next(Rule::Growing, &row, now).unwrap_err() - now, LONGEST_WAIT);
        assert_eq!(next(Rule::Growing, &row, now + FORGOTTEN).unwrap().failures, 1);
    }

    #[test]
    fn a_window_begins_with_its_first() {
        let start = DateTime::<Utc>::UNIX_EPOCH;
        let rule = Rule::Within(Rate {
            count: 2,
            per: Duration::from_secs(60),
        });
        let one = next(rule, &none(start - TimeDelta::days(1)), start).unwrap();
        let two = next(rule, &one, start + TimeDelta::seconds(59)).unwrap();
        assert_eq!(
            next(rule, &two, start + TimeDelta::seconds(59)),
            Err(start + TimeDelta::seconds(60))
        );
        let again = next(rule, &two, start + TimeDelta::seconds(60)).unwrap();
        assert_eq!((again.failures, again.since), (1, start + TimeDelta::seconds(60)));
    }
}
