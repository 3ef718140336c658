//! Counting stock anew: deliveries, losses, corrections.

use sea_orm::sea_query::{Expr, ExprTrait as _};
use sea_orm::{
    ActiveModelTrait as _, ActiveValue::Set, ColumnTrait as _, DatabaseTransaction, EntityTrait as _,
    QueryFilter as _,
};
use serde_json::json;

use super::levels::available;
use crate::domain::catalog::create::MAX_ON_HAND;
use crate::domain::catalog::validate::Checker;
use crate::domain::context::Context;
use crate::entity::{inventory_level, inventory_movement};
use crate::infra::idempotency::{Claim, Request};
use crate::kernel::error::{ErrorCode, Refusal, Result};
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
    ctx.require_staff()?;
    let mut checker = Checker::default();
    let reason = checker.text("reason", &command.reason);
    if command.delta == 0 {
        checker.refuse(ErrorCode::OutOfRange, "delta", "must not be 0");
    }
    checker.finish()?;
    let input = (command.variant_id.0, command.delta, &reason);
    let request = Request::new(&ctx.actor, "inventoryAdjust", &command.idempotency_key, &input)?;

    let txn = ctx.db().begin().await?;
    if let Claim::Done(_) = request.claim(&txn, ctx.now()).await? {
        return Ok(());
    }
    let delta = i64::from(command.delta);
    change_level(&txn, command.variant_id, delta, ctx.now()).await?;
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
    request
        .remember(&txn, json!({"variantId": command.variant_id.to_string()}))
        .await?;
    txn.commit().await?;
    Ok(())
}

/// One statement that changes the level if it stays within its bounds, so that no two can both pass a check.
async fn change_level(
    txn: &DatabaseTransaction,
    id: ProductVariantId,
    delta: i64,
    now: chrono::DateTime<chrono::Utc>,
) -> Result<()> {
    use inventory_level::Column::{OnHand, Reserved, Tracked, UpdatedAt, VariantId};
    let after = || Expr::col(OnHand).add(delta);
    let changed = inventory_level::Entity::update_many()
        .col_expr(OnHand, after())
        .col_expr(UpdatedAt, Expr::val(now))
        .filter(VariantId.eq(id))
        .filter(Tracked.eq(true))
        .filter(after().gte(Expr::col(Reserved)))
        .filter(after().lte(MAX_ON_HAND))
        .exec(txn)
        .await?;
    if changed.rows_affected == 1 {
        return Ok(());
    }
    let level = inventory_level::Entity::find_by_id(id).one(txn).await?;
    Err(refusal(level, delta).into())
}

/// Why the level did not change.
fn refusal(level: Option<inventory_level::Model>, delta: i64) -> Refusal {
    let Some(level) = level else {
        return Refusal::new(ErrorCode::NotFound, "variantId", "there is no such variant");
    };
    let Some(available) = available(&level) else {
        return Refusal::new(
            ErrorCode::Invalid,
            "variantId",
            "the stock of this variant is not counted",
        );
    };
    if delta < 0 {
        let message =
            format!("only {available} can be taken away: the rest is not there, or promised to orders");
        Refusal::new(ErrorCode::InsufficientStock, "delta", message)
            .with_params(json!({"available": available}))
    } else {
        let message = format!("there would be more than {MAX_ON_HAND}");
        Refusal::new(ErrorCode::OutOfRange, "delta", message).with_params(json!({"onHand": level.on_hand}))
    }
}
