//! The binary as a process of its own, that can be killed.

use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// A running `souk serve`; killed when dropped.
pub(crate) struct Process {
    child: Child,
    pub(crate) address: String,
}

/// The binary, with nothing of this environment.
pub(crate) fn souk(folder: &Path, database: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_souk"));
    command
        .current_dir(folder)
        .env_clear()
        .env("DATABASE_URL", database)
        .env("SOUK_JWT_SECRET", "0e1c87b3a95d42f6b8d7c1e05f3a2946")
        // Else it depends on the port, which tokens made by another command do not know.
        .env("SOUK_JWT_ISSUER", "souk tests")
        .env("SOUK_LOG", "error")
        .envs(["API", "STAFF", "PAYMENTS"].map(|name| (format!("SOUK_RATE_LIMIT_{name}"), "off")))
        .stdin(Stdio::null());
    command
}

/// A client without TLS, which asks for somebody who could do it all the same.
pub(crate) fn client() -> reqwest::Client {
    // Refused when another test was first, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::new()
}

/// A port that nobody listens on.
pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

impl Process {
    /// Starts on this port, and returns once it listens.
    pub(crate) fn serve(folder: &Path, database: &str, port: u16, settings: &[(&str, &str)]) -> Self {
        Self::serve_and_log(folder, database, port, settings, Stdio::inherit())
    }

    /// The same, which logs to there.
    pub(crate) fn serve_and_log(
        folder: &Path,
        database: &str,
        port: u16,
        settings: &[(&str, &str)],
        log: Stdio,
    ) -> Self {
        let address = format!("127.0.0.1:{port}");
        let mut child = souk(folder, database)
            .arg("serve")
            .env("SOUK_LISTEN", &address)
            .envs(settings.iter().copied())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        out.read_line(&mut line).unwrap();
        assert!(
            line.starts_with("GraphiQL: "),
            "it says {line:?} and not where it listens"
        );
        Self { child, address }
    }

    /// SIGTERM: it finishes what it has begun.
    pub(crate) fn terminate(&self) {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args(["-TERM", &id]).status();
        assert!(sent.unwrap().success());
    }

    /// How it ends, which takes it a while.
    pub(crate) fn ended(mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }

    /// SIGTERM, and the end of what is in flight.
    pub(crate) fn stop(self) {
        self.terminate();
        assert_eq!(self.ended(), Some(0));
    }

    /// The most memory that it has ever had, in KiB.
    pub(crate) fn peak_memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        line.unwrap().trim().trim_end_matches(" kB").parse().unwrap()
    }

    /// SIGKILL: nothing can be done about it.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have been killed already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
