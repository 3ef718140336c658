//! The statements of lists.
//!
//! Each shelf and status is a slice of its own, sorted within an index and cut off there; the slices are
//! then merged. So neither a status filter nor the number of categories ever makes the database sort more
//! than a few pages, and one index serves both customers (one status) and staff (all). Lists by relevance, and
//! those of many categories with a text, are read from the full-text index instead.

use sea_orm::sea_query::{
    Alias, Expr, ExprTrait as _, IntoTableRef as _, Order, OverStatement as _, Query, SelectStatement,
    TableRef, UnionType, WindowStatement,
};
use sea_orm::{ColumnTrait as _, IntoSimpleExpr as _};

use super::filter::{CategoryRef, ProductFilter};
use super::{Listing, SortField};
use crate::domain::catalog::derived::SEARCH;
use crate::entity::product::ProductStatus;
use crate::entity::{category, inventory_level, product, product_listing, product_tag, product_variant};
use crate::infra::db::Db;
use crate::infra::fulltext::{HIT, OWNER, SCORE};
use crate::kernel::config::ShopConfig;
use crate::kernel::id::CategoryId;
use crate::kernel::page::{Cursor, SortKey};

/// What every statement of one list needs to know.
pub(super) struct Scope<'a> {
    pub(super) db: &'a Db,
    pub(super) shop: &'a ShopConfig,
    pub(super) filter: &'a ProductFilter,
    /// How many there are is asked, not which come first.
    pub(super) counting: bool,
}

/// Where a list reads: the products themselves, or the lists of categories.
#[derive(Clone)]
enum Shelf {
    Shop,
    Categories(Vec<Expr>),
}

impl Shelf {
    fn id(&self) -> Expr {
        match self {
            Self::Shop => product::Column::Id.into_simple_expr(),
            Self::Categories(_) => product_listing::Column::ProductId.into_simple_expr(),
        }
    }

    fn status(&self) -> Expr {
        match self {
            Self::Shop => product::Column::Status.into_simple_expr(),
            Self::Categories(_) => product_listing::Column::Status.into_simple_expr(),
        }
    }

    /// What a list is sorted by; relevance is in the full-text index's hits.
    fn key(&self, field: SortField) -> Expr {
        use {product::Column as P, product_listing::Column as L};
        match (self, field) {
            (_, SortField::Relevance) => Expr::col((HIT, SCORE)),
            (Self::Shop, SortField::CreatedAt) => P::CreatedAt.into_simple_expr(),
            (Self::Shop, SortField::Name) => P::NameKey.into_simple_expr(),
            (Self::Shop, SortField::Price) => P::PriceMin.into_simple_expr(),
            (Self::Categories(_), SortField::CreatedAt) => L::CreatedAt.into_simple_expr(),
            (Self::Categories(_), SortField::Name) => L::NameKey.into_simple_expr(),
            (Self::Categories(_), SortField::Price) => L::PriceMin.into_simple_expr(),
        }
    }

    fn price_min(&self) -> Expr {
        match self {
            Self::Shop => product::Column::PriceMin.into_simple_expr(),
            Self::Categories(_) => product_listing::Column::PriceMin.into_simple_expr(),
        }
    }

    fn table(&self) -> TableRef {
        match self {
            Self::Shop => product::Entity.into_table_ref(),
            Self::Categories(_) => product_listing::Entity.into_table_ref(),
        }
    }

    /// Whether a row stands on the shelf.
    fn holds(&self) -> Option<Expr> {
        let category = product_listing::Column::CategoryId.into_simple_expr();
        match self {
            Self::Shop => None,
            Self::Categories(ids) => Some(match ids.as_slice() {
                [id] => category.eq(id.clone()),
                ids => category.is_in(ids.iter().cloned()),
            }),
        }
    }
}

