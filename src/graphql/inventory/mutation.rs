//! Mutations of stock, for staff.

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};

use crate::domain::context::Context as DomainContext;
use crate::domain::inventory::adjust::{AdjustInventory, adjust};
use crate::domain::permission::Permission;
use crate::graphql::catalog::{ProductVariant, variant};
use crate::graphql::context::ContextExt as _;
use crate::graphql::error::Result;
use crate::graphql::guard::Requires;
use crate::graphql::ids::parse_id;
use crate::graphql::user_error::{UserError, refused};

/// A change of what is on hand of a variant.
#[derive(Clone, Debug, InputObject)]
pub struct InventoryAdjustInput {
    /// The variant, whose stock must be counted (else INVALID).
    variant_id: ID,
    /// How many come (above 0) or go (below 0), not 0. No more can go than are available (else INSUFFICIENT_STOCK), and there
    /// can be 2,147,483,647 at most (else OUT_OF_RANGE).
    delta: i32,
    /// Why, for the record. 1 to 255 characters.
    reason: String,
    /// A key that you make for this change, of 1 to 255 characters. Sent again with the same input within 24 hours, it
    /// answers without changing anything again; with another input it is IDEMPOTENCY_KEY_REUSED.
    idempotency_key: String,
}

/// The outcome of `inventoryAdjust`.
#[derive(Clone, Debug, SimpleObject)]
pub struct InventoryAdjustPayload {
    /// The variant with its stock as it is now; null when the change was refused.
    pub variant: Option<ProductVariant>,
    /// Why it was refused; empty when it was not.
    pub user_errors: Vec<UserError>,
}

#[derive(Debug, Default)]
pub struct InventoryMutation;

async fn change(ctx: &DomainContext, input: InventoryAdjustInput) -> Result<ProductVariant> {
    let variant_id = parse_id(&input.variant_id, "input.variantId")?;
    let InventoryAdjustInput {
        delta,
        reason,
        idempotency_key,
        ..
    } = input;
    adjust(
        ctx,
        &AdjustInventory {
            variant_id,
            delta,
            reason,
            idempotency_key,
        },
    )
    .await?;
    variant(ctx, variant_id).await
}

#[Object]
impl InventoryMutation {
    /// Changes how many of a variant are on hand, after a delivery, a loss or a count. Done once for each
    /// `idempotencyKey`, however often it is sent. Staff only.
    #[graphql(guard = "Requires(Permission::WriteInventory)")]
    async fn inventory_adjust(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The change.")] input: InventoryAdjustInput,
    ) -> Result<InventoryAdjustPayload> {
        let (variant, user_errors) = refused(change(ctx.domain()?, input).await)?;
        Ok(InventoryAdjustPayload { variant, user_errors })
    }
}
