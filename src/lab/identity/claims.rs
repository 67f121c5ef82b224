//! What a token says.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

/// Whom the gateway takes tokens for.
pub const TENANTS: &str = "tenants";
/// Whom scripted services take tokens for; one token for all, since they pass it on.
pub const SERVICES: &str = "services";

/// Who issues the lab's tokens: the provider itself, by where it listens.
#[must_use]
pub fn issuer(address: SocketAddr) -> String {
    format!("http://{address}")
}

/// The claims of a token (RFC 7519; the scope as RFC 9068 has it).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// Who issued it.
    pub iss: String,
    /// Who shows it.
    pub sub: String,
    /// Whom it is meant for.
    pub aud: String,
    /// When it was issued, in seconds since 1970.
    pub iat: u64,
    /// Until when it holds, in seconds since 1970.
    pub exp: u64,
    pub role: String,
    /// What its owner has agreed to, with blanks between.
    pub scope: String,
    /// The site that its owner belongs to, where there are sites.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub site: Option<String>,
}

/// The claims of an ID token: who has logged in, for the client (OpenID Connect Core 1.0, section 2).
#[derive(Debug, Serialize)]
pub struct IdClaims {
    pub iss: String,
    pub sub: String,
    /// The client.
    pub aud: String,
    pub iat: u64,
    pub exp: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nonce: Option<String>,
}

/// What token is wanted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Order {
    /// Who shows it.
    pub subject: String,
    /// Whom it is meant for.
    pub audience: String,
    pub role: String,
    /// What its owner has agreed to, with blanks between.
    pub scope: String,
    /// The site that its owner belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub site: Option<String>,
    /// How long it holds, in seconds.
    pub lifetime: u64,
}

/// A token, as OAuth 2 answers it (RFC 6749, section 5.1).
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Token {
    /// The token itself; a secret.
    pub access_token: String,
    pub token_type: String,
    /// How long it holds, in seconds.
    pub expires_in: u64,
    /// What was granted, where the answer is to a client that has asked for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// Who has logged in; a secret as well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id_token: Option<String>,
}