impl Scope<'_> {
    /// The shelf to read: those of the connections, else that of the filter, else the shop. When there are
    /// both, the filter's becomes a condition.
    fn shelf(&self, of_connections: &[Option<CategoryId>]) -> (Shelf, Option<&CategoryRef>) {
        let ids: Vec<_> = of_connections.iter().flatten().map(|id| Expr::val(*id)).collect();
        match &self.filter.category {
            also if !ids.is_empty() => (Shelf::Categories(ids), also.as_ref()),
            Some(category) => (Shelf::Categories(vec![category_id(category)]), None),
            None => (Shelf::Shop, None),
        }
    }

    /// The rows of shelves under all filters but the status.
    fn rows(&self, of_connections: &[Option<CategoryId>]) -> (SelectStatement, Shelf) {
        let (shelf, also) = self.shelf(of_connections);
        let mut rows = Query::select();
        rows.from(shelf.table());
        rows.and_where_option(shelf.holds());
        if let Some(words) = &self.filter.words {
            rows.and_where(SEARCH.matches(self.db.backend(), &shelf.id(), words));
        }
        self.filters(&mut rows, &shelf, also);
        (rows, shelf)
    }

    /// The same, read from the hits of the text filter on.
    fn hits(&self, of_connections: &[Option<CategoryId>]) -> (SelectStatement, Shelf) {
        let (shelf, also) = self.shelf(of_connections);
        let mut rows = Query::select();
        rows.from(HIT)
            .inner_join(shelf.table(), shelf.id().eq(Expr::col((HIT, OWNER))))
            // Compared to TRUE, so that no index serves it: SQLite would look for each hit in each category.
            .and_where_option(shelf.holds().map(|holds| holds.eq(Expr::cust("TRUE"))));
        self.filters(&mut rows, &shelf, also);
        (rows, shelf)
    }

    /// Whether a filter looks at a column that only the product's own row has.
    fn needs_product(&self) -> bool {
        self.filter.vendors.is_some() || self.filter.product_types.is_some() || self.filter.price.is_some()
    }

    fn filters(&self, rows: &mut SelectStatement, shelf: &Shelf, also: Option<&CategoryRef>) {
        let filter = self.filter;
        if matches!(shelf, Shelf::Categories(_)) && self.needs_product() {
            rows.inner_join(
                product::Entity,
                product::Column::Id.into_simple_expr().eq(shelf.id()),
            );
        }
        if let Some(also) = also {
            rows.and_where(listed_in(shelf, also));
        }
        if let Some(ids) = &filter.ids {
            rows.and_where(shelf.id().is_in(ids.iter().copied()));
        }
        if let Some(vendors) = &filter.vendors {
            rows.and_where(product::Column::Vendor.is_in(vendors));
        }
        if let Some(types) = &filter.product_types {
            rows.and_where(product::Column::ProductType.is_in(types));
        }
        if let Some(tags) = &filter.tags {
            rows.and_where(self.tagged(shelf, tags));
        }
        self.price_filter(rows, shelf);
        if let Some(in_stock) = filter.in_stock {
            let available = Expr::exists(available_variant(shelf));
            rows.and_where(if in_stock { available } else { available.not() });
        }
    }

    /// Whether a row has one of the tags. A page asks this of each row that it passes, because most pages are full
    /// before they have passed many; a count begins with all that have the tag.
    fn tagged(&self, shelf: &Shelf, tags: &[String]) -> Expr {
        use product_tag::Column::{ProductId, Tag};
        let mut tagged = Query::select();
        tagged.from(product_tag::Entity).and_where(Tag.is_in(tags));
        if self.counting {
            return shelf.id().in_subquery(tagged.column(ProductId).to_owned());
        }
        tagged.and_where(ProductId.into_simple_expr().eq(shelf.id()));
        Expr::exists(tagged.expr(Expr::val(1)).to_owned())
    }

    fn price_filter(&self, rows: &mut SelectStatement, shelf: &Shelf) {
        use product_variant::Column::{Price, ProductId};
        let Some(price) = self.filter.price else { return };
        let mut variant = Query::select();
        variant
            .expr(Expr::val(1))
            .from(product_variant::Entity)
            .and_where(ProductId.into_simple_expr().eq(shelf.id()));
        // The bounds on the product's range say nothing new, but they end the walk along a price index.
        if let Some(min) = price.min {
            variant.and_where(Price.gte(min));
            rows.and_where(product::Column::PriceMax.gte(min));
        }
        if let Some(max) = price.max {
            variant.and_where(Price.lte(max));
            rows.and_where(shelf.price_min().lte(max));
        }
        rows.and_where(product::Column::Currency.eq(self.shop.currency.code()));
        rows.and_where(Expr::exists(variant));
    }
}

