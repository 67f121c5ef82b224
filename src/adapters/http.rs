//! The one place where HTTP clients are built: every wait bounded, nothing repeated, nothing secret shown.

use std::time::Duration;

use futures::StreamExt;
use reqwest::{
    Client, ClientBuilder, Response, StatusCode, Url,
    header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue},
};

use crate::ports::PortError;

/// Makes ring the cryptography of TLS; without this, opening TLS could panic. Repeating it does nothing.
pub fn install_crypto() {
    // An error only says that a provider is there already.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// By what a server knows us, and we it.
#[derive(Default)]
pub struct Access {
    pub bearer: Option<String>,
    /// A name and a password.
    pub basic: Option<(String, String)>,
    /// Headers of every request, such as the one that names a tenant; they are not sent on to where an answer leads.
    pub headers: Vec<(String, String)>,
    /// The only certificate authorities that are trusted, in PEM; those of the system where there are none.
    pub authorities: Vec<u8>,
    /// Our certificate with its key, in PEM.
    pub identity: Vec<u8>,
}

/// A client for one address, whose whole requests take `timeout` at most and are never repeated.
///
/// Addresses on this machine are not asked through a proxy.
///
/// # Errors
/// Where TLS cannot be set up or the bearer token holds what no header may hold.
pub fn client(url: &Url, timeout: Duration, bearer: Option<&str>) -> Result<Client, PortError> {
    client_with(url, timeout, &Access { bearer: bearer.map(str::to_owned), ..Access::default() })
}

/// The same, with all by which the server knows us, but for a name and a password: those belong into the address.
///
/// # Errors
/// Where TLS cannot be set up, or a header or a file of PEM is none.
pub(super) fn client_with(url: &Url, timeout: Duration, access: &Access) -> Result<Client, PortError> {
    let odd = |why: String| PortError::unexpected(place(url), why);
    let mut headers = HeaderMap::new();
    for (name, value) in &access.headers {
        let key =
            HeaderName::from_bytes(name.as_bytes()).map_err(|_| odd(format!("`{name}` is no name of a header")))?;
        headers.insert(key, secret(value).ok_or_else(|| odd(format!("the header {name} holds what none may hold")))?);
    }
    if let Some(token) = &access.bearer {
        let value = secret(&format!("Bearer {token}"));
        let value = value.ok_or_else(|| odd("the bearer token holds characters that no header may hold".to_owned()))?;
        headers.insert(AUTHORIZATION, value);
    }
    built(url, timeout, |mut builder| {
        if !access.authorities.is_empty() {
            builder = builder.tls_certs_only(reqwest::Certificate::from_pem_bundle(&access.authorities)?);
        }
        if !access.identity.is_empty() {
            builder = builder.identity(reqwest::Identity::from_pem(&access.identity)?);
        }
        if !access.headers.is_empty() {
            builder = builder.redirect(reqwest::redirect::Policy::none());
        }
        Ok(builder.default_headers(headers))
    })
}

fn secret(value: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(value).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// The same, for what is sent and not asked: an answer that leads elsewhere is an answer, and is not followed.
///
/// # Errors
/// Where TLS cannot be set up.
pub(super) fn client_of_one_place(url: &Url, timeout: Duration) -> Result<Client, PortError> {
    built(url, timeout, |builder| Ok(builder.redirect(reqwest::redirect::Policy::none())))
}

/// The same, trusting these authorities and no others, unless there are none.
///
/// # Errors
/// Where TLS cannot be set up.
#[cfg(feature = "sql")]
pub(super) fn client_trusting(
    url: &Url,
    timeout: Duration,
    authorities: &[rustls::pki_types::CertificateDer<'_>],
) -> Result<Client, PortError> {
    built(url, timeout, |builder| {
        if authorities.is_empty() {
            return Ok(builder);
        }
        let read = authorities.iter().map(|der| reqwest::Certificate::from_der(der)).collect::<Result<Vec<_>, _>>()?;
        Ok(builder.tls_certs_only(read))
    })
}

fn built(
    url: &Url,
    timeout: Duration,
    with: impl FnOnce(ClientBuilder) -> reqwest::Result<ClientBuilder>,
) -> Result<Client, PortError> {
    install_crypto();
    let odd = |why: String| PortError::unexpected(place(url), why);
    let mut builder = Client::builder()
        .user_agent(concat!("interlock/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(timeout.min(Duration::from_secs(3)))
        .read_timeout(timeout)
        .timeout(timeout)
        .redirect(reqwest::redirect::Policy::limited(3))
        .retry(reqwest::retry::never())
        .pool_idle_timeout(Duration::from_secs(20));
    if is_local(url) {
        builder = builder.no_proxy();
    }
    with(builder).and_then(ClientBuilder::build).map_err(|e| odd(explain(&e, timeout)))
}

/// Reads an address.
///
/// # Errors
/// Where it is no http or https address; its text is not repeated, for it may hold a password.
pub(super) fn address(what: &str, text: &str) -> Result<Url, PortError> {
    match Url::parse(text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => Ok(url),
        _ => Err(PortError::unexpected(what, "its address is no http or https address")),
    }
}

/// Scheme, host and port of an address: what may be shown of one that can hold secrets.
#[must_use]
pub fn place(url: &Url) -> String {
    let host = url.host_str().unwrap_or("?");
    url.port().map_or_else(|| format!("{}://{host}", url.scheme()), |port| format!("{}://{host}:{port}", url.scheme()))
}

fn is_local(url: &Url) -> bool {
    url.host_str().is_some_and(|host| {
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        host == "localhost" || bare.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
    })
}

/// What went wrong with a request, without its address.
pub(super) fn explain(error: &reqwest::Error, timeout: Duration) -> String {
    if error.is_timeout() {
        return format!("no answer within {}", crate::model::HumanDuration(timeout));
    }
    // The outermost words repeat the address; the cause beneath is what tells.
    let mut cause: &dyn std::error::Error = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    if error.is_connect() { format!("cannot connect: {cause}") } else { cause.to_string() }
}

/// The words of a body that belongs to an error: short, and on one line.
pub(super) fn excerpt(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(&body[..body.len().min(2000)]);
    text.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(300).collect()
}

/// Reads a body of at most `limit` bytes.
pub(super) async fn body(
    what: &str,
    response: Response,
    limit: usize,
    timeout: Duration,
) -> Result<Vec<u8>, PortError> {
    let mut read = Vec::new();
    let mut chunks = response.bytes_stream();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|e| PortError::unreachable(what, explain(&e, timeout)))?;
        if read.len() + chunk.len() > limit {
            return Err(PortError::unexpected(what, format!("the answer is longer than {} MiB", limit >> 20)));
        }
        read.extend_from_slice(&chunk);
    }
    Ok(read)
}

/// The error that an HTTP status stands for, if it does for one.
pub(super) fn refused(what: &str, verb: &str, status: StatusCode, words: &str) -> Option<PortError> {
    if status.is_success() {
        return None;
    }
    let why = if words.is_empty() { format!("HTTP {status}") } else { format!("HTTP {status}: {words}") };
    Some(match status.as_u16() {
        401 => PortError::unreachable(what, format!("it does not know us ({why})")),
        403 => PortError::Forbidden { what: format!("{verb} {what}"), why },
        404 => PortError::NotFound { what: format!("{what} ({why})") },
        408 | 429 | 500.. => PortError::unreachable(what, why),
        _ => PortError::unexpected(what, why),
    })
}
