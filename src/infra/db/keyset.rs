//! Pages of lists that are sorted by time, the newest first: keysets over a time and an id.

use chrono::{DateTime, Utc};
use sea_orm::sea_query::{Expr, ExprTrait as _};
use sea_orm::{EntityTrait, Order, QueryFilter as _, QueryOrder as _, QuerySelect as _, Select};
use uuid::Uuid;

use crate::kernel::error::{Error, Result};
use crate::kernel::page::{Cursor, Direction, Page, SortKey};

/// The columns that a list is sorted by.
#[derive(Clone, Copy, Debug)]
pub struct Newest<C> {
    /// What cursors of this list are bound to.
    pub sort: &'static str,
    pub time: C,
    pub id: C,
}

impl<C: sea_orm::ColumnTrait> Newest<C> {
    /// The rows of a page, to be read and given to [`Page::slice`].
    ///
    /// # Errors
    /// BadInput for a forged cursor, whose key is no time.
    pub fn page<E: EntityTrait<Column = C>>(&self, query: Select<E>, page: &Page) -> Result<Select<E>> {
        let keys = || Expr::tuple([Expr::col(self.time), Expr::col(self.id)]);
        let order = match page.direction {
            Direction::Forward => Order::Desc,
            Direction::Backward => Order::Asc,
        };
        let mut query = query;
        if let Some(after) = &page.after {
            query = query.filter(keys().lt(at(after, "after")?));
        }
        if let Some(before) = &page.before {
            query = query.filter(keys().gt(at(before, "before")?));
        }
        Ok(query
            .order_by(self.time, order.clone())
            .order_by(self.id, order)
            .limit(page.fetch()))
    }

    /// Where a row stands in the list.
    pub fn cursor(&self, time: DateTime<Utc>, id: Uuid) -> Cursor {
        Cursor {
            sort: self.sort.to_owned(),
            key: SortKey::Time(time),
            id,
        }
    }
}

fn at(cursor: &Cursor, argument: &str) -> Result<Expr> {
    match &cursor.key {
        SortKey::Time(time) => Ok(Expr::tuple([Expr::val(*time), Expr::val(cursor.id)])),
        SortKey::Int(_) | SortKey::Text(_) => {
            Err(Error::bad_input(argument, "is not a cursor of this connection"))
        }
    }
}
