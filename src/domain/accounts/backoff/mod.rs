//! How often signing in may be tried: few enough times that nobody guesses, and never so that a stranger keeps somebody
//! out of their own account where they usually are.
//!
//! An attempt begins before the password is looked at, and is *in flight* until it is known whether it failed. What is in
//! flight and what has failed are together never more than may fail, so that a hundred at once get no further than one
//! after the other. Who is stopped by failures is told how long to wait; who is stopped only by what is in flight
//! waits here for a moment, since most of that will turn out right. Counts are kept under hashes of what they are about:
//!
//! * of an account from one address: after five the wait grows from half a minute to a quarter of an hour;
//! * of an address, whatever it tries where it is not known (`SOUK_RATE_LIMIT_AUTH`);
//! * of an account, from all addresses where its owner has not been lately: a hundred an hour;
//! * of the accounts opened from an address, which are no failures but bounded alike (`SOUK_RATE_LIMIT_REGISTRATION`).
//!
//! An attempt whose end nobody told, since its process died, is a failure of the account. It is none of the address: many
//! who sign in from one when a server goes down have not guessed.
//!
//! Accounts that do not exist are counted alike. What is refused here is not counted, so the waits end.

mod known;
mod rule;

use std::time::Duration;

use chrono::{DateTime, Utc};
use sea_orm::sea_query::{LockBehavior, LockType, OnConflict};
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, DatabaseTransaction, EntityTrait as _, QueryFilter as _,
    QueryOrder as _, QuerySelect as _, QueryTrait as _, Select,
};
use serde_json::json;
use uuid::Uuid;

use known::is_known;
use rule::{FORGOTTEN, FROM_STRANGERS, Rule, Stop, length, take_out};

use super::identity;
use crate::domain::audit::record::{Deed, record};
use crate::domain::context::Context;
use crate::entity::sign_in_attempt::{self, InFlight, Model};
use crate::infra::metric::RATE_LIMIT_REFUSALS;
use crate::infra::secret::digest;
use crate::kernel::clock::jittered;
use crate::kernel::error::{Error, Result};

/// How many counts that nobody needs any more go with each success.
const CLEARED: u64 = 100;

/// How long somebody waits for what is in flight, and between two looks at it: ever longer, so that thousands who wait
/// keep the database from nothing else.
const PATIENCE: Duration = Duration::from_secs(5);
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_millis(400);
/// When to come again for whoever waited in vain: by then what was in flight has come down.
const SOON: Duration = Duration::from_secs(1);

/// An attempt that has begun. Whoever has one tells how it ended: by [`forgive`], [`opened`], [`fail`] or [`take_back`].
#[derive(Clone, Debug)]
pub struct Attempt {
    id: Uuid,
    account: String,
    right: bool,
    /// By their keys: everybody locks in the same order, so nobody waits in a circle.
    counts: Vec<Count>,
}

impl Attempt {
    /// The key of the account that it is of, whether there is such an account or not.
    pub fn account(&self) -> &str {
        &self.account
    }

    /// The password was the account's when it was looked at, whatever comes of it. Should it have been changed by the
    /// time that it is used, that is a failure to whoever is told, but no guess: several changes at once by its owner
    /// would otherwise keep them out of their account.
    pub fn was_right(&mut self) {
        self.right = true;
    }
}

/// One of the counts that an attempt is part of.
#[derive(Clone, Debug)]
struct Count {
    key: String,
    of: Of,
    rule: Rule,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Of {
    AccountFromAddress,
    Address,
    Account,
    Registrations,
}

impl Of {
    /// Whether it has a say where the account's owner usually is. Neighbours who try other accounts have none there, nor
    /// strangers elsewhere.
    fn holds_where_known(self) -> bool {
        match self {
            Self::AccountFromAddress | Self::Registrations => true,
            Self::Address | Self::Account => false,
        }
    }

