//! `souk export`: products as the file of another shop.

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use super::exchange::currency;
use super::platform;
use crate::domain::context::Context;
use crate::domain::exchange::shopify::{Lossy, export};
use crate::kernel::actor::{Actor, Origin};
use crate::kernel::config::Config;
use crate::kernel::money::Currency;

#[derive(Debug, clap::Args)]
pub struct ExportArgs {
    #[command(subcommand)]
    to: To,
}

#[derive(Debug, clap::Subcommand)]
enum To {
    /// A product file of Shopify (CSV): importing it into this shop changes nothing
    Shopify(ShopifyArgs),
}

#[derive(Debug, clap::Args)]
struct ShopifyArgs {
    /// The CSV file to write; it is replaced when all is written
    file: PathBuf,
    /// Only the products priced in this currency (ISO 4217), where the shop has several
    #[arg(long, value_parser = currency)]
    currency: Option<Currency>,
}

/// Says what of the shop the file could not take.
fn warn(lossy: Lossy) -> io::Result<()> {
    let mut err = io::stderr().lock();
    for (number, what) in [
        (
            lossy.split_tags,
            "tags that hold a comma: whoever reads the file takes each for several",
        ),
        (
            lossy.titles,
            "variants with a title of their own, which the file has no column for",
        ),
        (
            lossy.split_categories,
            "products in categories with > in their names: whoever reads the file takes each name for several",
        ),
    ] {
        if number > 0 {
            writeln!(err, "warning: {number} {what}")?;
        }
    }
    Ok(())
}

/// # Errors
/// When the file cannot be written, or the database does not do.
pub async fn run(args: ExportArgs, config: Config) -> anyhow::Result<ExitCode> {
    let To::Shopify(args) = args.to;
    let platform = platform(&config).await?;
    // Once is enough: a replica that is well then has all that was there when the command was given.
    platform.db.look_at_replica().await;
    let context = Context::reading(Actor::System, Origin::default(), platform);
    let exported = export(&context, &args.file, args.currency).await?;
    let mut out = io::stdout().lock();
    writeln!(
        out,
        "Exported {} products, {} variants, {} images, priced in {}, to {}",
        exported.products,
        exported.variants,
        exported.images,
        exported.currency,
        args.file.display()
    )?;
    warn(exported.lossy)?;
    Ok(ExitCode::SUCCESS)
}
