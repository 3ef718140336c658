//! Pages of a Relay connection: what was asked for, and where in the order it starts.
//!
//! Cursors are keysets (the sort key and id of a row), so a page neither shifts when rows are
//! added meanwhile nor gets slower the deeper it lies.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Datelike as _, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::error::{Error, Result};

/// Items on a page when neither `first` nor `last` says.
pub const DEFAULT_PAGE_SIZE: u64 = 20;

/// A longer text is no cursor of ours.
const MAX_CURSOR_LENGTH: usize = 4096;

/// The arguments of a connection, as they were sent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct PageArgs {
    pub first: Option<i32>,
    pub after: Option<String>,
    pub last: Option<i32>,
    pub before: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From the start, or from `after` on.
    Forward,
    /// From the end, or from `before` on, towards the start.
    Backward,
}

/// A page asked for, checked.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Page {
    pub limit: u64,
    pub direction: Direction,
    pub after: Option<Cursor>,
    pub before: Option<Cursor>,
}

/// The value that a list is sorted by, in the databases' own order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum SortKey {
    #[serde(rename = "i")]
    Int(i64),
    #[serde(rename = "s")]
    Text(String),
    #[serde(rename = "t", with = "chrono::serde::ts_microseconds")]
    Time(DateTime<Utc>),
}

impl SortKey {
    /// Whether both databases can hold it. A forged cursor may have what neither row nor column can.
    fn is_storable(&self) -> bool {
        match self {
            Self::Int(_) => true,
            Self::Text(text) => !text.contains('\0'),
            Self::Time(time) => (0..10_000).contains(&time.year()),
        }
    }
}

/// A place in a sorted list.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Cursor {
    /// The sort that it was made for; it means nothing in another one.
    #[serde(rename = "o")]
    pub sort: String,
    #[serde(rename = "k")]
    pub key: SortKey,
    #[serde(rename = "d")]
    pub id: Uuid,
}

impl Cursor {
    /// The opaque text that clients hand back.
    pub fn encode(&self) -> String {
        let json = serde_json::to_vec(self).unwrap_or_default();
        URL_SAFE_NO_PAD.encode(json)
    }

    /// # Errors
    /// BadInput for what is no cursor of ours, or one of another sort.
    pub fn decode(text: &str, argument: &str, sort: &str) -> Result<Self> {
        let malformed = || Error::bad_input(argument, "is not a cursor of this connection");
        if text.len() > MAX_CURSOR_LENGTH {
            return Err(malformed());
        }
        let json = URL_SAFE_NO_PAD.decode(text).map_err(|_| malformed())?;
        let cursor: Self = serde_json::from_slice(&json).map_err(|_| malformed())?;
        if !cursor.key.is_storable() {
            return Err(malformed());
        }
        if cursor.sort != sort {
            return Err(Error::bad_input(
                argument,
                "was made for another sort: start again without it, or with the sort that it came from",
            ));
        }
        Ok(cursor)
    }
}

impl PageArgs {
    /// Checks the arguments against the largest page allowed and the sort of the list.
    ///
    /// # Errors
    /// BadInput for `first` together with `last`, a size below 0 or above `max`, or a cursor that
    /// is malformed or of another sort.
    pub fn page(&self, max: u64, sort: &str) -> Result<Page> {
        let (limit, direction) = match (self.first, self.last) {
            (Some(_), Some(_)) => {
                return Err(Error::bad_input(
                    "last",
                    "cannot stand beside `first`: ask for one end of the list",
                ));
            }
            (first, None) => (size(first, "first", max)?, Direction::Forward),
            (None, last) => (size(last, "last", max)?, Direction::Backward),
        };
        let cursor = |text: &Option<String>, argument| {
            text.as_deref()
                .map(|text| Cursor::decode(text, argument, sort))
                .transpose()
        };
        Ok(Page {
            limit,
            direction,
            after: cursor(&self.after, "after")?,
            before: cursor(&self.before, "before")?,
        })
    }
}

fn size(asked: Option<i32>, argument: &str, max: u64) -> Result<u64> {
    let Some(asked) = asked else {
        return Ok(DEFAULT_PAGE_SIZE.min(max));
    };
    u64::try_from(asked)
        .ok()
        .filter(|size| *size <= max)
        .ok_or_else(|| Error::bad_input(argument, format!("must be between 0 and {max}, not {asked}")))
}

/// The rows of a page, in the order of the list whichever way they were read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slice<T> {
    pub items: Vec<T>,
    pub has_next: bool,
    pub has_previous: bool,
}

impl Page {
    /// How many rows to read: one more than wanted, which tells whether there are further ones.
    pub fn fetch(&self) -> u64 {
        self.limit + 1
    }

    /// Makes a page of `rows`, read in the page's own direction with [`Page::fetch`] as their limit.
    pub fn slice<T>(&self, mut rows: Vec<T>) -> Slice<T> {
        let limit = usize::try_from(self.limit).unwrap_or(usize::MAX);
        let more = rows.len() > limit;
        rows.truncate(limit);
        match self.direction {
            Direction::Forward => Slice {
                items: rows,
                has_next: more,
                has_previous: self.after.is_some(),
            },
            Direction::Backward => {
                rows.reverse();
                Slice {
                    items: rows,
                    has_next: self.before.is_some(),
                    has_previous: more,
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(first: Option<i32>, last: Option<i32>) -> PageArgs {
        PageArgs {
            first,
            last,
            ..PageArgs::default()
        }
    }

    #[test]
    fn sizes_have_bounds() {
        assert_eq!(args(None, None).page(100, "s").unwrap().limit, 20);
        assert_eq!(args(Some(0), None).page(100, "s").unwrap().limit, 0);
        assert_eq!(
            args(None, Some(100)).page(100, "s").unwrap().direction,
            Direction::Backward
        );
        for bad in [
            args(Some(-1), None),
            args(Some(101), None),
            args(None, Some(101)),
            args(Some(1), Some(1)),
        ] {
            assert!(matches!(bad.page(100, "s"), Err(Error::BadInput(_))), "{bad:?}");
        }
    }

    #[test]
    fn a_cursor_is_bound_to_its_sort() {
        let cursor = Cursor {
            sort: "NAME".into(),
            key: SortKey::Text("mug".into()),
            id: Uuid::now_v7(),
        };
        let args = PageArgs {
            after: Some(cursor.encode()),
            ..PageArgs::default()
        };
        assert_eq!(args.page(100, "NAME").unwrap().after, Some(cursor));
        assert!(matches!(args.page(100, "PRICE"), Err(Error::BadInput(_))));
    }

    #[test]
    fn a_slice_is_in_list_order_from_both_ends() {
        let forward = args(Some(2), None).page(100, "s").unwrap().slice(vec![1, 2, 3]);
        assert_eq!(
            forward,
            Slice {
                items: vec![1, 2],
                has_next: true,
                has_previous: false
            }
        );
        let backward = args(None, Some(2)).page(100, "s").unwrap().slice(vec![9, 8, 7]);
        assert_eq!(
            backward,
            Slice {
                items: vec![8, 9],
                has_next: false,
                has_previous: true
            }
        );
    }
}
