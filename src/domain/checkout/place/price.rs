//! What a cart costs when it is ordered, and what is said when it cannot be had.

use std::collections::HashMap;

use serde_json::json;

use crate::domain::carts::goods::Goods;
use crate::domain::carts::today::currency;
use crate::domain::inventory::hold::Quantities;
use crate::entity::product::ProductStatus;
use crate::entity::{cart, cart_line, order_line};
use crate::kernel::check::Checker;
use crate::kernel::error::{Error, ErrorCode, Refusal, Result};
use crate::kernel::id::{OrderId, OrderLineId, ProductVariantId};
use crate::kernel::money::Money;

/// What a cart costs today: every line is looked at afresh, and what is wrong with any is told at once.
///
/// # Errors
/// CART_EMPTY, PRODUCT_UNAVAILABLE, CURRENCY_MISMATCH.
pub(super) fn price(
    cart: &cart::Model,
    lines: &[cart_line::Model],
    goods: &HashMap<ProductVariantId, Goods>,
) -> Result<Money> {
    if lines.is_empty() {
        return Err(Error::refused(
            ErrorCode::CartEmpty,
            "cartId",
            "the cart is empty",
        ));
    }
    let mut checker = Checker::default();
    let mut subtotal: i64 = 0;
    for line in lines {
        let path = line_path(line);
        let sold = goods
            .get(&line.variant_id)
            .filter(|goods| goods.product.status == ProductStatus::Active);
        let Some(Goods { variant, product }) = sold else {
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
    Ok(Money::new(subtotal, currency(cart)?))
}

/// The input names the cart alone; which of its lines it is stands in the path all the same.
fn line_path(line: &cart_line::Model) -> String {
    format!("cartId.lines.{}", line.id)
}

/// # Errors
/// PRICE_CHANGED, or CURRENCY_MISMATCH, when it is not what the buyer was shown.
pub(super) fn check_total(expected: Option<Money>, total: Money) -> Result<()> {
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

/// The lines of a cart that has its price, as those of an order.
pub(super) fn order_lines(
    order: OrderId,
    lines: &[cart_line::Model],
    goods: &HashMap<ProductVariantId, Goods>,
) -> Result<Vec<order_line::Model>> {
    (1..)
        .zip(lines)
        .map(|(position, line)| {
            let Goods { variant, product } = goods
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

/// What to say when there is too little of something: of these variants only so much.
pub(super) fn too_few(cart: &[cart_line::Model], lines: &[order_line::Model], left: &Quantities) -> Error {
    let paths: HashMap<ProductVariantId, String> = cart
        .iter()
        .map(|line| (line.variant_id, line_path(line)))
        .collect();
    let refusals = lines.iter().filter_map(|line| {
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
