//! Accounts and what is on them, as staff see them.

use async_graphql::{Enum, Object};

use crate::domain::ledger::balances::Balance;
use crate::entity::ledger_transfer::Account;
use crate::graphql::money::Money;
use crate::graphql::payments::PaymentGatewayName;
use crate::graphql::scalars::Date;

/// Where money is, or comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub enum LedgerAccount {
    /// What a gateway has taken for the shop, less what went back and what the gateway kept. There is one for each gateway.
    Clearing,
    /// What a gateway kept, in the currency that it pays out, once it has said so. There is one for each gateway.
    Fees,
    /// What buyers owe for confirmed orders, less what they paid. Below zero the shop owes them: for what has been paid for an
    /// order that is not confirmed, or has ended, and has not gone back yet.
    Receivable,
    /// What goods were sold for, less discounts. As a credit, it is below zero.
    Revenue,
    /// What buyers were charged for shipping. As a credit, it is below zero.
    Shipping,
    /// What of the sales is tax. As a credit, it is below zero.
    Tax,
    /// What went back to buyers of orders that stand. When such an order is cancelled afterwards, its sale is undone, and this
    /// with it.
    Refunds,
    /// What buyers paid above the price because a gateway takes whole units alone. As a credit, it is below zero.
    Rounding,
}

/// What moved on an account on one day, in one currency.
#[derive(Clone, Debug)]
pub(crate) struct LedgerBalance(Balance);

impl LedgerBalance {
    pub(super) fn new(balance: Balance) -> Self {
        Self(balance)
    }
}

/// An account on one day, in one currency. For staff.
#[Object]
impl LedgerBalance {
    /// Which account.
    async fn account(&self) -> LedgerAccount {
        match self.0.account {
            Account::Receivable => LedgerAccount::Receivable,
            Account::Clearing(_) => LedgerAccount::Clearing,
            Account::Fees(_) => LedgerAccount::Fees,
            Account::Revenue => LedgerAccount::Revenue,
            Account::Shipping => LedgerAccount::Shipping,
            Account::Tax => LedgerAccount::Tax,
            Account::Refunds => LedgerAccount::Refunds,
            Account::Rounding => LedgerAccount::Rounding,
        }
    }

    /// Whose account it is; null but for `CLEARING` and `FEES`.
    async fn gateway(&self) -> Option<PaymentGatewayName> {
        match self.0.account {
            Account::Clearing(gateway) | Account::Fees(gateway) => Some(gateway.into()),
            Account::Receivable
            | Account::Revenue
            | Account::Shipping
            | Account::Tax
            | Account::Refunds
            | Account::Rounding => None,
        }
    }

    /// The day, in UTC.
    async fn day(&self) -> Date {
        Date(self.0.day)
    }

    /// What was added to the account on that day.
    async fn debits(&self) -> Money {
        self.0.debits.into()
    }

    /// What was taken off it on that day.
    async fn credits(&self) -> Money {
        self.0.credits.into()
    }

    /// Debits less credits of that day.
    async fn net(&self) -> Money {
        self.0.net().into()
    }

    /// Debits less credits of all days up to this one, which is part of it.
    async fn balance(&self) -> Money {
        self.0.closing.into()
    }
}
