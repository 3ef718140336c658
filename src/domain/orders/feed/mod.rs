//! What happens to orders, told to those who wait for it.

use tokio::sync::Notify;

/// The events of all orders, as this process knows them.
#[derive(Debug, Default)]
pub struct Feed {
    woken: Notify,
}

impl Feed {
    /// Something was committed: look now rather than at the next turn.
    pub fn wake(&self) {
        self.woken.notify_one();
    }
}
