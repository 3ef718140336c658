//! Categories, and who lies above whom.
//!
//! The ancestors are kept as rows of their own, so that "this category with all below it" and "the
//! way from here to the root" are index look-ups on both databases, without recursion.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{integer, text, timestamp_with_time_zone, uuid, uuid_null};

use crate::column::{index, reference, rule, sort_text, unique};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let category = Table::create()
            .table("category")
            .col(uuid("id").primary_key())
            .col(uuid_null("parent_id"))
            .col(sort_text(manager, "slug"))
            .col(text("name"))
            .col(sort_text(manager, "name_key"))
            .col(timestamp_with_time_zone("created_at"))
            .col(timestamp_with_time_zone("updated_at"))
            .foreign_key(&mut reference(
                ("category", "parent_id"),
                ("category", "id"),
                ForeignKeyAction::Restrict,
            ))
            .check(rule("length(slug) BETWEEN 1 AND 255"))
            .check(rule("length(name) BETWEEN 1 AND 255"))
            .check(rule("parent_id IS NULL OR parent_id <> id"))
            .to_owned();
        manager.create_table(category).await?;
        manager.create_index(unique("category", &["slug"])).await?;
        manager
            .create_index(index("category", &["parent_id", "name_key", "id"]))
            .await?;
        manager
            .create_index(index("category", &["name_key", "id"]))
            .await?;

        let ancestor = Table::create()
            .table("category_ancestor")
            .col(uuid("category_id"))
            .col(uuid("ancestor_id"))
            .col(integer("distance"))
            .primary_key(Index::create().col("category_id").col("ancestor_id"))
            .foreign_key(&mut reference(
                ("category_ancestor", "category_id"),
                ("category", "id"),
                ForeignKeyAction::Cascade,
            ))
            .foreign_key(&mut reference(
                ("category_ancestor", "ancestor_id"),
                ("category", "id"),
                ForeignKeyAction::Cascade,
            ))
            .check(rule("distance BETWEEN 0 AND 31"))
            .check(rule("(distance = 0) = (category_id = ancestor_id)"))
            .to_owned();
        manager.create_table(ancestor).await?;
        manager
            .create_index(index("category_ancestor", &["ancestor_id"]))
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .drop_table(Table::drop().table("category_ancestor").to_owned())
            .await?;
        manager
            .drop_table(Table::drop().table("category").to_owned())
            .await
    }
}
