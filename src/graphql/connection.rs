//! What all connections share: the arguments, and where a page lies.

use async_graphql::SimpleObject;

use super::told::{Asked, Tell, Text};
use crate::kernel::page::{PageArgs, Slice};

/// Where a page lies in its list.
#[derive(Clone, Debug, PartialEq, Eq, SimpleObject)]
#[graphql(cache_control(max_age = 60))]
pub struct PageInfo {
    /// Whether there is more after this page: ask for it with `after: endCursor`. When paging backwards it is
    /// true as soon as `before` was given.
    pub has_next_page: bool,
    /// Whether there is more before this page: ask for it with `before: startCursor`. When paging forwards it
    /// is true as soon as `after` was given.
    pub has_previous_page: bool,
    /// The cursor of the first item; null when the page is empty.
    pub start_cursor: Option<String>,
    /// The cursor of the last item; null when the page is empty.
    pub end_cursor: Option<String>,
}

impl PageInfo {
    /// Of a page whose items have these cursors.
    pub(crate) fn new<T>(slice: &Slice<T>, cursor: impl Fn(&T) -> String) -> Self {
        Self {
            has_next_page: slice.has_next,
            has_previous_page: slice.has_previous,
            start_cursor: slice.items.first().map(&cursor),
            end_cursor: slice.items.last().map(&cursor),
        }
    }
}

impl Tell for PageInfo {
    fn tell(&self, field: &str, _: &Asked<'_>, text: &mut Text) -> Option<()> {
        match field {
            "hasNextPage" => text.boolean(self.has_next_page),
            "hasPreviousPage" => text.boolean(self.has_previous_page),
            "startCursor" => text.optional(self.start_cursor.as_deref()),
            "endCursor" => text.optional(self.end_cursor.as_deref()),
            _ => None,
        }
    }
}

/// How many there are, as GraphQL's Int can say.
pub(crate) fn total(count: u64) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

/// The four arguments in one place.
pub(crate) fn page_args(
    first: Option<i32>,
    after: Option<String>,
    last: Option<i32>,
    before: Option<String>,
) -> PageArgs {
    PageArgs {
        first,
        after,
        last,
        before,
    }
}
