//! The list of metrics against everything that names them: the manual, the alerts, the dashboard.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use souk::infra::metric::{Kind, METRICS, Metric};

pub(super) fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// A metric's line in the manual.
fn line(metric: &Metric) -> String {
    let kind = match metric.kind {
        Kind::Counter => "counter",
        Kind::Gauge => "gauge",
        Kind::Histogram(_) => "histogram",
    };
    let labels: Vec<String> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
    let labels = if labels.is_empty() {
        "–".to_owned()
    } else {
        labels.join(", ")
    };
    format!("| `{}` | {kind} | {labels} | {} |", metric.name, metric.meaning)
}

#[test]
fn the_manual_has_each_metric_and_no_other() {
    let manual = read("docs/OPERATIONS.md");
    let written: BTreeSet<&str> = manual
        .lines()
        .filter(|line| line.starts_with("| `souk_"))
        .collect();
    let lines: Vec<String> = METRICS.iter().map(line).collect();
    let expected: BTreeSet<&str> = lines.iter().map(String::as_str).collect();
    assert_eq!(written, expected);
}

/// All words in a text that are names of metrics, as far as they look.
pub(super) fn named(text: &str) -> BTreeSet<&str> {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .filter(|word| word.starts_with("souk_"))
        .collect()
}

/// The metric that a series is of.
pub(super) fn metric(series: &str) -> Option<&'static Metric> {
    METRICS.iter().find(|metric| match metric.kind {
        Kind::Counter | Kind::Gauge => series == metric.name,
        Kind::Histogram(_) => ["_bucket", "_sum", "_count"]
            .iter()
            .any(|end| series.strip_suffix(end) == Some(metric.name)),
    })
}

#[test]
fn alerts_and_dashboard_name_metrics_that_there_are() {
    for (file, least) in [
        ("deploy/prometheus/alerts.yml", 10),
        ("deploy/prometheus/alerts_test.yml", 10),
        ("deploy/grafana/dashboards/souk.json", 25),
        ("deploy/kubernetes/autoscaling.yaml", 1),
    ] {
        let text = read(file);
        let named = named(&text);
        assert!(named.len() >= least, "{file} names {named:?}");
        let strange: Vec<_> = named.iter().filter(|name| metric(name).is_none()).collect();
        assert!(strange.is_empty(), "{file}: {strange:?}");
    }
    let manual = read("docs/OPERATIONS.md");
    for name in named(&manual) {
        assert!(
            METRICS.iter().any(|metric| metric.name == name),
            "the manual names {name}"
        );
    }
    let dashboard: serde_json::Value =
        serde_json::from_str(&read("deploy/grafana/dashboards/souk.json")).unwrap();
    assert_eq!(dashboard["title"], "Souk");
}

/// All files below a folder of the sources.
fn sources(folder: &Path) -> String {
    let mut all = String::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all += &sources(&path);
        } else {
            all += &std::fs::read_to_string(&path).unwrap_or_default();
        }
    }
    all
}

#[test]
fn the_manual_has_each_kind_of_refusal() {
    let (manual, program) = (read("docs/OPERATIONS.md"), sources(&root().join("src")));
    let (_, refusals) = manual.split_once("### SoukRefusals").unwrap();
    let (refusals, _) = refusals.split_once("\n### ").unwrap();
    let counted: Vec<&str> = program
        .split("RATE_LIMIT_REFUSALS.counter([\"")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .collect();
    assert!(counted.len() >= 5, "{counted:?}");
    for kind in counted {
        assert!(
            refusals.contains(&format!("`{kind}`")),
            "the manual has no {kind}"
        );
    }
}

#[test]
fn every_alert_is_tested_both_ways_and_says_what_to_do() {
    let (alerts, tests, manual) = (
        read("deploy/prometheus/alerts.yml"),
        read("deploy/prometheus/alerts_test.yml"),
        read("docs/OPERATIONS.md"),
    );
    let names: Vec<&str> = alerts
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- alert: "))
        .collect();
    assert!(names.len() > 10, "{names:?}");
    for name in names {
        for kind in ["fires", "is quiet"] {
            assert!(
                tests.contains(&format!("- name: {name} {kind}\n")),
                "{name} {kind}"
            );
        }
        let fires = format!("alertname: {name}\n        exp_alerts:\n          - exp_labels");
        let quiet = format!("alertname: {name}\n        exp_alerts: []");
        assert!(tests.contains(&fires) && tests.contains(&quiet), "{name}");
        assert!(manual.contains(&format!("\n### {name}\n")), "{name}");
        assert!(
            alerts.contains(&format!("docs/OPERATIONS.md#{}'", name.to_lowercase())),
            "{name}"
        );
    }
    assert!(Path::new(&root().join("deploy/prometheus/prometheus.yml")).exists());
}
