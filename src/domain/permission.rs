//! Who may do what: the one table that guards in the API and policies in the rooms ask.
//!
//! Each permission belongs to the smallest role that has it, and to all larger ones. What is allowed *of which
//! object*, such as one's own sessions, a room says itself; what no table allows, nobody may.

use crate::kernel::actor::Role;

/// Something that not everybody may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Permission {
    /// Be somebody: read and change one's own account, and sign out.
    OwnAccount,
    /// See products that are not for sale, and how much of everything there is.
    ReadUnpublished,
    WriteCatalog,
    WriteInventory,
    /// See everybody's orders and payments, and what is done to them as it happens.
    ReadOrders,
    /// Send orders out, and say that they have arrived.
    WriteOrders,
    /// Capture, void and refund payments.
    WritePayments,
    /// See everybody's account.
    ReadUsers,
    WriteRoles,
    ReadAudit,
    /// See what the shop has earned, owes and is owed.
    ReadLedger,
}

impl Permission {
    /// The smallest role that has it.
    pub const fn least(self) -> Role {
        match self {
            Self::OwnAccount => Role::Customer,
            Self::ReadUnpublished
            | Self::WriteCatalog
            | Self::WriteInventory
            | Self::ReadOrders
            | Self::WriteOrders
            | Self::WritePayments
            | Self::ReadLedger
            | Self::ReadUsers => Role::Staff,
            Self::WriteRoles | Self::ReadAudit => Role::Admin,
        }
    }

    /// Whether somebody with this role may; None is nobody in particular.
    pub fn allows(self, role: Option<Role>) -> bool {
        role.is_some_and(|role| role >= self.least())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_role_may_what_smaller_ones_may() {
        assert!(!Permission::OwnAccount.allows(None));
        assert!(Permission::OwnAccount.allows(Some(Role::Customer)));
        assert!(!Permission::ReadUsers.allows(Some(Role::Customer)));
        assert!(Permission::ReadUsers.allows(Some(Role::Admin)));
        assert!(!Permission::WriteRoles.allows(Some(Role::Staff)));
    }
}
