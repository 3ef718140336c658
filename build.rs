//! Embeds `GraphiQL` when `scripts/graphiql-build` has fetched it, so that `/graphiql` works without the internet.
//!
//! Building must not need Node. Without `graphiql/dist` the same list, `graphiql/assets.txt`, gives the page pinned
//! versions and hashes to load from a CDN instead. The list is a plain table so that nothing here needs a parser.

use std::error::Error;
use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs};

#[expect(
    clippy::disallowed_methods,
    reason = "cargo speaks to build scripts by the environment"
)]
fn main() -> Result<(), Box<dyn Error>> {
    // `dist` is checked in as an empty folder: a watched path that does not exist would rebuild the crate each time.
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=graphiql/assets.txt");
    println!("cargo::rerun-if-changed=graphiql/dist");

    let root = env::var("CARGO_MANIFEST_DIR")?;
    let dist = Path::new(&root).join("graphiql/dist");
    let list = fs::read_to_string(Path::new(&root).join("graphiql/assets.txt"))?;

    // The npm build writes this stamp last; another one belongs to an older list, whose hashes would not match.
    let embed = match fs::read_to_string(dist.join("assets.txt")) {
        Ok(stamp) if stamp == list => true,
        Ok(_) => {
            println!("cargo::warning=graphiql/dist is out of date and left out: run scripts/graphiql-build");
            false
        }
        Err(_) => false,
    };

    let mut assets = String::new();
    for line in list
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
    {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let [name, package, version, path, integrity] = fields[..] else {
            return Err(format!("graphiql/assets.txt: expected five columns: {line}").into());
        };
        let (stem, extension) = name
            .split_once('.')
            .ok_or("graphiql/assets.txt: a name without an extension")?;
        let content_type = match extension {
            "js" => "text/javascript; charset=utf-8",
            "css" => "text/css; charset=utf-8",
            other => return Err(format!("graphiql/assets.txt: no content type for .{other}").into()),
        };
        let hash: String = integrity
            .trim_start_matches("sha384-")
            .chars()
            .filter(char::is_ascii_alphanumeric)
            .take(16)
            .collect();
        writeln!(
            assets,
            "    Asset {{ name: {:?}, content_type: {content_type:?}, integrity: {integrity:?}, cdn: {:?}, body: {} }},",
            format!("{stem}-{version}-{hash}.{extension}"),
            format!("https://cdn.jsdelivr.net/npm/{package}@{version}/{path}"),
            included(&dist.join(name), embed),
        )?;
    }

    let generated = format!(
        "Bundle {{\n  assets: &[\n{assets}  ],\n  licenses: {},\n}}\n",
        included(&dist.join("licenses.txt"), embed)
    );
    fs::write(Path::new(&env::var("OUT_DIR")?).join("graphiql.rs"), generated)?;
    Ok(())
}

fn included(file: &Path, embed: bool) -> String {
    if embed {
        format!("Some(include_bytes!({file:?}))")
    } else {
        "None".to_owned()
    }
}
