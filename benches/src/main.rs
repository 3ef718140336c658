//! What Souk is measured by: the loads, and the bare servers that it is compared with.

mod load;
mod serve;
mod sockets;

use clap::{Parser, Subcommand};

/// As in Souk: no server here is faster or slower by its allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[derive(Parser)]
#[command(about = "Loads for Souk, and bare servers to stand beside")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// The servers that Souk is compared with, on one port: `/static`, `/bare`, `/plain`
    Serve(serve::Arguments),
    /// Checkouts by many clients at once, against Souk or the bare checkout
    Load(load::Arguments),
    /// Subscriptions over WebSockets: the memory that each takes, and how long after it happened an event arrives
    Sockets(sockets::Arguments),
    /// A part of the sockets, for `sockets`
    #[command(hide = true)]
    Listen(sockets::listen::Arguments),
}

fn main() -> anyhow::Result<()> {
    match Arguments::parse().command {
        Command::Serve(arguments) => serve::run(&arguments),
        Command::Load(arguments) => load::run(arguments),
        Command::Sockets(arguments) => sockets::run(arguments),
        Command::Listen(arguments) => sockets::listen::run(arguments),
    }
}
