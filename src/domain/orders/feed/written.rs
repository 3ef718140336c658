//! What an event was written as: once for all who ask the same of it, however many they are.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use tokio::sync::OnceCell;

/// Goes with its event, which is soon forgotten.
#[derive(Debug, Default)]
pub struct Written(Mutex<Vec<(u64, Arc<OnceCell<Bytes>>)>>);

impl Written {
    /// Where the text for this question is, or will be: whoever comes first writes it, and the others wait for that.
    pub fn place(&self, question: u64) -> Arc<OnceCell<Bytes>> {
        // Few differ in what they ask: those of one client are all alike.
        let mut places = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, place)) = places.iter().find(|(known, _)| *known == question) {
            return Arc::clone(place);
        }
        let place = Arc::default();
        places.push((question, Arc::clone(&place)));
        place
    }
}
