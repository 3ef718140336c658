//! W1, W2 and W5: a page of products, one product, a search.

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Asked, Data, Money, Named, Nodes, Range, Shop};
use crate::serve::Failed;
use crate::serve::database::{Database, rows};

const PAGE: &str = "
    SELECT p.name, p.slug, p.price_min, p.price_max, p.currency, c.name,
        (SELECT i.url FROM product_image i WHERE i.product_id = p.id ORDER BY i.position, i.id LIMIT 1)
    FROM product p LEFT JOIN category c ON c.id = p.category_id
    WHERE p.status = 'ACTIVE' ORDER BY p.name_key, p.id LIMIT 20";

const PRODUCT: &str = "
    SELECT p.name, p.slug, p.description, p.price_min, p.price_max, p.currency, c.name, c.slug, v.title, v.sku, v.price
    FROM product p LEFT JOIN category c ON c.id = p.category_id JOIN product_variant v ON v.product_id = p.id
    WHERE p.slug = $1 AND p.status = 'ACTIVE' ORDER BY v.position, v.id LIMIT 5";

/// The search in one statement; what differs is how a word is found, and the direction.
macro_rules! search {
    ($found:literal, $beyond:literal, $order:literal) => {
        concat!(
            "SELECT p.id, p.name, p.slug, p.price_min, p.price_max, p.currency, c.name,
                (SELECT i.url FROM product_image i WHERE i.product_id = p.id ORDER BY i.position, i.id LIMIT 1)
            FROM product_listing l JOIN product p ON p.id = l.product_id LEFT JOIN category c ON c.id = p.category_id
            WHERE l.category_id = (SELECT id FROM category WHERE slug = $1) AND l.status = 'ACTIVE'
                AND l.product_id IN (SELECT product_id FROM product_search WHERE ",
            $found,
            ") AND (l.price_min, l.product_id) ",
            $beyond,
            " ($3, $4) ORDER BY l.price_min ",
            $order,
            ", l.product_id ",
            $order,
            " LIMIT 21"
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

type CardRow = (String, String, i64, i64, String, Option<String>, Option<String>);
#[rustfmt::skip]
type PageRow = (String, String, String, i64, i64, String, Option<String>, Option<String>, String, Option<String>, i64);
#[rustfmt::skip]
type HitRow = (Uuid, String, String, i64, i64, String, Option<String>, Option<String>);

#[derive(Serialize)]
struct Image {
    url: String,
}

/// A product as lists show it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Card {
    name: String,
    slug: String,
    price_range: Range,
    category: Option<Named>,
    featured_image: Option<Image>,
}

impl Card {
    fn new((name, slug, min, max, currency, category, image): CardRow) -> Self {
        Self {
            name,
            slug,
            price_range: range(min, max, &currency),
            category: category.map(|name| Named { name }),
            featured_image: image.map(|url| Image { url }),
        }
    }
}

fn range(min: i64, max: i64, currency: &str) -> Range {
    Range {
        min: Money::new(min, currency),
        max: Money::new(max, currency),
    }
}

#[derive(Serialize)]
pub(super) struct Products<T> {
    products: T,
}

pub(super) async fn products(
    State(shop): State<Shop>,
    _asked: Bytes,
) -> Result<Json<Data<Products<impl Serialize>>>, Failed> {
    let rows = rows!(&shop.database, CardRow, PAGE)?;
    let nodes = rows.into_iter().map(Card::new).collect();
    Ok(Json(Data {
        data: Products {
            products: Nodes::<Card> { nodes },
        },
    }))
}

#[derive(Deserialize)]
pub(super) struct BySlug {
    slug: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Product {
    name: String,
    slug: String,
    description: String,
    price_range: Range,
    category: Option<Category>,
    variants: Vec<Variant>,
}

#[derive(Serialize)]
struct Category {
    name: String,
    slug: String,
}

#[derive(Serialize)]
struct Variant {
    title: String,
    sku: Option<String>,
    price: Money,
}

pub(super) async fn product(
    State(shop): State<Shop>,
    Json(asked): Json<Asked<BySlug>>,
) -> Result<Json<Data<impl Serialize>>, Failed> {
    #[derive(Serialize)]
    struct Answer {
        product: Option<Product>,
    }
    let mut product: Option<Product> = None;
    for row in rows!(&shop.database, PageRow, PRODUCT, asked.variables.slug)? {
        let (name, slug, description, min, max, currency, category, category_slug, title, sku, price) = row;
        let page = product.get_or_insert_with(|| Product {
            name,
            slug,
            description,
            price_range: range(min, max, &currency),
            category: category
                .zip(category_slug)
                .map(|(name, slug)| Category { name, slug }),
            variants: Vec::new(),
        });
        let price = Money::new(price, &currency);
        page.variants.push(Variant { title, sku, price });
    }
    Ok(Json(Data {
        data: Answer { product },
    }))
}

#[derive(Deserialize)]
pub(super) struct Search {
    text: String,
    category: String,
    direction: Direction,
    after: Option<String>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
enum Direction {
    Asc,
    Desc,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PageInfo {
    has_next_page: bool,
    end_cursor: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Hits {
    nodes: Vec<Card>,
    page_info: PageInfo,
}

pub(super) async fn search(
    State(shop): State<Shop>,
    Json(asked): Json<Asked<Search>>,
) -> Result<Json<Data<Products<impl Serialize>>>, Failed> {
    let asked = asked.variables;
    let (price, id) = place(&asked)?;
    let sql = match (&shop.database, asked.direction) {
        (Database::Postgres(_), Direction::Asc) => by_postgres!(">", "ASC"),
        (Database::Postgres(_), Direction::Desc) => by_postgres!("<", "DESC"),
        (Database::Sqlite { .. }, Direction::Asc) => by_sqlite!(">", "ASC"),
        (Database::Sqlite { .. }, Direction::Desc) => by_sqlite!("<", "DESC"),
    };
    let mut rows = rows!(&shop.database, HitRow, sql, asked.category, asked.text, price, id)?;
    let has_next_page = rows.len() > 20;
    rows.truncate(20);
    let end_cursor = rows.last().map(|row| format!("{}.{}", row.3, row.0));
    let nodes = rows
        .into_iter()
        .map(|(_, name, slug, min, max, currency, category, image)| {
            Card::new((name, slug, min, max, currency, category, image))
        });
    Ok(Json(Data {
        data: Products {
            products: Hits {
                nodes: nodes.collect(),
                page_info: PageInfo {
                    has_next_page,
                    end_cursor,
                },
            },
        },
    }))
}

/// Where the page begins: behind the cursor, or before all rows.
fn place(asked: &Search) -> anyhow::Result<(i64, Uuid)> {
    match (&asked.after, asked.direction) {
        (None, Direction::Asc) => Ok((-1, Uuid::nil())),
        (None, Direction::Desc) => Ok((i64::MAX, Uuid::max())),
        (Some(cursor), _) => {
            let (price, id) = cursor
                .split_once('.')
                .ok_or_else(|| anyhow::anyhow!("{cursor} is no cursor"))?;
            Ok((price.parse()?, id.parse()?))
        }
    }
}
