//! The root: lists and single objects, each one statement.

use async_graphql::{Context, Object, Result, SimpleObject};
use uuid::Uuid;

use super::inputs::{CategoryBy, ProductBy, ProductFilter, ProductSort, ProductSortField, SortDirection};
use super::types::{Money, Order, Product};
use crate::serve::database::{Database, rows};

macro_rules! products {
    ($rest:literal) => {
        concat!(
            "SELECT p.id, p.name, p.slug, p.description, p.price_min, p.price_max, p.currency, p.category_id
             FROM product p ",
            $rest
        )
    };
}
macro_rules! search {
    ($found:literal, $beyond:literal, $order:literal) => {
        concat!(
            products!(
                "JOIN product_listing l ON l.product_id = p.id
                WHERE l.category_id = (SELECT id FROM category WHERE slug = $1) AND l.status = 'ACTIVE'
                AND p.id IN (SELECT product_id FROM product_search WHERE "
            ),
            $found,
            ") AND (l.price_min, l.product_id) ",
            $beyond,
            " ($3, $4) ORDER BY l.price_min ",
            $order,
            ", l.product_id ",
            $order,
            " LIMIT $5"
        )
    };
}
macro_rules! by_postgres {
    ($beyond:literal, $order:literal) => {
        search!("document @@ $2::tsquery", $beyond, $order)
    };
}
macro_rules! by_sqlite {
    ($beyond:literal, $order:literal) => {
        search!(
            "number IN (SELECT rowid FROM product_search_words WHERE product_search_words MATCH $2)",
            $beyond,
            $order
        )
    };
}

const BY_NAME: &str = products!("WHERE p.status = 'ACTIVE' ORDER BY p.name_key, p.id LIMIT $1");
const BY_SLUG: &str = products!("WHERE p.slug = $1 AND p.status = 'ACTIVE'");
const ORDERS: &str = "SELECT id, number, status, total, currency FROM shop_order
    WHERE user_id = $1 ORDER BY placed_at DESC, id DESC LIMIT $2";

#[rustfmt::skip]
type ProductRow = (Uuid, String, String, String, i64, i64, String, Option<Uuid>);

pub(super) struct Query {
    /// Whose orders are shown; nobody is asked for a token here.
    pub(super) customer: Uuid,
}

#[derive(SimpleObject)]
struct ProductConnection {
    nodes: Vec<Product>,
    page_info: PageInfo,
}

#[derive(SimpleObject)]
struct PageInfo {
    has_next_page: bool,
    end_cursor: Option<String>,
}

#[Object]
impl Query {
    async fn products(
        &self,
        ctx: &Context<'_>,
        #[graphql(default = 20)] first: i32,
        after: Option<String>,
        filter: Option<ProductFilter>,
        sort: ProductSort,
    ) -> Result<ProductConnection> {
        let database = ctx.data::<Database>()?;
        let limit = i64::from(first) + 1;
        let mut rows = match (filter, sort.field) {
            (None, ProductSortField::Name) => rows!(database, ProductRow, BY_NAME, limit)?,
            (Some(filter), ProductSortField::Price) => {
                let CategoryBy::Slug(category) = filter.category;
                let (price, id) = place(after.as_deref(), sort.direction)?;
                let sql = match (database, sort.direction) {
                    (Database::Postgres(_), SortDirection::Asc) => by_postgres!(">", "ASC"),
                    (Database::Postgres(_), SortDirection::Desc) => by_postgres!("<", "DESC"),
                    (Database::Sqlite { .. }, SortDirection::Asc) => by_sqlite!(">", "ASC"),
                    (Database::Sqlite { .. }, SortDirection::Desc) => by_sqlite!("<", "DESC"),
                };
                rows!(database, ProductRow, sql, category, filter.text, price, id, limit)?
            }
            (None, ProductSortField::Price) | (Some(_), ProductSortField::Name) => {
                return Err("no load asks for this list".into());
            }
        };
        let page = usize::try_from(first)?;
        let has_next_page = rows.len() > page;
        rows.truncate(page);
        let end_cursor = rows.last().map(|row| format!("{}.{}", row.4, row.0));
        Ok(ProductConnection {
            nodes: rows.into_iter().map(Product::new).collect(),
            page_info: PageInfo {
                has_next_page,
                end_cursor,
            },
        })
    }

    async fn product(&self, ctx: &Context<'_>, by: ProductBy) -> Result<Option<Product>> {
        let ProductBy::Slug(slug) = by;
        let rows = rows!(ctx.data::<Database>()?, ProductRow, BY_SLUG, slug)?;
        Ok(rows.into_iter().next().map(Product::new))
    }

    async fn me(&self) -> User {
        User { id: self.customer }
    }
}

/// Where a page of the list by price begins.
fn place(after: Option<&str>, direction: SortDirection) -> Result<(i64, Uuid)> {
    match (after, direction) {
        (None, SortDirection::Asc) => Ok((-1, Uuid::nil())),
        (None, SortDirection::Desc) => Ok((i64::MAX, Uuid::max())),
        (Some(cursor), _) => {
            let (price, id) = cursor.split_once('.').ok_or("no cursor")?;
            Ok((price.parse()?, id.parse()?))
        }
    }
}

struct User {
    id: Uuid,
}

#[derive(SimpleObject)]
struct OrderConnection {
    nodes: Vec<Order>,
}

#[Object]
impl User {
    async fn orders(
        &self,
        ctx: &Context<'_>,
        #[graphql(default = 20)] first: i32,
    ) -> Result<OrderConnection> {
        type Row = (Uuid, String, String, i64, String);
        let rows = rows!(ctx.data::<Database>()?, Row, ORDERS, self.id, i64::from(first))?;
        let nodes = rows
            .into_iter()
            .map(|(id, number, status, total, currency)| Order {
                id,
                number,
                status,
                total: Money::new(total, &currency),
            });
        Ok(OrderConnection {
            nodes: nodes.collect(),
        })
    }
}
