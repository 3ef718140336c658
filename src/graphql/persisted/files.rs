//! Documents as they lie in a folder: files of GraphQL, and the manifests that clients' compilers write.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use serde::Deserialize;
use serde_json::{Map, Value};

/// A document that was found.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// What it is called beside its hash.
    pub(super) id: Option<String>,
    pub(super) text: String,
    pub(super) file: PathBuf,
}

/// Apollo's.
#[derive(Deserialize)]
struct Manifest {
    format: String,
    operations: Vec<Operation>,
}

#[derive(Deserialize)]
struct Operation {
    id: String,
    body: String,
}

/// All documents of a folder, in the order of its files' names.
///
/// # Errors
/// A file that cannot be read, or a manifest that is none.
pub(super) fn read(folder: &Path) -> anyhow::Result<Vec<Entry>> {
    let listing = std::fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut files = Vec::new();
    for entry in listing {
        files.push(
            entry
                .with_context(|| format!("cannot read {}", folder.display()))?
                .path(),
        );
    }
    files.sort();
    let mut entries = Vec::new();
    for file in files {
        let extension = file.extension().and_then(|extension| extension.to_str());
        let text =
            || std::fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()));
        match extension {
            Some("graphql" | "gql") => {
                let name = file.file_stem().and_then(|name| name.to_str());
                entries.push(Entry {
                    id: name.map(str::to_owned),
                    text: text()?,
                    file,
                });
            }
            Some("json") => {
                let manifest = text()?;
                let found = manifest_of(&manifest).with_context(|| file.display().to_string())?;
                entries.extend(found.into_iter().map(|(id, text)| Entry {
                    id: Some(id),
                    text,
                    file: file.clone(),
                }));
            }
            _ => {}
        }
    }
    Ok(entries)
}

/// Ids and texts: `{"<id>": "<document>"}` as Relay and graphql-codegen write it, or Apollo's list.
fn manifest_of(text: &str) -> anyhow::Result<Vec<(String, String)>> {
    let map: Map<String, Value> =
        serde_json::from_str(text).context("is no manifest: it must be a JSON object")?;
    if map.contains_key("operations") {
        let manifest: Manifest =
            serde_json::from_value(Value::Object(map)).context("is no manifest of Apollo's")?;
        if manifest.format != "apollo-persisted-query-manifest" {
            bail!("has an unknown format, {:?}", manifest.format);
        }
        let pairs = manifest.operations.into_iter();
        return Ok(pairs.map(|operation| (operation.id, operation.body)).collect());
    }
    map.into_iter()
        .map(|(id, document)| match document {
            Value::String(text) => Ok((id, text)),
            _ => bail!("is no manifest: the document {id:?} must be a text"),
        })
        .collect()
}
