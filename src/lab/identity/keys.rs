//! The key that signs: made at the start, never written anywhere.

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use serde_json::{Value, json};

use super::claims::Claims;
use crate::{error::Error, lab::state::broken};

/// What stands before the 32 bytes of an Ed25519 key in PKCS #8 (RFC 8410, section 7).
const PKCS8: [u8; 16] =
    [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];

/// A key to sign with, and what others may know of it.
pub struct Signer {
    key: EncodingKey,
    id: String,
    public: String,
}

impl Signer {
    /// A new key.
    ///
    /// # Errors
    /// Where the system has no randomness.
    pub fn new() -> Result<Self, Error> {
        let seed: [u8; 32] = rand::random();
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed).map_err(|e| broken("the signing key", e))?;
        let key = EncodingKey::from_ed_der(&[&PKCS8[..], &seed[..]].concat());
        Ok(Self { key, id: format!("{:016x}", rand::random::<u64>()), public: base64url(pair.public_key().as_ref()) })
    }

    /// Signs claims.
    ///
    /// # Errors
    /// Where they cannot be written as JSON.
    pub fn sign(&self, claims: &Claims) -> Result<String, String> {
        let header = Header { kid: Some(self.id.clone()), ..Header::new(Algorithm::EdDSA) };
        encode(&header, claims, &self.key).map_err(|e| e.to_string())
    }

    /// The public key as a set (RFC 7517, RFC 8037).
    pub fn set(&self) -> Value {
        let Self { id, public, .. } = self;
        json!({ "keys": [
            { "kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig", "kid": id, "x": public },
        ] })
    }
}

/// Base64 with the alphabet for addresses and without padding (RFC 4648, section 5).
fn base64url(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for three in bytes.chunks(3) {
        let bits = three.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - three.len()));
        for place in 0..=three.len() {
            text.push(char::from(ALPHABET[(bits >> (18 - 6 * place) & 63) as usize]));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use jsonwebtoken::{DecodingKey, Validation, decode, jwk::JwkSet};

    use super::*;
    use crate::lab::identity::{AUDIENCE, ISSUER};

    #[test]
    fn base64_has_no_padding() {
        let texts = ["", "f", "fo", "foo", "foob"].map(|text| base64url(text.as_bytes()));
        assert_eq!(texts, ["", "Zg", "Zm8", "Zm9v", "Zm9vYg"]);
        assert_eq!(base64url(&[0xfb, 0xff]), "-_8");
    }

    #[test]
    fn what_one_key_signs_no_other_key_checks() {
        let (mine, other) = (Signer::new().unwrap(), Signer::new().unwrap());
        let claims = Claims {
            iss: ISSUER.into(),
            sub: "somebody".into(),
            aud: AUDIENCE.into(),
            iat: 0,
            exp: u64::from(u32::MAX),
            role: "viewer".into(),
            scope: "tenants:read".into(),
        };
        let token = mine.sign(&claims).unwrap();
        let mut validation = Validation::new(Algorithm::EdDSA);
        validation.set_audience(&[AUDIENCE]);
        let check = |signer: &Signer| {
            let set: JwkSet = serde_json::from_value(signer.set()).unwrap();
            decode::<Claims>(&token, &DecodingKey::from_jwk(&set.keys[0]).unwrap(), &validation)
        };
        assert_eq!(check(&mine).unwrap().claims, claims);
        assert!(check(&other).is_err());
    }
}
