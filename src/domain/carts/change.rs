//! Filling carts: all of a request or nothing, with everything that is wrong with it.

use std::collections::HashSet;

use sea_orm::sea_query::OnConflict;
use sea_orm::{
    ActiveModelTrait as _, ActiveValue::Set, ColumnTrait as _, DatabaseTransaction, EntityTrait as _,
    IntoActiveModel as _, QueryFilter as _, QuerySelect as _,
};
use serde_json::json;

use super::goods::{Goods, Offer};
use super::lock::{CartInHand, lock_in_txn, with_lines};
use super::{MAX_LINES, MAX_QUANTITY, policy};
use crate::domain::catalog;
use crate::domain::context::Context;
use crate::entity::product::ProductStatus;
use crate::entity::{cart, cart_line};
use crate::infra::db::lock;
use crate::kernel::check::Checker;
use crate::kernel::error::{Error, ErrorCode, Refusal, Result};
use crate::kernel::id::{CartId, CartLineId, ProductVariantId, UserId};

/// So many more of a variant.
#[derive(Clone, Copy, Debug)]
pub struct NewLine {
    pub variant_id: ProductVariantId,
    pub quantity: i32,
}

/// How many a line is to have; 0 removes it.
#[derive(Clone, Copy, Debug)]
pub struct LineQuantity {
    pub line_id: CartLineId,
    pub quantity: i32,
}

/// Makes a guest's cart, or takes the customer's open one, and adds the lines.
///
/// # Errors
/// Refused with everything that is wrong with the lines.
pub async fn create(ctx: &Context, new: &[NewLine]) -> Result<CartId> {
    let owner = policy::owner(ctx)?;
    let txn = ctx.db().begin().await?;
    let in_hand = match owner {
        Some(user) => match own_in_txn(&txn, user).await? {
            Some(cart) => with_lines(&txn, cart).await?,
            None => (insert(&txn, ctx, Some(user)).await?, Vec::new()),
        },
        None => (insert(&txn, ctx, None).await?, Vec::new()),
    };
    let id = in_hand.0.id;
    add_in_txn(&txn, ctx, in_hand, new).await?;
    txn.commit().await?;
    Ok(id)
}

/// Adds lines to a cart. What is in it already becomes more.
///
/// # Errors
/// Refused with everything that is wrong with the lines, or NOT_FOUND for the cart.
pub async fn add(ctx: &Context, id: CartId, new: &[NewLine]) -> Result<()> {
    policy::owner(ctx)?;
    let txn = ctx.db().begin().await?;
    let in_hand = lock_in_txn(&txn, ctx, id).await?.ok_or_else(no_such_cart)?;
    add_in_txn(&txn, ctx, in_hand, new).await?;
    txn.commit().await?;
    Ok(())
}

/// Sets how many lines have, and removes those that have none.
///
/// # Errors
/// Refused with everything that is wrong with the lines, or NOT_FOUND for the cart.
pub async fn update(ctx: &Context, id: CartId, changes: &[LineQuantity]) -> Result<()> {
    policy::owner(ctx)?;
    let txn = ctx.db().begin().await?;
    let (cart, lines) = lock_in_txn(&txn, ctx, id).await?.ok_or_else(no_such_cart)?;
    let variants: Vec<_> = lines.iter().map(|line| line.variant_id).collect();
    let offer = Offer::in_txn(&txn, &variants).await?;
    let counter = Counter { ctx, offer: &offer };
    let mut checker = Checker::default();
    let mut seen = HashSet::new();
    let (mut set, mut gone) = (Vec::new(), Vec::new());
    for (i, change) in changes.iter().enumerate() {
        let path = format!("lines.{i}.lineId");
        let Some(line) = lines.iter().find(|line| line.id == change.line_id) else {
            checker.refuse(ErrorCode::NotFound, &path, "there is no such line in the cart");
            continue;
        };
        if !seen.insert(line.id) {
            checker.refuse(ErrorCode::Invalid, &path, "is the same line as one before it");
        } else if change.quantity == 0 {
            gone.push(line.id);
        } else if change.quantity < 0 {
            let path = format!("lines.{i}.quantity");
            checker.refuse(ErrorCode::OutOfRange, &path, "must not be negative");
        } else if let Some(goods) = counter.for_sale(&mut checker, &path, line.variant_id, Known::Yes) {
            let quantity = change.quantity;
            if counter.fits(
                &mut checker,
                &format!("lines.{i}.quantity"),
                line.variant_id,
                quantity,
                0,
            ) {
                let unit_price = goods.variant.price;
                set.push(cart_line::Model {
                    quantity,
                    unit_price,
                    ..line.clone()
                });
            }
        }
    }
    checker.finish()?;
    if !gone.is_empty() {
        cart_line::Entity::delete_many()
            .filter(cart_line::Column::Id.is_in(gone))
            .exec(&txn)
            .await?;
    }
    store(&txn, set).await?;
    touch(&txn, ctx, cart).await?;
    txn.commit().await?;
    Ok(())
}

