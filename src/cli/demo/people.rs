//! The people of the demo shop, one of each role, whose password everybody knows. They can sign in during development
//! only: `domain::accounts` knows their domain.

use std::sync::Arc;

use sea_orm::{ColumnTrait as _, ConnectionTrait, EntityTrait as _, QueryFilter as _};
use secrecy::SecretString;

use crate::domain::accounts::create::add_user;
use crate::domain::accounts::register::NewUser;
use crate::domain::context::{Context, Platform};
use crate::entity::user_account;
use crate::kernel::actor::{Actor, Origin, Role};
use crate::kernel::email::Email;
use crate::kernel::error::{Error, Result};

/// Of all of them. The manual says so.
pub const PASSWORD: &str = "open sesame souk";

/// Somebody of the demo shop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Person {
    pub email: &'static str,
    name: &'static str,
    pub role: Role,
}

pub const PEOPLE: [Person; 3] = [
    Person {
        email: "customer@demo.souk.example",
        name: "Dinarzad",
        role: Role::Customer,
    },
    Person {
        email: "staff@demo.souk.example",
        name: "Morgiana",
        role: Role::Staff,
    },
    Person {
        email: "admin@demo.souk.example",
        name: "Shahrazad",
        role: Role::Admin,
    },
];

impl Person {
    pub fn of(role: Role) -> Self {
        let [customer, staff, admin] = PEOPLE;
        match role {
            Role::Customer => customer,
            Role::Staff => staff,
            Role::Admin => admin,
        }
    }

    fn email(&self) -> Result<Email> {
        self.email.parse().map_err(Error::internal)
    }
}

/// As whom the command line adds them.
pub(super) fn context(platform: &Arc<Platform>) -> Context {
    Context::writing(Actor::System, Origin::default(), Arc::clone(platform))
}

/// What it takes to add a person. Hashing takes a while: do it before there is a transaction that others wait for.
pub(super) async fn prepare(ctx: &Context, person: Person) -> Result<NewUser> {
    let password = SecretString::from(PASSWORD);
    Ok(NewUser {
        email: person.email()?,
        name: person.name.to_owned(),
        role: person.role,
        password_hash: ctx.platform.passwords.hash(password).await?,
    })
}

/// Adds those that are not there yet.
pub(super) async fn add_missing<C: ConnectionTrait>(
    connection: &C,
    ctx: &Context,
    all: &[NewUser],
) -> Result<()> {
    for person in all {
        if find(connection, &person.email).await?.is_none() {
            add_user(connection, ctx, person).await?;
        }
    }
    Ok(())
}

/// The account of a person, made if it is missing.
///
/// # Errors
/// Only faults.
pub async fn find_or_add(platform: &Arc<Platform>, person: Person) -> Result<user_account::Model> {
    let email = person.email()?;
    if let Some(user) = find(platform.db.fresh(), &email).await? {
        return Ok(user);
    }
    let ctx = context(platform);
    let new = prepare(&ctx, person).await?;
    let txn = ctx.db().begin().await?;
    let user = add_user(&txn, &ctx, &new).await?;
    txn.commit().await?;
    Ok(user)
}

/// The people of the demo shop that have an account here.
///
/// # Errors
/// Only faults.
pub async fn present(platform: &Platform) -> Result<Vec<user_account::Model>> {
    let keys: Vec<String> = PEOPLE
        .iter()
        .map(|person| person.email().map(|email| email.key().to_owned()))
        .collect::<Result<_>>()?;
    let found = user_account::Entity::find().filter(user_account::Column::EmailKey.is_in(keys));
    let mut found = found.all(platform.db.fresh()).await?;
    found.sort_by_key(|user| Role::from(user.role));
    Ok(found)
}

async fn find<C: ConnectionTrait>(connection: &C, email: &Email) -> Result<Option<user_account::Model>> {
    Ok(user_account::Entity::find()
        .filter(user_account::Column::EmailKey.eq(email.key()))
        .one(connection)
        .await?)
}
