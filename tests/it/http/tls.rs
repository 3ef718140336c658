//! TLS by the binary itself: who is greeted, and what happens when the certificate changes.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;

use crate::support::process::souk;
use crate::support::{Kind, Server, Shop, TestDatabase};

/// A folder with a certificate for `localhost`, and its key.
struct Pair {
    folder: TempDir,
}

impl Pair {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        make(folder.path(), "certificate.pem", "key.pem");
        Self { folder }
    }

    fn certificate(&self) -> PathBuf {
        self.folder.path().join("certificate.pem")
    }

    fn key(&self) -> PathBuf {
        self.folder.path().join("key.pem")
    }

    /// Another pair in the place of this one, as a tool does that renews certificates.
    fn renew(&self) {
        let folder = self.folder.path();
        make(folder, "new.pem", "new-key.pem");
        std::fs::rename(folder.join("new-key.pem"), self.key()).unwrap();
        std::fs::rename(folder.join("new.pem"), self.certificate()).unwrap();
    }

    fn settings(&self) -> Vec<(&'static str, String)> {
        let text = |path: PathBuf| path.display().to_string();
        vec![
            ("SOUK_TLS_CERTIFICATE", text(self.certificate())),
            ("SOUK_TLS_KEY", text(self.key())),
        ]
    }

    async fn serve(&self, shop: &Shop, more: &[(&str, &str)]) -> Server {
        let own = self.settings();
        let mut settings: Vec<(&str, &str)> =
            own.iter().map(|(name, value)| (*name, value.as_str())).collect();
        settings.extend(more);
        shop.serve(&settings).await
    }
}

fn make(folder: &Path, certificate: &str, key: &str) {
    let made = Command::new("openssl")
        .current_dir(folder)
        .args([
            "req",
            "-x509",
            "-nodes",
            "-days",
            "30",
            "-subj",
            "/CN=localhost",
            "-newkey",
            "ec",
        ])
        .args([
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-addext",
            "subjectAltName=DNS:localhost",
        ])
        .args([
            "-addext",
            "basicConstraints=critical,CA:FALSE",
            "-keyout",
            key,
            "-out",
            certificate,
        ])
        .output();
    let made = made.expect("openssl is installed (Debian: apt-get install openssl)");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}

/// A client that believes this certificate alone.
async fn connect(server: &Server, certificate: &[u8]) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_slice(certificate).unwrap())
        .unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let stream = TcpStream::connect(server.address).await?;
    let name = ServerName::try_from("localhost").unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, stream).await
}

/// One request on a connection that goes on; the answer's head.
async fn ask(stream: &mut TlsStream<TcpStream>) -> String {
    stream
        .write_all(b"GET /health/live HTTP/1.1\r\nhost: localhost\r\n\r\n")
        .await
        .unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"\"}") {
        let read = stream.read_buf(&mut answer).await.unwrap();
        assert_ne!(read, 0, "{}", String::from_utf8_lossy(&answer));
    }
    String::from_utf8(answer).unwrap()
}

/// Until the server closes.
async fn rest(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    let reading = tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut answer));
    let _ = reading.await.expect("the server closes");
    String::from_utf8_lossy(&answer).into_owned()
}

/// TLS knows no database: one will do.
async fn on_a_shop<F: AsyncFnOnce(&Shop)>(test: F) {
    let database = TestDatabase::new(Kind::Sqlite).await.unwrap();
    let shop = Shop::open(&database, &[]).await;
    test(&shop).await;
    shop.close().await;
    database.drop().await;
}

#[tokio::test]
async fn requests_and_sockets_go_over_tls() {
    on_a_shop(async |shop| {
        let pair = Pair::new();
        let server = pair
            .serve(shop, &[("SOUK_PUBLIC_URL", "https://shop.example")])
            .await;
        let certificate = std::fs::read(pair.certificate()).unwrap();
        let mut stream = connect(&server, &certificate).await.unwrap();
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
        let answer = ask(&mut stream).await;
        assert!(
            answer.starts_with("HTTP/1.1 200 OK") && answer.contains("strict-transport-security: max-age="),
            "{answer}"
        );
        // The same connection, once more.
        assert!(ask(&mut stream).await.starts_with("HTTP/1.1 200 OK"));
        let mut request = "wss://localhost/graphql/ws".into_client_request().unwrap();
        let protocol = "graphql-transport-ws".parse().unwrap();
        request.headers_mut().insert("sec-websocket-protocol", protocol);
        let stream = connect(&server, &certificate).await.unwrap();
        let (_socket, answer) = tokio_tungstenite::client_async(request, stream).await.unwrap();
        assert_eq!(answer.status(), 101);
        server.stop().await;
    })
    .await;
}

