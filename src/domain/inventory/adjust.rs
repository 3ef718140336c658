//! Counting stock anew: deliveries, losses, corrections.

use sea_orm::sea_query::{Expr, ExprTrait as _};
use sea_orm::{
    ActiveModelTrait as _, ActiveValue::Set, ColumnTrait as _, DatabaseTransaction, EntityTrait as _,
    QueryFilter as _, QuerySelect as _,
};
use serde_json::json;

use super::levels::{available, note};
use crate::domain::audit::record::{Deed, record};
use crate::domain::catalog::create::MAX_ON_HAND;
use crate::domain::catalog::validate::Checker;
use crate::domain::context::Context;
use crate::domain::permission::Permission;
use crate::entity::{inventory_level, inventory_movement};
use crate::infra::idempotency::{Claim, Request};
use crate::kernel::error::{Error, ErrorCode, Refusal, Result};
use crate::kernel::id::{InventoryMovementId, ProductVariantId};

/// A change of what is on hand.
#[derive(Clone, Debug)]
pub struct AdjustInventory {
    pub variant_id: ProductVariantId,
    pub delta: i32,
    pub reason: String,
    pub idempotency_key: String,
}

/// Changes what is on hand of a variant, once for each idempotency key, and writes down why.
///
/// # Errors
/// NOT_FOUND, INVALID for a variant that is not counted, INSUFFICIENT_STOCK when less would be on hand than is
/// promised to orders, OUT_OF_RANGE, and those of the idempotency key.
pub async fn adjust(ctx: &Context, command: &AdjustInventory) -> Result<()> {
    ctx.require(Permission::WriteInventory)?;
    let mut checker = Checker::default();
    let reason = checker.text("reason", &command.reason);
    if command.delta == 0 {
        checker.refuse(ErrorCode::OutOfRange, "delta", "must not be 0");
    }
    let input = (command.variant_id.0, command.delta, &reason);
    let request = Request::new(&ctx.actor, "inventoryAdjust", &command.idempotency_key, &input);
    checker.include(&request);
    checker.finish()?;
    let request = request?;

    let txn = ctx.db().begin().await?;
    if let Claim::Done(_) = request.claim(&txn, ctx.now()).await? {
        return Ok(());
    }
    let delta = i64::from(command.delta);
    let level = change_level(&txn, command.variant_id, delta, ctx.now()).await?;
    note(&ctx.touched, &level, -delta);
    let before = json!({"onHand": level.on_hand - delta});
    let after = json!({"onHand": level.on_hand, "reason": reason});
    let movement = inventory_movement::ActiveModel {
        id: Set(InventoryMovementId::new()),
        variant_id: Set(command.variant_id),
        on_hand_delta: Set(delta),
        reserved_delta: Set(0),
        reason: Set(reason),
        actor: Set(ctx.actor.key()),
        occurred_at: Set(ctx.now()),
    };
    movement.insert(&txn).await?;
    let deed = Deed::changed("inventoryAdjust", command.variant_id, before, after);
    record(&txn, ctx, deed).await?;
    request
        .remember(&txn, json!({"variantId": command.variant_id.to_string()}))
        .await?;
    txn.commit().await?;
    ctx.touched.tell(&ctx.platform.answers);
    Ok(())
}

/// Changes the level, or says why not. What it is then.
async fn change_level(
    txn: &DatabaseTransaction,
    id: ProductVariantId,
    delta: i64,
    now: chrono::DateTime<chrono::Utc>,
) -> Result<inventory_level::Model> {
    if let Some(level) = add(txn, id, delta, now).await? {
        return Ok(level);
    }
    // Since the look that failed the level may have changed; once its row is locked it does not any more. What it
    // says now is the reason, or there is none left.
    let level = inventory_level::Entity::find_by_id(id)
        .lock_exclusive()
        .one(txn)
        .await?;
    if let Some(refusal) = refusal(level, delta) {
        return Err(refusal.into());
    }
    let level = add(txn, id, delta, now).await?;
    level.ok_or_else(|| Error::internal(anyhow::anyhow!("a locked level changed")))
}

/// One statement that changes the level if it stays within its bounds, so that no two can both pass a check.
async fn add(
    txn: &DatabaseTransaction,
    id: ProductVariantId,
    delta: i64,
    now: chrono::DateTime<chrono::Utc>,
) -> Result<Option<inventory_level::Model>> {
    use inventory_level::Column::{OnHand, Reserved, Tracked, UpdatedAt, VariantId};
    let after = || Expr::col(OnHand).add(delta);
    let changed = inventory_level::Entity::update_many()
        .col_expr(OnHand, after())
        .col_expr(UpdatedAt, Expr::val(now))
        .filter(VariantId.eq(id))
        .filter(Tracked.eq(true))
        .filter(after().gte(Expr::col(Reserved)))
        .filter(after().lte(MAX_ON_HAND))
        .exec_with_returning(txn)
        .await?;
    Ok(changed.into_iter().next())
}

/// Why the level cannot change by so much, if it cannot.
fn refusal(level: Option<inventory_level::Model>, delta: i64) -> Option<Refusal> {
    let Some(level) = level else {
        return Some(Refusal::new(
            ErrorCode::NotFound,
            "variantId",
            "there is no such variant",
        ));
    };
    let Some(available) = available(&level) else {
        return Some(Refusal::new(
            ErrorCode::Invalid,
            "variantId",
            "the stock of this variant is not counted",
        ));
    };
    if available + delta < 0 {
        let message =
            format!("only {available} can be taken away: the rest is not there, or promised to orders");
        Some(
            Refusal::new(ErrorCode::InsufficientStock, "delta", message)
                .with_params(json!({"available": available})),
        )
    } else if level.on_hand + delta > MAX_ON_HAND {
        let message = format!("there would be more than {MAX_ON_HAND}");
        Some(
            Refusal::new(ErrorCode::OutOfRange, "delta", message)
                .with_params(json!({"onHand": level.on_hand})),
        )
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The reason is only given while it is true: between a failed change and the look at the row, stock may come.
    #[test]
    fn a_level_that_allows_the_change_is_no_reason() {
        let level = |tracked, on_hand, reserved| inventory_level::Model {
            variant_id: ProductVariantId::new(),
            tracked,
            on_hand,
            reserved,
            imported_on_hand: None,
            updated_at: chrono::DateTime::UNIX_EPOCH,
        };
        for (level, delta, expected) in [
            (Some(level(true, 10, 4)), -6, None),
            (Some(level(true, 10, 4)), -7, Some(ErrorCode::InsufficientStock)),
            (Some(level(true, 10, 4)), MAX_ON_HAND - 10, None),
            (
                Some(level(true, 10, 4)),
                MAX_ON_HAND - 9,
                Some(ErrorCode::OutOfRange),
            ),
            (Some(level(false, 10, 4)), 1, Some(ErrorCode::Invalid)),
            (None, 1, Some(ErrorCode::NotFound)),
        ] {
            let refusal = refusal(level.clone(), delta);
            assert_eq!(refusal.map(|refusal| refusal.code), expected, "{level:?} {delta}");
        }
    }
}
