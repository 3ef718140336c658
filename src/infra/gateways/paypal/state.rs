//! What PayPal's orders, authorizations, captures and refunds mean. An order that is COMPLETED is not money: its captures are.

use super::wire::{Amount, Authorization, Capture, Order, Payments, Refunded, code, intent, page};
use crate::infra::gateways::{Action, Fault, Reason, Return, ReturnStage, Stage, State, Transaction};
use crate::kernel::money::{Currency, Money};

/// How a transaction stands by its order. None when the answer lacks what that takes, as `return=minimal` does.
pub(super) fn of(order: &Order, transaction: &Transaction) -> Option<State> {
    let unit = order.purchase_units.first()?;
    let name = unit.custom_id.as_ref().or(unit.reference_id.as_ref())?;
    let money = unit.amount.as_ref()?.money()?;
    let intended = order.intent.as_ref()?;
    let payments = &unit.payments;
    let taken: Vec<&Capture> = payments
        .captures
        .iter()
        .filter(|capture| is_taken(capture))
        .collect();
    let known = transaction.reference.as_ref().unwrap_or(&order.id);
    let doubt = if *name != transaction.id {
        Some("the order at PayPal names another payment".to_owned())
    } else if order.id != *known {
        Some("PayPal told of another order than it was asked about".to_owned())
    } else if intended != intent(transaction.flow) {
        Some(format!(
            "the order at PayPal is to {}",
            code(intended).to_ascii_uppercase()
        ))
    } else if order.purchase_units.len() > 1 {
        Some("the order at PayPal is for more than one thing".to_owned())
    } else {
        None
    };
    Some(State {
        reference: Some(order.id.clone()),
        receipt: taken.first().map(|capture| capture.id.clone()),
        money,
        stage: stage(order, payments, &taken, money.currency)?,
        declined: None,
        fee: fee(&taken),
        refunded: refunded(payments, &taken, money.currency),
        doubt,
    })
}

fn is_taken(capture: &Capture) -> bool {
    matches!(
        capture.status.as_str(),
        "COMPLETED" | "PARTIALLY_REFUNDED" | "REFUNDED"
    )
}

fn stage(order: &Order, payments: &Payments, taken: &[&Capture], currency: Currency) -> Option<Stage> {
    if !taken.is_empty() {
        let amounts = taken.iter().map(|capture| &capture.amount);
        return Some(Stage::Captured(sum(amounts, currency)?));
    }
    let of = |wanted: &[&str]| {
        let mut captures = payments.captures.iter();
        captures.any(|capture| wanted.contains(&capture.status.as_str()))
    };
    let refused = of(&["DECLINED", "FAILED"]);
    // What is neither taken nor refused is waited for, whatever PayPal calls it.
    if payments
        .captures
        .iter()
        .any(|capture| !matches!(capture.status.as_str(), "DECLINED" | "FAILED"))
    {
        return Some(Stage::Processing);
    }
    if let Some(authorization) = authorization(payments) {
        return Some(promised(&authorization.status));
    }
    let waits_for_buyer = matches!(
        order.status.as_str(),
        "CREATED" | "SAVED" | "PAYER_ACTION_REQUIRED"
    );
    if refused && !waits_for_buyer {
        return Some(Stage::Declined(declined()));
    }
    match order.status.as_str() {
        _ if waits_for_buyer => Some(Stage::RequiresAction(Action::Redirect {
            url: page(&order.links)?,
        })),
        "APPROVED" => Some(Stage::Ready),
        "VOIDED" => Some(Stage::Voided),
        // COMPLETED without anything to show for it, or something new.
        _ => Some(Stage::Processing),
    }
}

pub(super) fn declined() -> Reason {
    Reason::new(
        "capture_declined",
        "PayPal could not take the payment. Please pay otherwise.",
    )
}

/// The authorization that counts: one that is good for something, if there is one.
pub(super) fn authorization(payments: &Payments) -> Option<&Authorization> {
    let over = |authorization: &&Authorization| {
        matches!(authorization.status.as_str(), "VOIDED" | "DENIED" | "EXPIRED")
    };
    let all = &payments.authorizations;
    all.iter()
        .find(|authorization| !over(authorization))
        .or(all.last())
}

fn promised(status: &str) -> Stage {
    match status {
        "CREATED" => Stage::Authorized,
        "VOIDED" => Stage::Voided,
        "DENIED" => Stage::Declined(Reason::new("authorization_denied", "PayPal refused the payment.")),
        "EXPIRED" => Stage::Expired,
        // PENDING, or captured by captures that PayPal does not show yet.
        _ => Stage::Processing,
    }
}

/// Some only when all of them say what it cost: what is told first is what is kept.
fn fee(taken: &[&Capture]) -> Option<Money> {
    let mut fees = taken
        .iter()
        .map(|capture| capture.seller_receivable_breakdown.as_ref()?.fee());
    let first = fees.next()??;
    fees.try_fold(first, |sum, fee| sum.checked_add(fee?))
}

/// What has gone back or is on its way. A capture that is REFUNDED is so whether or not its refunds are listed.
fn refunded(payments: &Payments, taken: &[&Capture], currency: Currency) -> Option<Money> {
    let went = |refund: &&Refunded| matches!(refund.status.as_str(), "COMPLETED" | "PENDING");
    let amounts = payments.refunds.iter().filter(went);
    let listed = sum(amounts.filter_map(|refund| refund.amount.as_ref()), currency)?;
    let whole = taken.iter().filter(|capture| capture.status == "REFUNDED");
    let whole = sum(whole.map(|capture| &capture.amount), currency)?;
    let most = Money::new(listed.minor.max(whole.minor), currency);
    // Nothing is an answer too: what had gone may have come again.
    (!taken.is_empty()).then_some(most)
}

fn sum<'a>(amounts: impl Iterator<Item = &'a Amount>, currency: Currency) -> Option<Money> {
    let mut amounts = amounts;
    amounts.try_fold(Money::new(0, currency), |sum, amount| {
        sum.checked_add(amount.money()?)
    })
}

/// How a refund stands.
///
/// # Errors
/// PayPal does not say, or speaks of another payment's.
pub(super) fn of_refund(told: &Refunded, transaction: &Transaction) -> Result<Return, Fault> {
    let open = |why: &str| Err(Fault::Unknown(why.to_owned()));
    if told.custom_id.as_ref().is_some_and(|id| *id != transaction.id) {
        return open("the refund at PayPal is of another payment");
    }
    let Some(money) = told.amount.as_ref().and_then(Amount::money) else {
        return open("PayPal does not say how much goes back");
    };
    let stage = match told.status.as_str() {
        "COMPLETED" => ReturnStage::Succeeded,
        "PENDING" => ReturnStage::Pending,
        "FAILED" | "CANCELLED" => ReturnStage::Failed(Reason::new(
            format!("refund_{}", code(&told.status)),
            "PayPal could not send the money back.",
        )),
        _ => return open("a refund at PayPal has a status that we do not know"),
    };
    Ok(Return {
        reference: Some(told.id.clone()),
        money,
        stage,
    })
}
