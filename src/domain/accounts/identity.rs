//! Whose account an email means, and how records call an email that nobody has.

use sea_orm::{ColumnTrait as _, ConnectionTrait, EntityTrait as _, QueryFilter as _};

use crate::domain::context::Context;
use crate::entity::user_account;
use crate::infra::secret::digest;
use crate::kernel::email::Email;
use crate::kernel::error::{Error, Result};

/// The domain of the demo shop's people, whose passwords stand in the manual.
pub(super) const DEMO_DOMAIN: &str = "demo.souk.example";

/// What makes two emails the same, also of what is none: attempts are counted whatever was typed.
pub(super) fn account_key(email: &str) -> String {
    email.parse::<Email>().map_or_else(
        |_| format!("no email: {}", digest(email.trim())),
        |email| email.key().to_owned(),
    )
}

/// Whether nobody may be of this address here: the demo shop's people, where there is no demo.
pub(super) fn is_reserved(ctx: &Context, email: &Email) -> bool {
    !ctx.platform.accounts.demo && email.is_under(DEMO_DOMAIN)
}

/// Whether anybody may be signed in to this account here.
pub(super) fn may_be_used(ctx: &Context, user: &user_account::Model) -> bool {
    let email = user.email.parse();
    !email.is_ok_and(|email| is_reserved(ctx, &email))
}

/// The account with this key, if there is one that may be used.
pub(super) async fn find<C: ConnectionTrait>(
    connection: &C,
    ctx: &Context,
    key: &str,
) -> Result<Option<user_account::Model>> {
    let found = user_account::Entity::find()
        .filter(user_account::Column::EmailKey.eq(key))
        .one(connection)
        .await?;
    Ok(found.filter(|user| may_be_used(ctx, user)))
}

/// What a record says it was done to: the account or, where there is none, a name that is the same whenever the same
/// email is tried, and tells it to nobody.
pub(super) fn subject(ctx: &Context, user: Option<&user_account::Model>, key: &str) -> Result<String> {
    match user {
        Some(user) => Ok(user.id.to_string()),
        None => {
            let pseudonym = ctx.platform.tokens.pseudonym(key).map_err(Error::internal)?;
            Ok(format!("email_{pseudonym}"))
        }
    }
}
