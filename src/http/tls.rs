//! TLS by the process itself: a certificate and its key out of files, which are read again when they change.

use std::io;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use anyhow::Context as _;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::version::{TLS12, TLS13};
use rustls::{InconsistentKeys, ServerConfig};
use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::kernel::config::TlsConfig;

/// How often the files are looked at.
const LOOK: Duration = Duration::from_secs(3);

/// For who speaks plain HTTP here.
const PLAIN: &[u8] =
    b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-type: text/plain; charset=utf-8\r\n\
    content-length: 46\r\n\r\nThis port speaks TLS: ask it with https://...\n";

/// How much such a client may say, and how long it may take to read the answer.
const MOST_PLAIN: u64 = 64 * 1024;
const FAREWELL: Duration = Duration::from_secs(1);

/// Whoever speaks TLS here.
#[derive(Debug)]
pub struct Tls {
    files: TlsConfig,
    /// What the current pair was made of.
    print: RwLock<[u8; 32]>,
    current: Arc<Current>,
    config: Arc<ServerConfig>,
}

/// What new connections are shown.
#[derive(Debug)]
struct Current(RwLock<Arc<CertifiedKey>>);

impl ResolvesServerCert for Current {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner)))
    }
}

impl Tls {
    /// # Errors
    /// The setting, its file, and what is wrong with it.
    pub fn read(files: &TlsConfig) -> anyhow::Result<Self> {
        let provider = Arc::new(ring::default_provider());
        let (pair, print) = load(files, &provider)?;
        let current = Arc::new(Current(RwLock::new(Arc::new(pair))));
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&TLS13, &TLS12])?
            .with_no_client_auth()
            .with_cert_resolver(Arc::<Current>::clone(&current));
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self {
            files: files.clone(),
            print: RwLock::new(print),
            current,
            config: Arc::new(config),
        })
    }

    /// Shows new connections what the files hold, for as long as it is polled. What cannot be used is told once, and what was
    /// there before goes on: connections that stand keep what they were shown in any case.
    pub async fn follow(&self) {
        let mut trouble: Option<(String, u32)> = None;
        loop {
            tokio::time::sleep(LOOK).await;
            let problem = match self.look() {
                Ok(false) => None,
                Ok(true) => {
                    tracing::info!("the TLS certificate was replaced");
                    None
                }
                Err(error) => Some(format!("{error:#}")),
            };
            trouble = match (problem, trouble.take()) {
                (None, _) => None,
                (Some(problem), Some((same, looks))) if problem == same => Some((same, looks + 1)),
                (Some(problem), _) => Some((problem, 1)),
            };
            // Two files are not replaced at once: who looks in between is patient.
            if let Some((problem, 2)) = &trouble {
                tracing::error!(problem, "the TLS certificate was not replaced");
            }
        }
    }

    /// Whether there was something new. Two small files: not worth a thread of their own.
    fn look(&self) -> anyhow::Result<bool> {
        let provider = self.config.crypto_provider();
        let seen = *self.print.read().unwrap_or_else(PoisonError::into_inner);
        if print(&contents(&self.files.certificate)?, &contents(&self.files.key)?) == seen {
            return Ok(false);
        }
        let (pair, print) = load(&self.files, provider)?;
        *self.current.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(pair);
        *self.print.write().unwrap_or_else(PoisonError::into_inner) = print;
        Ok(true)
    }

    /// # Errors
    /// The client speaks no TLS, or none of ours.
    pub(super) async fn accept(&self, mut stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        let mut first = [0];
        stream.peek(&mut first).await?;
        // No record of TLS begins with a letter, and every method does.
        if first.iter().all(u8::is_ascii_alphabetic) {
            stream.write_all(PLAIN).await?;
            stream.shutdown().await?;
            // A connection that is cut while something unread lies in it is reset, and the client never learns why.
            let mut rest = Vec::new();
            let mut reader = stream.take(MOST_PLAIN);
            let _ = tokio::time::timeout(FAREWELL, reader.read_to_end(&mut rest)).await;
            return Err(io::Error::new(io::ErrorKind::InvalidData, "plain HTTP"));
        }
        TlsAcceptor::from(Arc::clone(&self.config)).accept(stream).await
    }
}

fn contents(file: &Path) -> anyhow::Result<Vec<u8>> {
    std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))
}

fn print(certificate: &[u8], key: &[u8]) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(certificate.len().to_be_bytes());
    hash.update(certificate);
    hash.update(key);
    hash.finalize().into()
}

fn load(files: &TlsConfig, provider: &CryptoProvider) -> anyhow::Result<(CertifiedKey, [u8; 32])> {
    const CERTIFICATE: &str = "SOUK_TLS_CERTIFICATE";
    const KEY: &str = "SOUK_TLS_KEY";
    let certificate = contents(&files.certificate).context(CERTIFICATE)?;
    let key = contents(&files.key).context(KEY)?;
    let chain = CertificateDer::pem_slice_iter(&certificate)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| anyhow::anyhow!("{} is no PEM: {error}", files.certificate.display()))
        .context(CERTIFICATE)?;
    let none = || format!("{} has no certificate (PEM)", files.certificate.display());
    chain.first().with_context(none).context(CERTIFICATE)?;
    let print = print(&certificate, &key);
    let key = PrivateKeyDer::from_pem_slice(&key)
        .map_err(|error| anyhow::anyhow!("{} has no private key (PEM): {error}", files.key.display()))
        .context(KEY)?;
    let pair = CertifiedKey::from_der(chain, key, provider).map_err(|error| match error {
        rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => anyhow::anyhow!(
            "{} is not the key of {}",
            files.key.display(),
            files.certificate.display()
        ),
        error => anyhow::anyhow!(
            "{} and {}: {error}",
            files.certificate.display(),
            files.key.display()
        ),
    });
    Ok((pair.context(KEY)?, print))
}
