//! Stock that orders hold: taken when they are placed, given back when they end, gone when they are sent.
//!
//! Levels are locked in the order of the variants' ids, whatever order a cart has them in, so that two carts with the same
//! variants never wait for each other in a circle.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use sea_orm::sea_query::{CaseStatement, Expr, ExprTrait as _};
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, DatabaseTransaction, EntityTrait as _, QueryFilter as _,
    QueryOrder as _, QuerySelect as _,
};

use super::levels::{available, note};
use crate::domain::answers::Touched;
use crate::entity::{inventory_level, inventory_movement};
use crate::infra::db::MAX_BINDS;
use crate::kernel::error::{Error, Result};
use crate::kernel::id::{InventoryMovementId, ProductVariantId};

/// How many of each variant.
pub type Quantities = BTreeMap<ProductVariantId, i64>;

/// Who moves stock, why and when: what its movements say.
#[derive(Clone, Debug)]
pub struct Why {
    /// E.g. `order_01kb… placed`.
    pub reason: String,
    pub actor: String,
    pub now: DateTime<Utc>,
    /// Where it is noted which levels it changes, to be told after the commit.
    pub touched: Touched,
}

/// What came of trying to hold stock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Held {
    /// All of it; these variants are counted, so this much is now theirs. The others are sold without counting.
    All(Quantities),
    /// Nothing was held: of these variants there is less, only this much.
    TooFew(Quantities),
}

/// Holds stock for an order: all of it or none.
pub async fn reserve_in_txn(txn: &DatabaseTransaction, wanted: &Quantities, why: &Why) -> Result<Held> {
    let levels = lock(txn, wanted).await?;
    let mut held = Quantities::new();
    let mut too_few = Quantities::new();
    for (variant, quantity) in wanted {
        // A variant without a level is gone: there is none of it.
        let Some(level) = levels.get(variant) else {
            too_few.insert(*variant, 0);
            continue;
        };
        match available(level) {
            Some(available) if available < *quantity => {
                too_few.insert(*variant, available);
            }
            Some(_) => {
                held.insert(*variant, *quantity);
            }
            None => {}
        }
    }
    if !too_few.is_empty() {
        return Ok(Held::TooFew(too_few));
    }
    change(txn, &held, Sign::Plus, OnHand::Stays, why).await?;
    Ok(Held::All(held))
}

/// Gives back what an order held.
pub async fn release_in_txn(txn: &DatabaseTransaction, held: &Quantities, why: &Why) -> Result<()> {
    lock(txn, held).await?;
    change(txn, held, Sign::Minus, OnHand::Stays, why).await
}

/// Takes what an order held out of the shop.
pub async fn ship_in_txn(txn: &DatabaseTransaction, held: &Quantities, why: &Why) -> Result<()> {
    lock(txn, held).await?;
    change(txn, held, Sign::Minus, OnHand::Goes, why).await
}

/// The levels, locked in the order of their ids.
async fn lock(
    txn: &DatabaseTransaction,
    quantities: &Quantities,
) -> Result<BTreeMap<ProductVariantId, inventory_level::Model>> {
    let ids: Vec<ProductVariantId> = quantities.keys().copied().collect();
    let mut levels = BTreeMap::new();
    for ids in ids.chunks(MAX_BINDS) {
        let rows = inventory_level::Entity::find()
            .filter(inventory_level::Column::VariantId.is_in(ids.iter().copied()))
            .order_by_asc(inventory_level::Column::VariantId)
            .lock_exclusive()
            .all(txn)
            .await?;
        levels.extend(rows.into_iter().map(|row| (row.variant_id, row)));
    }
    Ok(levels)
}

#[derive(Clone, Copy)]
enum Sign {
    Plus,
    Minus,
}

#[derive(Clone, Copy, PartialEq)]
enum OnHand {
    Stays,
    Goes,
}

/// How many variants one statement changes: an order has 250 lines at most.
const CHUNK: usize = 1_000;

/// Changes locked levels by one statement, and writes a movement for each.
async fn change(
    txn: &DatabaseTransaction,
    quantities: &Quantities,
    sign: Sign,
    on_hand: OnHand,
    why: &Why,
) -> Result<()> {
    use inventory_level::Column::{OnHand as OnHandColumn, Reserved, Tracked, UpdatedAt, VariantId};
    let quantities: Vec<(ProductVariantId, i64)> = quantities
        .iter()
        .filter(|(_, quantity)| **quantity != 0)
        .map(|(id, quantity)| (*id, *quantity))
        .collect();
    for chunk in quantities.chunks(CHUNK) {
        let delta = |sign: i64| -> Expr {
            let cases = chunk.iter().fold(CaseStatement::new(), |cases, (id, quantity)| {
                cases.case(Expr::col(VariantId).eq(*id), Expr::val(sign * quantity))
            });
            cases.finally(Expr::val(0_i64)).into()
        };
        let reserved = match sign {
            Sign::Plus => delta(1),
            Sign::Minus => delta(-1),
        };
        let mut update = inventory_level::Entity::update_many()
            .col_expr(Reserved, Expr::col(Reserved).add(reserved))
            .col_expr(UpdatedAt, Expr::val(why.now))
            .filter(VariantId.is_in(chunk.iter().map(|(id, _)| *id)));
        if on_hand == OnHand::Goes {
            // What is no longer counted has no number to take from.
            let counted: Expr = CaseStatement::new()
                .case(Expr::col(Tracked).eq(true), delta(-1))
                .finally(Expr::val(0_i64))
                .into();
            update = update.col_expr(OnHandColumn, Expr::col(OnHandColumn).add(counted));
        }
        let changed = update.exec_with_returning(txn).await?;
        if changed.len() != chunk.len() {
            return Err(Error::internal(anyhow::anyhow!("a locked level is gone")));
        }
        for level in &changed {
            let quantity = chunk.iter().find(|(id, _)| *id == level.variant_id);
            let quantity = quantity.map_or(0, |(_, quantity)| *quantity);
            note(
                &why.touched,
                level,
                match sign {
                    Sign::Plus => quantity,
                    Sign::Minus if on_hand == OnHand::Stays => -quantity,
                    // What was promised is gone: as much can be had as before.
                    Sign::Minus => 0,
                },
            );
        }
        let tracked: BTreeMap<ProductVariantId, bool> = changed
            .iter()
            .map(|level| (level.variant_id, level.tracked))
            .collect();
        let rows = chunk.iter().map(|(variant, quantity)| {
            let goes = on_hand == OnHand::Goes && tracked.get(variant).copied().unwrap_or(false);
            inventory_movement::ActiveModel {
                id: Set(InventoryMovementId::new()),
                variant_id: Set(*variant),
                on_hand_delta: Set(if goes { -quantity } else { 0 }),
                reserved_delta: Set(match sign {
                    Sign::Plus => *quantity,
                    Sign::Minus => -quantity,
                }),
                reason: Set(why.reason.clone()),
                actor: Set(why.actor.clone()),
                occurred_at: Set(why.now),
            }
        });
        inventory_movement::Entity::insert_many(rows)
            .exec_without_returning(txn)
            .await?;
    }
    Ok(())
}
