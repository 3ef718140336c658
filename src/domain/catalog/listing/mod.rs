//! Lists of products: filtered, sorted, a page at a time, for the whole shop or for many categories at
//! once.
//!
//! A page is read in two steps. The first finds ids and sort keys, walking along one index; this is done
//! here. The second takes the products' rows by id, mostly out of the cache.

mod filter;
mod sql;

use std::collections::HashMap;

use sea_orm::sea_query::SelectStatement;
use sea_orm::{ConnectionTrait as _, QueryResult};

use super::policy;
use crate::domain::answers::Part;
use crate::domain::context::Context;
use crate::entity::product::ProductStatus;
use crate::infra::db::MAX_BINDS;
use crate::kernel::error::{Error, Result};
use crate::kernel::id::{CategoryId, ProductId};
use crate::kernel::page::{Cursor, Direction, Page, PageArgs, Slice, SortKey};

pub use filter::{CategoryRef, PriceRange, ProductFilter};

/// What a list can be sorted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SortField {
    CreatedAt,
    Name,
    /// The lowest price of the product's variants.
    Price,
    /// How well the words of the text filter match; the best come first, whatever the direction.
    Relevance,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Sort {
    pub field: SortField,
    pub descending: bool,
}

/// A list asked for, checked.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Listing {
    pub filter: ProductFilter,
    pub sort: Sort,
    pub page: Page,
}

/// A product's place in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    pub id: ProductId,
    pub cursor: Cursor,
}

impl Listing {
    /// Without a sort, the best match comes first when words are looked for, else the newest.
    ///
    /// # Errors
    /// BadInput for a page that cannot be, or RELEVANCE without a text.
    pub fn new(filter: ProductFilter, sort: Option<Sort>, page: &PageArgs, max_page: u64) -> Result<Self> {
        let searching = filter.words.is_some();
        let sort = sort.unwrap_or(Sort {
            field: if searching {
                SortField::Relevance
            } else {
                SortField::CreatedAt
            },
            descending: true,
        });
        let sort = match sort.field {
            SortField::Relevance if !searching => {
                return Err(Error::bad_input(
                    "sort.field",
                    "RELEVANCE needs words to match: give `filter.text`",
                ));
            }
            SortField::Relevance => Sort {
                descending: true,
                ..sort
            },
            SortField::CreatedAt | SortField::Name | SortField::Price => sort,
        };
        let page = page.page(max_page, &sort_name(sort, &filter))?;
        for (argument, cursor) in [("after", &page.after), ("before", &page.before)] {
            if cursor
                .as_ref()
                .is_some_and(|cursor| !fits(sort.field, &cursor.key))
            {
                return Err(Error::bad_input(argument, "is not a cursor of this connection"));
            }
        }
        Ok(Self { filter, sort, page })
    }

    /// Whether rows are read from the highest key down: a descending list, or the end of an ascending one.
    fn reads_backwards(&self) -> bool {
        self.sort.descending == (self.page.direction == Direction::Forward)
    }
}

/// Whether a sort has keys of this kind; a forged cursor may name the sort and have another.
fn fits(field: SortField, key: &SortKey) -> bool {
    match field {
        SortField::CreatedAt => matches!(key, SortKey::Time(_)),
        SortField::Name => matches!(key, SortKey::Text(_)),
        SortField::Price | SortField::Relevance => matches!(key, SortKey::Int(_)),
    }
}

/// What a cursor is bound to: the sort, and for relevance the words, which make the score.
fn sort_name(sort: Sort, filter: &ProductFilter) -> String {
    let field = match sort.field {
        SortField::CreatedAt => "CREATED_AT",
        SortField::Name => "NAME",
        SortField::Price => "PRICE",
        SortField::Relevance => {
            return format!(
                "RELEVANCE {}",
                filter.words.as_deref().unwrap_or_default().join(" ")
            );
        }
    };
    format!("{field} {}", if sort.descending { "DESC" } else { "ASC" })
}

/// The page of each shelf; None is the whole shop. One statement, as long as it can hold all shelves.
pub async fn pages(
    ctx: &Context,
    shelves: &[Option<CategoryId>],
    listing: &Listing,
) -> Result<HashMap<Option<CategoryId>, Slice<Item>>> {
    let mut rows: HashMap<Option<CategoryId>, Vec<Item>> = HashMap::new();
    let sort = sort_name(listing.sort, &listing.filter);
    for shelves in together(ctx, shelves, &listing.filter) {
        if let Some(statement) = statement(ctx, shelves, listing) {
            for row in ctx.catalog(parts(&listing.filter)).query_all(&statement).await? {
                let shelf: Option<CategoryId> = row.try_get_by("shelf")?;
                rows.entry(shelf).or_default().push(item(&row, listing, &sort)?);
            }
        }
    }
    let pages = shelves.iter().map(|shelf| {
        let mut items = rows.remove(shelf).unwrap_or_default();
        // A union promises no order of its parts' rows.
        items.sort_by(|a, b| (&a.cursor.key, a.id).cmp(&(&b.cursor.key, b.id)));
        if listing.reads_backwards() {
            items.reverse();
        }
        (*shelf, listing.page.slice(items))
    });
    Ok(pages.collect())
}

