//! What can be done to an order now, by where it stands, its payments and its lines.

use std::sync::Arc;

use super::capture::promised;
use super::hand::is_live;
use crate::domain::orders::state::{Doer, OrderAction, Standing};
use crate::entity::payment::{self, PaymentGatewayName, PaymentStatus};
use crate::entity::shop_order::OrderStatus;
use crate::entity::{order_line, shop_order};
use crate::infra::gateways::Gateways;

/// Everything that somebody may do to it.
pub fn actions(
    order: &shop_order::Model,
    doer: Doer,
    payments: &[Arc<payment::Model>],
    lines: &[Arc<order_line::Model>],
    gateways: &Gateways,
) -> Vec<OrderAction> {
    let mut actions: Vec<OrderAction> = Standing::of(order).actions(doer).collect();
    actions.retain(|action| match action {
        OrderAction::Pay => !payments
            .iter()
            .any(|row| stands_in_the_way(row) && !can_be_replaced(gateways, row)),
        OrderAction::MarkDelivered => lines
            .iter()
            .any(|line| line.delivered_quantity < line.fulfilled_quantity),
        OrderAction::Refund => order.paid > order.refunded,
        OrderAction::Cancel | OrderAction::Fulfill => true,
        // Looked at below: a transfer that has arrived can be captured as well.
        OrderAction::Capture => false,
    });
    if doer == Doer::Staff && goes_on(order) && payments.iter().any(|row| can_be_captured(row)) {
        actions.push(OrderAction::Capture);
    }
    actions
}

/// Whether there can be no other payment beside it.
pub(super) fn stands_in_the_way(row: &payment::Model) -> bool {
    is_live(row.status) || row.status == PaymentStatus::RequiresReview
}

/// Whether it waits for its buyer, who may as well pay otherwise.
pub(super) fn can_be_replaced(gateways: &Gateways, row: &payment::Model) -> bool {
    match row.status {
        PaymentStatus::RequiresAction => gateways
            .get(row.gateway)
            .is_some_and(|gateway| gateway.capabilities().revocable),
        // A transfer that nobody has seen.
        PaymentStatus::Processing => row.gateway == PaymentGatewayName::Manual,
        PaymentStatus::Authorized
        | PaymentStatus::Captured
        | PaymentStatus::PartiallyRefunded
        | PaymentStatus::Refunded
        | PaymentStatus::Failed
        | PaymentStatus::Voided
        | PaymentStatus::Expired
        | PaymentStatus::RequiresReview => false,
    }
}

fn goes_on(order: &shop_order::Model) -> bool {
    match order.status {
        OrderStatus::PendingPayment | OrderStatus::Confirmed | OrderStatus::Completed => true,
        OrderStatus::Cancelled | OrderStatus::Expired => false,
    }
}

fn can_be_captured(row: &payment::Model) -> bool {
    let by_hand = row.gateway == PaymentGatewayName::Manual;
    promised(row) > 0 && (by_hand || row.status == PaymentStatus::Authorized)
}
