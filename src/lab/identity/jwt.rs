//! JSON Web Tokens as the lab signs and checks them: compact, with Ed25519 (RFC 7515, RFC 7519, RFC 8037).

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::signature::{ED25519, Ed25519KeyPair, UnparsedPublicKey};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::claims::Claims;

/// The one algorithm that is signed and taken (RFC 8037, section 3.1).
const ALGORITHM: &str = "EdDSA";

/// What stands before the claims.
#[derive(Serialize, Deserialize)]
struct Header {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    typ: Option<String>,
    alg: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    kid: Option<String>,
}

/// What a token is checked for beside its signature and its time.
#[derive(Debug, Clone)]
pub struct Expected {
    pub issuer: String,
    pub audience: &'static str,
}

/// Why a token is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Invalid {
    /// It is no token, is signed with another algorithm, or lacks a claim.
    Malformed,
    /// Its key has not signed it.
    Signature,
    /// Its time is over.
    Expired,
    /// Another issuer has issued it.
    Issuer,
    /// It is meant for somebody else.
    Audience,
}

/// Public keys (RFC 7517).
#[derive(Deserialize)]
pub struct KeySet {
    keys: Vec<Jwk>,
}

#[derive(Deserialize)]
struct Jwk {
    kty: String,
    #[serde(default)]
    crv: Option<String>,
    #[serde(default)]
    kid: Option<String>,
    #[serde(default)]
    x: Option<String>,
}

impl KeySet {
    /// The Ed25519 key of a name, if there is one.
    pub fn find(&self, id: &str) -> Option<Vec<u8>> {
        let key = self.keys.iter().find(|key| key.kid.as_deref() == Some(id))?;
        let fits = key.kty == "OKP" && key.crv.as_deref() == Some("Ed25519");
        URL_SAFE_NO_PAD.decode(key.x.as_deref().filter(|_| fits)?).ok()
    }
}

/// A token, taken apart and not yet checked.
pub struct Jwt<'a> {
    signed: &'a str,
    header: Header,
    payload: &'a str,
    signature: &'a str,
}

impl<'a> Jwt<'a> {
    /// Takes a token apart, if it is one.
    pub fn parse(token: &'a str) -> Option<Self> {
        let (signed, signature) = token.rsplit_once('.')?;
        let (header, payload) = signed.split_once('.')?;
        (!payload.contains('.')).then_some(Self { signed, header: decoded(header)?, payload, signature })
    }

    /// The name of the key that it claims to be signed with.
    pub fn key_id(&self) -> Option<&str> {
        self.header.kid.as_deref()
    }

    /// What it says, whoever has signed it.
    pub fn unchecked(&self) -> Option<Claims> {
        decoded(self.payload)
    }

    /// What it says, if `key` has signed it and it holds at `now`, in seconds since 1970.
    ///
    /// # Errors
    /// Why it is refused.
    pub fn check(&self, key: &[u8], now: u64, expected: &Expected) -> Result<Claims, Invalid> {
        let signature = URL_SAFE_NO_PAD.decode(self.signature).map_err(|_| Invalid::Malformed)?;
        if self.header.alg != ALGORITHM {
            return Err(Invalid::Malformed);
        }
        let key = UnparsedPublicKey::new(&ED25519, key);
        key.verify(self.signed.as_bytes(), &signature).map_err(|_| Invalid::Signature)?;
        let claims = self.unchecked().ok_or(Invalid::Malformed)?;
        if claims.exp < now {
            Err(Invalid::Expired)
        } else if claims.iss != expected.issuer {
            Err(Invalid::Issuer)
        } else if claims.aud != expected.audience {
            Err(Invalid::Audience)
        } else {
            Ok(claims)
        }
    }
}

