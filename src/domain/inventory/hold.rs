//! Stock that orders hold: taken when they are placed, given back when they end, gone when they are sent.
//!
//! Levels are locked in the order of the variants' ids, whatever order a cart has them in, so that two carts with the same
//! variants never wait for each other in a circle.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use sea_orm::{
    ConnectionTrait as _, DatabaseTransaction, DbErr, EntityTrait as _, FromQueryResult as _,
    IdenStatic as _, Iterable as _, QueryFilter as _, QueryOrder as _, QuerySelect as _,
};

use super::levels::{available, note};
use crate::domain::answers::Touched;
use crate::entity::{inventory_level, inventory_movement};
use crate::infra::db::MAX_BINDS;
use crate::infra::db::many::{self, Rows, among};
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
    let held = reserve_many_in_txn(txn, &[(wanted.clone(), why.clone())]).await?;
    let held = held.into_iter().next();
    held.ok_or_else(|| Error::internal(anyhow::anyhow!("stock was asked for and not answered")))
}

/// Holds stock for several orders, for each all of it or none: whoever comes first gets it. The levels of all are locked and
/// changed once, in as many statements as for one.
pub async fn reserve_many_in_txn(
    txn: &DatabaseTransaction,
    wishes: &[(Quantities, Why)],
) -> Result<Vec<Held>> {
    let all = wishes.iter().flat_map(|(wanted, _)| wanted.keys().copied());
    let levels = lock(txn, all.collect()).await?;
    let mut left: BTreeMap<ProductVariantId, Option<i64>> = levels
        .iter()
        .map(|(variant, level)| (*variant, available(level)))
        .collect();
    let outcomes: Vec<Held> = wishes.iter().map(|(wanted, _)| take(&mut left, wanted)).collect();
    let held = outcomes
        .iter()
        .zip(wishes)
        .filter_map(|(held, (_, why))| match held {
            Held::All(held) => Some((held, why)),
            Held::TooFew(_) => None,
        });
    change(txn, &held.collect::<Vec<_>>(), Sign::Plus, OnHand::Stays).await?;
    Ok(outcomes)
}

/// Takes what is wanted of what is left: all of it or none.
fn take(left: &mut BTreeMap<ProductVariantId, Option<i64>>, wanted: &Quantities) -> Held {
    let (mut held, mut too_few) = (Quantities::new(), Quantities::new());
    for (variant, quantity) in wanted {
        match left.get(variant) {
            // A variant without a level is gone: there is none of it.
            None => {
                too_few.insert(*variant, 0);
            }
            Some(Some(available)) if available < quantity => {
                too_few.insert(*variant, *available);
            }
            Some(Some(_)) => {
                held.insert(*variant, *quantity);
            }
            Some(None) => {}
        }
    }
    if !too_few.is_empty() {
        return Held::TooFew(too_few);
    }
    for (variant, quantity) in &held {
        if let Some(Some(available)) = left.get_mut(variant) {
            *available -= quantity;
        }
    }
    Held::All(held)
}

/// Gives back what an order held.
pub async fn release_in_txn(txn: &DatabaseTransaction, held: &Quantities, why: &Why) -> Result<()> {
    lock(txn, held.keys().copied().collect()).await?;
    change(txn, &[(held, why)], Sign::Minus, OnHand::Stays).await
}

/// Takes what an order held out of the shop.
pub async fn ship_in_txn(txn: &DatabaseTransaction, held: &Quantities, why: &Why) -> Result<()> {
    lock(txn, held.keys().copied().collect()).await?;
    change(txn, &[(held, why)], Sign::Minus, OnHand::Goes).await
}

