//! How the events of a subscription leave the library, and how each of them comes back to be answered.
//!
//! While a subscription goes on the library keeps all that it was begun with: the document, the variables, the context, and
//! streams within streams, some ten thousand bytes for each of very many that only wait. So it is begun with a
//! [`Handover`], where its resolver leaves the events that are to come, and is over for the library at once. Each event is then
//! an execution of its own, with that event [`Given`].

use std::sync::{Arc, Mutex, PoisonError};

use crate::domain::orders::feed::Happening;
use crate::domain::orders::feed::subscribe::{End, Happenings};

/// Where the resolver of a subscription leaves what is to come. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Handover(Arc<Mutex<Option<Happenings>>>);

impl Handover {
    pub(in crate::graphql) fn leave(&self, happenings: Happenings) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(happenings);
    }

    /// None when the subscription was refused.
    pub fn take(&self) -> Option<Happenings> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// What is to be answered instead of subscribing: an event, or why there are no more.
#[derive(Clone, Debug)]
pub struct Given(pub Result<Arc<Happening>, End>);