#[tokio::test]
async fn whoever_does_not_greet_keeps_nobody_waiting() {
    on_a_shop(async |shop| {
        let pair = Pair::new();
        let server = pair.serve(shop, &[("SOUK_LIMIT_HEADER_TIMEOUT", "1s")]).await;
        let begun = Instant::now();
        let mut silent = TcpStream::connect(server.address).await.unwrap();
        let mut slow = TcpStream::connect(server.address).await.unwrap();
        slow.write_all(&[0x16, 0x03, 0x01, 0x02]).await.unwrap();
        let certificate = std::fs::read(pair.certificate()).unwrap();
        let mut quick = connect(&server, &certificate).await.unwrap();
        assert!(ask(&mut quick).await.starts_with("HTTP/1.1 200 OK"));
        assert_eq!(rest(&mut silent).await, "");
        rest(&mut slow).await;
        // Long before the client's own patience, or any default.
        assert!(begun.elapsed() < Duration::from_secs(9), "{:?}", begun.elapsed());
        server.stop().await;
    })
    .await;
}

#[tokio::test]
async fn plain_http_is_told_what_this_port_speaks() {
    on_a_shop(async |shop| {
        let pair = Pair::new();
        let server = pair.serve(shop, &[]).await;
        let mut plain = TcpStream::connect(server.address).await.unwrap();
        plain
            .write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
            .await
            .unwrap();
        let answer = rest(&mut plain).await;
        assert!(
            answer.starts_with("HTTP/1.1 400 ") && answer.ends_with("https://...\n"),
            "{answer}"
        );
        let mut noise = TcpStream::connect(server.address).await.unwrap();
        noise.write_all(&[0; 64]).await.unwrap();
        assert!(!rest(&mut noise).await.contains("HTTP"));
        server.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_new_certificate_is_shown_without_a_restart() {
    on_a_shop(async |shop| {
        let pair = Pair::new();
        let server = pair.serve(shop, &[]).await;
        let old = std::fs::read(pair.certificate()).unwrap();
        let mut standing = connect(&server, &old).await.unwrap();
        ask(&mut standing).await;
        // A key that is not the certificate's: the old pair goes on.
        let key = std::fs::read(pair.key()).unwrap();
        make(pair.folder.path(), "other.pem", "key.pem");
        tokio::time::sleep(Duration::from_secs(5)).await;
        connect(&server, &old).await.unwrap();
        std::fs::write(pair.key(), key).unwrap();
        pair.renew();
        let new = std::fs::read(pair.certificate()).unwrap();
        let begun = Instant::now();
        while connect(&server, &new).await.is_err() {
            assert!(
                begun.elapsed() < Duration::from_secs(60),
                "it is still the old one"
            );
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        assert!(connect(&server, &old).await.is_err(), "the old one is gone");
        assert!(ask(&mut standing).await.starts_with("HTTP/1.1 200 OK"));
        server.stop().await;
    })
    .await;
}

#[tokio::test]
async fn the_health_command_asks_over_tls() {
    on_a_shop(async |shop| {
        let pair = Pair::new();
        let server = pair.serve(shop, &[]).await;
        let folder = tempfile::tempdir().unwrap();
        let health = |tls: bool| {
            let mut command = souk(folder.path(), shop.url());
            command
                .arg("health")
                .env("SOUK_LISTEN", server.address.to_string());
            command.envs(pair.settings().into_iter().filter(|_| tls));
            tokio::task::spawn_blocking(move || command.output().unwrap())
        };
        let healthy = health(true).await.unwrap();
        assert!(
            healthy.status.success(),
            "{}",
            String::from_utf8_lossy(&healthy.stderr)
        );
        assert!(!health(false).await.unwrap().status.success());
        server.stop().await;
    })
    .await;
}

#[test]
fn a_pair_that_cannot_be_used_stops_the_start() {
    let (pair, other) = (Pair::new(), Pair::new());
    let folder = tempfile::tempdir().unwrap();
    let text = |path: PathBuf| path.display().to_string();
    let nonsense = folder.path().join("nonsense.pem");
    std::fs::write(&nonsense, "nonsense").unwrap();
    for (certificate, key, expected) in [
        (text(pair.certificate()), text(other.key()), "is not the key of"),
        (
            "nowhere".to_owned(),
            text(pair.key()),
            "SOUK_TLS_CERTIFICATE: cannot read nowhere",
        ),
        (
            text(pair.certificate()),
            "nowhere".to_owned(),
            "SOUK_TLS_KEY: cannot read nowhere",
        ),
        (
            text(nonsense.clone()),
            text(pair.key()),
            "has no certificate (PEM)",
        ),
        (
            text(pair.certificate()),
            text(nonsense.clone()),
            "has no private key (PEM)",
        ),
        (
            text(pair.certificate()),
            String::new(),
            "SOUK_TLS_KEY: must be set",
        ),
    ] {
        let output = souk(folder.path(), "sqlite:///nowhere/souk.db")
            .arg("serve")
            .env("SOUK_LISTEN", "127.0.0.1:0")
            .env("SOUK_TLS_CERTIFICATE", &certificate)
            .env("SOUK_TLS_KEY", &key)
            .output()
            .unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(
            said.contains(expected) && said.lines().count() == 1,
            "{expected}: {said}"
        );
    }
}