/// Signs claims with a key of that name.
///
/// # Errors
/// Where they cannot be written as JSON.
pub(super) fn sign(pair: &Ed25519KeyPair, id: &str, claims: &impl Serialize) -> Result<String, serde_json::Error> {
    let header = Header { typ: Some("JWT".into()), alg: ALGORITHM.into(), kid: Some(id.into()) };
    let signed = format!("{}.{}", encoded(&header)?, encoded(claims)?);
    let signature = URL_SAFE_NO_PAD.encode(pair.sign(signed.as_bytes()));
    Ok(format!("{signed}.{signature}"))
}

fn encoded(value: &impl Serialize) -> Result<String, serde_json::Error> {
    serde_json::to_vec(value).map(|json| URL_SAFE_NO_PAD.encode(json))
}

fn decoded<T: DeserializeOwned>(part: &str) -> Option<T> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::identity::keys::Signer;

    fn claims() -> Claims {
        Claims {
            iss: "http://127.0.0.1:1".into(),
            sub: "somebody".into(),
            aud: "tenants".into(),
            iat: 0,
            exp: 1000,
            role: "viewer".into(),
            scope: "tenants:read".into(),
            site: None,
        }
    }

    fn expected() -> Expected {
        Expected { issuer: "http://127.0.0.1:1".into(), audience: "tenants" }
    }

    fn key(signer: &Signer, token: &str) -> Option<Vec<u8>> {
        let set: KeySet = serde_json::from_value(signer.set()).unwrap();
        set.find(Jwt::parse(token)?.key_id()?)
    }

    fn check(signer: &Signer, token: &str, now: u64) -> Result<Claims, Invalid> {
        let signed = signer.sign(&claims()).unwrap();
        Jwt::parse(token).ok_or(Invalid::Malformed)?.check(&key(signer, &signed).unwrap(), now, &expected())
    }

    #[test]
    fn what_one_key_signs_no_other_key_checks() {
        let (mine, other) = (Signer::new().unwrap(), Signer::new().unwrap());
        let token = mine.sign(&claims()).unwrap();
        assert_eq!(check(&mine, &token, 1000), Ok(claims()));
        assert_eq!(check(&other, &token, 1000), Err(Invalid::Signature));
        assert_eq!(key(&other, &token), None, "keys have names of their own");
    }

    #[test]
    fn the_header_is_that_of_a_signed_token() {
        let token = Signer::new().unwrap().sign(&claims()).unwrap();
        let header: serde_json::Value = decoded(token.split('.').next().unwrap()).unwrap();
        assert_eq!((&header["typ"], &header["alg"]), (&"JWT".into(), &"EdDSA".into()));
    }

    #[test]
    fn a_token_that_was_not_meant_is_refused_with_its_reason() {
        let signer = Signer::new().unwrap();
        let signed = |change: fn(&mut Claims)| {
            let mut claims = claims();
            change(&mut claims);
            signer.sign(&claims).unwrap()
        };
        assert_eq!(check(&signer, &signed(|_| ()), 1001), Err(Invalid::Expired));
        assert_eq!(check(&signer, &signed(|claims| claims.iss = "me".into()), 0), Err(Invalid::Issuer));
        assert_eq!(check(&signer, &signed(|claims| claims.aud = "others".into()), 0), Err(Invalid::Audience));
    }

    #[test]
    fn no_part_of_a_token_can_be_changed() {
        let signer = Signer::new().unwrap();
        let token = signer.sign(&claims()).unwrap();
        let parts: Vec<&str> = token.split('.').collect();
        let mut greater = claims();
        greater.role = "admin".into();
        let other = signer.sign(&greater).unwrap();
        let payload = other.split('.').nth(1).unwrap();
        assert_eq!(check(&signer, &[parts[0], payload, parts[2]].join("."), 0), Err(Invalid::Signature));
        let none = URL_SAFE_NO_PAD.encode(r#"{"alg":"none"}"#);
        assert_eq!(check(&signer, &format!("{none}.{payload}."), 0), Err(Invalid::Malformed));
        for broken in ["", ".", "..", "a.b.c", &token[1..], &format!("{token}="), &format!("{token}.x"), parts[0]] {
            assert_eq!(check(&signer, broken, 0), Err(Invalid::Malformed), "{broken}");
        }
    }
}
