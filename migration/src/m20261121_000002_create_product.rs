//! Products with their tags, options, images and variants, and the lists that they stand in.
//!
//! Prices are whole minor units: SQLite would keep a decimal as a float. Every list is sorted by a
//! column and the id; the indexes hold both, so that a page is read from the index alone, however
//! deep it lies.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    big_integer, big_integer_null, integer, text, text_null, timestamp_with_time_zone, uuid, uuid_null,
};
use sea_orm_migration::sea_orm::DbBackend;

use crate::column::{index, reference, rule, sort_text, unique};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const STATUS: &str = "status IN ('DRAFT', 'ACTIVE', 'ARCHIVED')";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        create_product(manager).await?;
        create_tag(manager).await?;
        create_option(manager).await?;
        create_image(manager).await?;
        create_variant(manager).await?;
        create_listing(manager).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in [
            "product_listing",
            "product_variant",
            "product_image",
            "product_option",
            "product_tag",
            "product",
        ] {
            manager.drop_table(Table::drop().table(table).to_owned()).await?;
        }
        Ok(())
    }
}

fn of_product(table: &'static str) -> ForeignKeyCreateStatement {
    reference(
        (table, "product_id"),
        ("product", "id"),
        ForeignKeyAction::Cascade,
    )
}

async fn create_product(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let product = Table::create()
        .table("product")
        .col(uuid("id").primary_key())
        .col(sort_text(manager, "slug"))
        .col(text("name"))
        .col(sort_text(manager, "name_key"))
        .col(text("description"))
        .col(text_null("vendor"))
        .col(text_null("product_type"))
        .col(text("status"))
        .col(uuid_null("category_id"))
        .col(text("currency"))
        .col(big_integer("price_min"))
        .col(big_integer("price_max"))
        .col(integer("version"))
        .col(timestamp_with_time_zone("created_at"))
        .col(timestamp_with_time_zone("updated_at"))
        .foreign_key(&mut reference(
            ("product", "category_id"),
            ("category", "id"),
            ForeignKeyAction::Restrict,
        ))
        .check(rule("length(slug) BETWEEN 1 AND 255"))
        .check(rule("length(name) BETWEEN 1 AND 255"))
        .check(rule("length(vendor) BETWEEN 1 AND 255"))
        .check(rule("length(product_type) BETWEEN 1 AND 255"))
        .check(rule("length(currency) = 3"))
        .check(rule(STATUS))
        .check(rule("price_min >= 0 AND price_min <= price_max"))
        .check(rule("version >= 1"))
        .to_owned();
    manager.create_table(product).await?;
    manager.create_index(unique("product", &["slug"])).await?;
    for columns in [
        &["status", "created_at", "id"][..],
        &["status", "name_key", "id"],
        &["status", "price_min", "id"],
        &["vendor", "status"],
        &["product_type", "status"],
        &["category_id"],
    ] {
        manager.create_index(index("product", columns)).await?;
    }
    Ok(())
}

async fn create_tag(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let tag = Table::create()
        .table("product_tag")
        .col(uuid("product_id"))
        .col(text("tag"))
        .col(integer("position"))
        .primary_key(Index::create().col("product_id").col("tag"))
        .foreign_key(&mut of_product("product_tag"))
        .check(rule("length(tag) BETWEEN 1 AND 255"))
        .to_owned();
    manager.create_table(tag).await?;
    manager
        .create_index(index("product_tag", &["tag", "product_id"]))
        .await
}

async fn create_option(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let option = Table::create()
        .table("product_option")
        .col(uuid("product_id"))
        .col(integer("position"))
        .col(text("name"))
        .primary_key(Index::create().col("product_id").col("position"))
        .foreign_key(&mut of_product("product_option"))
        .check(rule("position BETWEEN 1 AND 3"))
        .check(rule("length(name) BETWEEN 1 AND 255"))
        .to_owned();
    manager.create_table(option).await?;
    manager
        .create_index(unique("product_option", &["product_id", "name"]))
        .await
}

