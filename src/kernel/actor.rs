//! Who is asking, and from where.

use std::net::IpAddr;

use super::id::{SessionId, UserId};

/// What an account may be. Each role may do all that the ones before it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    Customer,
    Staff,
    Admin,
}

/// The caller of one operation, as its access token proved it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Actor {
    /// No token was sent.
    Anonymous,
    /// The holder of a valid token of a session that goes on.
    User {
        id: UserId,
        session: SessionId,
        role: Role,
    },
    /// The command line and background work, which answer to whoever started them.
    System,
}

impl Actor {
    /// The role that counts. The system may do what an admin may.
    pub fn role(&self) -> Option<Role> {
        match self {
            Self::Anonymous => None,
            Self::User { role, .. } => Some(*role),
            Self::System => Some(Role::Admin),
        }
    }

    /// Whose account it is that asks, if it is anybody's.
    pub fn user(&self) -> Option<UserId> {
        match self {
            Self::User { id, .. } => Some(*id),
            Self::Anonymous | Self::System => None,
        }
    }

    /// A stable name for records: who did it, and whose idempotency key it is.
    pub fn key(&self) -> String {
        match self {
            Self::Anonymous => "anonymous".to_owned(),
            Self::User { id, .. } => id.to_string(),
            Self::System => "system".to_owned(),
        }
    }
}

/// Whose limits count: an account's, or the network's that nobody in particular comes from.
pub fn principal(actor: &Actor, origin: &Origin) -> String {
    match actor {
        Actor::User { id, .. } => id.to_string(),
        Actor::Anonymous | Actor::System => origin.network(),
    }
}

/// Where a request comes from, as far as the connection and the client tell. What the client tells is not proof
/// of anything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// None for commands and background work.
    pub address: Option<IpAddr>,
    /// Without control characters, 255 characters at most.
    pub user_agent: Option<String>,
}

const MAX_USER_AGENT: usize = 255;

impl Origin {
    /// `user_agent` as it was sent: it goes into records that people read, so nothing in it may act on them.
    pub fn new(address: Option<IpAddr>, user_agent: Option<&str>) -> Self {
        let clean = |text: &str| -> String {
            let printable = text.chars().filter(|c| !c.is_control());
            printable.take(MAX_USER_AGENT).collect()
        };
        let user_agent = user_agent.map(clean).filter(|text| !text.is_empty());
        Self { address, user_agent }
    }

    /// The network that the request comes from; all that come from nowhere in particular are one.
    pub fn network(&self) -> String {
        self.address.map_or_else(|| "nowhere".to_owned(), network)
    }
}

/// What counts as one address: of IPv6 the 64 bits that a provider gives to a household, which picks the rest itself.
pub fn network(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_household_is_one_network() {
        for (address, expected) in [
            ("203.0.113.9", "203.0.113.9"),
            ("::ffff:203.0.113.9", "203.0.113.9"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
            ("2001:db8:1:2::", "2001:db8:1:2::/64"),
        ] {
            assert_eq!(network(address.parse().unwrap()), expected);
        }
        assert_eq!(Origin::default().network(), "nowhere");
    }

    #[test]
    fn a_user_agent_cannot_act_on_who_reads_it() {
        let origin = Origin::new(None, Some("a\r\nSet-Cookie: x\u{1b}[31m\u{0}b"));
        assert_eq!(origin.user_agent.as_deref(), Some("aSet-Cookie: x[31mb"));
        let long = "\u{1F600}".repeat(10_000);
        assert_eq!(
            Origin::new(None, Some(&long)).user_agent.unwrap().chars().count(),
            MAX_USER_AGENT
        );
        assert_eq!(Origin::new(None, Some("\n\t")).user_agent, None);
    }
}
