//! The key that signs: made at the start, never written anywhere.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use serde_json::{Value, json};

use super::{claims::Claims, jwt};
use crate::{error::Error, lab::state::broken};

/// A key to sign with, and what others may know of it.
pub struct Signer {
    pair: Ed25519KeyPair,
    id: String,
}

impl Signer {
    /// A new key.
    ///
    /// # Errors
    /// Where the system has no randomness.
    pub fn new() -> Result<Self, Error> {
        let seed: [u8; 32] = rand::random();
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed).map_err(|e| broken("the signing key", e))?;
        Ok(Self { pair, id: format!("{:016x}", rand::random::<u64>()) })
    }

    /// Signs claims.
    ///
    /// # Errors
    /// Where they cannot be written as JSON.
    pub fn sign(&self, claims: &Claims) -> Result<String, String> {
        jwt::sign(&self.pair, &self.id, claims).map_err(|e| e.to_string())
    }

    /// The public key as a set (RFC 7517, RFC 8037).
    pub fn set(&self) -> Value {
        let public = URL_SAFE_NO_PAD.encode(self.pair.public_key());
        json!({ "keys": [
            { "kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig", "kid": self.id, "x": public },
        ] })
    }
}
