//! `souk user`, and the demo shop's log-ins: the binary itself.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use crate::support::{As, Shop};

const PASSWORD: &str = "seven wet camels sang";
const SECRET: &str = "0e1c87b3a95d42f6b8d7c1e05f3a2946";

fn souk(folder: &Path, arguments: &[&str], settings: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_souk"));
    command
        .current_dir(folder)
        .env_clear()
        .env("SOUK_LOG", "warn")
        .envs(settings.iter().copied())
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// Runs to the end with this on standard input: the exit code, standard output, standard error.
fn run(mut command: Command, input: &str) -> (Option<i32>, String, String) {
    let mut child = command.spawn().unwrap();
    // One that was called wrongly reads nothing, and may be gone.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

fn user(shop: &Shop, arguments: &[&str], input: &str) -> (Option<i32>, String, String) {
    let folder = tempfile::tempdir().unwrap();
    let arguments: Vec<&str> = ["user"].iter().chain(arguments).copied().collect();
    run(
        souk(
            folder.path(),
            &arguments,
            &[("DATABASE_URL", shop.url()), ("SOUK_PASSWORD_MEMORY", "64KiB")],
        ),
        input,
    )
}

fn create(shop: &Shop, email: &str, role: &str, input: &str) -> (Option<i32>, String, String) {
    user(shop, &["create", "--email", email, "--role", role], input)
}

async fn accounts(shop: &Shop) -> Vec<Vec<String>> {
    shop.rows("SELECT email, name, role FROM user_account ORDER BY email")
        .await
}

async fn sign_in(shop: &Shop, email: &str) -> Value {
    let document = "mutation($input: SessionCreateInput!) { sessionCreate(input: $input) { user { role } userErrors { code } } }";
    let input = json!({"input": {"email": email, "password": PASSWORD}});
    shop.data(As::Anonymous, document, input).await["sessionCreate"].take()
}

both! {
    async fn an_operator_opens_accounts(shop: &Shop) {
        let (code, out, err) = create(shop, "Ann@Example.com", "admin", &format!("{PASSWORD}\r\n"));
        assert_eq!((code, err.as_str()), (Some(0), ""));
        assert!(out.starts_with("user_") && out.ends_with("  ADMIN     Ann@Example.com  Ann\n"), "{out}");
        let named = user(shop, &["create", "--email", "bob@example.com", "--role", "staff", "--name", "Bob the Bold"], PASSWORD);
        assert_eq!(named.0, Some(0), "{named:?}");
        assert_eq!(accounts(shop).await, [["Ann@Example.com", "Ann", "ADMIN"], ["bob@example.com", "Bob the Bold", "STAFF"]]);
        assert_eq!(sign_in(shop, "ann@example.com").await, json!({"user": {"role": "ADMIN"}, "userErrors": []}));
        let records = shop.rows("SELECT actor, action FROM audit_record WHERE action = 'userCreate'").await;
        assert_eq!(records, [["system", "userCreate"], ["system", "userCreate"]]);
        for secret in [PASSWORD, "argon2"] {
            let told = shop.rows(&format!("SELECT action FROM audit_record WHERE CAST(after AS text) LIKE '%{secret}%'")).await;
            assert_eq!(told, Vec::<Vec<String>>::new());
        }
    }

    async fn what_will_not_do_is_refused_in_one_line(shop: &Shop) {
        assert_eq!(create(shop, "ann@example.com", "admin", PASSWORD).0, Some(0));
        for (email, input, expected) in [
            ("ANN@example.com ", PASSWORD, "souk: email: is the email of another account\n"),
            ("nonsense", PASSWORD, "souk: email: is not an email address such as ann@example.com\n"),
            ("bob@example.com", "short", "souk: password: must have at least 8 characters\n"),
            ("bob@example.com", "", "souk: password: must have at least 8 characters\n"),
            ("bob@example.com", "password1", "souk: password: is too easy to guess: "),
        ] {
            let (code, out, err) = create(shop, email, "staff", input);
            assert_eq!((code, out.as_str(), err.lines().count()), (Some(1), "", 1), "{err}");
            assert!(err.starts_with(expected), "{err}");
        }
        assert_eq!(accounts(shop).await.len(), 1);
    }

    async fn accounts_are_listed(shop: &Shop) {
        assert_eq!(user(shop, &["list", "--json"], ""), (Some(0), "[]\n".to_owned(), String::new()));
        assert_eq!(user(shop, &["list"], ""), (Some(0), String::new(), String::new()));
        // More than a page of them.
        for number in 0..205 {
            shop.clock.advance(chrono::Duration::seconds(1));
            shop.add_user(&format!("{number:03}"), if number == 0 { souk::kernel::actor::Role::Staff } else { souk::kernel::actor::Role::Customer }).await;
        }
        let (code, out, _) = user(shop, &["list"], "");
        let lines: Vec<_> = out.lines().collect();
        assert_eq!((code, lines.len(), lines[0], lines[204]), (Some(0), 205, "CUSTOMER  204@example.com  204", "STAFF     000@example.com  000"));
        let (_, out, _) = user(shop, &["list", "--json", "--role", "customer"], "");
        let all: Vec<Value> = serde_json::from_str(&out).unwrap();
        assert_eq!((all.len(), &all[0]["email"], &all[203]["name"], &all[0]["role"]), (204, &json!("204@example.com"), &json!("001"), &json!("CUSTOMER")));
        assert_eq!(all[203]["createdAt"], "2026-03-01T12:00:02Z");
    }

    async fn roles_are_changed_but_for_the_last_admin(shop: &Shop) {
        for (email, role) in [("ann@example.com", "admin"), ("bob@example.com", "customer")] {
            assert_eq!(create(shop, email, role, PASSWORD).0, Some(0));
        }
        let set = |email: &str, role: &str| user(shop, &["set-role", "--email", email, "--role", role], "");
        assert_eq!(set("ann@example.com", "staff"), (Some(1), String::new(), "souk: role: is the only admin: make somebody else an admin first\n".to_owned()));
        assert_eq!(set(" BOB@example.com", "admin"), (Some(0), "bob@example.com is ADMIN now\n".to_owned(), String::new()));
        assert_eq!(set("ann@example.com", "staff").0, Some(0));
        assert_eq!(set("cid@example.com", "staff"), (Some(1), String::new(), "souk: nobody has an account with the email \"cid@example.com\"\n".to_owned()));
        assert_eq!(set("cid", "staff").0, Some(1));
        assert_eq!(sign_in(shop, "bob@example.com").await["user"]["role"], "ADMIN");
        let records = shop.rows("SELECT actor FROM audit_record WHERE action = 'userRoleUpdate'").await;
        assert_eq!(records, [["system"], ["system"]]);
    }
}

#[test]
fn a_wrong_call_is_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    for arguments in [
        &["user"] as &[&str],
        &["user", "create", "--email", "ann@example.com"],
        &["user", "create", "--role", "admin"],
        &["user", "create", "--email", "ann@example.com", "--role", "king"],
        &[
            "user",
            "create",
            "--email",
            "ann@example.com",
            "--role",
            "admin",
            "--password",
            PASSWORD,
        ],
        &["user", "set-role", "--role", "admin"],
        &["user", "token", "--role", "admin", "--ttl", "soon"],
        &["user", "list", "--role"],
    ] {
        let (code, out, err) = run(souk(folder.path(), arguments, &[]), PASSWORD);
        assert_eq!((code, out.as_str()), (Some(2), ""), "{arguments:?} {err}");
    }
    let production = [("SOUK_ENV", "production"), ("SOUK_JWT_SECRET", SECRET)];
    let (code, out, err) = run(
        souk(folder.path(), &["user", "token", "--role", "admin"], &production),
        "",
    );
    assert_eq!((code, out.as_str()), (Some(1), ""));
    assert!(err.contains("in development only"), "{err}");
    assert_eq!(
        std::fs::read_dir(folder.path()).unwrap().count(),
        0,
        "no database was made for nothing"
    );
}

/// A server of its own, stopped when it is dropped.
struct Server {
    child: Child,
    address: String,
    said: String,
}

impl Server {
    fn start(folder: &Path, settings: &[(&str, &str)], lines: usize) -> Self {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = free.local_addr().unwrap().to_string();
        drop(free);
        let mut command = souk(folder, &["serve"], settings);
        let mut child = command.env("SOUK_LISTEN", &address).spawn().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut said = String::new();
        for _ in 0..lines {
            out.read_line(&mut said).unwrap();
        }
        Self { child, address, said }
    }

    fn ask(&self, token: &str, document: &str) -> Value {
        let body = json!({ "query": document }).to_string();
        let bearer = if token.is_empty() {
            String::new()
        } else {
            format!("authorization: Bearer {token}\r\n")
        };
        let mut stream = TcpStream::connect(&self.address).unwrap();
        write!(stream, "POST /graphql HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-type: application/json\r\n{bearer}content-length: {}\r\n\r\n{body}", body.len()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1)
            .unwrap_or_else(|error| panic!("{error}: {answer}"))
    }

    fn stop(mut self) -> String {
        self.child.kill().unwrap();
        let mut err = String::new();
        self.child
            .stderr
            .take()
            .unwrap()
            .read_to_string(&mut err)
            .unwrap();
        self.child.wait().unwrap();
        err
    }
}

#[test]
fn a_newcomer_is_told_whom_to_sign_in_as() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[("SOUK_JWT_SECRET", SECRET)], 2);
    let log_ins = "Log-ins: customer@demo.souk.example, staff@demo.souk.example, admin@demo.souk.example (password: open sesame souk)";
    assert_eq!(server.said.lines().nth(1), Some(log_ins));
    let sign_in = |server: &Server, email: &str| {
        let document = format!(
            "mutation {{ sessionCreate(input: {{email: \"{email}\", password: \"open sesame souk\"}}) {{ user {{ role }} userErrors {{ code }} }} }}"
        );
        server.ask("", &document)["data"]["sessionCreate"].clone()
    };
    for (name, role) in [("customer", "CUSTOMER"), ("staff", "STAFF"), ("admin", "ADMIN")] {
        let entrance = sign_in(&server, &format!("{name}@demo.souk.example"));
        assert_eq!(entrance, json!({"user": {"role": role}, "userErrors": []}));
        let (code, token, err) = run(
            souk(
                folder.path(),
                &["user", "token", "--role", name],
                &[("SOUK_JWT_SECRET", SECRET), ("SOUK_LISTEN", &server.address)],
            ),
            "",
        );
        assert_eq!((code, err.as_str()), (Some(0), ""));
        let me = server.ask(token.trim(), "{ me { email role sessions { isCurrent } } }");
        assert_eq!(
            (
                &me["data"]["me"]["role"],
                &me["data"]["me"]["sessions"].as_array().map(Vec::len)
            ),
            (&json!(role), &Some(2)),
            "{me}"
        );
    }
    server.stop();

    // The same database where the password that everybody knows must not open anything.
    let production = [("SOUK_ENV", "production"), ("SOUK_JWT_SECRET", SECRET)];
    let server = Server::start(folder.path(), &production, 1);
    let refused = sign_in(&server, "admin@demo.souk.example");
    assert_eq!(
        refused,
        json!({"user": null, "userErrors": [{"code": "INVALID_CREDENTIALS"}]})
    );
    let err = server.stop();
    assert!(
        err.contains("the demo shop's accounts are in this database")
            && err.contains("admin@demo.souk.example"),
        "{err}"
    );

    // A shop of one's own has none, and says nothing.
    let folder = tempfile::tempdir().unwrap();
    let csv = folder.path().join("goods.csv");
    std::fs::write(&csv, "Handle,Title,Variant Price\nmug,Mug,5\n").unwrap();
    let (code, _, err) = run(
        souk(
            folder.path(),
            &["import", "shopify", "goods.csv", "--currency", "USD"],
            &[],
        ),
        "",
    );
    assert_eq!(code, Some(0), "{err}");
    let server = Server::start(folder.path(), &production, 1);
    assert!(!server.stop().contains("demo"));
}
