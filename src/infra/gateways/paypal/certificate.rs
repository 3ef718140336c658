//! Webhooks verified here, without asking PayPal: by the certificate that each of them names. "Self verification method" at
//! developer.paypal.com/api/rest/webhooks/rest.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, TrustAnchor, UnixTime};
use tokio::sync::Mutex;
use url::Url;
use webpki::{ALL_VERIFICATION_ALGS, EndEntityCert, KeyUsage};

use super::turns::Turns;
use super::webhook::{Signed, certificate_address, forged, turn};
use crate::infra::gateways::http::{Call, Client};
use crate::infra::gateways::{Message, Unverified};

/// PayPal has one or two at a time. Addresses come from whoever sends a webhook.
const MOST_KEPT: usize = 16;

/// Fetches what stands at an address below paypal.com.
#[async_trait]
pub trait Fetch: Send + Sync + fmt::Debug {
    /// # Errors
    /// Nothing came. For the log.
    async fn fetch(&self, address: Url) -> Result<Bytes, String>;
}

#[async_trait]
impl Fetch for Client {
    async fn fetch(&self, address: Url) -> Result<Bytes, String> {
        let call = Call::get("certificate", address);
        let answer = self.send(&call).await.map_err(|miss| miss.to_string())?;
        if answer.is_success() {
            Ok(answer.body)
        } else {
            Err(format!(
                "the certificate is answered with status {}",
                answer.status
            ))
        }
    }
}

/// A certificate, and those that stand between it and a root.
type Chain = Arc<Vec<CertificateDer<'static>>>;

#[derive(Debug)]
pub struct Certificates {
    fetch: Box<dyn Fetch>,
    roots: Vec<TrustAnchor<'static>>,
    /// Those that were good, by their addresses.
    kept: Mutex<HashMap<String, Chain>>,
}

impl Certificates {
    pub fn new(fetch: Box<dyn Fetch>, roots: Vec<TrustAnchor<'static>>) -> Self {
        Self {
            fetch,
            roots,
            kept: Mutex::default(),
        }
    }

    pub(super) async fn verify(
        &self,
        signed: &Signed<'_>,
        webhook: &str,
        message: &Message,
        turns: &Turns,
    ) -> Result<(), Unverified> {
        // One that is kept costs nobody a call, and has no need to wait.
        let (chain, is_new) = match self.kept(signed.certificate).await {
            Some(chain) => (chain, false),
            None => {
                let _turn = turn(turns, message).await?;
                // Somebody may have fetched it meanwhile.
                match self.kept(signed.certificate).await {
                    Some(chain) => (chain, false),
                    None => (self.fetched(signed.certificate).await?, true),
                }
            }
        };
        let (leaf, between) = chain
            .split_first()
            .ok_or_else(|| forged("there is no certificate at its address"))?;
        let leaf = EndEntityCert::try_from(leaf).map_err(|_| forged("its certificate cannot be read"))?;
        self.trust(&leaf, between, message)?;
        let text = signed_text(signed, webhook, &message.body);
        let signature = BASE64_STANDARD.decode(signed.signature);
        let signature = signature.map_err(|_| forged("its signature is no base64"))?;
        leaf.verify_signature(
            webpki::ring::RSA_PKCS1_2048_8192_SHA256,
            text.as_bytes(),
            &signature,
        )
        .map_err(|_| forged("its signature is another one"))?;
        if is_new {
            let mut kept = self.kept.lock().await;
            if kept.len() >= MOST_KEPT {
                kept.clear();
            }
            kept.insert(signed.certificate.to_owned(), Arc::clone(&chain));
        }
        Ok(())
    }

    async fn kept(&self, address: &str) -> Option<Chain> {
        self.kept.lock().await.get(address).cloned()
    }

    async fn fetched(&self, address: &str) -> Result<Chain, Unverified> {
        let address = certificate_address(address);
        let address = address.ok_or_else(|| forged("its certificate is not at paypal.com"))?;
        let text = self.fetch.fetch(address).await.map_err(Unverified::Undecided)?;
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
        let chain = chain.map_err(|_| forged("there are no certificates at its address"))?;
        Ok(Arc::new(chain))
    }

    /// Whether a certificate is PayPal's, now: signed up to a root, and of a name below paypal.com.
    fn trust(
        &self,
        leaf: &EndEntityCert<'_>,
        between: &[CertificateDer<'_>],
        message: &Message,
    ) -> Result<(), Unverified> {
        let now = u64::try_from(message.received_at.timestamp()).unwrap_or_default();
        let now = UnixTime::since_unix_epoch(Duration::from_secs(now));
        let usage = KeyUsage::server_auth();
        leaf.verify_for_usage(
            ALL_VERIFICATION_ALGS,
            &self.roots,
            between,
            now,
            usage,
            None,
            None,
        )
        .map_err(|error| Unverified::Forged(format!("its certificate is not good: {error}")))?;
        let is_paypals = |name: &str| name == "paypal.com" || name.ends_with(".paypal.com");
        if leaf.valid_dns_names().any(is_paypals) {
            Ok(())
        } else {
            Err(forged("its certificate is not PayPal's"))
        }
    }
}

/// What PayPal signs. The checksum is written in decimal, as PayPal's own sample has it; one experiment of others speaks of
/// hexadecimal \[?\].
fn signed_text(signed: &Signed<'_>, webhook: &str, body: &[u8]) -> String {
    let checksum = crc32fast::hash(body);
    format!("{}|{}|{webhook}|{checksum}", signed.id, signed.time)
}
