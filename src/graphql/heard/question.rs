//! What subscriptions ask of each event. Those who ask the same share one question, and each event is answered to it once: a
//! shop's subscribers all run the same few clients.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use async_graphql::parser::types::ExecutableDocument;
use async_graphql::{Request, Variables};

use crate::graphql::document::Prepared;

/// Fewer than this are not looked through for those that nobody asks any more.
const FEW: usize = 64;

/// An operation, to be executed for each event.
pub(in crate::graphql) struct Question {
    /// What the answers are kept by; None when they depend on who asks.
    pub(in crate::graphql) number: Option<u64>,
    /// None for one that is nobody else's.
    key: Option<Key>,
    document: ExecutableDocument,
    operation_name: Option<String>,
    /// Where the question is shared, those of whoever asked first: they say which events to wait for, and nothing of their
    /// answers.
    variables: Variables,
}

impl Question {
    pub(in crate::graphql) fn request(&self) -> Request {
        let mut request = Request::new(String::new()).variables(self.variables.clone());
        request.operation_name = self.operation_name.clone();
        request.set_parsed_query(self.document.clone());
        request
    }
}

/// The document's hash, and the name of the operation in it.
type Key = (String, Option<String>);

/// All that is asked in this process at the moment.
#[derive(Default)]
pub(in crate::graphql) struct Questions {
    open: Mutex<HashMap<Key, Weak<Question>>>,
    last_number: AtomicU64,
    /// Whether any are shared.
    shares: bool,
}

impl std::fmt::Debug for Questions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Questions")
    }
}

impl Questions {
    pub(in crate::graphql) fn new(shares: bool) -> Self {
        Self {
            shares,
            ..Self::default()
        }
    }

    /// The question of an operation, which may be the same as somebody else's.
    pub(in crate::graphql) fn of(&self, prepared: &Prepared) -> Arc<Question> {
        let question = |number, key| {
            Arc::new(Question {
                number,
                key,
                document: prepared.document.clone(),
                operation_name: prepared.operation_name.clone(),
                variables: prepared.variables.clone(),
            })
        };
        if !(self.shares && prepared.is_alike) {
            return question(None, None);
        }
        let key = (prepared.hash.clone(), prepared.operation_name.clone());
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = open.get(&key).and_then(Weak::upgrade) {
            return known;
        }
        drop(open);
        let number = self.last_number.fetch_add(1, Ordering::Relaxed);
        question(Some(number), Some(key))
    }

    /// One that was accepted: others may ask the same from now on. What somebody else asked meanwhile comes back instead.
    pub(in crate::graphql) fn ask(&self, question: Arc<Question>) -> Arc<Question> {
        let Some(key) = &question.key else { return question };
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = open.get(key).and_then(Weak::upgrade) {
            return known;
        }
        if open.len() >= FEW && open.len() == open.capacity() {
            open.retain(|_, question| question.strong_count() > 0);
        }
        open.insert(key.clone(), Arc::downgrade(&question));
        question
    }
}
