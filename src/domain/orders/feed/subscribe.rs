//! Waiting for events: first those that were missed, from the table; then those that happen, from the hub. None is left
//! out between the two, none comes twice, and they come in their order.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, ready};

use chrono::TimeDelta;
use futures_util::Stream;
use futures_util::future::BoxFuture;

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
) -> Result<Happenings> {
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
pub async fn of_own(ctx: &Context, after: Option<&str>) -> Result<Happenings> {
    ctx.require(Permission::OwnAccount)?;
    let user = ctx.actor.user().ok_or(Error::Forbidden)?;
    subscribe(ctx, Whose::User(user), after).await
}

/// The events of all orders, for staff.
///
/// # Errors
/// Unauthenticated, Forbidden; BadInput for `after`.
pub async fn of_shop(ctx: &Context, after: Option<&str>) -> Result<Happenings> {
    ctx.require(Permission::ReadOrders)?;
    subscribe(ctx, Whose::Everybody, after).await
}

async fn subscribe(ctx: &Context, whose: Whose, after: Option<&str>) -> Result<Happenings> {
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
    Ok(Happenings {
        platform,
        whose,
        state,
        reading: None,
        read: VecDeque::new(),
    })
}

#[derive(Debug)]
enum State {
    /// Reading the table from behind this place on. There is no seat at the hub yet: during a long replay it would only
    /// be full.
    Behind(i64),
    /// At the hub, with the few that were handed out before the seat was taken still to be read, from behind this place on.
    Closing(i64, Seat),
    Live(Seat),
    /// The end was told.
    Over,
}

/// What one subscription hears. Written by hand, and with what it reads in a box of its own: there are tens of thousands of
/// these, and almost all of them only wait.
pub struct Happenings {
    platform: Arc<Platform>,
    whose: Whose,
    state: State,
    /// A page of the table, which is on its way.
    reading: Option<BoxFuture<'static, Result<Vec<Arc<Happening>>>>>,
    /// Read from the table, and not told yet.
    read: VecDeque<Arc<Happening>>,
}

impl std::fmt::Debug for Happenings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Happenings")
            .field("whose", &self.whose)
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}

impl Stream for Happenings {
    type Item = Result<Arc<Happening>, End>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Option<Self::Item>> {
        let next = ready!(self.poll(cx));
        if !matches!(next, Some(Ok(_))) {
            self.state = State::Over;
        }
        Poll::Ready(next)
    }
}

impl Happenings {
    fn poll(&mut self, cx: &mut TaskContext<'_>) -> Poll<Option<Result<Arc<Happening>, End>>> {
        loop {
            if let Some(happening) = self.read.pop_front() {
                return Poll::Ready(Some(Ok(happening)));
            }
            if let Some(reading) = &mut self.reading {
                let page = ready!(reading.as_mut().poll(cx));
                self.reading = None;
                match page {
                    Ok(page) => self.take(page),
                    Err(error) => return Poll::Ready(Some(Err(End::Failed(error)))),
                }
                continue;
            }
            match &mut self.state {
                State::Live(seat) => match ready!(seat.poll_next(cx)) {
                    Some(happening) => {
                        let position = happening.event.position.unwrap_or_default();
                        // The table has an event before the hub does: this one was read there already.
                        if position <= seat.position {
                            continue;
                        }
                        seat.position = position;
                        return Poll::Ready(Some(Ok(happening)));
                    }
                    None => {
                        if let Err(end) = self.let_go() {
                            return Poll::Ready(Some(Err(end)));
                        }
                    }
                },
                State::Behind(position) | State::Closing(position, _) => {
                    let (platform, whose, position) = (Arc::clone(&self.platform), self.whose, *position);
                    let page = async move { read::after(&platform.db, whose, position).await };
                    self.reading = Some(Box::pin(page));
                }
                State::Over => return Poll::Ready(None),
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

    /// Takes a page in, and goes on to the hub when it was the last.
    fn take(&mut self, mut page: Vec<Arc<Happening>>) {
        let (State::Behind(position) | State::Closing(position, _)) = &self.state else {
            return;
        };
        let mut position = *position;
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
            other @ (State::Live(_) | State::Over) => other,
        };
    }
}
