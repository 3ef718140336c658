//! Making an order of a cart: all of it in one transaction, or nothing.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::TimeDelta;
use sea_orm::{ColumnTrait as _, DatabaseTransaction, EntityTrait as _, QueryFilter as _};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};

use super::stock::why;
use crate::domain::accounts::update::{NewAddress, check_address};
use crate::domain::audit::record::{Deed, record};
use crate::domain::carts::lock::{delete_in_txn, lock_in_txn};
use crate::domain::context::Context;
use crate::domain::inventory::hold::{Held, Quantities, reserve_in_txn};
use crate::domain::orders::change::{OrderInHand, commit};
use crate::domain::orders::state;
use crate::domain::permission::Permission;
use crate::entity::order_event::OrderEventType;
use crate::entity::product::ProductStatus;
use crate::entity::shop_order::{FulfillmentProgress, OrderStatus, PaymentProgress};
use crate::entity::{cart, cart_line, order_line, product, product_variant, shop_order, user_account};
use crate::infra::idempotency::{Claim, Request};
use crate::infra::metric::ORDERS;
use crate::infra::secret;
use crate::kernel::actor::Role;
use crate::kernel::address::PostalAddress;
use crate::kernel::check::Checker;
use crate::kernel::email::Email;
use crate::kernel::error::{Error, ErrorCode, Refusal, Result};
use crate::kernel::id::{CartId, OrderId, OrderLineId, ProductVariantId, UserId};
use crate::kernel::money::{Currency, Money};

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
    let request = request?;

    let txn = ctx.db().begin().await?;
    if let Claim::Done(result) = request.claim(&txn, ctx.now()).await? {
        return placed_before(&txn, command.cart_id, &result).await;
    }
    let Some((cart, lines)) = lock_in_txn(&txn, ctx, command.cart_id).await? else {
        let message = "there is no such cart, or it has been ordered already";
        return Err(Error::refused(ErrorCode::NotFound, "cartId", message));
    };
    let goods = price(&txn, &cart, &lines).await?;
    check_total(command.expected_total, &goods)?;
    let seed = customer.is_none().then(secret::random).transpose()?;
    let guest_token = seed
        .as_ref()
        .map(|seed| guest_token(seed.expose_secret(), command.cart_id))
        .transpose()?;
    let email = match email {
        Some(email) => email,
        None => own_email(&txn, customer).await?,
    };
    let row = shop_order::Model {
        id: OrderId::new(),
        number: String::new(),
        status: OrderStatus::PendingPayment,
        payment_status: PaymentProgress::Unpaid,
        fulfillment_status: FulfillmentProgress::Unfulfilled,
        user_id: customer,
        guest_token_hash: guest_token
            .as_ref()
            .map(|token| secret::digest(token.expose_secret())),
        guest_seed: seed.map(|seed| seed.expose_secret().to_owned()),
        email,
        shipping_address: address,
        currency: cart.currency.clone(),
        subtotal: goods.subtotal,
        shipping_total: 0,
        tax_total: 0,
        discount_total: 0,
        total: goods.subtotal,
        paid: 0,
        refunded: 0,
        hold_expires_at: Some(ctx.now() + hold(ctx)),
        cancel_reason: None,
        last_seq: 0,
        placed_at: ctx.now(),
        updated_at: ctx.now(),
    };
    let lines = order_lines(row.id, &lines, &goods)?;
    let order = OrderInHand::draft(ctx, row, lines);
    let order = take(&txn, ctx, order, &goods.subtotal_paths).await?;
    delete_in_txn(&txn, cart.id).await?;
    record_staff(&txn, ctx, &order).await?;
    request
        .remember(&txn, json!({"orderId": order.id.to_string()}))
        .await?;
    commit(ctx, txn).await?;
    ORDERS.counter([]).increment(1);
    Ok(Placed {
        order: Arc::new(order),
        guest_token,
    })
}

