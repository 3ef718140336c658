//! A PostgreSQL server for the tests of this process, started by the first that needs one.
//!
//! * `SOUK_TEST_DATABASE_URL` names a server that runs already; its user must be allowed to create databases.
//! * Otherwise a temporary one is made of the programs in `SOUK_TEST_POSTGRES_BIN`, or of those that
//!   `pg_config` or Debian's folders have. It listens on nothing but a socket in its own folder.
//! * Without either, tests on PostgreSQL say so and pass, unless `CI` or `SOUK_TEST_REQUIRE_POSTGRES` is set.
//!
//! The server must not outlive the tests, however they end. A static is never dropped and a killed process
//! cleans nothing up, so a shell stands between: it waits for the end of its standard input, which is
//! the end of this process, stops the server and removes the folder.

use std::fmt::Write as _;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use sea_orm::sqlx::postgres::PgConnectOptions;
use sea_orm::{ConnectOptions, ConnectionTrait as _, Database, DatabaseConnection};

use super::database::migrate;

const TEMPLATE: &str = "template";
const START: Duration = Duration::from_secs(60);

/// `$1` the folder, `$2` the server's programs, `$3` the settings of the server.
const SHELL: &str = r#"
    trap '' HUP INT TERM
    if "$2/initdb" -N -A trust -U souk --locale=C.UTF-8 -E UTF8 -D "$1/data" >"$1/log" 2>&1; then
        "$2/postgres" -D "$1/data" -k "$1" $3 >>"$1/log" 2>&1 &
        server=$!
    fi
    cat >/dev/null
    # More than once: one that has only just started does not listen to signals yet.
    while [ "$server" ] && kill -QUIT "$server" 2>/dev/null; do sleep 0.1; done
    rm -rf "$1"
"#;

const SETTINGS: &str = "-c listen_addresses= -c fsync=off -c full_page_writes=off -c synchronous_commit=off \
                        -c max_connections=300 -c shared_buffers=64MB -c autovacuum=off";

/// A server with a migrated database to copy.
pub(crate) struct Cluster {
    address: Address,
    template: String,
    /// Never read: the shell lives as long as this process holds its standard input.
    _shell: Option<Child>,
}

enum Address {
    Socket(PathBuf),
    Url(String),
}

impl Cluster {
    /// The server of this process, or None when there is none to be had and that is all right.
    pub(crate) fn get() -> Option<&'static Self> {
        static CLUSTER: OnceLock<Option<Cluster>> = OnceLock::new();
        CLUSTER.get_or_init(|| on_own_thread(start)).as_ref()
    }

    /// The address of one of its databases.
    pub(crate) fn url(&self, database: &str) -> String {
        match &self.address {
            Address::Socket(folder) => {
                format!("postgres://souk@localhost/{database}?host={}", folder.display())
            }
            Address::Url(url) => {
                let mut url = url::Url::parse(url).expect("SOUK_TEST_DATABASE_URL is an address");
                url.set_path(database);
                url.into()
            }
        }
    }

    /// A new copy of the migrated database.
    pub(crate) async fn copy(&self, name: &str) {
        // PostgreSQL refuses to copy a database that somebody else is copying at that moment.
        static ONE_BY_ONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
        let _turn = ONE_BY_ONE.lock().await;
        self.administer(&format!(
            "CREATE DATABASE {name} TEMPLATE {} STRATEGY FILE_COPY",
            self.template
        ))
        .await;
    }

    pub(crate) async fn drop(&self, name: &str) {
        self.administer(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"))
            .await;
    }

    async fn administer(&self, sql: &str) {
        let connection = self.connect("postgres").await.expect("the server answers");
        connection
            .execute_unprepared(sql)
            .await
            .unwrap_or_else(|error| panic!("{sql}: {error}"));
        connection.close().await.unwrap();
    }

    async fn connect(&self, database: &str) -> Result<DatabaseConnection, sea_orm::DbErr> {
        let mut options = ConnectOptions::new(self.url(database));
        options.max_connections(1).sqlx_logging(false);
        options.map_sqlx_postgres_opts(|options: PgConnectOptions| options.application_name("souk tests"));
        Database::connect(options).await
    }
}

