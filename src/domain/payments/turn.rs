//! How many payments somebody may begin: who tries hundreds of cards is no buyer.

use std::time::Duration;

use crate::domain::context::Context;
use crate::infra::rate_limit::{Limiter, Taken};

/// The right to begin a payment, taken before the transaction that begins it: nobody waits for Redis with a lock in hand.
/// One that is not used, because the payment was begun before or is refused, goes back.
pub(super) enum Turn<'a> {
    Unlimited,
    Taken(Held<'a>),
    /// There is none; but what was begun before may still be asked for.
    None {
        retry_after: Duration,
    },
}

pub(super) struct Held<'a> {
    limiter: &'a Limiter,
    principal: String,
    taken: Taken,
    used: bool,
}

impl<'a> Turn<'a> {
    pub(super) async fn take(ctx: &'a Context) -> Self {
        let Some(limiter) = &ctx.platform.rates.payments else {
            return Self::Unlimited;
        };
        let principal = ctx.principal();
        match limiter.take(&principal, 1).await {
            Ok(taken) => Self::Taken(Held {
                limiter,
                principal,
                taken,
                used: false,
            }),
            Err(empty) => Self::None {
                retry_after: empty.retry_after,
            },
        }
    }

    /// After how long there is one again, where there is none.
    pub(super) fn missing(&self) -> Option<Duration> {
        match self {
            Self::None { retry_after } => Some(*retry_after),
            Self::Unlimited | Self::Taken(_) => None,
        }
    }

    /// The payment has been begun.
    pub(super) fn used(self) {
        match self {
            Self::Taken(mut held) => held.used = true,
            Self::Unlimited | Self::None { .. } => {}
        }
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        if !self.used {
            self.limiter.give_back(&self.principal, self.taken, 1);
        }
    }
}