/// The levels, locked in the order of their ids.
async fn lock(
    txn: &DatabaseTransaction,
    variants: BTreeSet<ProductVariantId>,
) -> Result<BTreeMap<ProductVariantId, inventory_level::Model>> {
    let variants: Vec<ProductVariantId> = variants.into_iter().collect();
    let mut levels = BTreeMap::new();
    for variants in variants.chunks(MAX_BINDS) {
        let these = among(
            txn.get_database_backend(),
            inventory_level::Column::VariantId,
            variants.iter().copied(),
        )?;
        let rows = inventory_level::Entity::find()
            .filter(these)
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

/// Changes locked levels by one statement, and writes a movement for each order and variant. All changes of what orders hold come
/// through here.
async fn change(
    txn: &DatabaseTransaction,
    moves: &[(&Quantities, &Why)],
    sign: Sign,
    on_hand: OnHand,
) -> Result<()> {
    let moves = || {
        moves.iter().flat_map(|(quantities, why)| {
            let moved = quantities.iter().filter(|(_, quantity)| **quantity != 0);
            moved.map(|(variant, quantity)| (*variant, *quantity, *why))
        })
    };
    let mut in_all = Quantities::new();
    for (variant, quantity, _) in moves() {
        *in_all.entry(variant).or_default() += quantity;
    }
    let Some(now) = moves().map(|(_, _, why)| why.now).max() else {
        return Ok(());
    };
    let levels = change_levels(txn, &in_all, sign, on_hand, now).await?;
    for (variant, _, why) in moves() {
        if let (Some(level), Some(moved)) = (levels.get(&variant), in_all.get(&variant)) {
            let more_before = match sign {
                Sign::Plus => *moved,
                Sign::Minus if on_hand == OnHand::Stays => -moved,
                // What was promised is gone: as much can be had as before.
                Sign::Minus => 0,
            };
            note(&why.touched, level, more_before);
        }
    }
    let movement = |(variant, quantity, why): (ProductVariantId, i64, &Why)| {
        let goes = on_hand == OnHand::Goes && levels.get(&variant).is_some_and(|level| level.tracked);
        inventory_movement::Model {
            id: InventoryMovementId::new(),
            variant_id: variant,
            on_hand_delta: if goes { -quantity } else { 0 },
            reserved_delta: match sign {
                Sign::Plus => quantity,
                Sign::Minus => -quantity,
            },
            reason: why.reason.clone(),
            actor: why.actor.clone(),
            occurred_at: why.now,
        }
    };
    let movements: Vec<_> = moves().map(movement).collect();
    many::insert::<inventory_movement::Entity>(txn, &movements, "").await?;
    Ok(())
}

/// The levels as they are now.
async fn change_levels(
    txn: &DatabaseTransaction,
    quantities: &Quantities,
    sign: Sign,
    on_hand: OnHand,
    now: DateTime<Utc>,
) -> Result<HashMap<ProductVariantId, inventory_level::Model>> {
    let mut rows = Rows::new([
        ("variant_id", "uuid"),
        ("quantity", "bigint"),
        ("now", "timestamptz"),
    ]);
    for (variant, quantity) in quantities {
        rows.push([(*variant).into(), (*quantity).into(), now.into()]);
    }
    let sign = match sign {
        Sign::Plus => '+',
        Sign::Minus => '-',
    };
    // What is no longer counted has no number to take from.
    let goes = match on_hand {
        OnHand::Stays => "",
        OnHand::Goes => r#""on_hand" = "on_hand" - CASE WHEN "tracked" THEN v."quantity" ELSE 0 END, "#,
    };
    // SQLite takes no `*` of a table here.
    let columns = inventory_level::Column::iter()
        .map(|column| format!(r#""inventory_level"."{}""#, column.as_str()))
        .collect::<Vec<_>>()
        .join(", ");
    let changed = rows
        .query(txn, None, |source, _| {
            format!(
                r#"UPDATE "inventory_level" SET {goes}"reserved" = "reserved" {sign} v."quantity", "updated_at" = v."now"
                FROM {source} WHERE "inventory_level"."variant_id" = v."variant_id"
                RETURNING {columns}"#
            )
        })
        .await?;
    if changed.len() != quantities.len() {
        return Err(Error::internal(anyhow::anyhow!("a locked level is gone")));
    }
    let levels = changed.iter().map(|row| {
        let level = inventory_level::Model::from_query_result(row, "")?;
        Ok((level.variant_id, level))
    });
    Ok(levels.collect::<Result<_, DbErr>>()?)
}
