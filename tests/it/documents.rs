//! What the documents promise is there.

use std::path::Path;

use souk::kernel::config::SETTINGS;

fn read(file: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap()
}

/// The row of the README's table that a setting should have.
fn row(name: &str, default: &str, meaning: &str) -> String {
    let default = if default.is_empty() {
        "–".to_owned()
    } else {
        format!("`{default}`")
    };
    format!("| `{name}` | {default} | {meaning} |")
}

/// What the names of settings begin with.
const SETTINGS_OF: &[&str] = &["SOUK", "DATABASE", "REDIS", "STRIPE", "PAYPAL", "MPESA", "OTEL"];

#[test]
fn the_readme_lists_every_setting_and_no_other() {
    let readme = read("README.md");
    let table: Vec<&str> = readme
        .lines()
        .filter(|line| {
            SETTINGS_OF
                .iter()
                .any(|start| line.starts_with(&format!("| `{start}_")))
        })
        .collect();
    let settings: Vec<String> = SETTINGS
        .iter()
        .map(|s| row(s.name, s.default, s.meaning))
        .collect();
    assert_eq!(table, settings);
}

#[test]
fn links_between_documents_lead_somewhere() {
    for file in [
        "README.md",
        "CONTRIBUTING.md",
        "CHANGELOG.md",
        "docs/ARCHITECTURE.md",
        "docs/API-DESIGN.md",
    ] {
        let text = read(file);
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
        let folder = folder.parent().unwrap();
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let target = link.split('#').next().unwrap();
            if !target.is_empty() && !target.contains("://") {
                assert!(folder.join(target).exists(), "{file}: {link}");
            }
        }
    }
}

#[test]
fn the_readme_and_ci_run_the_same_tests() {
    let command = "cargo test --workspace";
    assert!(read("README.md").contains(&format!("$ {command}\n")));
    assert!(read(".ci/run").contains(&format!("step \"tests\" {command}\n")));
}
