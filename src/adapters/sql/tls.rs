//! TLS to databases: certificates are always checked, against the named authorities or this machine's.

use std::path::Path;

use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, pem::PemObject},
};

use super::Tls;
use crate::{adapters::install_crypto, ports::PortError};

fn roots(ca_file: Option<&Path>) -> Result<Vec<CertificateDer<'static>>, PortError> {
    let Some(path) = ca_file else {
        let found = rustls_native_certs::load_native_certs();
        if found.certs.is_empty() {
            return Err(PortError::unexpected("this machine", "it trusts no authority; name a file with `ca`"));
        }
        return Ok(found.certs);
    };
    let what = || format!("the authorities in {}", path.display());
    let certificates: Result<Vec<_>, _> =
        CertificateDer::pem_file_iter(path).map_err(|e| PortError::unexpected(what(), e))?.collect();
    let certificates = certificates.map_err(|e| PortError::unexpected(what(), e))?;
    if certificates.is_empty() {
        return Err(PortError::unexpected(what(), "there is no certificate in PEM"));
    }
    Ok(certificates)
}

/// The certificates that are trusted, without those that rustls cannot use: this machine may have old ones.
pub fn usable(ca_file: Option<&Path>) -> Result<Vec<CertificateDer<'static>>, PortError> {
    let mut all = roots(ca_file)?;
    all.retain(|certificate| RootCertStore::empty().add(certificate.clone()).is_ok());
    if all.is_empty() {
        return Err(PortError::unexpected("the trusted authorities", "none of their certificates can be used"));
    }
    Ok(all)
}

/// What rustls needs to know; without any trusted authority where the line is not encrypted.
pub fn client_config(tls: &Tls) -> Result<ClientConfig, PortError> {
    install_crypto();
    let mut store = RootCertStore::empty();
    if let Tls::Require { ca_file } = tls {
        store.add_parsable_certificates(usable(ca_file.as_deref())?);
    }
    Ok(ClientConfig::builder().with_root_certificates(store).with_no_client_auth())
}
