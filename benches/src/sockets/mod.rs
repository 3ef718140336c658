//! W6: very many sockets, each with a subscription, and what happens to orders meanwhile.
//!
//! Servers run already (one, or several on one database), with their rate limits off. Orders are made first, then all sockets
//! are opened and subscribe, by processes of their own: an open file for each socket is more than one process may have. Then
//! something happens, so many times a second, and every delivery is timed twice: from when it happened, which is within its
//! transaction, and from when that was committed, or the mutation answered.

mod api;
mod clock;
mod database;
pub(crate) mod listen;
mod order;
mod report;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use clap::ValueEnum;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

use self::listen::Heard;
use self::order::Order;
use self::report::{Happened, Report};

/// What all sockets of one process may be, with the files that it has beside.
const PROCESS: usize = 10_000;

/// How long after the last update deliveries are waited for.
const AFTERMATH: Duration = Duration::from_secs(3);

/// How long the memory of the servers is left to settle.
const SETTLE: Duration = Duration::from_secs(5);

/// Updates that are under way at the same time.
const AT_ONCE: usize = 16;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Where the servers listen, which share the sockets
    #[arg(long, value_delimiter = ',', default_value = "127.0.0.1:8000")]
    address: Vec<SocketAddr>,
    /// The processes whose memory is looked at, on Linux
    #[arg(long, value_delimiter = ',')]
    pid: Vec<u32>,
    #[arg(long, default_value_t = 10_000)]
    sockets: usize,
    /// All sockets watch the first order, instead of each its own
    #[arg(long)]
    fanout: bool,
    /// How updates come about
    #[arg(long, value_enum, default_value_t = By::Database)]
    by: By,
    /// The servers' database, for `--by database`: PostgreSQL, whose servers hear each other
    #[arg(long)]
    database: Option<String>,
    /// Staff's, who make the goods and cancel the orders, for `--by api`
    #[arg(long)]
    token: Option<String>,
    /// Updates a second
    #[arg(long, default_value_t = 500)]
    rate: u32,
    /// How many updates there are
    #[arg(long, default_value_t = 10_000)]
    updates: usize,
    /// How many there are before these, which are not timed: connections are opened meanwhile, and statements prepared
    #[arg(long, default_value_t = 0)]
    warm_up: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum By {
    /// An event is written into the database as another instance would write it, with the notification
    Database,
    /// Orders are placed, and each is cancelled once, through the API
    Api,
}

/// Whoever makes orders, and lets something happen to them.
enum Shop {
    Database(database::Shop),
    Api(api::Shop),
}

impl Shop {
    async fn open(arguments: &Arguments) -> Result<Self> {
        Ok(match arguments.by {
            By::Database => {
                let url = arguments.database.as_deref();
                Self::Database(database::Shop::open(url.context("--by database needs --database")?).await?)
            }
            By::Api => {
                let token = arguments.token.as_deref().context("--by api needs --token")?;
                ensure!(
                    !arguments.fanout,
                    "--by api cancels each order once: not with --fanout"
                );
                ensure!(
                    arguments.warm_up + arguments.updates <= arguments.sockets,
                    "--by api cancels each order once: --updates are too many"
                );
                Self::Api(api::Shop::open(&arguments.address, token, arguments.sockets).await?)
            }
        })
    }

    async fn orders(&self, count: usize) -> Result<Vec<Order>> {
        match self {
            Self::Database(shop) => shop.orders(count).await,
            Self::Api(shop) => shop.orders(count).await,
        }
    }

    /// Something happens to an order; when it began, and when it was committed or answered.
    async fn update(&self, number: u32, order: &Order) -> Result<Happened> {
        match self {
            Self::Database(shop) => shop.update(number, order).await,
            Self::Api(shop) => shop.update(order).await,
        }
    }
}

pub(crate) fn run(arguments: Arguments) -> Result<()> {
    on_one_thread(measure(arguments))
}

/// What measures leaves the other cores to what is measured.
fn on_one_thread(work: impl Future<Output = Result<()>>) -> Result<()> {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_all().build()?.block_on(work)
}