async fn create_image(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let image = Table::create()
        .table("product_image")
        .col(uuid("id").primary_key())
        .col(uuid("product_id"))
        .col(text("url"))
        .col(text_null("alt_text"))
        .col(integer("position"))
        .foreign_key(&mut of_product("product_image"))
        .check(rule("length(url) BETWEEN 1 AND 2048"))
        .check(rule("length(alt_text) <= 1000"))
        .check(rule("position >= 1"))
        .to_owned();
    manager.create_table(image).await?;
    manager
        .create_index(unique("product_image", &["product_id", "url"]))
        .await?;
    manager
        .create_index(index("product_image", &["product_id", "position"]))
        .await
}

async fn create_variant(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let variant = Table::create()
        .table("product_variant")
        .col(uuid("id").primary_key())
        .col(uuid("product_id"))
        .col(integer("position"))
        .col(text_null("sku"))
        .col(text("title"))
        .col(text("option1"))
        .col(text("option2"))
        .col(text("option3"))
        .col(big_integer("price"))
        .col(big_integer_null("compare_at_price"))
        .col(uuid_null("image_id"))
        .col(timestamp_with_time_zone("created_at"))
        .col(timestamp_with_time_zone("updated_at"))
        .foreign_key(&mut of_product("product_variant"))
        .foreign_key(&mut reference(
            ("product_variant", "image_id"),
            ("product_image", "id"),
            ForeignKeyAction::SetNull,
        ))
        .check(rule("position >= 1"))
        .check(rule("length(sku) BETWEEN 1 AND 255"))
        .check(rule("length(title) BETWEEN 1 AND 800"))
        .check(rule(
            "length(option1) <= 255 AND length(option2) <= 255 AND length(option3) <= 255",
        ))
        .check(rule("option2 = '' OR option1 <> ''"))
        .check(rule("option3 = '' OR option2 <> ''"))
        .check(rule("price BETWEEN 0 AND 1000000000000"))
        .check(rule("compare_at_price BETWEEN 0 AND 1000000000000"))
        .to_owned();
    manager.create_table(variant).await?;
    create_variant_options(manager).await?;
    manager
        .create_index(index("product_variant", &["product_id", "position", "id"]))
        .await?;
    manager
        .create_index(index("product_variant", &["image_id"]))
        .await
}

/// No two variants of a product have the same options. Three values of 255 characters may have more bytes than a
/// B-tree of PostgreSQL takes, so its index holds their SHA-256, over the lengths too, lest `ab, c` be `a, bc`.
/// Text becomes bytes by way of `\\`, because PostgreSQL allows no `convert_to` in an index.
async fn create_variant_options(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    const POSTGRES: &str = r"CREATE UNIQUE INDEX uq_product_variant_product_id_options ON product_variant (product_id,
        sha256(replace(length(option1)::text || ',' || length(option2)::text || ',' || option1 || option2 || option3,
            '\', '\\')::bytea))";
    if manager.get_database_backend() == DbBackend::Postgres {
        return manager
            .get_connection()
            .execute_unprepared(POSTGRES)
            .await
            .map(|_| ());
    }
    let columns = ["product_id", "option1", "option2", "option3"];
    manager.create_index(unique("product_variant", &columns)).await
}

async fn create_listing(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let listing = Table::create()
        .table("product_listing")
        .col(uuid("category_id"))
        .col(uuid("product_id"))
        .col(text("status"))
        .col(big_integer("price_min"))
        .col(sort_text(manager, "name_key"))
        .col(timestamp_with_time_zone("created_at"))
        .primary_key(Index::create().col("category_id").col("product_id"))
        .foreign_key(&mut of_product("product_listing"))
        .foreign_key(&mut reference(
            ("product_listing", "category_id"),
            ("category", "id"),
            ForeignKeyAction::Restrict,
        ))
        .check(rule(STATUS))
        .to_owned();
    manager.create_table(listing).await?;
    for columns in [
        &["category_id", "status", "created_at", "product_id"][..],
        &["category_id", "status", "name_key", "product_id"],
        &["category_id", "status", "price_min", "product_id"],
        &["product_id"],
    ] {
        manager.create_index(index("product_listing", columns)).await?;
    }
    Ok(())
}
