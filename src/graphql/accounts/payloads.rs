//! What mutations of accounts answer.

use async_graphql::{ID, SimpleObject};

use super::User;
use crate::graphql::scalars::DateTime;
use crate::graphql::user_error::UserError;

/// What a client needs to go on as whoever signed in. Keep it where no other program reads it, and never write it to a log.
#[derive(Clone, SimpleObject)]
pub(super) struct SessionTokens {
    /// Says who is asking: send it as `Authorization: Bearer …` with each request. A JWT.
    pub access_token: String,
    /// Until when the access token counts: refresh the session before then.
    pub access_token_expires_at: DateTime,
    /// Buys the next tokens at `sessionRefresh`, once. Empty when it went out as a cookie, which the header
    /// `Souk-Refresh-Token: cookie` asks for.
    pub refresh_token: String,
    /// Until when the refresh token counts, if it is not used.
    pub refresh_token_expires_at: DateTime,
}

/// The outcome of `accountRegister`.
#[derive(Clone, SimpleObject)]
pub(super) struct AccountRegisterPayload {
    /// The account; null when it was refused.
    pub user: Option<User>,
    /// The tokens of a new session; null when it was refused.
    pub tokens: Option<SessionTokens>,
    /// Why it was refused; empty when it was not.
    pub user_errors: Vec<UserError>,
}

/// The outcome of `sessionCreate`.
#[derive(Clone, SimpleObject)]
pub(super) struct SessionCreatePayload {
    /// Who has signed in; null when it was refused.
    pub user: Option<User>,
    /// The tokens of the new session; null when it was refused.
    pub tokens: Option<SessionTokens>,
    /// Why it was refused; empty when it was not.
    pub user_errors: Vec<UserError>,
}

/// The outcome of `sessionRefresh`.
#[derive(Clone, SimpleObject)]
pub(super) struct SessionRefreshPayload {
    /// Whose session it is; null when it was refused.
    pub user: Option<User>,
    /// The session's next tokens; null when it was refused.
    pub tokens: Option<SessionTokens>,
    /// Why it was refused; empty when it was not.
    pub user_errors: Vec<UserError>,
}

/// The outcome of `sessionRevoke`.
#[derive(Clone, Debug, SimpleObject)]
pub(super) struct SessionRevokePayload {
    /// The session that has ended; null when it was refused.
    pub session_id: Option<ID>,
    /// Why it was refused; empty when it was not.
    pub user_errors: Vec<UserError>,
}

/// The outcome of `sessionRevokeAll`.
#[derive(Clone, Debug, SimpleObject)]
pub(super) struct SessionRevokeAllPayload {
    /// How many sessions have ended, this one included.
    pub revoked_count: i32,
    /// Why it was refused; empty when it was not.
    pub user_errors: Vec<UserError>,
}

/// The outcome of `passwordChange`.
#[derive(Clone, Debug, SimpleObject)]
pub(super) struct PasswordChangePayload {
    /// The account; null when the change was refused.
    pub user: Option<User>,
    /// Why it was refused; empty when it was not.
    pub user_errors: Vec<UserError>,
}

/// The outcome of `accountUpdate`.
#[derive(Clone, Debug, SimpleObject)]
pub(super) struct AccountUpdatePayload {
    /// The account as it is now; null when the change was refused.
    pub user: Option<User>,
    /// Why it was refused; empty when it was not.
    pub user_errors: Vec<UserError>,
}