/// Each test has a runtime of its own, which ends with it; what outlives the test needs another.
pub(super) fn on_own_thread<T: Send + 'static, F: Future<Output = T> + 'static>(make: fn() -> F) -> T {
    let run = move || {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap()
            .block_on(make())
    };
    std::thread::spawn(run)
        .join()
        .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

async fn start() -> Option<Cluster> {
    let cluster = match setting("SOUK_TEST_DATABASE_URL") {
        Some(url) => {
            let template = format!("souk_test_template_{}", std::process::id());
            Cluster {
                address: Address::Url(url),
                template,
                _shell: None,
            }
        }
        None => start_temporary(&programs()?).await,
    };
    cluster
        .administer(&format!("DROP DATABASE IF EXISTS {}", cluster.template))
        .await;
    cluster
        .administer(&format!("CREATE DATABASE {}", cluster.template))
        .await;
    migrate(&cluster.url(&cluster.template)).await;
    Some(cluster)
}

async fn start_temporary(programs: &Path) -> Cluster {
    let folder = tempfile::Builder::new()
        .prefix("souk-postgres-")
        .tempdir()
        .unwrap();
    let mut shell = Command::new("sh");
    shell
        .args(["-c", SHELL, "souk-test-postgres"])
        .arg(folder.path())
        .arg(programs)
        .arg(SETTINGS);
    // Its own group: Ctrl-C in a terminal is for the tests, and their end is what stops the server.
    shell
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0);
    shell.env("LC_ALL", "C.UTF-8").current_dir(folder.path());
    if let Some((uid, gid)) = other_user() {
        chown(folder.path(), Some(uid), Some(gid)).unwrap();
        shell.uid(uid).gid(gid);
    }
    let mut child = shell.spawn().expect("sh starts");
    let folder = folder.keep();

    let cluster = Cluster {
        address: Address::Socket(folder.clone()),
        template: TEMPLATE.to_owned(),
        _shell: None,
    };
    let deadline = Instant::now() + START;
    loop {
        match cluster.connect("postgres").await {
            Ok(connection) => {
                connection.close().await.unwrap();
                return Cluster {
                    _shell: Some(child),
                    ..cluster
                };
            }
            Err(error) => {
                let log = std::fs::read_to_string(folder.join("log")).unwrap_or_default();
                let ended = log.contains("FATAL:  could not") || log.contains("initdb: error");
                if ended || Instant::now() > deadline || child.try_wait().unwrap().is_some() {
                    panic!("the PostgreSQL server of the tests does not start: {error}\n{log}");
                }
            }
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// PostgreSQL refuses to run as root: then it runs as the user that its package made.
fn other_user() -> Option<(u32, u32)> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let own = status.lines().find_map(|line| line.strip_prefix("Uid:"))?;
    if own.split_whitespace().next() != Some("0") {
        return None;
    }
    let users = std::fs::read_to_string("/etc/passwd").unwrap();
    let user = users
        .lines()
        .map(|line| line.split(':').collect::<Vec<_>>())
        .find(|user| user[0] == "postgres");
    let user = user.expect("a user `postgres` to run the server as, because root may not");
    Some((user[2].parse().unwrap(), user[3].parse().unwrap()))
}

/// The folder with `initdb` and `postgres`.
fn programs() -> Option<PathBuf> {
    let mut folders: Vec<PathBuf> = setting("SOUK_TEST_POSTGRES_BIN")
        .map(PathBuf::from)
        .into_iter()
        .collect();
    if let Ok(output) = Command::new("pg_config").arg("--bindir").output() {
        folders.push(String::from_utf8_lossy(&output.stdout).trim().into());
    }
    if let Ok(versions) = std::fs::read_dir("/usr/lib/postgresql") {
        let mut found: Vec<_> = versions
            .flatten()
            .map(|version| version.path().join("bin"))
            .collect();
        found.sort();
        folders.extend(found.into_iter().rev());
    }
    let found = folders
        .iter()
        .find(|folder| folder.join("initdb").is_file() && folder.join("postgres").is_file());
    if found.is_none() {
        say_that_it_is_missing(&folders);
    }
    found.cloned()
}

fn say_that_it_is_missing(folders: &[PathBuf]) {
    let mut text =
        String::from("\n\nNO POSTGRESQL: the tests on it are SKIPPED, though they are counted as passed.\n");
    text.push_str("Install its server (Debian: apt-get install postgresql), or set SOUK_TEST_POSTGRES_BIN or SOUK_TEST_DATABASE_URL.\n");
    for folder in folders {
        writeln!(text, "  looked in {}", folder.display()).unwrap();
    }
    required(&text, &["CI", "SOUK_TEST_REQUIRE_POSTGRES"]);
}

/// Something is missing: a failure where one of these is set, and said aloud everywhere else.
pub(super) fn required(text: &str, settings: &[&str]) {
    let required = settings.iter().find(|name| setting(name).is_some());
    assert!(
        required.is_none(),
        "{text}{} is set, so this is a failure.",
        required.unwrap_or(&"")
    );
    // Past the test runner, which hides what tests that pass print.
    std::io::Write::write_all(&mut std::io::stderr(), text.as_bytes()).unwrap();
}

#[expect(
    clippy::disallowed_methods,
    reason = "settings of the tests, not of the program"
)]
fn setting(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
