//! A grown shop for one test: what `scripts/cluster` starts, gone afterwards, however the test ends.

use std::collections::HashMap;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use super::TestDatabase;
use super::cluster::required;
use super::database::migrate;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/cluster");

/// Waits for the end of its standard input, which is the end of the test, and takes all down.
const GUARD: &str = r#"trap '' HUP INT TERM; cat >/dev/null; "$1" down --folder "$2""#;

/// What sets limits is not what these tests are about, and all their buyers have one address.
const SETTINGS: [(&str, &str); 5] = [
    ("SOUK_RATE_LIMIT_AUTH", "off"),
    ("SOUK_RATE_LIMIT_API", "off"),
    ("SOUK_RATE_LIMIT_STAFF", "off"),
    ("SOUK_RATE_LIMIT_PAYMENTS", "off"),
    ("SOUK_LOG", "warn"),
];

/// PostgreSQL with a replica, Redis, and maybe two souks.
pub(crate) struct Grown {
    folder: PathBuf,
    addresses: HashMap<String, String>,
    guard: Child,
}

impl Grown {
    /// None, and loudly so, where the programs for it are missing; in CI that is a failure.
    pub(crate) fn up(arguments: &[&str]) -> Option<Self> {
        let folder = tempfile::Builder::new().prefix("souk-grown-").tempdir().unwrap();
        let folder = folder.keep();
        let mut guard = Command::new("sh");
        guard
            .args(["-c", GUARD, "souk-test-cluster", SCRIPT])
            .arg(&folder);
        let guard = guard
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .process_group(0)
            .spawn()
            .unwrap();
        let mut grown = Self {
            folder,
            addresses: HashMap::new(),
            guard,
        };
        match grown.run(&[&["up"], arguments].concat()) {
            Ok(lines) => {
                let lines = lines.lines().filter_map(|line| line.split_once('='));
                let lines = lines.map(|(name, value)| (name.to_owned(), value.to_owned()));
                grown.addresses = lines.collect();
                Some(grown)
            }
            Err(problem) if problem.starts_with("cluster: no ") => {
                let text = format!(
                    "\n\nNO CLUSTER: a test on it is SKIPPED, though it is counted as passed.\n{problem}\n"
                );
                required(&text, &["CI"]);
                None
            }
            Err(problem) => panic!("{problem}"),
        }
    }

    /// What `up` said that this is.
    pub(crate) fn address(&self, name: &str) -> &str {
        &self.addresses[name]
    }

    /// The database, migrated, for shops of this process.
    pub(crate) async fn database(&self) -> TestDatabase {
        let url = self.address("DATABASE_URL").to_owned();
        migrate(&url).await;
        TestDatabase::Other(url)
    }

    /// Does something to a part of it, such as `postgres restart`.
    pub(crate) fn tell(&self, words: &str) {
        let words: Vec<&str> = words.split(' ').collect();
        self.run(&words)
            .unwrap_or_else(|problem| panic!("{words:?}: {problem}"));
    }

    /// The same while others go on.
    pub(crate) async fn tell_aside(&self, words: &str) {
        tokio::task::block_in_place(|| self.tell(words));
    }

    /// A token for this role, good at all instances.
    pub(crate) fn token(&self, role: &str) -> String {
        let mut command = Command::new(env!("CARGO_BIN_EXE_souk"));
        command
            .current_dir(&self.folder)
            .env_clear()
            .args(["user", "token", "--role", role]);
        for name in ["DATABASE_URL", "SOUK_JWT_SECRET", "SOUK_JWT_ISSUER"] {
            command.env(name, self.address(name));
        }
        let output = command.output().unwrap();
        let token = String::from_utf8(output.stdout).unwrap().trim().to_owned();
        assert!(!token.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
        token
    }

    fn run(&self, words: &[&str]) -> Result<String, String> {
        let mut command = Command::new(SCRIPT);
        command.args(words).arg("--folder").arg(&self.folder);
        command.env("SOUK_BIN", env!("CARGO_BIN_EXE_souk")).envs(SETTINGS);
        let output = command.stdin(Stdio::null()).output().unwrap();
        if output.status.success() {
            Ok(String::from_utf8(output.stdout).unwrap())
        } else {
            Err(String::from_utf8_lossy(&output.stderr).into_owned())
        }
    }
}

impl Drop for Grown {
    fn drop(&mut self) {
        drop(self.guard.stdin.take());
        // It says so itself when it cannot.
        let _ = self.guard.wait();
    }
}
