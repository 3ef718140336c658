//! Money that moves from one account of the shop's books to another. Only ever added: the database refuses to change or
//! delete it.

use std::fmt;
use std::str::FromStr;

use sea_orm::ActiveEnum as _;
use sea_orm::entity::prelude::*;

use super::payment::PaymentGatewayName;
use crate::kernel::id::{LedgerBookingId, LedgerTransferId, OrderId, PaymentId, RefundId};

/// What moved it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum LedgerKind {
    /// An order was confirmed.
    Sale,
    /// A confirmed order ended.
    SaleUndone,
    /// A gateway took money.
    Capture,
    /// A gateway said what it keeps.
    Fee,
    /// Money went back.
    Refund,
    /// Money that had gone back came again.
    RefundReturned,
}

/// Where money is, or comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, DeriveValueType)]
#[sea_orm(value_type = "String", column_type = "Text")]
pub enum Account {
    /// What a gateway has taken for the shop, and has not given back or kept.
    Clearing(PaymentGatewayName),
    /// What a gateway keeps.
    Fees(PaymentGatewayName),
    /// What buyers owe for confirmed orders, less what they paid.
    Receivable,
    Revenue,
    Shipping,
    Tax,
    /// What went back of orders that stand.
    Refunds,
    /// What buyers paid above the price because a gateway takes whole units alone.
    Rounding,
}

const CLEARING: &str = "clearing:";
const FEES: &str = "fees:";

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Receivable => f.write_str("receivable"),
            Self::Clearing(gateway) => write!(f, "{CLEARING}{}", gateway.to_value()),
            Self::Fees(gateway) => write!(f, "{FEES}{}", gateway.to_value()),
            Self::Revenue => f.write_str("revenue"),
            Self::Shipping => f.write_str("shipping"),
            Self::Tax => f.write_str("tax"),
            Self::Refunds => f.write_str("refunds"),
            Self::Rounding => f.write_str("rounding"),
        }
    }
}

impl FromStr for Account {
    type Err = DbErr;

    fn from_str(text: &str) -> Result<Self, DbErr> {
        let gateway = |name: &str| PaymentGatewayName::try_from_value(&name.to_owned());
        Ok(match text {
            "receivable" => Self::Receivable,
            "revenue" => Self::Revenue,
            "shipping" => Self::Shipping,
            "tax" => Self::Tax,
            "refunds" => Self::Refunds,
            "rounding" => Self::Rounding,
            other => {
                if let Some(name) = other.strip_prefix(CLEARING) {
                    Self::Clearing(gateway(name)?)
                } else if let Some(name) = other.strip_prefix(FEES) {
                    Self::Fees(gateway(name)?)
                } else {
                    return Err(DbErr::Type(format!("{other:?} is not an account of the ledger")));
                }
            }
        })
    }
}

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "ledger_transfer")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: LedgerTransferId,
    /// The same for all that one event moves.
    pub booking: LedgerBookingId,
    pub kind: LedgerKind,
    pub debit: Account,
    pub credit: Account,
    pub currency: String,
    /// In minor units of the currency; more than nothing.
    pub amount: i64,
    pub order_id: OrderId,
    pub payment_id: Option<PaymentId>,
    pub refund_id: Option<RefundId>,
    /// What it was that happened once: the last of these three that there is.
    pub subject: Uuid,
    /// In UTC.
    pub day: Date,
    pub booked_at: DateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_read_as_it_is_written() {
        let gateway = PaymentGatewayName::Mpesa;
        for (account, text) in [
            (Account::Receivable, "receivable"),
            (Account::Clearing(gateway), "clearing:MPESA"),
            (Account::Fees(gateway), "fees:MPESA"),
            (Account::Revenue, "revenue"),
            (Account::Shipping, "shipping"),
            (Account::Tax, "tax"),
            (Account::Refunds, "refunds"),
            (Account::Rounding, "rounding"),
        ] {
            assert_eq!(account.to_string(), text);
            assert_eq!(text.parse(), Ok(account));
        }
        for text in ["", "cash", "clearing:", "clearing:BARTER", "fees"] {
            assert!(text.parse::<Account>().is_err(), "{text}");
        }
    }
}
