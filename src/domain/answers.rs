//! Finished answers that are the same for everybody, and what each of them is made of.
//!
//! While a query runs whose answer is to be kept, whoever reads for it writes down what he reads ([`Recorder`]); whoever changes
//! something says what it was ([`Answers::changed`]), after the commit and before the answer, and all that is made of it is
//! gone, here and in other instances. Both speak of [`Part`]s, so whoever reads or writes a table anew looks here which they are.

use std::collections::{BTreeSet, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::news::{News, NewsBus};
use crate::infra::cache::Weigh;
use crate::infra::kept::{Asked, Kept, Making, Store};
use crate::kernel::config::CacheConfig;
use crate::kernel::id::{ProductId, ProductVariantId};

/// What an answer can be made of.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// A product with its variants, images, options and tags; also that it is not there, or not to be seen.
    Product(Uuid),
    /// Which product has this slug, if any.
    Slug(String),
    /// The stock of a variant.
    Level(Uuid),
    /// Which products there are, in any order and under any filter but that of the stock.
    Lists,
    /// Which products can be had.
    Stock,
    /// All categories: there are few, and they hardly ever change.
    Categories,
}

impl Part {
    pub fn products(ids: &[ProductId]) -> impl Iterator<Item = Self> {
        ids.iter().map(|id| Self::Product(id.0))
    }

    pub fn slugs(slugs: &[String]) -> impl Iterator<Item = Self> {
        slugs.iter().cloned().map(Self::Slug)
    }

    pub fn levels(ids: &[ProductVariantId]) -> impl Iterator<Item = Self> {
        ids.iter().map(|id| Self::Level(id.0))
    }
}

impl Weigh for Part {
    /// What it holds beside its place.
    fn weight(&self) -> u32 {
        match self {
            Self::Slug(slug) => u32::try_from(slug.len()).unwrap_or(u32::MAX),
            Self::Product(_) | Self::Level(_) | Self::Lists | Self::Stock | Self::Categories => 0,
        }
    }
}

/// An answer as it is sent, by either method. Success has the same body in both media types.
#[derive(Debug)]
pub struct Finished {
    /// To GET: the data alone, which others may keep.
    pub shown: Bytes,
    /// To POST: with what it costs, which is nothing any more.
    pub told: Bytes,
    /// What `shown` is known by to those who have it already.
    pub tag: String,
    /// For how many seconds they may keep it.
    pub age: u32,
}

/// The header names and values that go with an entry, and whoever keeps it elsewhere too.
const BESIDE: usize = 2_048;

impl Weigh for Finished {
    fn weight(&self) -> u32 {
        u32::try_from(self.shown.len() + self.told.len() + BESIDE).unwrap_or(u32::MAX)
    }
}

pub type KeptAnswer = Kept<Part, Finished>;
pub type AskedAnswer<'a> = Asked<'a, Part, Finished>;
pub type MakingAnswer<'a> = Making<'a, Part, Finished>;

/// The answers that this instance keeps.
#[derive(Debug)]
pub struct Answers {
    store: Store<Part, Finished>,
    news: NewsBus,
}

impl Answers {
    pub fn new(config: &CacheConfig, news: NewsBus) -> Self {
        Self {
            // The rest is for requests that are answered without being read: see `http/lean`.
            store: Store::new(config.answers / 4 * 3, config.answer_life()),
            news,
        }
    }

    pub fn is_on(&self) -> bool {
        self.store.is_on()
    }

