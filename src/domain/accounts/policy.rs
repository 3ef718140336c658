//! Whose account somebody may see. What is not seen is not found.

use crate::domain::context::Context;
use crate::domain::permission::Permission;
use crate::kernel::id::UserId;

/// One's own account, and everybody's for staff.
pub fn sees_user(ctx: &Context, user: UserId) -> bool {
    ctx.actor.user() == Some(user) || ctx.may(Permission::ReadUsers)
}

/// One's own devices. Nobody else's, whoever asks: where people are signed in is nothing that staff work with.
pub fn sees_sessions(ctx: &Context, user: UserId) -> bool {
    ctx.actor.user() == Some(user)
}
