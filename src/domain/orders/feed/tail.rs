//! Goes along the events that have a place, and hands them to the hub: once for the process, however many wait.

use sea_orm::DatabaseBackend;
use uuid::Uuid;

use super::hub::Hub;
use super::sequence::Placed;
use super::{Whose, read, sequence};
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
        (own, news): (Uuid, &NewsBus),
    ) -> Result<u64> {
        let Placed { given, last } = sequence::give_places(db, own).await?;
        if given > 0 {
            news.tell(|| News::OrderEvents);
        }
        // Nobody waits yet: what was before is for those who ask for it.
        let mut position = *self.position.get_or_insert_with(|| {
            hub.start(last - given);
            last - given
        });
        if last == position {
            return Ok(0);
        }
        // An event that nobody waits for is not read.
        let told = if hub.pass_by(last) {
            self.come_to(last);
            u64::try_from(last - position).unwrap_or_default()
        } else {
            self.tell(db, clock, hub, &mut position).await?
        };
        // Written with their places: whoever tells of them first also tells the others.
        if db.backend() == DatabaseBackend::Sqlite && told > 0 {
            news.tell(|| News::OrderEvents);
        }
        Ok(told)
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
