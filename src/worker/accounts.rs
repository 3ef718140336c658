//! Sessions that ended long ago.

use crate::domain::accounts::forget;
use crate::domain::context::Context;
use crate::kernel::error::Result;

const AT_ONCE: u64 = 500;

pub(super) async fn forget_sessions(ctx: &Context) -> Result<u64> {
    forget::forget_sessions(ctx, AT_ONCE).await
}
