//! What a token says.

use serde::{Deserialize, Serialize};

/// Who issues the lab's tokens.
pub const ISSUER: &str = "interlock-lab";
/// Whom the gateway takes tokens for.
pub const AUDIENCE: &str = "tenants";

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
}
