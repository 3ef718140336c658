//! The `souk` binary.

use std::process::ExitCode;

/// Many short-lived allocations on several threads: a page of products is thousands of them.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    souk::cli::main()
}
