//! What may become of an order: the tables that transitions, `availableActions` and refusals are read from.
//!
//! An order stands on three axes. Its lifecycle is moved by what happens; how far its money and its goods have come is
//! derived from payments and lines. A single line of states would need one for every combination.

use crate::entity::shop_order::{FulfillmentProgress, OrderStatus, PaymentProgress};
use crate::kernel::error::{Error, ErrorCode, Refusal};

use FulfillmentProgress::{Delivered, Fulfilled, PartiallyFulfilled, Unfulfilled};
use OrderStatus::{Cancelled, Completed, Confirmed, Expired, PendingPayment};
use PaymentProgress::{Authorized, Paid, PartiallyPaid, PartiallyRefunded, Refunded, Unpaid};

/// Where the lifecycle may go from each state. A payment that succeeds after the order has expired takes it up again, if
/// its goods can still be had; nothing else leaves a state that is an end.
pub const LIFECYCLE: &[(OrderStatus, &[OrderStatus])] = &[
    (PendingPayment, &[Confirmed, Cancelled, Expired]),
    (Confirmed, &[Completed, Cancelled]),
    (Completed, &[]),
    (Cancelled, &[]),
    (Expired, &[Confirmed]),
];

/// Something that can be done to an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OrderAction {
    Pay,
    Cancel,
    Fulfill,
    MarkDelivered,
    Capture,
    Refund,
}

/// For whom an action is: each may do what the ones before may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Doer {
    /// Whoever sees the order, by its token alone.
    Guest,
    /// Whose order it is.
    Customer,
    Staff,
}

/// When an action is possible: where the order stands on each axis.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    pub action: OrderAction,
    pub doer: Doer,
    pub status: &'static [OrderStatus],
    pub payment: &'static [PaymentProgress],
    pub fulfillment: &'static [FulfillmentProgress],
}

const ANY_FULFILLMENT: &[FulfillmentProgress] = &[Unfulfilled, PartiallyFulfilled, Fulfilled, Delivered];
const ANY_PAYMENT: &[PaymentProgress] = &[
    Unpaid,
    Authorized,
    PartiallyPaid,
    Paid,
    PartiallyRefunded,
    Refunded,
];

pub const ACTIONS: &[Rule] = &[
    Rule {
        action: OrderAction::Pay,
        doer: Doer::Guest,
        status: &[PendingPayment],
        // A payment may have come late, beside another one, and gone back.
        payment: &[Unpaid, Refunded],
        fulfillment: &[Unfulfilled],
    },
    Rule {
        action: OrderAction::Cancel,
        doer: Doer::Customer,
        status: &[PendingPayment, Confirmed],
        payment: ANY_PAYMENT,
        fulfillment: &[Unfulfilled],
    },
    Rule {
        action: OrderAction::Fulfill,
        doer: Doer::Staff,
        status: &[Confirmed],
        // Nothing is sent for which no money is promised or kept.
        payment: &[Authorized, PartiallyPaid, Paid, PartiallyRefunded],
        fulfillment: &[Unfulfilled, PartiallyFulfilled],
    },
    Rule {
        action: OrderAction::MarkDelivered,
        doer: Doer::Staff,
        status: &[Confirmed],
        payment: ANY_PAYMENT,
        fulfillment: &[PartiallyFulfilled, Fulfilled],
    },
    Rule {
        action: OrderAction::Capture,
        doer: Doer::Staff,
        status: &[Confirmed],
        payment: &[Authorized],
        fulfillment: ANY_FULFILLMENT,
    },
    Rule {
        action: OrderAction::Refund,
        doer: Doer::Staff,
        status: &[Confirmed, Completed, Cancelled, Expired],
        payment: &[PartiallyPaid, Paid, PartiallyRefunded],
        fulfillment: ANY_FULFILLMENT,
    },
];

/// Where an order stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Standing {
    pub status: OrderStatus,
    pub payment: PaymentProgress,
    pub fulfillment: FulfillmentProgress,
}

impl Standing {
    pub fn of(order: &crate::entity::shop_order::Model) -> Self {
        Self {
            status: order.status,
            payment: order.payment_status,
            fulfillment: order.fulfillment_status,
        }
    }

    /// Everything that somebody may do now.
    pub fn actions(self, doer: Doer) -> impl Iterator<Item = OrderAction> {
        ACTIONS
            .iter()
            .filter(move |rule| rule.doer <= doer)
            .filter(move |rule| rule.holds(self))
            .map(|rule| rule.action)
    }

    /// The same by their names, for `params`.
    pub fn allowed(self, doer: Doer) -> Vec<&'static str> {
        self.actions(doer).map(OrderAction::name).collect()
    }

    /// # Errors
    /// TRANSITION_INVALID, with what can be done instead.
    pub fn require(self, action: OrderAction, doer: Doer, path: &str) -> Result<(), Error> {
        if ACTIONS
            .iter()
            .any(|rule| rule.action == action && rule.holds(self))
        {
            return Ok(());
        }
        let allowed = self.allowed(doer);
        let message = format!(
            "the order is {}, {} and {}: {} is not possible now",
            name(&self.status),
            name(&self.payment),
            name(&self.fulfillment),
            action.name()
        );
        let params = serde_json::json!({
            "status": name(&self.status), "paymentStatus": name(&self.payment),
            "fulfillmentStatus": name(&self.fulfillment), "allowed": allowed,
        });
        let refusal = Refusal::new(ErrorCode::TransitionInvalid, path, message);
        Err(refusal.with_params(params).into())
    }
}

impl Rule {
    pub fn holds(&self, standing: Standing) -> bool {
        self.status.contains(&standing.status)
            && self.payment.contains(&standing.payment)
            && self.fulfillment.contains(&standing.fulfillment)
    }
}

impl OrderAction {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pay => "PAY",
            Self::Cancel => "CANCEL",
            Self::Fulfill => "FULFILL",
            Self::MarkDelivered => "MARK_DELIVERED",
            Self::Capture => "CAPTURE",
            Self::Refund => "REFUND",
        }
    }
}

fn name<T: sea_orm::ActiveEnum<Value = String>>(state: &T) -> String {
    state.to_value()
}

/// Whether the lifecycle may go there.
pub fn may_become(from: OrderStatus, to: OrderStatus) -> bool {
    LIFECYCLE
        .iter()
        .any(|(state, next)| *state == from && next.contains(&to))
}

/// How far the money has come, from what payments promise, took, and gave back.
pub fn payment_progress(total: i64, authorized: i64, paid: i64, refunded: i64) -> PaymentProgress {
    if refunded > 0 {
        if refunded >= paid {
            Refunded
        } else {
            PartiallyRefunded
        }
    } else if paid >= total {
        Paid
    } else if paid > 0 {
        PartiallyPaid
    } else if authorized > 0 {
        Authorized
    } else {
        Unpaid
    }
}

/// How far the goods have come, from how many were ordered, sent, and arrived.
pub fn fulfillment_progress(lines: &[crate::entity::order_line::Model]) -> FulfillmentProgress {
    let sum = |count: fn(&crate::entity::order_line::Model) -> i32| -> i64 {
        lines.iter().map(|line| i64::from(count(line))).sum()
    };
    let (ordered, sent, arrived) = (
        sum(|line| line.quantity),
        sum(|line| line.fulfilled_quantity),
        sum(|line| line.delivered_quantity),
    );
    if sent == 0 {
        Unfulfilled
    } else if sent < ordered {
        PartiallyFulfilled
    } else if arrived < ordered {
        Fulfilled
    } else {
        Delivered
    }
}
