//! W4: so many clients place an order of three lines and pay it, over connections that are kept. What can be prepared (the
//! carts) is, before the clock starts; every order and every payment has an idempotency key of its own.

mod bare;
mod client;
mod shop;

use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use clap::{Args, ValueEnum};
use hdrhistogram::Histogram;
use serde_json::json;
use tokio::task::JoinSet;

use client::Client;

/// The variants that are bought: enough that two orders seldom meet.
const MOST_VARIANTS: usize = 3_000;
const LINES: usize = 3;

#[derive(Args)]
pub(crate) struct Arguments {
    /// What answers there
    #[arg(long)]
    target: Target,
    #[arg(long)]
    address: SocketAddr,
    #[arg(long, default_value_t = 64)]
    clients: usize,
    /// Checkouts that are timed
    #[arg(long, default_value_t = 5_000)]
    orders: usize,
    /// Checkouts before them
    #[arg(long, default_value_t = 500)]
    warm_up: usize,
    /// Everybody buys one variant, and two that differ
    #[arg(long)]
    hot: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Target {
    Souk,
    /// `souk-bench serve --checkout`
    Bare,
}

pub(crate) fn run(arguments: Arguments) -> anyhow::Result<()> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(measure(Arc::new(arguments)))
}

async fn measure(arguments: Arc<Arguments>) -> anyhow::Result<()> {
    let mut client = Client::connect(arguments.address).await?;
    let variants = match arguments.target {
        Target::Souk => shop::variants(&mut client, MOST_VARIANTS).await?,
        Target::Bare => bare::variants(&mut client).await?,
    };
    anyhow::ensure!(variants.len() > LINES, "too few variants for three lines");
    let total = arguments.warm_up + arguments.orders;
    let baskets: Vec<Basket> = (0..total)
        .map(|number| Basket(basket(&variants, number, arguments.hot)))
        .collect();
    let bodies: Vec<Ready> = match arguments.target {
        Target::Souk => all(&arguments, 0..total, Arc::new(baskets), fill_cart).await?.0,
        Target::Bare => baskets
            .iter()
            .map(|basket| Ready::Bare(bare::order(&basket.0)))
            .collect(),
    };
    let bodies = Arc::new(bodies);
    let warm_up = 0..arguments.warm_up;
    all(&arguments, warm_up, Arc::clone(&bodies), check_out).await?;
    let begun = Instant::now();
    let (_, times) = all(&arguments, arguments.warm_up..total, bodies, check_out).await?;
    let seconds = begun.elapsed().as_secs_f64();
    let report = json!({
        "checkouts": times.len(),
        "seconds": seconds,
        "aSecond": f64::from(u32::try_from(times.len())?) / seconds,
        "p50": milliseconds(times.value_at_quantile(0.5)),
        "p99": milliseconds(times.value_at_quantile(0.99)),
    });
    writeln!(io::stdout(), "{report}")?;
    Ok(())
}

fn milliseconds(microseconds: u64) -> f64 {
    std::time::Duration::from_micros(microseconds).as_secs_f64() * 1_000.0
}

/// The variants of an order: strided, so that neighbours in time share none.
fn basket(variants: &[String], number: usize, hot: bool) -> Vec<String> {
    let spread = variants.iter().cycle().skip(1 + number * LINES % variants.len());
    let (hot, others) = if hot { (1, LINES - 1) } else { (0, LINES) };
    let hot = variants.iter().take(hot);
    // Two lines of one variant would be one line.
    let others = spread.filter(|one| variants.first() != Some(*one)).take(others);
    hot.chain(others).cloned().collect()
}

/// The variants of one order.
struct Basket(Vec<String>);

/// What one checkout sends.
enum Ready {
    /// The body that places the order; the one that pays it is made of the answer.
    Souk(String),
    Bare(String),
}

async fn fill_cart(client: &mut Client, basket: &Basket) -> anyhow::Result<Ready> {
    Ok(Ready::Souk(shop::fill_cart(client, &basket.0).await?))
}

async fn check_out(client: &mut Client, ready: &Ready) -> anyhow::Result<()> {
    match ready {
        Ready::Souk(place) => shop::check_out(client, place).await,
        Ready::Bare(order) => bare::check_out(client, order).await,
    }
}

/// Does something with each item, by all clients at once; what came of each, and how many microseconds each took.
async fn all<I, R, F>(
    arguments: &Arc<Arguments>,
    range: std::ops::Range<usize>,
    items: Arc<Vec<I>>,
    work: F,
) -> anyhow::Result<(Vec<R>, Histogram<u64>)>
where
    I: Send + Sync + 'static,
    R: Send + 'static,
    F: AsyncFn(&mut Client, &I) -> anyhow::Result<R> + Clone + 'static,
{
    let next = Arc::new(AtomicUsize::new(range.start));
    let local = tokio::task::LocalSet::new();
    let mut clients = JoinSet::new();
    for _ in 0..arguments.clients {
        let (next, items, work) = (Arc::clone(&next), Arc::clone(&items), work.clone());
        let mut client = Client::connect(arguments.address).await?;
        let worker = async move {
            let (mut results, mut times) = (Vec::new(), Histogram::<u64>::new(3)?);
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                let Some(item) = items.get(number).filter(|_| number < range.end) else {
                    return anyhow::Ok((results, times));
                };
                let begun = Instant::now();
                let result = work(&mut client, item).await?;
                times.record(u64::try_from(begun.elapsed().as_micros())?.max(1))?;
                results.push(result);
            }
        };
        clients.spawn_local_on(worker, &local);
    }
    let mut results = Vec::new();
    let mut times = Histogram::<u64>::new(3)?;
    local
        .run_until(async {
            while let Some(finished) = clients.join_next().await {
                let (more, took) = finished??;
                results.extend(more);
                times.add(&took)?;
            }
            anyhow::Ok(())
        })
        .await?;
    Ok((results, times))
}
