//! Making an order of a cart: all of it in one transaction, or nothing.
//!
//! There is one way, for one and for many: what requests that wait at the same moment want is read, decided in memory and
//! written together.

mod price;
mod together;

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;

use secrecy::SecretString;

use crate::domain::accounts::update::{NewAddress, check_address};
use crate::domain::context::Context;
use crate::domain::permission::Permission;
use crate::entity::shop_order;
use crate::infra::db::lock::Patience;
use crate::infra::group::{Answers, Broken, Member};
use crate::infra::idempotency::Request;
use crate::infra::secret;
use crate::kernel::address::PostalAddress;
use crate::kernel::check::Checker;
use crate::kernel::email::Email;
use crate::kernel::error::{ErrorCode, Result};
use crate::kernel::id::{CartId, UserId};
use crate::kernel::money::Money;

/// A cart that somebody wants to have.
#[derive(Clone, Debug)]
pub struct PlaceOrder {
    pub cart_id: CartId,
    /// Where news of the order go; a customer's own address when it is None.
    pub email: Option<String>,
    pub shipping_address: NewAddress,
    /// What the buyer was shown.
    pub expected_total: Option<Money>,
    pub idempotency_key: String,
}

/// An order that was placed.
#[derive(Clone, Debug)]
pub struct Placed {
    pub order: Arc<shop_order::Model>,
    /// What a guest reads and pays it with.
    pub guest_token: Option<SecretString>,
}

/// A request whose input is good.
#[derive(Clone, Debug)]
pub struct Placing {
    ctx: Context,
    cart_id: CartId,
    /// A customer's own when it is None.
    email: Option<String>,
    address: PostalAddress,
    expected_total: Option<Money>,
    request: Request<'static>,
}

impl Member for Placing {
    type Answer = Placed;
    const KIND: &'static str = "orderPlace";

    fn apart(&self) -> Vec<u64> {
        let mut cart = DefaultHasher::new();
        ("cart", self.cart_id).hash(&mut cart);
        vec![self.request.number(), cart.finish()]
    }

    async fn run(members: Vec<Self>, patience: Patience) -> Result<Answers<Self>, Broken> {
        together::place(&members, patience).await
    }
}

/// Makes an order of a cart, once for each idempotency key.
///
/// # Errors
/// NOT_FOUND for the cart, CART_EMPTY, PRODUCT_UNAVAILABLE, CURRENCY_MISMATCH, PRICE_CHANGED, INSUFFICIENT_STOCK for each line of
/// which there is too little, all that is wrong with the input, and those of the idempotency key.
pub async fn place(ctx: &Context, command: &PlaceOrder) -> Result<Placed> {
    let customer = ctx.actor.user();
    if customer.is_some() {
        ctx.require(Permission::OwnAccount)?;
    }
    let mut checker = Checker::default();
    let email = check_email(&mut checker, command.email.as_deref(), customer);
    let address = check_address(&mut checker, "shippingAddress", &command.shipping_address);
    let request = request(ctx, command, &address);
    checker.include(&request);
    checker.finish()?;
    let placing = Placing {
        ctx: ctx.clone(),
        cart_id: command.cart_id,
        email,
        address,
        expected_total: command.expected_total,
        request: request?.into_owned(),
    };
    ctx.platform.placing.join(placing).await
}

fn check_email(checker: &mut Checker, email: Option<&str>, customer: Option<UserId>) -> Option<String> {
    match email {
        Some(email) => match email.parse::<Email>() {
            Ok(email) => Some(email.shown().to_owned()),
            Err(error) => {
                checker.refuse(ErrorCode::Invalid, "email", error.to_string());
                None
            }
        },
        None if customer.is_none() => {
            let message = "is needed of a guest: news of the order go there";
            checker.refuse(ErrorCode::Required, "email", message);
            None
        }
        None => None,
    }
}

fn request<'a>(ctx: &Context, command: &'a PlaceOrder, address: &PostalAddress) -> Result<Request<'a>> {
    const OPERATION: &str = "orderPlace";
    let cart = command.cart_id.to_string();
    let expected = command
        .expected_total
        .map(|total| (total.minor, total.currency.code()));
    let input = (&cart, &command.email, address, expected);
    let key = &command.idempotency_key;
    if ctx.actor.user().is_some() {
        Request::new(&ctx.actor, OPERATION, key, &input)
    } else {
        Request::of_guest(&cart, OPERATION, key, &input)
    }
}

/// A guest's token is derived, not remembered: who sends the same request again has the id of the cart, which is nowhere
/// in the database any more, and so neither the database nor a lost answer gives the token away or loses it.
fn guest_token(seed: &str, cart: CartId) -> Result<SecretString> {
    secret::derive(seed, &SecretString::from(cart.to_string()))
}
