//! The `souk` binary.

#[tokio::main]
async fn main() -> std::process::ExitCode {
    souk::cli::run().await
}
