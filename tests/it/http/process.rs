//! The binary: how it starts, what it says, and how it ends.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

fn souk(folder: &TempDir) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_souk"));
    command
        .current_dir(folder.path())
        .env_clear()
        .stdin(Stdio::null());
    command
}

fn output(folder: &TempDir, arguments: &[&str], settings: &[(&str, &str)]) -> (Option<i32>, String, String) {
    let Output {
        status,
        stdout,
        stderr,
    } = souk(folder)
        .args(arguments)
        .envs(settings.iter().copied())
        .output()
        .unwrap();
    (
        status.code(),
        String::from_utf8(stdout).unwrap(),
        String::from_utf8(stderr).unwrap(),
    )
}

fn wait_for(child: &mut Child) -> Option<i32> {
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(20) {
        if let Some(status) = child.try_wait().unwrap() {
            return status.code();
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    child.kill().unwrap();
    panic!("it does not end");
}

#[test]
fn a_bad_setting_is_named_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    for (setting, value, expected) in [
        ("SOUK_LISTEN", "nonsense", "souk: SOUK_LISTEN: "),
        (
            "SOUK_LISTE",
            "127.0.0.1:1",
            "souk: SOUK_LISTE is not a setting, did you mean SOUK_LISTEN?",
        ),
        ("DATABASE_URL", "mysql://x", "souk: DATABASE_URL: "),
        (
            "DATABASE_URL",
            "sqlite:///nowhere/souk.db",
            "souk: DATABASE_URL: ",
        ),
        ("SOUK_ENV", "production", "souk: SOUK_JWT_SECRET: "),
        ("SOUK_LOG", "=[", "souk: SOUK_LOG: "),
    ] {
        let mut settings = vec![("SOUK_LISTEN", "127.0.0.1:0")];
        settings.push((setting, value));
        let (status, stdout, stderr) = output(&folder, &["serve"], &settings);
        assert_eq!(status, Some(1), "{setting}={value}: {stderr}");
        assert!(stderr.starts_with(expected), "{setting}={value}: {stderr}");
        assert_eq!((stderr.lines().count(), stdout.as_str()), (1, ""), "{stderr}");
    }
}

#[test]
fn what_may_be_a_mistake_about_gateways_is_warned_about() {
    let folder = tempfile::tempdir().unwrap();
    let settings = [
        ("STRIPE_API_KEY", "sk_test_ofAnotherProgram"),
        ("STRIPE_SECRET_KEY", "sk_test_ofThisShop"),
        ("STRIPE_PUBLISHABLE_KEY", "pk_test_ofThisShop"),
        ("STRIPE_WEBHOOK_SECRET", "whsec_ofThisShop"),
        ("SOUK_ENV", "production"),
        ("SOUK_JWT_SECRET", "f2b7c0d94e6a18355d7fa1c3b8e09264"),
        ("DATABASE_URL", "sqlite:///nowhere/souk.db"),
    ];
    for (command, warned) in [("worker", true), ("serve", true), ("migrate", false)] {
        let arguments: &[&str] = match command {
            "migrate" => &["migrate", "status"],
            command => &[command],
        };
        let settings = [&settings[..], &[("SOUK_LISTEN", "127.0.0.1:0")]].concat();
        let (_, _, stderr) = output(&folder, arguments, &settings);
        for part in ["STRIPE_API_KEY", "STRIPE_SECRET_KEY is of Stripe's test mode"] {
            assert_eq!(stderr.contains(part), warned, "{command}: {stderr}");
        }
        assert!(!stderr.contains("_of"), "{stderr}");
    }
}

#[test]
fn wrong_usage_is_told_apart_from_failure() {
    let folder = tempfile::tempdir().unwrap();
    for arguments in [
        &["nonsense"][..],
        &["migrate"],
        &["migrate", "down", "--steps", "0"],
        &["user", "token"],
        &["user", "token", "--role", "king"],
    ] {
        assert_eq!(output(&folder, arguments, &[]).0, Some(2), "{arguments:?}");
    }
    assert_eq!(output(&folder, &["serve", "--help"], &[]).0, Some(0));
    assert!(output(&folder, &["schema"], &[]).1.contains("type Query {"));
}

#[test]
fn migrations_go_up_and_down() {
    let folder = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| output(&folder, arguments, &[("SOUK_LOG", "error")]);
    assert_eq!(run(&["migrate", "status"]).0, Some(1));
    assert_eq!(run(&["migrate", "up"]).0, Some(0));
    let (status, steps, _) = run(&["migrate", "status"]);
    assert!(
        status == Some(0) && steps.lines().all(|line| line.starts_with("taken")),
        "{steps}"
    );
    let all = steps.lines().count().to_string();
    assert_eq!(run(&["migrate", "down", "--steps", &all]).0, Some(0));
    assert_eq!(run(&["migrate", "up"]).0, Some(0));
}

#[test]
fn tokens_are_printed_in_development_only() {
    let folder = tempfile::tempdir().unwrap();
    let (status, token, _) = output(&folder, &["user", "token", "--role", "staff"], &[]);
    assert_eq!((status, token.trim().split('.').count()), (Some(0), 3));
    let settings = [
        ("SOUK_ENV", "production"),
        ("SOUK_JWT_SECRET", "0e1c87b3a95d42f6b8d7c1e05f3a2946"),
    ];
    let (status, token, stderr) = output(&folder, &["user", "token", "--role", "staff"], &settings);
    assert_eq!((status, token.as_str()), (Some(1), ""));
    assert!(stderr.contains("development only"), "{stderr}");
}

#[cfg(unix)]
#[test]
fn a_signal_lets_what_is_in_flight_finish() {
    for signal in ["-TERM", "-INT"] {
        let folder = tempfile::tempdir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let address = format!("127.0.0.1:{port}");
        let mut child = souk(&folder)
            .env("SOUK_LISTEN", &address)
            .env("SOUK_LOG", "error")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        assert_eq!(line, format!("GraphiQL: http://localhost:{port}/graphiql\n"));

        let body = r#"{"query": "{ products(first: 3) { totalCount } }"}"#;
        let mut stream = TcpStream::connect(&address).unwrap();
        write!(stream, "POST /graphql HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n", body.len()).unwrap();
        // Once it asks for the body, the request is in flight.
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        for expected in ["HTTP/1.1 100 Continue\r\n", "\r\n"] {
            let mut line = String::new();
            reader.read_line(&mut line).unwrap();
            assert_eq!(line, expected);
        }
        stream.write_all(&body.as_bytes()[..10]).unwrap();
        assert!(
            Command::new("kill")
                .args([signal, &child.id().to_string()])
                .status()
                .unwrap()
                .success()
        );
        let signalled = Instant::now();
        while TcpStream::connect(&address).is_ok() {
            assert!(
                signalled.elapsed() < Duration::from_secs(20),
                "somebody still listens"
            );
            std::thread::sleep(Duration::from_millis(20));
        }
        assert_eq!(child.try_wait().unwrap(), None, "it waits for the request");
        stream.write_all(&body.as_bytes()[10..]).unwrap();
        let mut answer = String::new();
        reader.read_to_string(&mut answer).unwrap();
        assert!(
            answer.starts_with("HTTP/1.1 200") && answer.contains("\"totalCount\":"),
            "{answer}"
        );
        assert_eq!(wait_for(&mut child), Some(0), "{signal}");
    }
}

#[test]
fn a_worker_works_until_it_is_told_to_stop() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = souk(&folder)
        .arg("worker")
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut log = BufReader::new(child.stderr.take().unwrap()).lines();
    assert!(log.any(|line| line.unwrap().contains("working")));
    assert_eq!(child.try_wait().unwrap(), None);
    let kill = Command::new("kill")
        .args(["-TERM", &child.id().to_string()])
        .status();
    assert!(kill.unwrap().success());
    assert_eq!(wait_for(&mut child), Some(0));
    let rest: Vec<String> = log.map(Result::unwrap).collect();
    assert!(rest.iter().any(|line| line.contains("stopping")), "{rest:?}");
    assert!(
        !rest
            .iter()
            .any(|line| line.contains("WARN") || line.contains("ERROR")),
        "{rest:?}"
    );
}

