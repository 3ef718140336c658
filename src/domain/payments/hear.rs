//! What a gateway's word makes of a payment. It may come twice, late, and in any order.

use super::hand::{Journey, is_live, money};
use crate::entity::payment::{self, PaymentFlow, PaymentStatus};
use crate::infra::gateways::{Stage, State};
use crate::kernel::error::Result;
use crate::kernel::money::Money;

/// What is new.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum News {
    Nothing,
    /// It has become what it is now.
    Moved,
    /// It has taken money for an order that another payment has been made for since. No two are live at once.
    Double,
    /// The gateway speaks of another amount than we do.
    Mismatch,
}

/// How far a payment has come. What is told of an earlier step than the one it is at is old.
fn rank(status: PaymentStatus) -> u8 {
    match status {
        PaymentStatus::RequiresAction | PaymentStatus::Processing => 0,
        PaymentStatus::Authorized => 1,
        // An end without money is left for one with money, which some gateways find out late.
        PaymentStatus::Failed | PaymentStatus::Voided | PaymentStatus::Expired => 2,
        PaymentStatus::Captured | PaymentStatus::PartiallyRefunded | PaymentStatus::Refunded => 3,
        // Left by people alone.
        PaymentStatus::RequiresReview => 4,
    }
}

/// Changes a payment by what its gateway says. `taken` is whether another payment of its order is live.
pub(super) fn hear(row: &mut payment::Model, told: &State, taken: bool) -> Result<News> {
    if row.status == PaymentStatus::RequiresReview {
        return Ok(News::Nothing);
    }
    if row.gateway_reference.is_none() {
        row.gateway_reference.clone_from(&told.reference);
    }
    if !agrees(row, told)? {
        row.status = PaymentStatus::RequiresReview;
        row.authorized = 0;
        row.failure_code = Some("amount_mismatch".to_owned());
        row.look_at = None;
        return Ok(News::Mismatch);
    }
    let status = match &told.stage {
        Stage::RequiresAction(_) => PaymentStatus::RequiresAction,
        Stage::Processing => PaymentStatus::Processing,
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
    if new < old || (new == old && (new > 0 || status == row.status)) {
        return Ok(News::Nothing);
    }
    row.authorized = 0;
    match &told.stage {
        Stage::Authorized => row.authorized = row.amount,
        Stage::Captured(captured) => row.captured = row.captured.max(captured.minor),
        Stage::Declined(reason) => {
            row.failure_code = Some(reason.code.clone());
            row.failure_message = Some(reason.message.clone());
        }
        Stage::RequiresAction(_) | Stage::Processing | Stage::Voided | Stage::Expired => {}
    }
    let double = taken && is_live(status) && !is_live(row.status);
    row.status = if double {
        PaymentStatus::RequiresReview
    } else {
        status
    };
    Ok(if double { News::Double } else { News::Moved })
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
            | Stage::Processing
            | Stage::Authorized
            | Stage::Declined(_)
            | Stage::Voided
            | Stage::Expired => true,
        })
}
