//! The servers that Souk is compared with, from the least that an answer can cost to what a GraphQL library makes of it.
//!
//! All are routes of one process: only one of them is asked at a time, and the others cost nothing meanwhile. None asks
//! who is there: the customer of W3 is the one that was given at the start.

mod bare;
mod database;
mod fixed;
mod plain;

use std::net::SocketAddr;
use std::path::PathBuf;

use axum::Router;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use clap::Args;
use tokio::net::TcpListener;
use uuid::Uuid;

use database::Database;

#[derive(Args)]
pub(crate) struct Arguments {
    #[arg(long, default_value = "127.0.0.1:4100")]
    listen: SocketAddr,
    /// Souk's own database
    #[arg(long)]
    database: String,
    /// Whose orders W3 shows
    #[arg(long)]
    customer: Uuid,
    /// The folder with what Souk answered: w1.json, w2.json, w3.json, w5.json
    #[arg(long)]
    answers: PathBuf,
    /// As many as Souk has by default
    #[arg(long, default_value_t = 10)]
    connections: u32,
    /// Make the tables of `/bare/checkout`
    #[arg(long)]
    checkout: bool,
    /// One: all in the main thread
    #[arg(long, default_value_t = 1)]
    threads: usize,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let runtime = match arguments.threads {
        1 => tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?,
        threads => tokio::runtime::Builder::new_multi_thread()
            .worker_threads(threads)
            .enable_all()
            .build()?,
    };
    runtime.block_on(serve(arguments))
}

async fn serve(arguments: &Arguments) -> anyhow::Result<()> {
    let database = Database::connect(&arguments.database, arguments.connections).await?;
    if arguments.checkout {
        bare::prepare_checkout(&database).await?;
    }
    let routes = Router::new()
        .nest("/static", fixed::routes(&arguments.answers)?)
        .nest("/bare", bare::routes(&database, arguments.customer))
        .nest("/plain", plain::routes(&database, arguments.customer));
    axum::serve(TcpListener::bind(arguments.listen).await?, routes).await?;
    Ok(())
}

/// Whatever went wrong. A run with one of these is not a measurement, so it is told in full.
struct Failed(anyhow::Error);

impl<E: Into<anyhow::Error>> From<E> for Failed {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl IntoResponse for Failed {
    fn into_response(self) -> Response {
        (StatusCode::INTERNAL_SERVER_ERROR, format!("{:#}", self.0)).into_response()
    }
}