fn no_such_cart() -> Error {
    Error::refused(ErrorCode::NotFound, "cartId", "there is no such cart")
}

/// The customer's open cart, locked. Until the transaction ends nobody else opens one for this customer.
pub(super) async fn own_in_txn(txn: &DatabaseTransaction, user: UserId) -> Result<Option<cart::Model>> {
    lock::exclusive(txn, &format!("cart of {user}")).await?;
    let own = cart::Entity::find().filter(cart::Column::UserId.eq(user));
    Ok(own.lock_exclusive().one(txn).await?)
}

async fn insert(txn: &DatabaseTransaction, ctx: &Context, owner: Option<UserId>) -> Result<cart::Model> {
    let cart = cart::ActiveModel {
        id: Set(CartId::random()),
        user_id: Set(owner),
        currency: Set(ctx.platform.shop.currency.to_string()),
        created_at: Set(ctx.now()),
        updated_at: Set(ctx.now()),
    };
    Ok(cart.insert(txn).await?)
}

async fn add_in_txn(
    txn: &DatabaseTransaction,
    ctx: &Context,
    (cart, mut lines): CartInHand,
    new: &[NewLine],
) -> Result<()> {
    if new.len() > MAX_LINES {
        return Err(too_many_lines().into());
    }
    let variants: Vec<_> = new.iter().map(|new| new.variant_id).collect();
    let offer = Offer::in_txn(txn, &variants).await?;
    let counter = Counter { ctx, offer: &offer };
    let mut checker = Checker::default();
    for (i, NewLine { variant_id, quantity }) in new.iter().enumerate() {
        let path = format!("lines.{i}.variantId");
        let Some(goods) = counter.for_sale(&mut checker, &path, *variant_id, Known::No) else {
            continue;
        };
        let held = lines.iter_mut().find(|line| line.variant_id == *variant_id);
        let before = held.as_ref().map_or(0, |line| line.quantity);
        if !counter.fits(
            &mut checker,
            &format!("lines.{i}.quantity"),
            *variant_id,
            *quantity,
            before,
        ) {
            continue;
        }
        let (quantity, unit_price) = (before + quantity, goods.variant.price);
        match held {
            Some(line) => (line.quantity, line.unit_price) = (quantity, unit_price),
            None => lines.push(cart_line::Model {
                id: CartLineId::new(),
                cart_id: cart.id,
                variant_id: *variant_id,
                quantity,
                unit_price,
                created_at: ctx.now(),
            }),
        }
    }
    if lines.len() > MAX_LINES {
        checker.add(too_many_lines());
    }
    checker.finish()?;
    lines.retain(|line| variants.contains(&line.variant_id));
    store(txn, lines).await?;
    touch(txn, ctx, cart).await
}

