//! What an import did, counted.

use serde::Serialize;

/// Something to say about a row.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Note {
    /// The line of the file that the row begins on, from 1.
    pub line: u64,
    pub reason: String,
}

impl Note {
    pub(super) fn new(line: u64, reason: impl Into<String>) -> Self {
        Self {
            line,
            reason: reason.into(),
        }
    }
}

/// What became of the things of one kind that the file names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    pub created: u64,
    pub updated: u64,
    pub unchanged: u64,
    pub rejected: u64,
}

impl Counts {
    pub(super) fn created(number: usize) -> Self {
        Self {
            created: count(number),
            ..Self::default()
        }
    }

    pub(super) fn rejected(number: usize) -> Self {
        Self {
            rejected: count(number),
            ..Self::default()
        }
    }

    pub(super) fn add(&mut self, other: Self) {
        self.created += other.created;
        self.updated += other.updated;
        self.unchanged += other.unchanged;
        self.rejected += other.rejected;
    }
}

/// Products, variants and images together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub products: Counts,
    pub variants: Counts,
    pub images: Counts,
}

impl Tally {
    pub(super) fn add(&mut self, other: Self) {
        self.products.add(other.products);
        self.variants.add(other.variants);
        self.images.add(other.images);
    }

    /// A product that is left out with all that the file names of it.
    pub(super) fn rejected(variants: usize, images: usize) -> Self {
        Self {
            products: Counts::rejected(1),
            variants: Counts::rejected(variants),
            images: Counts::rejected(images),
        }
    }
}

pub(super) fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

/// What an import did, or in a dry run would have done. Serialised it is what `--json` prints.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Records of the file that are not blank, its header aside.
    pub rows: u64,
    pub products: Counts,
    pub variants: Counts,
    pub images: Counts,
    /// Each bad row with what is wrong with it, by line.
    pub rejected_rows: Vec<Note>,
    /// Rows that were imported otherwise than they say, by line.
    pub warnings: Vec<Note>,
}

impl Report {
    pub(super) fn changed_anything(&self) -> bool {
        let all = [&self.products, &self.variants, &self.images];
        all.iter().any(|counts| counts.created + counts.updated > 0)
    }

    pub(super) fn add(&mut self, tally: Tally) {
        self.products.add(tally.products);
        self.variants.add(tally.variants);
        self.images.add(tally.images);
    }
}
