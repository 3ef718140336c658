//! Who is asking.

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
    /// The holder of a valid token; `subject` is the token's `sub`.
    User { subject: String, role: Role },
    /// The command line and background work, which answer to whoever started them.
    System,
}

impl Actor {
    /// Staff, admins and the system itself.
    pub fn is_staff(&self) -> bool {
        match self {
            Self::Anonymous => false,
            Self::User { role, .. } => *role >= Role::Staff,
            Self::System => true,
        }
    }

    /// A stable name for records: who did it, and whose idempotency key it is.
    pub fn key(&self) -> String {
        match self {
            Self::Anonymous => "anonymous".to_owned(),
            Self::User { subject, .. } => format!("user:{subject}"),
            Self::System => "system".to_owned(),
        }
    }
}