/// Starts under limits on open files, and reads the log until it listens.
#[cfg(target_os = "linux")]
fn log_under(limits: &str) -> (Vec<String>, String) {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new("/bin/sh");
    let script = format!("{limits}; exec \"$0\" serve");
    let mut child = command
        .args(["-c", &script, env!("CARGO_BIN_EXE_souk")])
        .current_dir(folder.path())
        .env_clear()
        .env("SOUK_LISTEN", "127.0.0.1:0")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let mut log = Vec::new();
    for line in lines {
        log.push(line.unwrap());
        if log.last().is_some_and(|line| line.contains("listening")) {
            break;
        }
    }
    let files = std::fs::read_to_string(format!("/proc/{}/limits", child.id())).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    let files = files
        .lines()
        .find(|line| line.starts_with("Max open files"))
        .unwrap();
    (log, files.to_owned())
}

#[cfg(target_os = "linux")]
#[test]
fn connections_are_no_more_than_the_files_the_system_allows() {
    let (log, files) = log_under("ulimit -Sn 200 && ulimit -Hn 300");
    let files: Vec<&str> = files.split_whitespace().collect();
    assert_eq!(files[3..5], ["300", "300"]);
    let warnings: Vec<&String> = log
        .iter()
        .filter(|line| line.contains("SOUK_LIMIT_CONNECTIONS"))
        .collect();
    assert_eq!(warnings.len(), 1, "{log:#?}");
    assert!(
        warnings[0].contains("WARN") && warnings[0].contains("172 instead of 10000"),
        "{log:#?}"
    );
}