    /// As the audit log writes it.
    fn name(self) -> &'static str {
        match self {
            Self::AccountFromAddress => "accountFromAddress",
            Self::Address => "address",
            Self::Account => "account",
            Self::Registrations => "registrations",
        }
    }
}

/// Begins an attempt on the account with this key, from where the caller is.
///
/// # Errors
/// Throttled, with how long to wait.
pub async fn begin(ctx: &Context, account: &str) -> Result<Attempt> {
    let counts = counts(ctx, account).await?;
    begin_when_there_is_room(ctx, account, counts).await
}

/// The same, when the account may turn out to be a new one. Whether it does is not asked here: a limit that only new
/// accounts ran into would tell which ones there are.
///
/// # Errors
/// Throttled, with how long to wait.
pub async fn begin_registration(ctx: &Context, account: &str) -> Result<Attempt> {
    let mut counts = counts(ctx, account).await?;
    if let Some(rate) = ctx.platform.accounts.registrations {
        counts.push(Count {
            key: digest(&format!("registrations {}", ctx.origin.network())),
            of: Of::Registrations,
            // What opened an account was told in the same transaction.
            rule: Rule::KnownWithin(rate),
        });
    }
    begin_when_there_is_room(ctx, account, counts).await
}

async fn counts(ctx: &Context, account: &str) -> Result<Vec<Count>> {
    let network = ctx.origin.network();
    let count = |of, about: &str, rule| Count {
        key: digest(about),
        of,
        rule,
    };
    let pair = format!("pair {network} {account}");
    let mut counts = vec![count(Of::AccountFromAddress, &pair, Rule::Growing)];
    if let Some(rate) = ctx.platform.accounts.attempts {
        counts.push(count(
            Of::Address,
            &format!("address {network}"),
            Rule::KnownWithin(rate),
        ));
    }
    let rule = Rule::Within(FROM_STRANGERS);
    counts.push(count(Of::Account, &format!("account {account}"), rule));
    if is_known(ctx, account).await? {
        counts.retain(|count| count.of.holds_where_known());
    }
    Ok(counts)
}

async fn begin_when_there_is_room(ctx: &Context, account: &str, mut counts: Vec<Count>) -> Result<Attempt> {
    counts.sort_by(|one, other| one.key.cmp(&other.key));
    let mut attempt = Attempt {
        id: Uuid::new_v4(),
        account: account.to_owned(),
        right: false,
        counts,
    };
    if has_begun(ctx, &attempt).await? {
        return Ok(attempt);
    }
    let _place = ctx.platform.passwords.place_to_wait()?;
    let (mut waited, mut pause) = (Duration::ZERO, FIRST_PAUSE);
    while waited < PATIENCE {
        tokio::time::sleep(jittered(pause)).await;
        waited += pause;
        pause = (pause * 2).min(LONGEST_PAUSE);
        // Looked at without a lock, which those who could make room would wait for.
        let rows = find(&attempt).all(ctx.db().fresh()).await?;
        if outcome(&attempt, rows, ctx.now())?.is_in_flight() {
            continue;
        }
        // Whoever got in meanwhile has made this a place where the owner is known, for those who waited as well.
        if is_known(ctx, account).await? {
            attempt.counts.retain(|count| count.of.holds_where_known());
        }
        if has_begun(ctx, &attempt).await? {
            return Ok(attempt);
        }
    }
    RATE_LIMIT_REFUSALS.counter(["attempts_at_once"]).increment(1);
    Err(Error::Throttled { retry_after: SOON })
}

/// What would come of an attempt, and the counts as they then are.
struct Outcome {
    rows: Vec<Model>,
    /// Which counts stop it, and until when.
    stops: Vec<(Of, String, DateTime<Utc>)>,
    in_flight: bool,
}

impl Outcome {
    /// Whether nothing stops it but what may turn out right.
    fn is_in_flight(&self) -> bool {
        self.stops.is_empty() && self.in_flight
    }
}

