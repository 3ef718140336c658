//! What a gateway's word makes of a payment. It may come twice, late, and in any order.

use super::hand::{Journey, is_live, money};
use crate::entity::payment::{self, PaymentFlow, PaymentStatus};
use crate::infra::gateways::{Reason, Stage, State};
use crate::kernel::error::Result;
use crate::kernel::money::Money;

/// What is new.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum News {
    Nothing,
    /// It has become what it is now.
    Moved,
    /// The buyer's try has failed, and he may try again.
    Tried,
    /// The buyer has agreed: it is to be completed.
    Ready,
    /// It has taken money for an order that another payment has been made for since. No two are live at once.
    Double,
    /// Money is promised for a payment that is over.
    Unwanted,
    /// The gateway speaks of another amount than we do, or of something that is not ours.
    Mismatch,
}

const OVER: u8 = 2;
const CAPTURED: u8 = 3;

/// How far a payment has come. What is told of an earlier step than the one it is at is old.
fn rank(status: PaymentStatus) -> u8 {
    match status {
        PaymentStatus::RequiresAction | PaymentStatus::Processing => 0,
        PaymentStatus::Authorized => 1,
        // An end without money is left for one with money, which some gateways find out late.
        PaymentStatus::Failed | PaymentStatus::Voided | PaymentStatus::Expired => OVER,
        PaymentStatus::Captured | PaymentStatus::PartiallyRefunded | PaymentStatus::Refunded => CAPTURED,
        // Left by people alone.
        PaymentStatus::RequiresReview => 4,
    }
}

/// Changes a payment by what its gateway says. `taken` is whether another payment of its order is live.
pub(super) fn hear(row: &mut payment::Model, told: &State, taken: bool) -> Result<News> {
    if row.status == PaymentStatus::RequiresReview {
        return Ok(News::Nothing);
    }
    // What people have looked at and ended is not opened again by the same word.
    if row.status == PaymentStatus::Voided && was_looked_at(row) && is_all_back(told) {
        return Ok(News::Nothing);
    }
    if row.gateway_reference.is_none() {
        row.gateway_reference.clone_from(&told.reference);
    }
    if row.gateway_receipt.is_none() {
        row.gateway_receipt.clone_from(&told.receipt);
    }
    if let (None, Some(fee)) = (row.fee, told.fee) {
        row.fee = Some(fee.minor);
        row.fee_currency = Some(fee.currency.code().to_owned());
    }
    if told.doubt.is_some() || !agrees(row, told)? {
        row.status = PaymentStatus::RequiresReview;
        row.authorized = 0;
        let code = if told.doubt.is_some() {
            NOT_OURS
        } else {
            AMOUNT_MISMATCH
        };
        row.failure_code = Some(code.to_owned());
        row.look_at = None;
        return Ok(News::Mismatch);
    }
    let status = match &told.stage {
        Stage::RequiresAction(_) => PaymentStatus::RequiresAction,
        Stage::Processing | Stage::Ready => PaymentStatus::Processing,
        Stage::Authorized => PaymentStatus::Authorized,
        Stage::Captured(_) => PaymentStatus::Captured,
        Stage::Declined(_) => PaymentStatus::Failed,
        Stage::Voided => PaymentStatus::Voided,
        Stage::Expired => PaymentStatus::Expired,
    };
    if let Stage::RequiresAction(action) = &told.stage
        && rank(row.status) == 0
    {
        let mut journey = Journey::of(row)?;
        journey.next = Some(action.clone());
        journey.store(row)?;
    }
    let (old, new) = (rank(row.status), rank(status));
    if new == 0 && old == 0 {
        row.status = status;
        return Ok(if told.stage == Stage::Ready {
            News::Ready
        } else if tried(row, told.declined.as_ref()) {
            News::Tried
        } else {
            News::Nothing
        });
    }
    if new <= old {
        return later_word(row, told);
    }
    row.authorized = 0;
    Journey::end(row)?;
    match &told.stage {
        Stage::Authorized => {
            row.authorized = row.amount;
            forgive(row);
        }
        Stage::Captured(captured) => {
            row.captured = row.captured.max(captured.minor);
            forgive(row);
        }
        Stage::Declined(reason) => {
            row.failure_code = Some(reason.code.clone());
            row.failure_message = Some(reason.message.clone());
        }
        Stage::RequiresAction(_) | Stage::Ready | Stage::Processing | Stage::Voided | Stage::Expired => {}
    }
    let double = taken && is_live(status) && !is_live(row.status);
    row.status = if double {
        PaymentStatus::RequiresReview
    } else {
        status
    };
    Ok(if double { News::Double } else { News::Moved })
}

/// Why people had to look at a payment. It stays with it when they have ended that.
const NOT_OURS: &str = "not_ours";
const AMOUNT_MISMATCH: &str = "amount_mismatch";

fn was_looked_at(row: &payment::Model) -> bool {
    matches!(row.failure_code.as_deref(), Some(NOT_OURS | AMOUNT_MISMATCH))
}

/// Whether a gateway has taken money and given all of it back.
pub(super) fn is_all_back(told: &State) -> bool {
    let Stage::Captured(taken) = told.stage else {
        return false;
    };
    told.refunded
        .is_some_and(|back| back.currency == taken.currency && back.minor >= taken.minor)
}

/// What is said of a payment that has come further than that. Most of it is old.
fn later_word(row: &mut payment::Model, told: &State) -> Result<News> {
    match &told.stage {
        // A payment is captured once: somebody has taken more at the gateway.
        Stage::Captured(taken) if rank(row.status) == CAPTURED && taken.minor > row.captured => {
            row.status = PaymentStatus::RequiresReview;
            row.failure_code = Some(AMOUNT_MISMATCH.to_owned());
            Ok(News::Mismatch)
        }
        Stage::Authorized if rank(row.status) == OVER => Ok(News::Unwanted),
        Stage::Captured(_)
        | Stage::Authorized
        | Stage::RequiresAction(_)
        | Stage::Ready
        | Stage::Processing
        | Stage::Declined(_)
        | Stage::Voided
        | Stage::Expired => Ok(News::Nothing),
    }
}

/// What failed before it went well is of no interest any more.
fn forgive(row: &mut payment::Model) {
    row.failure_code = None;
    row.failure_message = None;
}

/// Keeps why the buyer's last try failed; whether that is news.
fn tried(row: &mut payment::Model, declined: Option<&Reason>) -> bool {
    let Some(reason) = declined else { return false };
    let known = row.failure_code.as_ref() == Some(&reason.code)
        && row.failure_message.as_ref() == Some(&reason.message);
    row.failure_code = Some(reason.code.clone());
    row.failure_message = Some(reason.message.clone());
    !known
}

/// Whether the gateway means the money that we mean.
fn agrees(row: &payment::Model, told: &State) -> Result<bool> {
    let asked = money(row, row.amount)?;
    let captured = |captured: Money| match row.flow {
        PaymentFlow::Charge => captured == asked,
        PaymentFlow::Authorize => true,
    };
    let fits = |money: Money| money.currency == asked.currency && (1..=asked.minor).contains(&money.minor);
    Ok(told.money == asked
        && match &told.stage {
            Stage::Captured(money) => fits(*money) && captured(*money),
            Stage::RequiresAction(_)
            | Stage::Ready
            | Stage::Processing
            | Stage::Authorized
            | Stage::Declined(_)
            | Stage::Voided
            | Stage::Expired => true,
        })
}
