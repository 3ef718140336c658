//! `souk worker`: what `souk serve --no-worker` leaves to others.

use std::process::ExitCode;

use crate::app::App;
use crate::http::server;
use crate::kernel::config::Config;

pub(super) async fn run(config: Config) -> anyhow::Result<ExitCode> {
    let app = App::start(config).await?;
    // Before anybody is told that there is something to stop.
    let stop = server::signal();
    tracing::info!("working");
    app.work(stop).await?;
    Ok(ExitCode::SUCCESS)
}
