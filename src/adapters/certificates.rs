//! Which certificate an instance serves, asked by TLS and nothing else: no request is sent.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use futures::future::join_all;
use jiff::{SignedDuration, Timestamp};
use rustls::{
    ClientConfig, DigitallySignedStruct, Error, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, ring::default_provider, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject as _},
};
use sha2::{Digest as _, Sha256};
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::TlsConnector;
use x509_cert::{Certificate, der::Decode as _};

use crate::{
    model::HumanDuration,
    ports::{Configs, Instance, Look, PortError, RunsOn},
};

/// Instances that serve a certificate.
pub struct Certificates {
    /// Where they listen, as `host:port`.
    pub addresses: Vec<String>,
    /// The name that they are asked for; their host's where none is named.
    pub server_name: Option<String>,
    /// For how long a certificate has to be valid yet.
    pub valid_for: Duration,
    /// How long one may take to show it.
    pub timeout: Duration,
}

/// The SHA-256 of the first certificate of a file in PEM.
///
/// # Errors
/// Where there is none in it.
pub fn certificate_hash(pem: &[u8]) -> Result<String, PortError> {
    let first = CertificateDer::from_pem_slice(pem);
    first.map(|der| hash(&der)).map_err(|_| PortError::unexpected("the file", "it holds no certificate in PEM"))
}

fn hash(der: &[u8]) -> String {
    Sha256::digest(der).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[async_trait]
impl Configs for Certificates {
    async fn look(&self) -> Result<Look, PortError> {
        let instances = join_all(self.addresses.iter().map(|address| self.instance(address))).await;
        Ok(Look { desired: None, instances })
    }
}

impl Certificates {
    async fn instance(&self, address: &str) -> Instance {
        let (runs_on, trouble) = match timeout(self.timeout, self.served(address)).await {
            Ok(Ok(der)) => self.told(&der, Timestamp::now()),
            Ok(Err(why)) => (RunsOn::Silent { why }, None),
            Err(_) => (RunsOn::Silent { why: format!("no answer within {}", HumanDuration(self.timeout)) }, None),
        };
        Instance { name: address.to_owned(), runs_on, trouble, known_by: "the certificate that it serves".to_owned() }
    }

    async fn served(&self, address: &str) -> Result<Vec<u8>, String> {
        let host = address.rsplit_once(':').map_or(address, |(host, _)| host).trim_matches(['[', ']']);
        let name = self.server_name.as_deref().unwrap_or(host).to_owned();
        let name = ServerName::try_from(name).map_err(|e| e.to_string())?;
        let stream = TcpStream::connect(address).await.map_err(|e| format!("cannot connect: {e}"))?;
        let tls = TlsConnector::from(Arc::new(config().map_err(|e| e.to_string())?)).connect(name, stream).await;
        let tls = tls.map_err(|e| format!("no TLS: {e}"))?;
        let shown = tls.get_ref().1.peer_certificates().and_then(<[_]>::first);
        shown.map(|der| der.to_vec()).ok_or_else(|| "it shows no certificate".to_owned())
    }

    fn told(&self, der: &[u8], now: Timestamp) -> (RunsOn, Option<String>) {
        let Ok(certificate) = Certificate::from_der(der) else {
            return (RunsOn::Unclear { why: "it shows a certificate that cannot be read".to_owned() }, None);
        };
        let validity = certificate.tbs_certificate.validity;
        let at = |time: x509_cert::time::Time| seconds(time.to_unix_duration());
        let (since, until) = (at(validity.not_before), at(validity.not_after));
        let wanted = SignedDuration::try_from(self.valid_for).unwrap_or(SignedDuration::ZERO);
        let trouble = match (since, until) {
            (Some(since), _) if since > now => Some(format!("its certificate is valid from {since} on")),
            (_, Some(until)) if until <= now => Some(format!("its certificate has expired at {until}")),
            (_, Some(until)) if until.duration_since(now) < wanted => Some(format!(
                "its certificate expires at {until}, and should be valid for {} yet",
                HumanDuration(self.valid_for)
            )),
            _ => None,
        };
        (RunsOn::Generation { generation: hash(der), since }, trouble)
    }
}

fn seconds(since_1970: Duration) -> Option<Timestamp> {
    Timestamp::from_second(i64::try_from(since_1970.as_secs()).ok()?).ok()
}

/// Nothing is told to an instance, so it is not checked who it is; only that it has the key of what it shows.
fn config() -> Result<ClientConfig, Error> {
    let provider = Arc::new(default_provider());
    let builder = ClientConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions()?;
    Ok(builder.dangerous().with_custom_certificate_verifier(Arc::new(Whoever(provider))).with_no_client_auth())
}

#[derive(Debug)]
struct Whoever(Arc<CryptoProvider>);

impl ServerCertVerifier for Whoever {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
