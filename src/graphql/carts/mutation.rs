//! Mutations of carts, for everybody.

use async_graphql::{Context, Object};

use super::Cart;
use super::inputs::{CartCreateInput, CartLinesAddInput, CartLinesUpdateInput};
use super::payloads::{CartCreatePayload, CartLinesAddPayload, CartLinesUpdatePayload};
use crate::domain::carts::{change, find};
use crate::domain::context::Context as DomainContext;
use crate::graphql::context::ContextExt as _;
use crate::graphql::error::Result;
use crate::graphql::user_error::refused;
use crate::kernel::error::{Error, ErrorCode};
use crate::kernel::id::CartId;

#[derive(Debug, Default)]
pub struct CartsMutation;

async fn cart(ctx: &DomainContext, id: CartId) -> Result<Cart> {
    let row = find::by_ids(ctx, &[id]).await?.remove(&id);
    // Another request may have placed it as an order since.
    let gone = || Error::refused(ErrorCode::NotFound, "cartId", "the cart is gone");
    Ok(Cart::new(row.ok_or_else(gone)?))
}

async fn create(ctx: &DomainContext, input: CartCreateInput) -> Result<Cart> {
    let id = change::create(ctx, &input.into_domain()?).await?;
    cart(ctx, id).await
}

async fn add(ctx: &DomainContext, input: CartLinesAddInput) -> Result<Cart> {
    let (id, lines) = input.into_domain()?;
    change::add(ctx, id, &lines).await?;
    cart(ctx, id).await
}

async fn update(ctx: &DomainContext, input: CartLinesUpdateInput) -> Result<Cart> {
    let (id, lines) = input.into_domain()?;
    change::update(ctx, id, &lines).await?;
    cart(ctx, id).await
}

#[Object]
impl CartsMutation {
    /// Makes a cart. A guest gets a new one each time, and must keep its id. A customer has one: where there is one already,
    /// the lines are added to it as `cartLinesAdd` does, so that each time adds them again.
    async fn cart_create(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to put into it.")] input: CartCreateInput,
    ) -> Result<CartCreatePayload> {
        let (cart, user_errors) = refused(create(ctx.domain()?, input).await)?;
        Ok(CartCreatePayload { cart, user_errors })
    }

    /// Puts something into a cart: all of it or, when anything is refused, nothing. Of a variant that is in it already there
    /// are more; so each time adds again. It is not held: somebody else may still buy it.
    async fn cart_lines_add(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to put into which cart.")] input: CartLinesAddInput,
    ) -> Result<CartLinesAddPayload> {
        let (cart, user_errors) = refused(add(ctx.domain()?, input).await)?;
        Ok(CartLinesAddPayload { cart, user_errors })
    }

    /// Sets how many of something are in a cart, or takes it out: all of it or, when anything is refused, nothing. May be sent
    /// again, though a line that is out is NOT_FOUND then.
    async fn cart_lines_update(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to change of which cart.")] input: CartLinesUpdateInput,
    ) -> Result<CartLinesUpdatePayload> {
        let (cart, user_errors) = refused(update(ctx.domain()?, input).await)?;
        Ok(CartLinesUpdatePayload { cart, user_errors })
    }
}