/// The id that a filter's category has, looked up within the statement.
fn category_id(category: &CategoryRef) -> Expr {
    match category {
        CategoryRef::Id(id) => Expr::val(*id),
        CategoryRef::Slug(slug) => {
            let id = Query::select()
                .column(category::Column::Id)
                .from(category::Entity)
                .and_where(category::Column::Slug.eq(slug))
                .to_owned();
            Expr::SubQuery(None, Box::new(id.into()))
        }
    }
}

fn listed_in(shelf: &Shelf, category: &CategoryRef) -> Expr {
    let other = Alias::new("other");
    let listed = Query::select()
        .expr(Expr::val(1))
        .from_as(product_listing::Entity, other.clone())
        .and_where(Expr::col((other.clone(), product_listing::Column::CategoryId)).eq(category_id(category)))
        .and_where(Expr::col((other, product_listing::Column::ProductId)).eq(shelf.id()))
        .to_owned();
    Expr::exists(listed)
}

fn available_variant(shelf: &Shelf) -> SelectStatement {
    use inventory_level::Column::{OnHand, Reserved, Tracked, VariantId};
    Query::select()
        .expr(Expr::val(1))
        .from(product_variant::Entity)
        .inner_join(
            inventory_level::Entity,
            VariantId
                .into_simple_expr()
                .eq(product_variant::Column::Id.into_simple_expr()),
        )
        .and_where(
            product_variant::Column::ProductId
                .into_simple_expr()
                .eq(shelf.id()),
        )
        .and_where(
            Tracked
                .eq(false)
                .or(OnHand.into_simple_expr().gt(Reserved.into_simple_expr())),
        )
        .to_owned()
}

/// One page of each shelf, all in one statement with the columns shelf, id and key.
pub(super) fn pages(
    scope: &Scope<'_>,
    shelves: &[Option<CategoryId>],
    statuses: &[ProductStatus],
    listing: &Listing,
) -> Option<SelectStatement> {
    let order = if listing.reads_backwards() {
        Order::Desc
    } else {
        Order::Asc
    };
    if statuses.is_empty() {
        return None;
    }
    if let Some(words) = &scope.filter.words
        && (listing.sort.field == SortField::Relevance || shelves.len() > 1)
    {
        return Some(ranked(scope, shelves, statuses, listing, words, &order));
    }
    let mut pages = shelves.iter().filter_map(|shelf| {
        let slices = statuses
            .iter()
            .map(|status| slice(scope, *shelf, *status, listing, &order));
        merge(slices.collect(), &order, listing.page.fetch())
    });
    let mut first = pages.next()?;
    let others: Vec<_> = pages.collect();
    if others.is_empty() {
        return Some(first);
    }
    // A compound select takes no LIMIT of its parts: each becomes a table of its own.
    first = wrapped(first);
    for page in others {
        first.union(UnionType::All, wrapped(page));
    }
    Some(first)
}

/// The pages of all shelves out of the hits of a text. No index has the order of these, so slices would
/// each look the words up and sort what they find: it is done once, and the rows are numbered.
fn ranked(
    scope: &Scope<'_>,
    shelves: &[Option<CategoryId>],
    statuses: &[ProductStatus],
    listing: &Listing,
    words: &[String],
    order: &Order,
) -> SelectStatement {
    let (mut rows, shelf) = scope.hits(shelves);
    let key = shelf.key(listing.sort.field);
    let mut window = WindowStatement::new();
    if shelves.iter().any(Option::is_some) {
        window.add_partition_by(name(shelves));
    }
    window
        .order_by_expr(key.clone(), order.clone())
        .order_by_expr(shelf.id(), order.clone());
    rows.expr_as(name(shelves), SHELF)
        .expr_as(shelf.id(), ID)
        .expr_as(key.clone(), KEY)
        .expr_window_as(Expr::cust("ROW_NUMBER()"), window, PLACE)
        .and_where(shelf.status().is_in(statuses.iter().copied()));
    bounds(&mut rows, listing, &key, &shelf.id());
    let hits = SEARCH.hits(scope.db.backend(), words);
    wrapped(rows)
        .and_where(Expr::col(PLACE).lte(listing.page.fetch()))
        .with_cte(hits)
        .to_owned()
}

