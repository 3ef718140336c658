//! What people say about themselves.

use std::sync::Arc;

use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, DatabaseTransaction, EntityTrait as _, QueryFilter as _,
    QueryOrder as _,
};
use serde_json::{Map, Value, json};

use super::revoke::{lock_user, somebody};
use crate::domain::audit::record::{Deed, record};
use crate::domain::context::Context;
use crate::entity::{user_account, user_address};
use crate::kernel::actor::Role;
use crate::kernel::address::PostalAddress;
use crate::kernel::change::Change;
use crate::kernel::check::Checker;
use crate::kernel::country::Country;
use crate::kernel::error::{Error, ErrorCode, Refusal, Result};
use crate::kernel::id::UserId;

/// Addresses that one account may have.
const MAX_ADDRESSES: usize = 50;
/// Postal codes and telephone numbers, in characters.
const MAX_CODE: usize = 32;

/// A postal address as it was typed.
#[derive(Clone, Debug)]
pub struct NewAddress {
    pub name: String,
    pub line1: String,
    pub line2: Option<String>,
    pub city: String,
    pub region: Option<String>,
    pub postal_code: Option<String>,
    pub country: Country,
    pub phone: Option<String>,
}

/// Changes of one's own account.
#[derive(Clone, Debug, Default)]
pub struct UpdateAccount {
    pub name: Change<String>,
    /// All of them: those that are not in the list are gone.
    pub addresses: Change<Vec<NewAddress>>,
}

/// Changes the caller's account.
///
/// # Errors
/// Refused with everything that is wrong with the input.
pub async fn update_account(ctx: &Context, command: UpdateAccount) -> Result<Arc<user_account::Model>> {
    let (id, _) = somebody(ctx)?;
    let mut checker = Checker::default();
    let name = checker
        .required("name", command.name)
        .map(|name| checker.text("name", &name));
    let addresses = match command.addresses {
        Change::Keep => None,
        Change::Clear => Some(Vec::new()),
        Change::Set(addresses) => Some(check_addresses(&mut checker, id, addresses)),
    };
    checker.finish()?;

    let txn = ctx.db().begin().await?;
    let mut user = lock_user(&txn, id).await?.ok_or(Error::Unauthenticated)?;
    let mut before = Map::new();
    let mut after = Map::new();
    if let Some(name) = name {
        before.insert("name".to_owned(), json!(user.name));
        after.insert("name".to_owned(), json!(name));
        user.name = name;
    }
    if let Some(addresses) = addresses {
        before.insert("addresses".to_owned(), shown(&addresses_of(&txn, id).await?));
        after.insert("addresses".to_owned(), shown(&addresses));
        replace_addresses(&txn, id, addresses).await?;
    }
    user.updated_at = ctx.now();
    let row = user_account::ActiveModel {
        id: Set(id),
        name: Set(user.name.clone()),
        updated_at: Set(user.updated_at),
        ..Default::default()
    };
    user_account::Entity::update(row).exec(&txn).await?;
    if ctx.actor.role() >= Some(Role::Staff) {
        let deed = Deed {
            action: "accountUpdate",
            subject: Some(id.to_string()),
            before: Some(Value::Object(before)),
            after: Some(Value::Object(after)),
        };
        record(&txn, ctx, deed).await?;
    }
    txn.commit().await?;
    Ok(Arc::new(user))
}

fn check_addresses(
    checker: &mut Checker,
    user: UserId,
    addresses: Vec<NewAddress>,
) -> Vec<user_address::Model> {
    if addresses.len() > MAX_ADDRESSES {
        let message = format!(
            "has {} addresses, {MAX_ADDRESSES} at most are allowed",
            addresses.len()
        );
        let refusal = Refusal::new(ErrorCode::TooLong, "addresses", message);
        checker.add(refusal.with_params(json!({"max": MAX_ADDRESSES})));
        return Vec::new();
    }
    (0..)
        .zip(addresses)
        .map(|(position, address)| {
            let path = format!("addresses.{position}");
            row(user, position, check_address(checker, &path, &address))
        })
        .collect()
}

/// The address, checked, for the place in the input that it stands in.
pub fn check_address(checker: &mut Checker, path: &str, address: &NewAddress) -> PostalAddress {
    let path = |field: &str| format!("{path}.{field}");
    let code = |checker: &mut Checker, field: &str, text: Option<&str>| {
        text.map(|text| checker.bounded(&path(field), text, 0, MAX_CODE))
            .filter(|text| !text.is_empty())
    };
    PostalAddress {
        name: checker.text(&path("name"), &address.name),
        line1: checker.text(&path("line1"), &address.line1),
        line2: checker.optional_text(&path("line2"), address.line2.as_deref()),
        city: checker.text(&path("city"), &address.city),
        region: checker.optional_text(&path("region"), address.region.as_deref()),
        postal_code: code(checker, "postalCode", address.postal_code.as_deref()),
        country_code: address.country.code().to_owned(),
        phone: code(checker, "phone", address.phone.as_deref()),
    }
}

fn row(user_id: UserId, position: i32, address: PostalAddress) -> user_address::Model {
    let PostalAddress {
        name,
        line1,
        line2,
        city,
        region,
        postal_code,
        country_code,
        phone,
    } = address;
    user_address::Model {
        user_id,
        position,
        name,
        line1,
        line2,
        city,
        region,
        postal_code,
        country_code,
        phone,
    }
}

async fn addresses_of(txn: &DatabaseTransaction, user: UserId) -> Result<Vec<user_address::Model>> {
    Ok(user_address::Entity::find()
        .filter(user_address::Column::UserId.eq(user))
        .order_by_asc(user_address::Column::Position)
        .all(txn)
        .await?)
}

async fn replace_addresses(
    txn: &DatabaseTransaction,
    user: UserId,
    addresses: Vec<user_address::Model>,
) -> Result<()> {
    user_address::Entity::delete_many()
        .filter(user_address::Column::UserId.eq(user))
        .exec(txn)
        .await?;
    if addresses.is_empty() {
        return Ok(());
    }
    let rows = addresses.into_iter().map(|row| user_address::ActiveModel {
        user_id: Set(row.user_id),
        position: Set(row.position),
        name: Set(row.name),
        line1: Set(row.line1),
        line2: Set(row.line2),
        city: Set(row.city),
        region: Set(row.region),
        postal_code: Set(row.postal_code),
        country_code: Set(row.country_code),
        phone: Set(row.phone),
    });
    user_address::Entity::insert_many(rows)
        .exec_without_returning(txn)
        .await?;
    Ok(())
}

/// As the record shows them.
fn shown(addresses: &[user_address::Model]) -> Value {
    addresses
        .iter()
        .map(|address| {
            json!({
                "name": address.name, "line1": address.line1, "line2": address.line2, "city": address.city,
                "region": address.region, "postalCode": address.postal_code, "countryCode": address.country_code,
                "phone": address.phone,
            })
        })
        .collect()
}