#[expect(clippy::print_stdout, reason = "the report")]
async fn measure(arguments: Arguments) -> Result<()> {
    let shop = std::sync::Arc::new(Shop::open(&arguments).await?);
    let count = if arguments.fanout { 1 } else { arguments.sockets };
    let orders = shop.orders(count).await?;
    let before = report::memory(&arguments.pid)?;
    let begun = Instant::now();
    let mut listeners = Vec::new();
    let file = std::env::temp_dir().join(format!("souk-bench-{}.orders", std::process::id()));
    tokio::fs::write(&file, order::to_lines(&orders)).await?;
    for first in (0..arguments.sockets).step_by(PROCESS) {
        let sockets = PROCESS.min(arguments.sockets - first);
        listeners.push(Listener::start(&arguments, &file, first, sockets)?);
    }
    for listener in &mut listeners {
        listener.ready().await?;
    }
    let opened = begun.elapsed();
    tokio::fs::remove_file(&file).await?;
    sleep(SETTLE).await;
    let with = report::memory(&arguments.pid)?;
    let cpu = report::processor_time(&arguments.pid)?;
    let begun = Instant::now();
    let happened = publish(&arguments, &shop, &orders).await?;
    let took = begun.elapsed();
    let cpu = report::processor_time(&arguments.pid)? - cpu;
    sleep(AFTERMATH).await;
    let mut heard = Vec::new();
    for listener in listeners {
        heard.extend(listener.end().await?);
    }
    let report = Report {
        sockets: arguments.sockets,
        fanout: arguments.fanout,
        warm_up: arguments.warm_up,
        opened,
        before,
        with,
        happened,
        took,
        cpu,
        heard,
    };
    println!("{report}");
    Ok(())
}

/// So many a second, whatever became of those before: a server that falls behind is seen to.
async fn publish(
    arguments: &Arguments,
    shop: &std::sync::Arc<Shop>,
    orders: &[Order],
) -> Result<Vec<Happened>> {
    let mut tick = interval(Duration::from_secs(1) / arguments.rate.max(1));
    tick.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let places = std::sync::Arc::new(tokio::sync::Semaphore::new(AT_ONCE));
    let updates = arguments.warm_up + arguments.updates;
    let mut running = Vec::with_capacity(updates);
    for (number, order) in orders.iter().cycle().take(updates).enumerate() {
        tick.tick().await;
        let place = std::sync::Arc::clone(&places).acquire_owned().await?;
        let (shop, order) = (std::sync::Arc::clone(shop), order.clone());
        let number = u32::try_from(number)?;
        running.push(tokio::spawn(async move {
            let _place = place;
            shop.update(number, &order).await
        }));
    }
    let mut happened = Vec::with_capacity(running.len());
    for update in running {
        happened.push(update.await??);
    }
    Ok(happened)
}

/// A process that has a part of the sockets.
struct Listener {
    child: Child,
    says: BufReader<ChildStdout>,
}

impl Listener {
    fn start(arguments: &Arguments, orders: &PathBuf, first: usize, sockets: usize) -> Result<Self> {
        let addresses: Vec<_> = arguments.address.iter().map(ToString::to_string).collect();
        // Each has an address of its own: one has some 28,000 ports, of which half are given to who asks for any.
        let from = format!("127.0.0.{}", 2 + first / PROCESS);
        let mut command = Command::new(std::env::current_exe()?);
        command
            .args(["listen", "--from", &from, "--address", &addresses.join(",")])
            .args(["--first", &first.to_string(), "--sockets", &sockets.to_string()])
            .arg("--orders")
            .arg(orders);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let says = child.stdout.take().context("a listener has no output")?;
        Ok(Self {
            child,
            says: BufReader::new(says),
        })
    }

    async fn ready(&mut self) -> Result<()> {
        let mut line = String::new();
        self.says.read_line(&mut line).await?;
        ensure!(line == "ready\n", "a listener could not open its sockets");
        Ok(())
    }

    /// The end of its input is the end of its sockets.
    async fn end(mut self) -> Result<Vec<Heard>> {
        drop(self.child.stdin.take());
        let mut lines = String::new();
        self.says.read_to_string(&mut lines).await?;
        ensure!(self.child.wait().await?.success(), "a listener failed");
        lines.lines().map(str::parse).collect()
    }
}
