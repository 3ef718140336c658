//! What differs, and what to do about it.

use sea_orm::ActiveEnum as _;

use super::super::hand::{currency, money};
use super::{Difference, Found, Seen};
use crate::domain::ledger::book::rounding;
use crate::domain::ledger::booked::{OfOrder, OfPayment, expected};
use crate::entity::payment::{self, PaymentStatus};
use crate::entity::refund::{self, RefundStatus};
use crate::infra::gateways::{Return, ReturnStage, Stage, State};
use crate::kernel::error::{Error, Result};
use crate::kernel::money::{Currency, Money};

/// By the ledger, where only a fault of ours can be the reason.
const FAULT: &str = "This is a fault of the program: keep the database as it is, and report it.";
const WORKER: &str =
    "The worker asks after it by itself: see that one runs, and what it logs, then reconcile again.";
const STILL: &str =
    "The worker still asks after it by itself: if it stays, see what it logs, and look at it at the gateway.";
const BY_HAND: &str = "Nothing here asks after it any more: look at it at the gateway, and settle it there.";
const ELSEWHERE: &str =
    "Somebody has moved money at the gateway itself: look at it there, and settle the difference by hand.";

/// How far a payment has come, as far as both sides can tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    Open,
    Promised,
    Taken,
    Over,
}

impl Class {
    fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Promised => "promised",
            Self::Taken => "captured",
            Self::Over => "over without money",
        }
    }

    /// None where people are looking at it.
    fn of(status: PaymentStatus) -> Option<Self> {
        match status {
            PaymentStatus::RequiresAction | PaymentStatus::Processing => Some(Self::Open),
            PaymentStatus::Authorized => Some(Self::Promised),
            PaymentStatus::Captured | PaymentStatus::PartiallyRefunded | PaymentStatus::Refunded => {
                Some(Self::Taken)
            }
            PaymentStatus::Failed | PaymentStatus::Voided | PaymentStatus::Expired => Some(Self::Over),
            PaymentStatus::RequiresReview => None,
        }
    }

    fn told(stage: &Stage) -> Self {
        match stage {
            Stage::RequiresAction(_) | Stage::Ready | Stage::Processing => Self::Open,
            Stage::Authorized => Self::Promised,
            Stage::Captured(_) => Self::Taken,
            Stage::Declined(_) | Stage::Voided | Stage::Expired => Self::Over,
        }
    }
}

fn shown(money: Money) -> String {
    format!("{} {}", money.to_decimal(), money.currency)
}

/// One side of a comparison for all that is compared with it.
struct Side<'a> {
    found: &'a mut Found,
    subject: String,
    by: String,
}

impl Side<'_> {
    fn differ(&mut self, what: &'static str, ours: String, theirs: String, advice: &'static str) {
        self.found.differences.push(Difference {
            subject: self.subject.clone(),
            what,
            ours,
            theirs,
            by: self.by.clone(),
            advice,
        });
    }

    fn money(&mut self, what: &'static str, ours: Money, theirs: Money, advice: &'static str) {
        if ours != theirs {
            self.differ(what, shown(ours), shown(theirs), advice);
        }
    }
}