fn outcome(attempt: &Attempt, mut rows: Vec<Model>, now: DateTime<Utc>) -> Result<Outcome> {
    let (mut stops, mut in_flight) = (Vec::new(), false);
    for count in &attempt.counts {
        // One that is not there yet stops nobody.
        let Some(row) = rows.iter_mut().find(|row| row.key == count.key) else {
            continue;
        };
        match count.rule.begin(row, attempt.id, now) {
            Ok(()) => {}
            Err(Stop::Until(until)) => stops.push((count.of, count.key.clone(), until)),
            Err(Stop::InFlight) => in_flight = true,
        }
    }
    Ok(Outcome {
        rows,
        stops,
        in_flight,
    })
}

/// Begins the attempt, unless it has to wait for others.
async fn has_begun(ctx: &Context, attempt: &Attempt) -> Result<bool> {
    let now = ctx.now();
    let txn = ctx.db().begin().await?;
    insert(&txn, attempt, now).await?;
    let outcome = outcome(attempt, lock(&txn, attempt).await?, now)?;
    if outcome.is_in_flight() {
        return Ok(false);
    }
    let Some(until) = outcome.stops.iter().map(|(_, _, until)| *until).max() else {
        write(&txn, &outcome.rows).await?;
        txn.commit().await?;
        return Ok(true);
    };
    tell(txn, ctx, attempt, outcome).await?;
    RATE_LIMIT_REFUSALS.counter(["attempts"]).increment(1);
    let retry_after = (until - now).to_std().map_err(Error::internal)?;
    Err(Error::Throttled { retry_after })
}

/// Records that somebody has to wait: once for each wait, however often they ask meanwhile, or asking would fill the log.
async fn tell(txn: DatabaseTransaction, ctx: &Context, attempt: &Attempt, outcome: Outcome) -> Result<()> {
    let Outcome { mut rows, stops, .. } = outcome;
    let mut told = Vec::new();
    for (of, key, until) in stops {
        let row = rows.iter_mut().find(|row| row.key == key);
        if let Some(row) = row.filter(|row| row.throttled_until < Some(until)) {
            row.throttled_until = Some(until);
            told.push(json!({"limit": of.name(), "until": until}));
        }
    }
    if told.is_empty() {
        return Ok(());
    }
    // Not those that let it begin: it has not.
    for row in &mut rows {
        take_out(row, attempt.id);
    }
    write(&txn, &rows).await?;
    let user = identity::find(&txn, ctx, &attempt.account).await?;
    let subject = identity::subject(ctx, user.as_ref(), &attempt.account)?;
    for after in told {
        let deed = Deed {
            action: "signInThrottled",
            subject: Some(subject.clone()),
            after: Some(after),
            ..Deed::default()
        };
        record(&txn, ctx, deed).await?;
    }
    txn.commit().await?;
    Ok(())
}

/// The password was right: the attempt was none. The account may be tried from here as if it never had been.
pub async fn forgive(txn: &DatabaseTransaction, ctx: &Context, attempt: &Attempt) -> Result<()> {
    end(txn, attempt, |count, row| {
        take_out(row, attempt.id);
        if count.of == Of::AccountFromAddress {
            row.counted = 0;
        }
    })
    .await?;
    clear(txn, ctx).await
}

/// It opened an account, of which there is a limit.
pub async fn opened(txn: &DatabaseTransaction, ctx: &Context, attempt: &Attempt) -> Result<()> {
    end(txn, attempt, |count, row| match count.of {
        Of::Registrations => count.rule.fail(row, attempt.id, ctx.now()),
        Of::AccountFromAddress | Of::Address | Of::Account => {
            take_out(row, attempt.id);
        }
    })
    .await?;
    clear(txn, ctx).await
}