/// The shelves of each statement: each has a part for every status, with all values of the filter, and SQLite joins
/// at most 500 parts. All, but for filters of hundreds of values. The shop itself stands on no shelf of a category.
fn together<'a>(
    ctx: &Context,
    shelves: &'a [Option<CategoryId>],
    filter: &ProductFilter,
) -> impl Iterator<Item = &'a [Option<CategoryId>]> {
    const MOST_SHELVES: usize = 150;
    /// Cursors, bounds, limits and the words' scores.
    const OTHER_BINDS: usize = 100;
    let values = |list: &Option<Vec<String>>| list.as_ref().map_or(0, Vec::len);
    let lists = values(&filter.vendors) + values(&filter.product_types) + values(&filter.tags);
    let ids = filter.ids.as_ref().map_or(0, Vec::len);
    let parts = statuses(ctx, filter).len().max(1);
    let most = (MAX_BINDS / ((lists + ids + OTHER_BINDS) * parts)).clamp(1, MOST_SHELVES);
    shelves
        .chunk_by(|one, other| one.is_some() == other.is_some())
        .flat_map(move |shelves| shelves.chunks(most))
}

/// How many products each shelf has under the filter.
pub async fn counts(
    ctx: &Context,
    shelves: &[Option<CategoryId>],
    filter: &ProductFilter,
) -> Result<HashMap<Option<CategoryId>, u64>> {
    let statuses = statuses(ctx, filter);
    let mut counts: HashMap<_, u64> = shelves.iter().map(|shelf| (*shelf, 0)).collect();
    if statuses.is_empty() || shelves.is_empty() {
        return Ok(counts);
    }
    let scope = sql::Scope {
        db: ctx.db(),
        shop: &ctx.platform.shop,
        filter,
        counting: true,
    };
    for shelves in together(ctx, shelves, filter) {
        let statement = sql::count(&scope, shelves, &statuses);
        for row in ctx.catalog(parts(filter)).query_all(&statement).await? {
            let count: i64 = row.try_get_by("count")?;
            counts.insert(row.try_get_by("shelf")?, u64::try_from(count).unwrap_or_default());
        }
    }
    Ok(counts)
}

/// What the products under a filter depend on, beside what is shown of them.
fn parts(filter: &ProductFilter) -> impl Iterator<Item = Part> {
    let stock = filter.in_stock.map(|_| Part::Stock);
    let category = filter.category.as_ref().map(|_| Part::Categories);
    [Some(Part::Lists), stock, category].into_iter().flatten()
}

/// The statement that reads the pages; None when nothing can match. Public for the test that shows its plan.
pub fn statement(
    ctx: &Context,
    shelves: &[Option<CategoryId>],
    listing: &Listing,
) -> Option<SelectStatement> {
    let scope = sql::Scope {
        db: ctx.db(),
        shop: &ctx.platform.shop,
        filter: &listing.filter,
        counting: false,
    };
    sql::pages(&scope, shelves, &statuses(ctx, &listing.filter), listing)
}

/// The statuses asked for among those that the actor may see.
fn statuses(ctx: &Context, filter: &ProductFilter) -> Vec<ProductStatus> {
    let visible = policy::visible_statuses(&ctx.actor).iter().copied();
    match &filter.statuses {
        Some(asked) => visible.filter(|status| asked.contains(status)).collect(),
        None => visible.collect(),
    }
}

fn item(row: &QueryResult, listing: &Listing, sort: &str) -> Result<Item> {
    let id: ProductId = row.try_get_by("id")?;
    let key = match listing.sort.field {
        SortField::CreatedAt => SortKey::Time(row.try_get_by("key")?),
        SortField::Name => SortKey::Text(row.try_get_by("key")?),
        SortField::Price | SortField::Relevance => SortKey::Int(row.try_get_by("key")?),
    };
    let cursor = Cursor {
        sort: sort.to_owned(),
        key,
        id: id.0,
    };
    Ok(Item { id, cursor })
}
