//! Adding to the record.

use std::fmt::Display;

use sea_orm::{ConnectionTrait, DatabaseTransaction, EntityTrait as _, IntoActiveModel as _};
use serde_json::Value;

use crate::domain::context::Context;
use crate::entity::audit_record;
use crate::infra::db::many;
use crate::kernel::actor::Actor;
use crate::kernel::error::Result;
use crate::kernel::id::AuditRecordId;

/// Something that was done. Never put a password or a token into it.
#[derive(Clone, Debug, Default)]
pub struct Deed {
    /// The name of the mutation, or of what happened.
    pub action: &'static str,
    /// The id of what it was done to.
    pub subject: Option<String>,
    /// What of it was changed, as it was and as it is: objects with the same keys, where both are there.
    pub before: Option<Value>,
    pub after: Option<Value>,
}

impl Deed {
    /// Something that is new, as it is.
    pub fn created(action: &'static str, subject: impl Display, after: Value) -> Self {
        Self {
            action,
            subject: Some(subject.to_string()),
            before: None,
            after: Some(after),
        }
    }

    /// A change from one object to another, of which the record keeps the fields that differ.
    pub fn changed(action: &'static str, subject: impl Display, before: Value, after: Value) -> Self {
        let (before, after) = differing(before, after);
        Self {
            action,
            subject: Some(subject.to_string()),
            before: Some(before),
            after: Some(after),
        }
    }
}

/// What two objects have that the other one has not.
fn differing(mut before: Value, mut after: Value) -> (Value, Value) {
    if let (Value::Object(before), Value::Object(after)) = (&mut before, &mut after) {
        let same: Vec<String> = before
            .iter()
            .filter(|(key, value)| after.get(*key) == Some(*value))
            .map(|(key, _)| key.clone())
            .collect();
        for key in same {
            before.remove(&key);
            after.remove(&key);
        }
    }
    (before, after)
}

/// Records a deed of the caller. Call it inside the deed's own transaction.
pub async fn record<C: ConnectionTrait>(connection: &C, ctx: &Context, deed: Deed) -> Result<()> {
    record_as(connection, ctx, &ctx.actor, deed).await
}

/// Records deeds of several callers, by one statement.
pub async fn record_many(txn: &DatabaseTransaction, deeds: Vec<(&Context, Deed)>) -> Result<()> {
    let rows: Vec<audit_record::Model> = deeds
        .into_iter()
        .map(|(ctx, deed)| row(ctx, &ctx.actor, deed))
        .collect();
    many::insert::<audit_record::Entity>(txn, &rows, "").await?;
    Ok(())
}

/// The same in the name of somebody else than the token says: of whoever has just signed in.
pub async fn record_as<C: ConnectionTrait>(
    connection: &C,
    ctx: &Context,
    actor: &Actor,
    deed: Deed,
) -> Result<()> {
    audit_record::Entity::insert(row(ctx, actor, deed).into_active_model())
        .exec_without_returning(connection)
        .await?;
    Ok(())
}

fn row(ctx: &Context, actor: &Actor, deed: Deed) -> audit_record::Model {
    let (role, session) = match actor {
        Actor::User { role, session, .. } => (Some((*role).into()), Some(session.to_string())),
        Actor::Anonymous | Actor::System => (None, None),
    };
    audit_record::Model {
        id: AuditRecordId::new(),
        occurred_at: ctx.now(),
        actor: actor.key(),
        role,
        session,
        ip_address: ctx.origin.address.map(|address| address.to_string()),
        user_agent: ctx.origin.user_agent.clone(),
        action: deed.action.to_owned(),
        subject: deed.subject,
        before: deed.before,
        after: deed.after,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_stayed_is_not_kept() {
        let before = json!({"name": "Mug", "vendor": null, "tags": ["a"], "price": "1.00"});
        let after = json!({"name": "Cup", "vendor": null, "tags": ["a"], "reason": "sale", "price": null});
        let deed = Deed::changed("productUpdate", "product_1", before, after);
        assert_eq!(deed.before, Some(json!({"name": "Mug", "price": "1.00"})));
        assert_eq!(
            deed.after,
            Some(json!({"name": "Cup", "reason": "sale", "price": null}))
        );
    }
}
