//! Goes along the events that have a place, and hands them to the hub: once for the process, however many wait.

use sea_orm::DatabaseBackend;

use super::hub::Hub;
use super::{HINT, Whose, read, sequence};
use crate::domain::news::{News, NewsBus};
use crate::infra::db::Db;
use crate::infra::metric::{EVENT_LAG, EVENT_POSITION};
use crate::kernel::clock::Clock;
use crate::kernel::error::Result;

/// How far this process has come.
#[derive(Debug, Default)]
pub(super) struct Tail {
    /// The last place that the hub was given; None until the first pass.
    position: Option<i64>,
    /// Places were given, and other processes have not been told.
    owes_hint: bool,
    /// The number of the last pass, and what came of it.
    pub(super) outcome: Option<(u64, Result<()>)>,
}

impl Tail {
    /// Gives places to what is new, and passes on what has one: how many. Where it is cut off, the next pass goes on.
    pub(super) async fn pass(
        &mut self,
        db: &Db,
        clock: &dyn Clock,
        hub: &Hub,
        news: &NewsBus,
    ) -> Result<u64> {
        let head = read::head(db.fresh()).await?;
        // Nobody waits yet: what was before is for those who ask for it.
        let mut position = *self.position.get_or_insert_with(|| {
            hub.start(head.position);
            head.position
        });
        if head.more {
            self.owes_hint |= sequence::give_places(db).await? > 0;
        }
        let last = if head.more && hub.len() == 0 {
            Some(read::head(db.fresh()).await?.position)
        } else {
            (!head.more).then_some(head.position)
        };
        let told = if last == Some(position) {
            Ok(0)
        } else if let Some(last) = last.filter(|last| hub.pass_by(*last)) {
            // An event that nobody waits for is not read.
            self.come_to(last);
            Ok(u64::try_from(last - position).unwrap_or_default())
        } else {
            self.tell(db, clock, hub, &mut position).await
        };
        // Written with their places: whoever tells of them first also tells the others.
        if db.backend() == DatabaseBackend::Sqlite {
            self.owes_hint |= told.as_ref().is_ok_and(|told| *told > 0);
        }
        // Those who wait here are served first: to the others it is only a hint.
        if self.owes_hint {
            self.owes_hint = false;
            news.tell(|| News::OrderEvents);
            if let Err(error) = db.notify(HINT).await {
                tracing::warn!(error = %error, "other processes are not told of new order events: they come seconds later");
            }
        }
        told
    }

    fn come_to(&mut self, position: i64) {
        self.position = Some(position);
        EVENT_POSITION
            .gauge([])
            .set(u32::try_from(position).unwrap_or(u32::MAX));
    }

    /// From behind this place on.
    async fn tell(&mut self, db: &Db, clock: &dyn Clock, hub: &Hub, position: &mut i64) -> Result<u64> {
        let mut told = 0;
        loop {
            let page = read::after(db, Whose::Everybody, *position).await?;
            let count = u64::try_from(page.len()).unwrap_or(u64::MAX);
            told += count;
            for happening in &page {
                let place = happening.event.position.unwrap_or_default();
                if place != *position + 1 {
                    tracing::error!(
                        position = *position,
                        place,
                        "the places of order events have a gap"
                    );
                }
                *position = place;
                let now = clock.now();
                hub.publish(happening, *position, now);
                // Clocks of two servers may differ by more than it took.
                let lag = (now - happening.event.occurred_at).to_std().unwrap_or_default();
                EVENT_LAG.histogram([]).record(lag);
            }
            self.come_to(*position);
            if count < read::PAGE {
                return Ok(told);
            }
        }
    }
}
