//! What mutations of carts take.

use async_graphql::{ID, InputObject};

use crate::domain::carts::change::{LineQuantity, NewLine};
use crate::graphql::ids::parse_id;
use crate::kernel::error::Result;
use crate::kernel::id::CartId;

/// A new cart.
#[derive(Clone, Debug, InputObject)]
pub(super) struct CartCreateInput {
    /// What to put in at once; nothing when null. At most 250.
    lines: Option<Vec<CartLineInput>>,
}

/// What to put into a cart.
#[derive(Clone, Debug, InputObject)]
pub(super) struct CartLinesAddInput {
    /// The cart, which must be yours, or a guest's (else NOT_FOUND).
    cart_id: ID,
    /// What to put in. The cart can have 250 lines at most (else TOO_LONG).
    lines: Vec<CartLineInput>,
}

/// How many of a variant to put into a cart.
#[derive(Clone, Debug, InputObject)]
pub(super) struct CartLineInput {
    /// The variant. NOT_FOUND when there is none that you may see; PRODUCT_UNAVAILABLE when its product is not ACTIVE, for
    /// staff too; CURRENCY_MISMATCH when it is not sold in the currency of the shop.
    variant_id: ID,
    /// How many more: 1 or above, with 10,000 of one variant in the cart at most (else OUT_OF_RANGE), and no more than can be
    /// had (else INSUFFICIENT_STOCK, with what is `available`).
    quantity: i32,
}

/// What to change of a cart.
#[derive(Clone, Debug, InputObject)]
pub(super) struct CartLinesUpdateInput {
    /// The cart, which must be yours, or a guest's (else NOT_FOUND).
    cart_id: ID,
    /// What to change. Lines that are not in the list stay as they are.
    lines: Vec<CartLineUpdateInput>,
}

/// How many a line is to have.
#[derive(Clone, Debug, InputObject)]
pub(super) struct CartLineUpdateInput {
    /// The line, of this cart (else NOT_FOUND), named once (else INVALID).
    line_id: ID,
    /// How many from now on: 0 takes the line out; else 1 to 10,000 (or OUT_OF_RANGE) and no more than can be had (or
    /// INSUFFICIENT_STOCK, with what is `available`). What is not for sale any more can only be taken out.
    quantity: i32,
}

fn new_lines(lines: &[CartLineInput]) -> Result<Vec<NewLine>> {
    let parsed = (0..).zip(lines).map(|(i, line): (usize, &CartLineInput)| {
        Ok(NewLine {
            variant_id: parse_id(&line.variant_id, &format!("input.lines.{i}.variantId"))?,
            quantity: line.quantity,
        })
    });
    parsed.collect()
}

impl CartCreateInput {
    pub(super) fn into_domain(self) -> Result<Vec<NewLine>> {
        new_lines(&self.lines.unwrap_or_default())
    }
}

impl CartLinesAddInput {
    pub(super) fn into_domain(self) -> Result<(CartId, Vec<NewLine>)> {
        Ok((parse_id(&self.cart_id, "input.cartId")?, new_lines(&self.lines)?))
    }
}

impl CartLinesUpdateInput {
    pub(super) fn into_domain(self) -> Result<(CartId, Vec<LineQuantity>)> {
        let lines = (0..)
            .zip(&self.lines)
            .map(|(i, line): (usize, &CartLineUpdateInput)| {
                Ok(LineQuantity {
                    line_id: parse_id(&line.line_id, &format!("input.lines.{i}.lineId"))?,
                    quantity: line.quantity,
                })
            });
        let cart = parse_id(&self.cart_id, "input.cartId")?;
        Ok((cart, lines.collect::<Result<_>>()?))
    }
}