fn too_many_lines() -> Refusal {
    let message = format!("the cart would have more than {MAX_LINES} lines");
    Refusal::new(ErrorCode::TooLong, "lines", message).with_params(json!({"max": MAX_LINES}))
}

/// Whether the actor knows that there is such a variant, because it is in the cart.
#[derive(Clone, Copy, PartialEq)]
enum Known {
    Yes,
    No,
}

/// Says what can be had, and what cannot and why.
struct Counter<'a> {
    ctx: &'a Context,
    offer: &'a Offer,
}

impl Counter<'_> {
    /// The goods, if the shop sells them now. Staff see more than customers, but buy no more.
    fn for_sale(
        &self,
        checker: &mut Checker,
        path: &str,
        id: ProductVariantId,
        known: Known,
    ) -> Option<&Goods> {
        let visible =
            |goods: &&Goods| known == Known::Yes || catalog::policy::may_see(&self.ctx.actor, &goods.product);
        let Some(goods) = self.offer.goods(id).filter(visible) else {
            checker.refuse(ErrorCode::NotFound, path, "there is no such variant");
            return None;
        };
        let currency = self.ctx.platform.shop.currency.code();
        if goods.product.status != ProductStatus::Active {
            checker.refuse(ErrorCode::ProductUnavailable, path, "is not for sale");
            return None;
        }
        if goods.product.currency != currency {
            let message = format!(
                "is sold in {}, and the cart is in {currency}",
                goods.product.currency
            );
            checker.refuse(ErrorCode::CurrencyMismatch, path, message);
            return None;
        }
        Some(goods)
    }

    /// Whether so many can be asked for, on top of those before, and so many are there.
    fn fits(
        &self,
        checker: &mut Checker,
        path: &str,
        id: ProductVariantId,
        quantity: i32,
        before: i32,
    ) -> bool {
        let total = i64::from(before) + i64::from(quantity);
        if quantity < 1 || total > i64::from(MAX_QUANTITY) {
            let message = match before {
                0 => format!("must be between 1 and {MAX_QUANTITY}"),
                _ if quantity < 1 => "must be 1 at least".to_owned(),
                _ => format!("there would be {total} in the cart, {MAX_QUANTITY} at most are allowed"),
            };
            let params = json!({"max": MAX_QUANTITY});
            checker.add(Refusal::new(ErrorCode::OutOfRange, path, message).with_params(params));
            return false;
        }
        let left = self.offer.left(id).map(|left| left.max(0));
        let Some(left) = left.filter(|left| *left < total) else {
            return true;
        };
        let message = match before {
            0 => format!("only {left} are left"),
            _ => format!("there would be {total} in the cart, and only {left} are left"),
        };
        let params = json!({"available": left});
        checker.add(Refusal::new(ErrorCode::InsufficientStock, path, message).with_params(params));
        false
    }
}

/// Writes lines of a locked cart as they are to be, by one statement.
pub(super) async fn store(txn: &DatabaseTransaction, lines: Vec<cart_line::Model>) -> Result<()> {
    use cart_line::Column::{CartId, Quantity, UnitPrice, VariantId};
    if lines.is_empty() {
        return Ok(());
    }
    let again = OnConflict::columns([CartId, VariantId])
        .update_columns([Quantity, UnitPrice])
        .to_owned();
    let rows = lines.into_iter().map(|line| line.into_active_model().reset_all());
    cart_line::Entity::insert_many(rows)
        .on_conflict(again)
        .exec_without_returning(txn)
        .await?;
    Ok(())
}

/// The cart was changed just now. Should the shop have changed its currency meanwhile, so does the cart: what is sold in
/// the old one is no longer for sale.
pub(super) async fn touch(txn: &DatabaseTransaction, ctx: &Context, cart: cart::Model) -> Result<()> {
    let mut cart = cart.into_active_model();
    cart.currency = Set(ctx.platform.shop.currency.to_string());
    cart.updated_at = Set(ctx.now());
    cart.update(txn).await?;
    Ok(())
}
