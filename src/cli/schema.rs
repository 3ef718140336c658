//! `souk schema`

use std::process::ExitCode;

pub(super) fn run() -> anyhow::Result<ExitCode> {
    print!("{}", crate::graphql::schema::sdl());
    Ok(ExitCode::SUCCESS)
}
