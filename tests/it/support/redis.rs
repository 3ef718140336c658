//! A Redis server for one test: on a free port, without a file, stopped, started and frozen as the test likes.
//!
//! It must not outlive the tests, however they end. So a shell stands between, as with PostgreSQL: the end of its standard
//! input, which is the end of this process, ends the server.

use std::fmt::Write as _;
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use super::cluster::required;

const START: Duration = Duration::from_secs(30);

/// `$1` the program, `$2` the port. The server says `$!` to whoever wants to freeze it.
const SHELL: &str = r#"
    trap '' HUP INT TERM
    "$1" --port "$2" --bind 127.0.0.1 --save '' --appendonly no --protected-mode no >/dev/null 2>&1 &
    echo $!
    cat >/dev/null
    kill -CONT $! 2>/dev/null
    kill -KILL $! 2>/dev/null
    wait $!
"#;

/// A server; gone when dropped.
pub(crate) struct RedisServer {
    program: PathBuf,
    port: u16,
    running: Option<Running>,
}

struct Running {
    shell: Child,
    input: Option<ChildStdin>,
    server: String,
}

impl RedisServer {
    /// None when there is none to be had and that is all right.
    pub(crate) fn new() -> Option<Self> {
        let program = program()?;
        // Free for now. Who takes it in between makes the test fail, and never lie.
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let mut server = Self {
            program,
            port,
            running: None,
        };
        server.start();
        Some(server)
    }

    /// What `REDIS_URL` is for it.
    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/0", self.port)
    }

    pub(crate) fn start(&mut self) {
        assert!(self.running.is_none(), "it runs already");
        let mut shell = Command::new("sh");
        shell.args(["-c", SHELL, "souk-test-redis"]);
        shell.arg(&self.program).arg(self.port.to_string());
        shell
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0)
            .current_dir(std::env::temp_dir());
        let mut shell = shell.spawn().expect("sh starts");
        let mut server = String::new();
        let out = shell.stdout.take().unwrap();
        std::io::BufRead::read_line(&mut std::io::BufReader::new(out), &mut server).unwrap();
        self.running = Some(Running {
            input: shell.stdin.take(),
            shell,
            server: server.trim().to_owned(),
        });
        let deadline = Instant::now() + START;
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            assert!(Instant::now() < deadline, "redis-server does not start");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Its connections are cut, and everything that it knew is gone.
    pub(crate) fn stop(&mut self) {
        self.running = None;
    }

    /// Its connections stay, and nothing is answered.
    pub(crate) fn freeze(&self) {
        self.signal("-STOP");
    }

    pub(crate) fn thaw(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        let server = &self.running.as_ref().expect("it runs").server;
        let done = Command::new("kill").args([signal, server]).status().unwrap();
        assert!(done.success());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.input.take());
        let _ = self.shell.wait();
    }
}

fn program() -> Option<PathBuf> {
    let folders = ["/usr/bin", "/usr/local/bin", "/opt/homebrew/bin"];
    let names = ["redis-server", "valkey-server"];
    let mut places = folders
        .iter()
        .flat_map(|folder| names.map(|name| PathBuf::from(folder).join(name)));
    let found = places.find(|place| place.is_file());
    if found.is_none() {
        let mut text =
            String::from("\n\nNO REDIS: the tests with it are SKIPPED, though they are counted as passed.\n");
        writeln!(text, "Install it (Debian: apt-get install redis-server).").unwrap();
        required(&text, &["CI"]);
    }
    found
}
