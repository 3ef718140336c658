//! Waiting for events: first those that were missed, from the table; then those that happen, from the hub. None is left
//! out between the two, none comes twice, and they come in their order.

use std::collections::VecDeque;
use std::sync::Arc;

use chrono::TimeDelta;
use futures_util::stream::{self, Stream};

use super::hub::Seat;
use super::{Happening, Whose, cursor, read};
use crate::domain::context::{Context, Platform};
use crate::domain::orders::find::{self, OrderBy};
use crate::domain::permission::Permission;
use crate::kernel::error::{Error, Result};
use crate::kernel::id::OrderId;

/// Whoever comes to the end of a full channel sooner than this was only overtaken by a burst, and reads the rest from the
/// table. Whoever does not is too slow, and would only be overtaken again.
const OVERTAKEN: TimeDelta = TimeDelta::seconds(5);

/// How the subscription of somebody too slow ends.
#[derive(Clone, Debug)]
pub enum End {
    TooSlow,
    Failed(Error),
}

/// The events of one order, for its owner, staff, and whoever holds its guest token.
///
/// # Errors
/// BadInput when there is no such order, or none that the caller may see, in the same words; or for `after`.
pub async fn of_order(
    ctx: &Context,
    id: OrderId,
    guest_token: Option<&str>,
    after: Option<&str>,
) -> Result<impl Stream<Item = Result<Arc<Happening>, End>> + Send + use<>> {
    if find::order(ctx, &OrderBy::Id(id), guest_token).await?.is_none() {
        let message = "there is no such order, or none that you may see";
        return Err(Error::bad_input("orderId", message));
    }
    subscribe(ctx, Whose::Order(id), after).await
}

/// The events of all orders of whoever asks.
///
/// # Errors
/// Unauthenticated; BadInput for `after`.
pub async fn of_own(
    ctx: &Context,
    after: Option<&str>,
) -> Result<impl Stream<Item = Result<Arc<Happening>, End>> + Send + use<>> {
    ctx.require(Permission::OwnAccount)?;
    let user = ctx.actor.user().ok_or(Error::Forbidden)?;
    subscribe(ctx, Whose::User(user), after).await
}

/// The events of all orders, for staff.
///
/// # Errors
/// Unauthenticated, Forbidden; BadInput for `after`.
pub async fn of_shop(
    ctx: &Context,
    after: Option<&str>,
) -> Result<impl Stream<Item = Result<Arc<Happening>, End>> + Send + use<>> {
    ctx.require(Permission::ReadOrders)?;
    subscribe(ctx, Whose::Everybody, after).await
}

async fn subscribe(
    ctx: &Context,
    whose: Whose,
    after: Option<&str>,
) -> Result<impl Stream<Item = Result<Arc<Happening>, End>> + Send + use<>> {
    let after = after.map(|text| cursor::read(text, "after")).transpose()?;
    let platform = Arc::clone(&ctx.platform);
    // What is committed by now is not told as news, and has the place that `after` may ask for.
    platform
        .order_events
        .catch_up(&platform.db, &*platform.clock)
        .await?;
    let state = match after {
        None => State::Live(platform.order_events.hub.sit_down(whose)),
        Some((order, seq)) => {
            let position = read::position_of(&platform.db, whose, order, seq).await?;
            let unknown = || Error::bad_input("after", "is not the cursor of an event that is told here");
            State::Behind(position.ok_or_else(unknown)?)
        }
    };
    let reader = Reader {
        platform,
        whose,
        state,
        read: VecDeque::new(),
    };
    Ok(stream::unfold(Some(reader), |reader| async {
        let mut reader = reader?;
        match reader.next().await {
            Ok(happening) => Some((Ok(happening), Some(reader))),
            Err(end) => Some((Err(end), None)),
        }
    }))
}

enum State {
    /// Reading the table from behind this place on. There is no seat at the hub yet: during a long replay it would only
    /// be full.
    Behind(i64),
    /// At the hub, with the few that were handed out before the seat was taken still to be read, from behind this place on.
    Closing(i64, Seat),
    Live(Seat),
}

struct Reader {
    platform: Arc<Platform>,
    whose: Whose,
    state: State,
    /// Read from the table, and not told yet.
    read: VecDeque<Arc<Happening>>,
}

impl Reader {
    async fn next(&mut self) -> Result<Arc<Happening>, End> {
        loop {
            if let Some(happening) = self.read.pop_front() {
                return Ok(happening);
            }
            match &mut self.state {
                State::Live(seat) => match seat.events.recv().await {
                    Some(happening) => {
                        let position = happening.event.position.unwrap_or_default();
                        // The table has an event before the hub does: this one was read there already.
                        if position <= seat.position {
                            continue;
                        }
                        seat.position = position;
                        return Ok(happening);
                    }
                    None => self.let_go()?,
                },
                State::Behind(_) | State::Closing(..) => self.read_on().await.map_err(End::Failed)?,
            }
        }
    }

    /// The channel was full, and all that it held has been told.
    fn let_go(&mut self) -> Result<(), End> {
        let State::Live(seat) = &self.state else {
            return Ok(());
        };
        let now = self.platform.clock.now();
        if seat.let_go_at().is_none_or(|at| now - at >= OVERTAKEN) {
            return Err(End::TooSlow);
        }
        self.state = State::Behind(seat.position);
        Ok(())
    }

    /// Reads a page, and goes on to the hub when it was the last.
    async fn read_on(&mut self) -> Result<()> {
        let (State::Behind(position) | State::Closing(position, _)) = &self.state else {
            return Ok(());
        };
        let mut position = *position;
        let mut page = read::after(&self.platform.db, self.whose, position).await?;
        let full = u64::try_from(page.len()).unwrap_or(u64::MAX) == read::PAGE;
        let place = |happening: &Happening| happening.event.position.unwrap_or_default();
        if let State::Closing(_, seat) = &self.state {
            // What comes behind the seat's place is in its channel too.
            page.retain(|happening| place(happening) <= seat.position);
        }
        let closed = !full || page.len() < usize::try_from(read::PAGE).unwrap_or(usize::MAX);
        if let Some(last) = page.last() {
            position = place(last);
        }
        self.read.extend(page);
        let seat = || self.platform.order_events.hub.sit_down(self.whose);
        let state = std::mem::replace(&mut self.state, State::Behind(position));
        self.state = match state {
            State::Behind(_) if full => State::Behind(position),
            State::Behind(_) => State::Closing(position, seat()),
            State::Closing(_, mut seat) if closed => {
                seat.position = seat.position.max(position);
                State::Live(seat)
            }
            State::Closing(_, seat) => State::Closing(position, seat),
            live @ State::Live(_) => live,
        };
        Ok(())
    }
}
