//! Goes along the events that have a place, and hands them to the hub: once for the process, however many wait.

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
    /// The number of the last pass, and what came of it.
    pub(super) outcome: Option<(u64, Result<()>)>,
}

impl Tail {
    /// Gives places to what is new, and passes on what has one. Where it is cut off, the next pass goes on.
    pub(super) async fn pass(&mut self, db: &Db, clock: &dyn Clock, hub: &Hub, news: &NewsBus) -> Result<()> {
        let head = read::head(db).await?;
        // Nobody waits yet: what was before is for those who ask for it.
        let mut position = *self.position.get_or_insert_with(|| {
            hub.start(head.position);
            head.position
        });
        if head.more && sequence::give_places(db).await? > 0 {
            news.tell(|| News::OrderEvents);
            // The hint is only a hint, and those who wait here are served without it.
            if let Err(error) = db.notify(HINT).await {
                tracing::warn!(error = %error, "other processes are not told of new order events: they come seconds later");
            }
        } else if head.position == position {
            return Ok(());
        }
        loop {
            let page = read::after(db, Whose::Everybody, position).await?;
            let full = u64::try_from(page.len()).unwrap_or(u64::MAX) == read::PAGE;
            for happening in &page {
                let place = happening.event.position.unwrap_or_default();
                if place != position + 1 {
                    tracing::error!(position, place, "the places of order events have a gap");
                }
                position = place;
                let now = clock.now();
                hub.publish(happening, position, now);
                // Clocks of two servers may differ by more than it took.
                let lag = (now - happening.event.occurred_at).to_std().unwrap_or_default();
                EVENT_LAG.histogram([]).record(lag);
            }
            self.position = Some(position);
            EVENT_POSITION
                .gauge([])
                .set(u32::try_from(position).unwrap_or(u32::MAX));
            if !full {
                return Ok(());
            }
        }
    }
}