fn hold(ctx: &Context) -> TimeDelta {
    TimeDelta::from_std(ctx.platform.orders.hold).unwrap_or(TimeDelta::MAX)
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

async fn placed_before(txn: &DatabaseTransaction, cart: CartId, result: &Value) -> Result<Placed> {
    let id = result.get("orderId").and_then(Value::as_str);
    let id: Option<OrderId> = id.and_then(|id| id.parse().ok());
    let id = id.ok_or_else(|| Error::internal(anyhow::anyhow!("a remembered order has no id")))?;
    let order = shop_order::Entity::find_by_id(id).one(txn).await?;
    let order = order.ok_or_else(|| Error::internal(anyhow::anyhow!("a remembered order is gone")))?;
    let guest_token = order
        .guest_seed
        .as_deref()
        .map(|seed| guest_token(seed, cart))
        .transpose()?;
    Ok(Placed {
        order: Arc::new(order),
        guest_token,
    })
}

async fn own_email(txn: &DatabaseTransaction, customer: Option<UserId>) -> Result<String> {
    let customer = customer.ok_or(Error::Unauthenticated)?;
    let user = user_account::Entity::find_by_id(customer).one(txn).await?;
    Ok(user.ok_or(Error::Unauthenticated)?.email)
}

/// What the lines of a cart are and cost now.
struct Goods {
    variants: HashMap<ProductVariantId, (product_variant::Model, product::Model)>,
    currency: Currency,
    subtotal: i64,
    /// Where in the answer to say that there is too little of a variant.
    subtotal_paths: HashMap<ProductVariantId, String>,
}

/// Looks at every line afresh; what is wrong with any is told at once.
async fn price(txn: &DatabaseTransaction, cart: &cart::Model, lines: &[cart_line::Model]) -> Result<Goods> {
    if lines.is_empty() {
        return Err(Error::refused(
            ErrorCode::CartEmpty,
            "cartId",
            "the cart is empty",
        ));
    }
    let ids = lines.iter().map(|line| line.variant_id);
    let variants = product_variant::Entity::find()
        .filter(product_variant::Column::Id.is_in(ids))
        .all(txn)
        .await?;
    let products = product::Entity::find()
        .filter(product::Column::Id.is_in(variants.iter().map(|variant| variant.product_id)))
        .all(txn)
        .await?;
    let products: HashMap<_, _> = products.into_iter().map(|row| (row.id, row)).collect();
    let variants: HashMap<_, _> = variants
        .into_iter()
        .filter_map(|row| Some((row.id, (products.get(&row.product_id)?.clone(), row))))
        .map(|(id, (product, variant))| (id, (variant, product)))
        .collect();
    let mut checker = Checker::default();
    let mut subtotal: i64 = 0;
    for line in lines {
        let path = line_path(line);
        let sold = variants
            .get(&line.variant_id)
            .filter(|(_, product)| product.status == ProductStatus::Active);
        let Some((variant, product)) = sold else {
            let refusal = Refusal::new(ErrorCode::ProductUnavailable, &path, "is not for sale any more");
            checker.add(refusal.with_params(json!({"lineId": line.id.to_string()})));
            continue;
        };
        if product.currency != cart.currency {
            let message = format!("is priced in {}, the cart in {}", product.currency, cart.currency);
            checker.refuse(ErrorCode::CurrencyMismatch, &path, message);
        }
        let cost = variant.price.checked_mul(line.quantity.into());
        match cost.and_then(|cost| subtotal.checked_add(cost)) {
            Some(sum) => subtotal = sum,
            None => checker.refuse(ErrorCode::OutOfRange, &path, "makes the total too large"),
        }
    }
    checker.finish()?;
    let currency = cart.currency.parse().map_err(Error::internal)?;
    let subtotal_paths = lines
        .iter()
        .map(|line| (line.variant_id, line_path(line)))
        .collect();
    Ok(Goods {
        variants,
        currency,
        subtotal,
        subtotal_paths,
    })
}

/// The input names the cart alone; which of its lines it is stands in the path all the same.
fn line_path(line: &cart_line::Model) -> String {
    format!("cartId.lines.{}", line.id)
}

fn check_total(expected: Option<Money>, goods: &Goods) -> Result<()> {
    let total = Money::new(goods.subtotal, goods.currency);
    match expected {
        Some(expected) if expected.currency != total.currency => {
            let message = format!("the cart is in {}", total.currency);
            Err(Error::refused(
                ErrorCode::CurrencyMismatch,
                "expectedTotal.currencyCode",
                message,
            ))
        }
        Some(expected) if expected != total => {
            let message = format!("the total is {} {} now", total.to_decimal(), total.currency);
            let params = json!({"total": {"amount": total.to_decimal().to_string(), "currencyCode": total.currency.code()}});
            Err(Refusal::new(ErrorCode::PriceChanged, "expectedTotal", message)
                .with_params(params)
                .into())
        }
        Some(_) | None => Ok(()),
    }
}

fn order_lines(order: OrderId, lines: &[cart_line::Model], goods: &Goods) -> Result<Vec<order_line::Model>> {
    (1..)
        .zip(lines)
        .map(|(position, line)| {
            let (variant, product) = goods
                .variants
                .get(&line.variant_id)
                .ok_or_else(|| Error::internal(anyhow::anyhow!("a priced line has no variant")))?;
            Ok(order_line::Model {
                id: OrderLineId::new(),
                order_id: order,
                position,
                variant_id: Some(variant.id),
                product_name: product.name.clone(),
                variant_title: variant.title.clone(),
                sku: variant.sku.clone(),
                quantity: line.quantity,
                fulfilled_quantity: 0,
                delivered_quantity: 0,
                held: 0,
                unit_price: variant.price,
                // It is part of a sum that was checked.
                line_total: variant.price.saturating_mul(line.quantity.into()),
            })
        })
        .collect()
}

/// Holds the stock of a draft and stores it, confirmed at once if there is nothing to pay.
async fn take(
    txn: &DatabaseTransaction,
    ctx: &Context,
    mut order: OrderInHand,
    paths: &HashMap<ProductVariantId, String>,
) -> Result<shop_order::Model> {
    let wanted: Quantities = order
        .lines
        .iter()
        .filter_map(|line| Some((line.variant_id?, line.quantity.into())))
        .collect();
    let held = match reserve_in_txn(txn, &wanted, &why(ctx, order.row.id, "placed")).await? {
        Held::All(held) => held,
        Held::TooFew(left) => return Err(too_few(&order, &left, paths)),
    };
    for line in &mut order.lines {
        if line.variant_id.is_some_and(|variant| held.contains_key(&variant)) {
            line.held = line.quantity;
        }
    }
    order.row.payment_status = state::payment_progress(order.row.total, 0, 0, 0);
    let free = order.row.total == 0;
    order.happened(OrderEventType::Placed, "The order was placed.");
    if free {
        order.become_status(OrderStatus::Confirmed)?;
        order.happened(
            OrderEventType::Confirmed,
            "There is nothing to pay: the order is confirmed.",
        );
    }
    order.save(txn).await
}

fn too_few(order: &OrderInHand, left: &Quantities, paths: &HashMap<ProductVariantId, String>) -> Error {
    let refusals = order.lines.iter().filter_map(|line| {
        let variant = line.variant_id?;
        let available = left.get(&variant)?;
        let path = paths.get(&variant).map_or("cartId", String::as_str);
        let message = format!(
            "of {} ({}) there are only {available}, not {}",
            line.product_name, line.variant_title, line.quantity
        );
        let params = json!({"variantId": variant.to_string(), "available": available});
        Some(Refusal::new(ErrorCode::InsufficientStock, path, message).with_params(params))
    });
    Error::Refused(refusals.collect())
}

async fn record_staff(txn: &DatabaseTransaction, ctx: &Context, order: &shop_order::Model) -> Result<()> {
    if ctx.actor.role() < Some(Role::Staff) {
        return Ok(());
    }
    let total = json!({"number": order.number, "total": order.total, "currency": order.currency});
    record(txn, ctx, Deed::created("orderPlace", order.id, total)).await
}
