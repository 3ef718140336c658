//! People with an account, where they live, and where they are signed in.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    integer, text, text_null, timestamp_with_time_zone, timestamp_with_time_zone_null, uuid,
};

use crate::column::{index, reference, rule, sort_text, unique};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        users(manager).await?;
        addresses(manager).await?;
        sessions(manager).await?;
        refresh_tokens(manager).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in ["refresh_token", "session", "user_address", "user_account"] {
            manager.drop_table(Table::drop().table(table).to_owned()).await?;
        }
        Ok(())
    }
}

/// `user` alone is a word of PostgreSQL's.
async fn users(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let user = Table::create()
        .table("user_account")
        .col(uuid("id").primary_key())
        .col(text("email"))
        .col(sort_text(manager, "email_key"))
        .col(text("name"))
        .col(text("role"))
        .col(text("password_hash"))
        .col(integer("password_version").default(1))
        // None: as it was when the account was made.
        .col(timestamp_with_time_zone_null("role_changed_at"))
        .col(timestamp_with_time_zone("created_at"))
        .col(timestamp_with_time_zone("updated_at"))
        .check(rule("length(email) BETWEEN 3 AND 320"))
        .check(rule("length(email_key) BETWEEN 3 AND 640"))
        .check(rule("length(name) BETWEEN 1 AND 255"))
        .check(rule("role IN ('CUSTOMER', 'STAFF', 'ADMIN')"))
        .to_owned();
    manager.create_table(user).await?;
    manager
        .create_index(unique("user_account", &["email_key"]))
        .await?;
    manager
        .create_index(index("user_account", &["created_at", "id"]))
        .await?;
    manager
        .create_index(index("user_account", &["role", "created_at", "id"]))
        .await?;
    manager
        .create_index(index("user_account", &["role_changed_at"]))
        .await
}

async fn addresses(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let address = Table::create()
        .table("user_address")
        .col(uuid("user_id"))
        .col(integer("position"))
        .col(text("name"))
        .col(text("line1"))
        .col(text_null("line2"))
        .col(text("city"))
        .col(text_null("region"))
        .col(text_null("postal_code"))
        .col(text("country_code"))
        .col(text_null("phone"))
        .primary_key(Index::create().col("user_id").col("position"))
        .foreign_key(&mut reference(
            ("user_address", "user_id"),
            ("user_account", "id"),
            ForeignKeyAction::Cascade,
        ))
        .check(rule("position BETWEEN 0 AND 49"))
        .check(rule("length(country_code) = 2"))
        .to_owned();
    manager.create_table(address).await
}

async fn sessions(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let session = Table::create()
        .table("session")
        .col(uuid("id").primary_key())
        .col(uuid("user_id"))
        .col(text_null("user_agent"))
        .col(text_null("ip_address"))
        .col(timestamp_with_time_zone("created_at"))
        .col(timestamp_with_time_zone("last_used_at"))
        .col(timestamp_with_time_zone("expires_at"))
        .col(timestamp_with_time_zone_null("revoked_at"))
        .col(text_null("revoke_reason"))
        .foreign_key(&mut reference(
            ("session", "user_id"),
            ("user_account", "id"),
            ForeignKeyAction::Cascade,
        ))
        .check(rule("(revoked_at IS NULL) = (revoke_reason IS NULL)"))
        .check(rule(
            "revoke_reason IN ('SIGNED_OUT', 'SIGNED_OUT_EVERYWHERE', 'PASSWORD_CHANGED', 'TOKEN_REUSED', 'TOO_MANY', 'NO_DEMO')",
        ))
        .to_owned();
    manager.create_table(session).await?;
    manager
        .create_index(index("session", &["user_id", "last_used_at"]))
        .await?;
    manager.create_index(index("session", &["revoked_at"])).await?;
    manager.create_index(index("session", &["expires_at"])).await
}

async fn refresh_tokens(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let token = Table::create()
        .table("refresh_token")
        .col(text("hash").primary_key())
        .col(uuid("session_id"))
        .col(text("seed"))
        .col(timestamp_with_time_zone("created_at"))
        .col(timestamp_with_time_zone("expires_at"))
        .col(timestamp_with_time_zone_null("used_at"))
        .col(text_null("used_from"))
        .foreign_key(&mut reference(
            ("refresh_token", "session_id"),
            ("session", "id"),
            ForeignKeyAction::Cascade,
        ))
        .check(rule("length(hash) = 64"))
        .check(rule("(used_at IS NULL) = (used_from IS NULL)"))
        .to_owned();
    manager.create_table(token).await?;
    manager
        .create_index(index("refresh_token", &["session_id", "created_at"]))
        .await?;
    // However many refresh at once: a session goes on with one token.
    let live = unique("refresh_token", &["session_id"])
        .name("uq_refresh_token_live")
        .and_where(Expr::col("used_at").is_null())
        .to_owned();
    manager.create_index(live).await
}
