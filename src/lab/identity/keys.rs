//! The key that signs: made once for a lab and kept in its folder, so that tokens outlive a restart of the provider.

use std::path::Path;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::jwt;
use crate::{
    error::Error,
    lab::state::{self, broken, fault},
};

/// A key to sign with, and what others may know of it.
pub struct Signer {
    pair: Ed25519KeyPair,
    id: String,
}

/// The key as it is kept; a secret.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    id: String,
    /// In base64 for URLs.
    seed: String,
}

impl Signer {
    /// The key in a file, made where there is none.
    ///
    /// # Errors
    /// Where the file cannot be read or written, or holds no key.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let kept = match state::read::<Kept>(path)? {
            Some(kept) => kept,
            None => {
                let seed = URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>());
                let kept = Kept { id: format!("{:016x}", rand::random::<u64>()), seed };
                state::write(path, &kept)?;
                kept
            }
        };
        let seed = URL_SAFE_NO_PAD.decode(&kept.seed).map_err(|e| fault(path, &e))?;
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed).map_err(|e| broken("the signing key", e))?;
        Ok(Self { pair, id: kept.id })
    }

    /// A new key.
    ///
    /// # Errors
    /// Where the system has no randomness.
    #[cfg(test)]
    pub fn new() -> Result<Self, Error> {
        let seed: [u8; 32] = rand::random();
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed).map_err(|e| broken("the signing key", e))?;
        Ok(Self { pair, id: format!("{:016x}", rand::random::<u64>()) })
    }

    /// Signs claims.
    ///
    /// # Errors
    /// Where they cannot be written as JSON.
    pub fn sign(&self, claims: &impl Serialize) -> Result<String, String> {
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