    /// What is kept by this key, or the turn to make it.
    pub async fn ask(&self, key: &str) -> AskedAnswer<'_> {
        self.store.ask(key).await
    }

    /// Something was changed: call it after the commit, and before the answer.
    pub fn changed(&self, parts: &[Part]) {
        if parts.is_empty() {
            return;
        }
        // Others may keep answers though this instance does not.
        self.news.tell(|| News::Changed {
            parts: parts.to_vec(),
        });
        self.heard(parts);
    }

    /// The same of a product, of which the others hear by the catalog's own news.
    pub fn product_changed(&self, id: ProductId, slugs: &[&str]) {
        let slugs = slugs.iter().map(|slug| Part::Slug((*slug).to_owned()));
        let parts: Vec<Part> = [Part::Product(id.0), Part::Lists]
            .into_iter()
            .chain(slugs)
            .collect();
        self.heard(&parts);
    }

    /// So many things were changed that nobody lists them.
    pub fn much_changed(&self) {
        self.news.tell(|| News::MuchChanged);
        self.drop_all();
    }

    /// Another instance has changed something.
    pub fn heard(&self, parts: &[Part]) {
        self.store.drop_parts(parts);
    }

    /// Forgets everything: what others have changed is not known.
    pub fn drop_all(&self) {
        self.store.drop_all();
    }

    /// How many were dropped because they were not true any more.
    pub fn dropped(&self) -> u64 {
        self.store.dropped()
    }

    /// How much is held, roughly, in bytes.
    pub fn weight(&self) -> u64 {
        self.store.weight()
    }
}

/// What is read for one answer.
#[derive(Debug, Default)]
pub struct Recorder(Mutex<Notes>);

#[derive(Debug, Default)]
struct Notes {
    parts: HashSet<Part>,
    /// Something was read of which nobody says when it changes.
    unknown: bool,
    /// Something was read where it may be behind.
    lags: bool,
}

/// How long an answer is kept that was read from a replica: that lags anyhow, and the answer must not lag much more.
const OF_REPLICA: Duration = Duration::from_secs(1);

impl Recorder {
    fn notes(&self) -> MutexGuard<'_, Notes> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn read(&self, parts: impl IntoIterator<Item = Part>) {
        self.notes().parts.extend(parts);
    }

    pub fn read_unknown(&self) {
        self.notes().unknown = true;
    }

    pub fn read_behind(&self) {
        self.notes().lags = true;
    }

    /// All parts, and for how long the answer may be kept at most; None when it is not known what it is made of.
    pub fn end(&self) -> Option<(Vec<Part>, Duration)> {
        let notes = std::mem::take(&mut *self.notes());
        let longest = if notes.lags { OF_REPLICA } else { Duration::MAX };
        (!notes.unknown).then(|| (notes.parts.into_iter().collect(), longest))
    }
}

/// What an operation has changed, or is about to. It is told once too often rather than once too little: what was rolled back
/// has cost an answer or two, and what one transaction has noted the commit of another of the same operation tells as well.
#[derive(Clone, Debug, Default)]
pub struct Touched(Arc<Mutex<Noted>>);

#[derive(Debug, Default)]
struct Noted {
    parts: BTreeSet<Part>,
    /// Whether something came since it was told.
    is_new: bool,
}

impl Touched {
    fn noted(&self) -> MutexGuard<'_, Noted> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Inside a transaction: to be told once it is committed.
    pub fn note(&self, parts: impl IntoIterator<Item = Part>) {
        let mut noted = self.noted();
        noted.parts.extend(parts);
        noted.is_new = true;
    }

    /// After the commit. Nothing is forgotten: jobs of one operation may run beside each other, and what was noted may be
    /// committed later than this.
    pub fn tell(&self, answers: &Answers) {
        let mut noted = self.noted();
        noted.is_new = false;
        let parts: Vec<Part> = noted.parts.iter().cloned().collect();
        drop(noted);
        answers.changed(&parts);
    }

    /// At the end of an operation, for what somebody else has committed for it.
    pub fn tell_rest(&self, answers: &Answers) {
        if self.noted().is_new {
            self.tell(answers);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_of_which_something_is_unknown_is_not_kept() {
        let recorder = Recorder::default();
        recorder.read([Part::Lists, Part::Stock, Part::Lists]);
        recorder.read_behind();
        let (parts, longest) = recorder.end().unwrap();
        assert_eq!((parts.len(), longest), (2, OF_REPLICA));
        recorder.read([Part::Lists]);
        recorder.read_unknown();
        assert!(recorder.end().is_none());
    }
}
