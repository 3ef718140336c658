//! The only operations that are executed, where the shop says so: read and checked at the start.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, anyhow, bail, ensure};
use async_graphql::{Request, ServerError};
use futures_util::FutureExt as _;

use super::HASH;
use super::files::{self, Entry};
use crate::graphql::document::{self, InputTypes, Known};
use crate::graphql::schema::{self, ShopSchema};
use crate::infra::secret::digest;
use crate::kernel::config::LimitsConfig;

#[derive(Debug)]
pub(super) struct Trusted {
    /// By ids, and by hashes.
    texts: HashMap<String, Arc<str>>,
    /// Of all texts, for clients that send one.
    hashes: HashSet<String>,
}

impl Trusted {
    /// What is parsed and checked here needs not be when it is asked for.
    ///
    /// # Errors
    /// A document that cannot be executed: its file, its line, and why.
    pub(super) fn read(
        folder: &Path,
        types: &InputTypes,
        limits: &LimitsConfig,
        known: &Known,
    ) -> anyhow::Result<Self> {
        let mut trusted = Self {
            texts: HashMap::new(),
            hashes: HashSet::new(),
        };
        let schema = schema::build_checking(limits);
        for entry in files::read(folder)? {
            check(&entry, &schema, types, limits, known)?;
            trusted.add(entry)?;
        }
        ensure!(
            !trusted.hashes.is_empty(),
            "{} has no documents: neither *.graphql nor a manifest *.json",
            folder.display()
        );
        Ok(trusted)
    }

    fn add(&mut self, Entry { id, text, file }: Entry) -> anyhow::Result<()> {
        let hash = digest(&text);
        // Editors end files with a line break that clients do not send.
        let trimmed = text.trim_end();
        if trimmed.len() < text.len() {
            let hash = digest(trimmed);
            self.texts
                .entry(hash.clone())
                .or_insert_with(|| trimmed.to_owned().into());
            self.hashes.insert(hash);
        }
        let text: Arc<str> = text.into();
        if let Some(id) = id {
            let id = id.strip_prefix(HASH).unwrap_or(&id).to_owned();
            let known = self.texts.insert(id.clone(), Arc::clone(&text));
            if known.is_some_and(|known| known.trim_end() != text.trim_end()) {
                bail!("{}: the id {id} is that of another document, too", file.display());
            }
        }
        self.texts.entry(hash.clone()).or_insert(text);
        self.hashes.insert(hash);
        Ok(())
    }

    pub(super) fn get(&self, id: &str) -> Option<Arc<str>> {
        self.texts.get(id).map(Arc::clone)
    }

    pub(super) fn has_text(&self, text: &str) -> bool {
        self.has_hash(&digest(text))
    }

    pub(super) fn has_hash(&self, hash: &str) -> bool {
        self.hashes.contains(hash)
    }
}

/// All operations of the document, as far as can be said without their variables.
fn check(
    entry: &Entry,
    schema: &ShopSchema,
    types: &InputTypes,
    limits: &LimitsConfig,
    known: &Known,
) -> anyhow::Result<()> {
    let wrong = |errors: &[ServerError]| {
        let error = errors.first();
        let line = error.and_then(|error| error.locations.first()).map(|at| at.line);
        let reason = error.map_or("is wrong", |error| error.message.as_str());
        let file = entry.file.display();
        let id = entry.id.as_deref().unwrap_or_default();
        match line {
            Some(line) if is_manifest(&entry.file) => anyhow!("{file}: document {id}, line {line}: {reason}"),
            None if is_manifest(&entry.file) => anyhow!("{file}: document {id}: {reason}"),
            Some(line) => anyhow!("{file}:{line}: {reason}"),
            None => anyhow!("{file}: {reason}"),
        }
    };
    let operations = document::examine(&entry.text, types, limits).map_err(|errors| wrong(&errors))?;
    let is_single = operations.len() == 1;
    for operation in operations {
        let (name, document) = operation.to_document();
        let mut request = Request::new(String::new());
        request.operation_name = name;
        request.set_parsed_query(document);
        let response = schema.execute(request).now_or_never();
        let errors = response.context("validation did not come to its end")?.errors;
        if !errors.is_empty() {
            return Err(wrong(&errors));
        }
        let operation = Arc::new(operation);
        let names = [operation.name(), None]
            .into_iter()
            .take(if is_single { 2 } else { 1 });
        for name in names {
            for text in [entry.text.as_str(), entry.text.trim_end()] {
                known.keep(text, name, &operation);
            }
        }
    }
    Ok(())
}

fn is_manifest(file: &Path) -> bool {
    file.extension().is_some_and(|extension| extension == "json")
}