/// The password was wrong, or is not the account's any more.
pub async fn fail(txn: &DatabaseTransaction, attempt: &Attempt, now: DateTime<Utc>) -> Result<()> {
    end(txn, attempt, |count, row| match count.of {
        Of::AccountFromAddress | Of::Address | Of::Account if !attempt.right => {
            count.rule.fail(row, attempt.id, now);
        }
        Of::AccountFromAddress | Of::Address | Of::Account | Of::Registrations => {
            take_out(row, attempt.id);
        }
    })
    .await
}

/// It was never found out whether the password was right.
pub async fn take_back(ctx: &Context, attempt: &Attempt) -> Result<()> {
    let txn = ctx.db().begin().await?;
    end(&txn, attempt, |_, row| {
        take_out(row, attempt.id);
    })
    .await?;
    txn.commit().await?;
    Ok(())
}

async fn end(
    txn: &DatabaseTransaction,
    attempt: &Attempt,
    change: impl Fn(&Count, &mut Model),
) -> Result<()> {
    let mut rows = lock(txn, attempt).await?;
    for row in &mut rows {
        if let Some(count) = attempt.counts.iter().find(|count| count.key == row.key) {
            change(count, row);
        }
    }
    write(txn, &rows).await
}

/// Makes the rows that are not there yet, and locks all: one that was only looked at could be cleared away before
/// it is locked.
async fn insert(txn: &DatabaseTransaction, attempt: &Attempt, now: DateTime<Utc>) -> Result<()> {
    let rows = attempt.counts.iter().map(|count| sign_in_attempt::ActiveModel {
        key: Set(count.key.clone()),
        counted: Set(0),
        since: Set(now),
        last_at: Set(now),
        in_flight: Set(InFlight::default()),
        throttled_until: Set(None),
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

fn find(attempt: &Attempt) -> Select<sign_in_attempt::Entity> {
    let keys = attempt.counts.iter().map(|count| count.key.clone());
    sign_in_attempt::Entity::find()
        .filter(sign_in_attempt::Column::Key.is_in(keys))
        .order_by_asc(sign_in_attempt::Column::Key)
}

async fn lock(txn: &DatabaseTransaction, attempt: &Attempt) -> Result<Vec<Model>> {
    Ok(find(attempt).lock_exclusive().all(txn).await?)
}

async fn write(txn: &DatabaseTransaction, rows: &[Model]) -> Result<()> {
    use sign_in_attempt::Column;

    let rows = rows.iter().map(|row| sign_in_attempt::ActiveModel {
        key: Set(row.key.clone()),
        counted: Set(row.counted),
        since: Set(row.since),
        last_at: Set(row.last_at),
        in_flight: Set(row.in_flight.clone()),
        throttled_until: Set(row.throttled_until),
    });
    let replace = OnConflict::column(Column::Key)
        .update_columns([
            Column::Counted,
            Column::Since,
            Column::LastAt,
            Column::InFlight,
            Column::ThrottledUntil,
        ])
        .to_owned();
    sign_in_attempt::Entity::insert_many(rows)
        .on_conflict(replace)
        .exec_without_returning(txn)
        .await?;
    Ok(())
}

/// Deletes what has no effect any more and nobody holds.
async fn clear(txn: &DatabaseTransaction, ctx: &Context) -> Result<()> {
    use sign_in_attempt::Column;

    let accounts = &ctx.platform.accounts;
    let windows = [accounts.attempts, accounts.registrations];
    let longest = windows.into_iter().flatten().map(length).max();
    let kept = longest.unwrap_or_default().max(FORGOTTEN + FORGOTTEN);
    // Before there was time nothing was tried.
    let Some(before) = ctx.now().checked_sub_signed(kept) else {
        return Ok(());
    };
    let old = sign_in_attempt::Entity::find()
        .select_only()
        .column(Column::Key)
        .filter(Column::LastAt.lt(before))
        .limit(CLEARED)
        .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked)
        .into_query();
    sign_in_attempt::Entity::delete_many()
        .filter(Column::Key.in_subquery(old))
        .exec(txn)
        .await?;
    Ok(())
}
