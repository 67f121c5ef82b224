//! Codes that a login ends with and a client exchanges for tokens: each once, soon, and by whoever began the login.
//!
//! <https://www.rfc-editor.org/rfc/rfc6749#section-4.1>, <https://www.rfc-editor.org/rfc/rfc7636>.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest as _, Sha256};

/// How long a code waits for its client.
const WAITS: Duration = Duration::from_secs(60);
/// The most codes that wait.
const MOST: usize = 1024;

/// What a code stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    pub subject: String,
    pub role: String,
    pub site: Option<String>,
    /// What was granted, with blanks between.
    pub scope: String,
    pub nonce: Option<String>,
    pub client_id: String,
    pub redirect_uri: String,
    /// The hash of what the client has to show (`S256`).
    pub challenge: String,
}

/// What a client shows for a code.
#[derive(Debug, Clone, Copy)]
pub struct Shown<'a> {
    pub client_id: &'a str,
    pub redirect_uri: &'a str,
    pub verifier: &'a str,
}

/// All codes that wait for their clients. They end with the process: a client then logs in once more.
#[derive(Default)]
pub struct Codes(Mutex<HashMap<String, (Grant, Instant)>>);

impl Codes {
    /// A new code; none while too many wait.
    pub fn issue(&self, grant: Grant, now: Instant) -> Option<String> {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.retain(|_, (_, until)| now < *until);
        if waiting.len() >= MOST {
            return None;
        }
        let code = format!("{:032x}", rand::random::<u128>());
        waiting.insert(code.clone(), (grant, now + WAITS));
        Some(code)
    }

    /// What a code stands for, which is over with that, whatever is shown.
    ///
    /// # Errors
    /// Why nothing is granted.
    pub fn exchange(&self, code: &str, shown: Shown<'_>, now: Instant) -> Result<Grant, &'static str> {
        let taken = self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(code);
        let (grant, until) = taken.ok_or("there is no such code, or it was exchanged already")?;
        let Shown { client_id, redirect_uri, verifier } = shown;
        if now >= until {
            Err("the code has waited for too long")
        } else if grant.client_id != client_id || grant.redirect_uri != redirect_uri {
            Err("the code was issued to another client")
        } else if !is_verifier(verifier) || challenge(verifier) != grant.challenge {
            Err("the verifier does not fit the challenge")
        } else {
            Ok(grant)
        }
    }
}

/// The challenge to a verifier.
#[must_use]
pub fn challenge(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(verifier))
}

/// Whether something is a challenge at all: a hash in base64 for URLs.
#[must_use]
pub fn is_challenge(text: &str) -> bool {
    URL_SAFE_NO_PAD.decode(text).is_ok_and(|hash| hash.len() == 32)
}

fn is_verifier(text: &str) -> bool {
    (43..=128).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    const SHOWN: Shown<'static> = Shown { client_id: "shop", redirect_uri: "http://127.0.0.1/", verifier: VERIFIER };

    fn grant() -> Grant {
        Grant {
            subject: "ada".into(),
            role: "buyer".into(),
            site: None,
            scope: "openid".into(),
            nonce: None,
            client_id: "shop".into(),
            redirect_uri: "http://127.0.0.1/".into(),
            challenge: challenge(VERIFIER),
        }
    }

    /// The example of RFC 7636, appendix B.
    #[test]
    fn a_challenge_is_the_hash_of_its_verifier() {
        assert_eq!(challenge(VERIFIER), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
        assert!(is_challenge(&challenge(VERIFIER)) && !is_challenge("plain") && !is_challenge(""));
    }

    #[test]
    fn a_code_is_exchanged_once_and_soon() {
        let (codes, now) = (Codes::default(), Instant::now());
        let code = codes.issue(grant(), now).unwrap();
        assert_eq!(codes.exchange(&code, SHOWN, now), Ok(grant()));
        assert!(codes.exchange(&code, SHOWN, now).is_err(), "once");
        let late = codes.issue(grant(), now).unwrap();
        assert_eq!(codes.exchange(&late, SHOWN, now + WAITS), Err("the code has waited for too long"));
    }

    #[test]
    fn whoever_shows_something_else_gets_nothing_and_ends_the_code() {
        let (codes, now) = (Codes::default(), Instant::now());
        let other = "x".repeat(43);
        for shown in [
            Shown { client_id: "other", ..SHOWN },
            Shown { redirect_uri: "http://127.0.0.1/other", ..SHOWN },
            Shown { verifier: &other, ..SHOWN },
            Shown { verifier: "short", ..SHOWN },
        ] {
            let code = codes.issue(grant(), now).unwrap();
            assert!(codes.exchange(&code, shown, now).is_err(), "{shown:?}");
            assert!(codes.exchange(&code, SHOWN, now).is_err(), "after {shown:?}");
        }
    }

    #[test]
    fn codes_that_wait_are_bounded_and_make_room() {
        let (codes, now) = (Codes::default(), Instant::now());
        assert!((0..MOST).all(|_| codes.issue(grant(), now).is_some()));
        assert_eq!(codes.issue(grant(), now), None);
        assert!(codes.issue(grant(), now + WAITS).is_some());
    }
}
