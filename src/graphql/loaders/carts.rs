//! Loaders of carts and what lies in them.

use std::collections::HashMap;
use std::sync::Arc;

use async_graphql::dataloader::Loader as Load;

use super::{Loader, loader};
use crate::domain::carts::find::{self, Lines};
use crate::domain::carts::goods::{self, Goods};
use crate::entity::{cart, cart_line};
use crate::graphql::error::{ApiError, Result};
use crate::kernel::id::{CartId, CartLineId, ProductVariantId, UserId};

loader!(
    /// A cart, if the caller may use it.
    CartById(CartId) => Arc<cart::Model>, find::by_ids
);
loader!(
    /// The open cart of the caller.
    CartByUser(UserId) => Arc<cart::Model>, find::by_users
);
loader!(
    /// The lines of a cart, whoever may use it: show them only in their cart.
    LinesByCart(CartId) => Lines, find::lines_by_carts
);
loader!(
    /// A line of a cart that the caller may use.
    CartLineById(CartLineId) => Arc<cart_line::Model>, find::lines_by_ids
);
loader!(
    /// What a line of a cart is about, whoever may see it elsewhere: show it only in that line.
    GoodsByVariant(ProductVariantId) => Goods, goods::by_variants
);
