//! What follows from a product's own rows and is kept beside them so that lists and searches are fast:
//! its price range, its places in the lists of categories, its words. Every transaction that changes a
//! product, its variants, tags or category ends with [`refresh`].

use std::collections::HashMap;

use sea_orm::QueryOrder as _;
use sea_orm::sea_query::{Expr, ExprTrait as _, Query};
use sea_orm::{
    ColumnTrait as _, ConnectionTrait as _, DatabaseTransaction, EntityTrait as _, QueryFilter as _,
};

use crate::entity::{category_ancestor, product, product_listing, product_tag, product_variant};
use crate::infra::fulltext::{Document, FullText};
use crate::kernel::error::Result;
use crate::kernel::id::ProductId;
use crate::kernel::text::{without_tags, words};

/// The words of products.
pub const SEARCH: FullText = FullText {
    table: "product_search",
    owner: "product_id",
};

/// Products of one round of statements.
const BATCH: usize = 1_000;

/// Brings everything that is derived from these products up to date.
pub async fn refresh(txn: &DatabaseTransaction, ids: &[ProductId]) -> Result<()> {
    for batch in ids.chunks(BATCH) {
        refresh_prices(txn, batch).await?;
        refresh_listings(txn, batch).await?;
        refresh_words(txn, batch).await?;
    }
    Ok(())
}

async fn refresh_prices(txn: &DatabaseTransaction, ids: &[ProductId]) -> Result<()> {
    let price_of = |range: Expr| {
        let variants = Query::select()
            .expr(range)
            .from(product_variant::Entity)
            .and_where(
                product_variant::Column::ProductId
                    .into_expr()
                    .equals((product::Entity, product::Column::Id)),
            )
            .to_owned();
        Expr::SubQuery(None, Box::new(variants.into()))
    };
    let price = || Expr::col((product_variant::Entity, product_variant::Column::Price));
    product::Entity::update_many()
        .col_expr(product::Column::PriceMin, price_of(price().min()))
        .col_expr(product::Column::PriceMax, price_of(price().max()))
        .filter(product::Column::Id.is_in(ids.iter().copied()))
        .exec(txn)
        .await?;
    Ok(())
}

async fn refresh_listings(txn: &DatabaseTransaction, ids: &[ProductId]) -> Result<()> {
    product_listing::Entity::delete_many()
        .filter(product_listing::Column::ProductId.is_in(ids.iter().copied()))
        .exec(txn)
        .await?;
    let rows = Query::select()
        .column((category_ancestor::Entity, category_ancestor::Column::AncestorId))
        .columns([
            (product::Entity, product::Column::Id),
            (product::Entity, product::Column::Status),
            (product::Entity, product::Column::PriceMin),
            (product::Entity, product::Column::NameKey),
            (product::Entity, product::Column::CreatedAt),
        ])
        .from(product::Entity)
        .inner_join(
            category_ancestor::Entity,
            Expr::col((category_ancestor::Entity, category_ancestor::Column::CategoryId))
                .equals((product::Entity, product::Column::CategoryId)),
        )
        .and_where(product::Column::Id.is_in(ids.iter().copied()))
        .to_owned();
    let mut insert = Query::insert();
    insert.into_table(product_listing::Entity).columns([
        product_listing::Column::CategoryId,
        product_listing::Column::ProductId,
        product_listing::Column::Status,
        product_listing::Column::PriceMin,
        product_listing::Column::NameKey,
        product_listing::Column::CreatedAt,
    ]);
    insert
        .select_from(rows)
        .map_err(crate::kernel::error::Error::internal)?;
    txn.execute(&insert).await?;
    Ok(())
}

async fn refresh_words(txn: &DatabaseTransaction, ids: &[ProductId]) -> Result<()> {
    let products = product::Entity::find()
        .filter(product::Column::Id.is_in(ids.iter().copied()))
        .all(txn)
        .await?;
    let mut tags: HashMap<ProductId, Vec<String>> = HashMap::new();
    let rows = product_tag::Entity::find()
        .filter(product_tag::Column::ProductId.is_in(ids.iter().copied()))
        .order_by_asc(product_tag::Column::Position);
    for row in rows.all(txn).await? {
        tags.entry(row.product_id).or_default().push(row.tag);
    }
    let documents: Vec<_> = products
        .iter()
        .map(|product| {
            let about = [product.vendor.as_deref(), product.product_type.as_deref()];
            let about = about.into_iter().flatten();
            let tags = tags.get(&product.id).into_iter().flatten().map(String::as_str);
            Document {
                owner: product.id.0,
                words: [
                    words(&product.name),
                    about.chain(tags).flat_map(words).collect(),
                    words(&without_tags(&product.description)),
                ],
            }
        })
        .collect();
    SEARCH.put(txn, &documents).await?;
    Ok(())
}
