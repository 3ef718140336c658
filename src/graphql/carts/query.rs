//! Queries of carts.

use async_graphql::{Context, ID, Object};

use super::Cart;
use crate::graphql::context::ContextExt as _;
use crate::graphql::error::Result;
use crate::graphql::ids::parse_id;
use crate::graphql::loaders::CartById;

#[derive(Debug, Default)]
pub struct CartsQuery;

async fn cart(ctx: &Context<'_>, id: &ID) -> Result<Option<Cart>> {
    let row = ctx.loaders()?.load_one(CartById(parse_id(id, "id")?)).await?;
    Ok(row.map(Cart::new))
}

#[Object]
impl CartsQuery {
    /// A guest's cart, or your own; null when there is none, or it is another customer's. Yours is also `me.cart`.
    async fn cart(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The id of the cart, which is the key to it.")] id: ID,
    ) -> Option<Result<Cart>> {
        cart(ctx, &id).await.transpose()
    }
}
