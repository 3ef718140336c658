//! What a cart comes to today, and what has changed since its lines were last touched.

use std::str::FromStr as _;

use super::goods::{self, Goods};
use crate::entity::{cart, cart_line, inventory_level};
use crate::kernel::error::{Error, Result};
use crate::kernel::money::{Currency, Money};

/// The currency of a cart.
///
/// # Errors
/// Internal: a currency is checked before it is stored.
pub fn currency(cart: &cart::Model) -> Result<Currency> {
    Currency::from_str(&cart.currency).map_err(Error::internal)
}

/// What one of these costs today, in the currency of its product.
///
/// # Errors
/// Internal: a currency is checked before it is stored.
pub fn unit_price(goods: &Goods) -> Result<Money> {
    let currency = Currency::from_str(&goods.product.currency).map_err(Error::internal)?;
    Ok(Money::new(goods.variant.price, currency))
}

/// What a line costs today.
///
/// # Errors
/// Internal: prices and quantities are bounded so that this cannot be too much.
pub fn line_total(line: &cart_line::Model, goods: &Goods) -> Result<Money> {
    let price = unit_price(goods)?;
    let minor = price.minor.checked_mul(i64::from(line.quantity));
    Ok(Money::new(minor.ok_or_else(too_much)?, price.currency))
}

/// What all lines cost today that can be sold, also those of which too few are left.
///
/// # Errors
/// Internal: prices, quantities and lines are bounded so that this cannot be too much.
pub fn subtotal<'a>(
    cart: &cart::Model,
    lines: impl Iterator<Item = (&'a cart_line::Model, &'a Goods)>,
) -> Result<Money> {
    let mut sum = Money::new(0, currency(cart)?);
    for (line, goods) in lines.filter(|(_, goods)| goods.is_for_sale(&cart.currency)) {
        sum = sum.checked_add(line_total(line, goods)?).ok_or_else(too_much)?;
    }
    Ok(sum)
}

fn too_much() -> Error {
    Error::internal(anyhow::anyhow!("a cart is worth more than can be counted"))
}

/// Why a line cannot be bought as it is, or not as it was when it was last touched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Warning {
    PriceChanged { was: Money, is: Money },
    InsufficientStock { left: i64 },
    Unavailable,
}

impl Warning {
    /// What to tell people, about a product of this name.
    pub fn message(&self, name: &str) -> String {
        match self {
            Self::PriceChanged { was, is } => format!(
                "{name} costs {} {} now. It was {} {}.",
                is.to_decimal(),
                is.currency,
                was.to_decimal(),
                was.currency
            ),
            Self::InsufficientStock { left: 0 } => format!("{name} is sold out."),
            Self::InsufficientStock { left } => format!("Only {left} of {name} are left."),
            Self::Unavailable => format!("{name} is not for sale any more."),
        }
    }
}

/// What is to be told of a line. Of what is not sold neither price nor stock matter.
///
/// # Errors
/// Internal: a currency is checked before it is stored.
pub fn warnings(
    cart: &cart::Model,
    line: &cart_line::Model,
    goods: &Goods,
    level: Option<&inventory_level::Model>,
) -> Result<Vec<Warning>> {
    if !goods.is_for_sale(&cart.currency) {
        return Ok(vec![Warning::Unavailable]);
    }
    let is = unit_price(goods)?;
    let was = Money::new(line.unit_price, is.currency);
    let price = (was != is).then_some(Warning::PriceChanged { was, is });
    let left = goods::left(level).map(|left| left.max(0));
    let stock = left
        .filter(|left| *left < i64::from(line.quantity))
        .map(|left| Warning::InsufficientStock { left });
    Ok(price.into_iter().chain(stock).collect())
}

#[cfg(test)]
mod tests {
    use super::super::{MAX_LINES, MAX_QUANTITY};
    use crate::domain::catalog::validate::MAX_PRICE;

    /// So no sum has to be refused, neither when a line is changed nor when a price rises afterwards.
    #[test]
    fn the_dearest_cart_can_be_counted() {
        let line = MAX_PRICE.checked_mul(i64::from(MAX_QUANTITY)).unwrap();
        assert!(line.checked_mul(i64::try_from(MAX_LINES).unwrap()).is_some());
    }
}