/// Compares with what a gateway says; None is that it has never heard of it.
pub(super) fn with_gateway(found: &mut Found, seen: &Seen, told: Option<&State>) -> Result<()> {
    let row = &seen.payment;
    let mut side = Side {
        found,
        subject: row.id.to_string(),
        by: row.gateway.to_value(),
    };
    // What is looked at again may come right, and what cannot is told by the log.
    let asked = Class::of(row.status) == Some(Class::Open) || row.look_at.is_some();
    let odd = if asked { STILL } else { BY_HAND };
    let Some(told) = told else {
        // What was declined at once, or was never begun, leaves no trace there.
        if row.gateway_reference.is_some() || row.captured > 0 || row.authorized > 0 {
            let ours = row.status.to_value();
            side.differ("status", ours, "nothing is known of it".to_owned(), odd);
        }
        return Ok(());
    };
    if let Some(doubt) = &told.doubt {
        side.differ("identity", row.id.to_string(), doubt.clone(), odd);
        return Ok(());
    }
    side.money("amount", money(row, row.amount)?, told.money, odd);
    let theirs = Class::told(&told.stage);
    let advice = if asked { WORKER } else { BY_HAND };
    if let Some(ours) = Class::of(row.status)
        && ours != theirs
    {
        side.differ("status", ours.name().to_owned(), theirs.name().to_owned(), advice);
    }
    let captured = match &told.stage {
        Stage::Captured(captured) => *captured,
        Stage::RequiresAction(_)
        | Stage::Ready
        | Stage::Processing
        | Stage::Authorized
        | Stage::Declined(_)
        | Stage::Voided
        | Stage::Expired => money(row, 0)?,
    };
    side.money("captured", money(row, row.captured)?, captured, advice);
    if let Some(refunded) = told.refunded {
        // What is on its way has gone, as they see it.
        let under_way = seen
            .refunds
            .iter()
            .filter(|row| row.status == RefundStatus::Pending);
        let ours = row.refunded + under_way.map(|row| row.amount).sum::<i64>();
        side.money("refunded", money(row, ours)?, refunded, ELSEWHERE);
    }
    if let Some(theirs) = told.fee {
        match fee(row)? {
            Some(ours) => side.money("fee", ours, theirs, BY_HAND),
            None => side.differ("fee", "not known yet".to_owned(), shown(theirs), advice),
        }
    }
    Ok(())
}

fn fee(row: &payment::Model) -> Result<Option<Money>> {
    let (Some(fee), Some(currency)) = (row.fee, &row.fee_currency) else {
        return Ok(None);
    };
    let currency: Currency = currency.parse().map_err(Error::internal)?;
    Ok(Some(Money::new(fee, currency)))
}

/// Compares a refund with what its gateway says.
pub(super) fn refund(found: &mut Found, seen: &Seen, row: &refund::Model, told: &Return) -> Result<()> {
    let mut side = Side {
        found,
        subject: row.id.to_string(),
        by: seen.payment.gateway.to_value(),
    };
    side.money("amount", money(&seen.payment, row.amount)?, told.money, ELSEWHERE);
    let theirs = match told.stage {
        ReturnStage::Pending => RefundStatus::Pending,
        ReturnStage::Succeeded => RefundStatus::Succeeded,
        ReturnStage::Failed(_) => RefundStatus::Failed,
    };
    if theirs != row.status {
        let advice = if row.status == RefundStatus::Pending {
            WORKER
        } else {
            BY_HAND
        };
        side.differ("status", row.status.to_value(), theirs.to_value(), advice);
    }
    Ok(())
}

/// Compares a payment and its order with what is booked of them.
pub(super) fn with_ledger(found: &mut Found, seen: &Seen, booked: &OfPayment, order: OfOrder) -> Result<()> {
    let row = &seen.payment;
    let mut side = Side {
        found,
        subject: row.id.to_string(),
        by: "ledger".to_owned(),
    };
    let amount = |minor| money(row, minor);
    for (what, ours, theirs) in [
        ("captured", row.captured, booked.captured),
        ("refunded", row.refunded, booked.refunded),
        ("rounding", rounding(row), booked.rounding),
    ] {
        side.money(what, amount(ours)?, amount(theirs)?, FAULT);
    }
    // No fee and a fee of nothing are the same: nothing was moved.
    let ours = fee(row)?.filter(|fee| fee.minor != 0).map(shown);
    let theirs = match &booked.fee {
        Some((fee, currency)) => {
            let currency: Currency = currency.parse().map_err(Error::internal)?;
            Some(shown(Money::new(*fee, currency)))
        }
        None => None,
    };
    if ours != theirs {
        let none = || "none".to_owned();
        side.differ(
            "fee",
            ours.unwrap_or_else(none),
            theirs.unwrap_or_else(none),
            FAULT,
        );
    }
    let kept = seen
        .payments
        .iter()
        .map(|row| row.captured - row.refunded - rounding(row))
        .sum();
    let ours = expected(&seen.order, kept);
    let order_currency = currency(row)?;
    side.subject = seen.order.id.to_string();
    for (what, ours, theirs) in [("sold", ours.sold, order.sold), ("owed", ours.owed, order.owed)] {
        let (ours, theirs) = (
            Money::new(ours, order_currency),
            Money::new(theirs, order_currency),
        );
        side.money(what, ours, theirs, FAULT);
    }
    Ok(())
}