/// Which shelf a row stands on; NULL in a list of the whole shop.
fn name(shelves: &[Option<CategoryId>]) -> Expr {
    if shelves.iter().any(Option::is_some) {
        product_listing::Column::CategoryId.into_simple_expr()
    } else {
        Expr::val(None::<CategoryId>)
    }
}

/// The first rows of one shelf with one status.
fn slice(
    scope: &Scope<'_>,
    of_connection: Option<CategoryId>,
    status: ProductStatus,
    listing: &Listing,
    order: &Order,
) -> SelectStatement {
    let (mut rows, shelf) = scope.rows(&[of_connection]);
    let key = shelf.key(listing.sort.field);
    rows.expr_as(Expr::val(of_connection), SHELF)
        .expr_as(shelf.id(), ID)
        .expr_as(key.clone(), KEY)
        .and_where(shelf.status().eq(status));
    bounds(&mut rows, listing, &key, &shelf.id());
    rows.order_by_expr(key, order.clone())
        .order_by_expr(shelf.id(), order.clone())
        .limit(listing.page.fetch());
    rows
}

const SHELF: &str = "shelf";
const ID: &str = "id";
const KEY: &str = "key";
const PLACE: &str = "place";

fn wrapped(rows: SelectStatement) -> SelectStatement {
    Query::select()
        .columns([SHELF, ID, KEY])
        .from_subquery(rows, "slice")
        .to_owned()
}

fn merge(slices: Vec<SelectStatement>, order: &Order, limit: u64) -> Option<SelectStatement> {
    let mut slices = slices.into_iter();
    let first = slices.next()?;
    let others: Vec<_> = slices.collect();
    if others.is_empty() {
        return Some(first);
    }
    let mut merged = wrapped(first);
    for slice in others {
        merged.union(UnionType::All, wrapped(slice));
    }
    let mut page = wrapped(merged);
    page.order_by(KEY, order.clone())
        .order_by(ID, order.clone())
        .limit(limit);
    Some(page)
}

/// Only what lies between the page's cursors.
fn bounds(rows: &mut SelectStatement, listing: &Listing, key: &Expr, id: &Expr) {
    let place = |cursor: &Cursor| Expr::tuple([value(&cursor.key), Expr::val(cursor.id)]);
    let row = || Expr::tuple([key.clone(), id.clone()]);
    let descending = listing.sort.descending;
    let page = &listing.page;
    if let Some(after) = &page.after {
        rows.and_where(if descending {
            row().lt(place(after))
        } else {
            row().gt(place(after))
        });
    }
    if let Some(before) = &page.before {
        rows.and_where(if descending {
            row().gt(place(before))
        } else {
            row().lt(place(before))
        });
    }
}

fn value(key: &SortKey) -> Expr {
    match key {
        SortKey::Int(number) => Expr::val(*number),
        SortKey::Text(text) => Expr::val(text.clone()),
        SortKey::Time(time) => Expr::val(*time),
    }
}

/// How many rows each shelf has, with the columns shelf and count.
pub(super) fn count(
    scope: &Scope<'_>,
    shelves: &[Option<CategoryId>],
    statuses: &[ProductStatus],
) -> SelectStatement {
    let (mut rows, shelf) = scope.rows(shelves);
    rows.expr_as(name(shelves), SHELF)
        .expr_as(Expr::cust("COUNT(*)"), "count")
        .and_where(shelf.status().is_in(statuses.iter().copied()));
    if shelves.iter().any(Option::is_some) {
        rows.add_group_by([name(shelves)]);
    }
    rows
}
