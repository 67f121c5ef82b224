//! The signature of a webhook: HMAC-SHA-256 over its id, its time and its body.
//!
//! <https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md#signature-scheme>

use std::fmt;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ring::hmac::{self, HMAC_SHA256, Key};

/// The headers of a webhook.
pub const ID: &str = "webhook-id";
pub const TIMESTAMP: &str = "webhook-timestamp";
pub const SIGNATURE: &str = "webhook-signature";

/// How the text of a secret begins.
const PREFIX: &str = "whsec_";
/// How a signature of this kind begins.
const VERSION: &str = "v1,";
/// How far from now the time of a webhook may be, in seconds.
const TOLERANCE: u64 = 300;
/// The longest id that is taken.
const LONGEST: usize = 256;

/// What sender and receiver share.
#[derive(Clone)]
pub struct Secret(Key);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// What a request shows of its webhook.
#[derive(Debug, Clone, Copy, Default)]
pub struct Shown<'a> {
    pub id: Option<&'a str>,
    pub timestamp: Option<&'a str>,
    pub signature: Option<&'a str>,
}

impl Secret {
    /// The text of a new secret.
    #[must_use]
    pub fn text() -> String {
        format!("{PREFIX}{}", STANDARD.encode(rand::random::<[u8; 32]>()))
    }

    /// Reads a secret; none where the text is none.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let bytes = STANDARD.decode(text.strip_prefix(PREFIX)?).ok()?;
        (bytes.len() >= 24).then(|| Self(Key::new(HMAC_SHA256, &bytes)))
    }

    /// Signs what is sent at a time, in seconds since 1970.
    #[must_use]
    pub fn sign(&self, id: &str, at: u64, body: &[u8]) -> String {
        format!("{VERSION}{}", STANDARD.encode(hmac::sign(&self.0, &signed(id, &at.to_string(), body))))
    }

    /// The id of a webhook that was signed with this secret a moment ago.
    ///
    /// # Errors
    /// Why it is refused, for its sender.
    pub fn check<'a>(&self, shown: Shown<'a>, body: &[u8], now: u64) -> Result<&'a str, &'static str> {
        let Shown { id: Some(id), timestamp: Some(timestamp), signature: Some(signature) } = shown else {
            return Err("a webhook has an id, a timestamp and a signature");
        };
        let at: u64 = timestamp.parse().map_err(|_| "the timestamp of the webhook is none")?;
        if id.is_empty() || id.len() > LONGEST {
            return Err("the id of the webhook is empty or too long");
        }
        if now.abs_diff(at) > TOLERANCE {
            return Err("the timestamp of the webhook is too far from now");
        }
        let signed = signed(id, timestamp, body);
        // There are several while a secret is replaced.
        let fits = |one: &str| {
            let tag = one.strip_prefix(VERSION).and_then(|tag| STANDARD.decode(tag).ok());
            tag.is_some_and(|tag| hmac::verify(&self.0, &signed, &tag).is_ok())
        };
        if signature.split(' ').any(fits) { Ok(id) } else { Err("the signature of the webhook is wrong") }
    }
}

fn signed(id: &str, timestamp: &str, body: &[u8]) -> Vec<u8> {
    [id.as_bytes(), b".", timestamp.as_bytes(), b".", body].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: u64 = 1_614_265_330;
    const BODY: &[u8] = b"{\"test\": 2432232314}";

    fn shown<'a>(id: &'a str, timestamp: &'a str, signature: &'a str) -> Shown<'a> {
        Shown { id: Some(id), timestamp: Some(timestamp), signature: Some(signature) }
    }

    /// The example that comes with the libraries of Standard Webhooks.
    #[test]
    fn a_known_webhook_has_its_known_signature() {
        let secret = Secret::read("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let signature = secret.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", AT, BODY);
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn only_what_was_signed_a_moment_ago_is_taken() {
        let secret = Secret::read(&Secret::text()).unwrap();
        let (at, signature) = (AT.to_string(), secret.sign("a", AT, BODY));
        let several = format!("v2,x {signature}");
        let check = |shown, body, now| secret.check(shown, body, now);
        assert_eq!(check(shown("a", &at, &signature), BODY, AT + TOLERANCE), Ok("a"));
        assert_eq!(check(shown("a", &at, &several), BODY, AT), Ok("a"));
        let other = Secret::read(&Secret::text()).unwrap().sign("a", AT, BODY);
        let later = (AT + 1).to_string();
        for (refused, body, now) in [
            (Shown::default(), BODY, AT),
            (shown("a", "soon", &signature), BODY, AT),
            (shown("", &at, &signature), BODY, AT),
            (shown("a", &at, &signature), BODY, AT + TOLERANCE + 1),
            (shown("a", &at, &signature), BODY, AT - TOLERANCE - 1),
            (shown("b", &at, &signature), BODY, AT),
            (shown("a", &later, &signature), BODY, AT),
            (shown("a", &at, &signature), b"{}", AT),
            (shown("a", &at, &other), BODY, AT),
            (shown("a", &at, "v1,"), BODY, AT),
            (shown("a", &at, ""), BODY, AT),
        ] {
            assert!(check(refused, body, now).is_err(), "{refused:?}");
        }
    }

    #[test]
    fn a_secret_is_shown_nowhere_and_has_a_length() {
        assert_eq!(format!("{:?}", Secret::read(&Secret::text())), "Some(Secret)");
        assert!(
            ["", "whsec_", "whsec_AAAA", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"]
                .iter()
                .all(|text| Secret::read(text).is_none())
        );
    }
}
