//! Whether a token is valid, checked with the identity provider's keys, which are kept.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{PoisonError, RwLock},
    time::{Duration, Instant},
};

use http::{Method, StatusCode};
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use super::{
    JWKS,
    claims::{Claims, issuer},
    jwt::{Expected, Invalid, Jwt, KeySet},
};
use crate::lab::{
    Service,
    telemetry::{Call, Peer, Tracing},
};

/// How long the identity provider may take to tell its keys.
const WITHIN: Duration = Duration::from_secs(2);
/// How long the keys are kept before they are asked for again.
const KEPT: Duration = Duration::from_secs(300);
/// How often they are asked for at most, whatever keys tokens name.
const AGAIN_AFTER: Duration = Duration::from_millis(200);
/// How many tokens are remembered as valid; all are forgotten when there are more.
const SEEN: usize = 1024;

/// That no token was shown.
pub const MISSING: &str = "a bearer token is asked for";
const MALFORMED: &str = "the token is malformed";
const EXPIRED: &str = "the token has expired";

/// Checks tokens of one provider for one audience.
pub struct Verifier {
    identity: Peer,
    tracing: Tracing,
    expected: Expected,
    keys: RwLock<Option<KeySet>>,
    /// Tokens whose signature, audience and issuer were found right with the present keys.
    seen: RwLock<HashMap<String, Claims>>,
    /// When the keys were asked for last; held while they are.
    asked: Mutex<Option<Instant>>,
}

impl Verifier {
    /// Without keys yet.
    pub fn new(identity: SocketAddr, audience: &'static str, tracing: Tracing) -> Self {
        Self {
            identity: Peer::new(Service::Identity.name().into(), identity),
            tracing,
            expected: Expected { issuer: issuer(identity), audience },
            keys: RwLock::default(),
            seen: RwLock::default(),
            asked: Mutex::default(),
        }
    }

    /// Where the provider listens.
    pub const fn address(&self) -> SocketAddr {
        self.identity.address()
    }

    /// Whether there are keys to check with.
    pub fn is_ready(&self) -> bool {
        self.keys.read().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// Keeps the keys fresh until `stop`.
    pub async fn follow(&self, stop: CancellationToken) {
        loop {
            self.refresh().await;
            let wait = if self.is_ready() { KEPT } else { AGAIN_AFTER };
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// Asks for the keys, unless that was done a moment ago. It belongs to no request, and is a trace of its own.
    async fn refresh(&self) {
        let mut asked = self.asked.lock().await;
        if asked.is_some_and(|at| at.elapsed() < AGAIN_AFTER) {
            return;
        }
        let call =
            Call { method: Method::GET, template: JWKS, path: JWKS, shown: JWKS, headers: &[], body: None, resent: 0 };
        let answer = self.identity.call(&self.tracing.own(), call, WITHIN).await;
        let keys = answer.and_then(|answer| match answer.status {
            StatusCode::OK => answer.json::<KeySet>(),
            status => Err(status.to_string()),
        });
        match keys {
            Ok(keys) => {
                *self.keys.write().unwrap_or_else(PoisonError::into_inner) = Some(keys);
                self.seen.write().unwrap_or_else(PoisonError::into_inner).clear();
            }
            Err(why) => tracing::warn!("the identity provider's keys: {why}"),
        }
        *asked = Some(Instant::now());
    }

    fn known(&self, id: &str) -> Option<Vec<u8>> {
        self.keys.read().unwrap_or_else(PoisonError::into_inner).as_ref()?.find(id)
    }

    /// What a token says, if it is valid.
    ///
    /// # Errors
    /// Why it is refused, for its user.
    pub async fn check(&self, token: Option<&str>) -> Result<Claims, &'static str> {
        let token = token.ok_or(MISSING)?;
        let seen = self.seen.read().unwrap_or_else(PoisonError::into_inner).get(token).cloned();
        if let Some(claims) = seen {
            return if now() < claims.exp { Ok(claims) } else { Err(EXPIRED) };
        }
        let jwt = Jwt::parse(token).ok_or(MALFORMED)?;
        let id = jwt.key_id().ok_or(MALFORMED)?;
        let mut key = self.known(id);
        if key.is_none() {
            // The identity provider may have another key since it was started again.
            self.refresh().await;
            key = self.known(id);
        }
        let key = key.ok_or("the token is signed with an unknown key")?;
        let claims = jwt.check(&key, now(), &self.expected);
        if let Ok(claims) = &claims {
            let mut seen = self.seen.write().unwrap_or_else(PoisonError::into_inner);
            if seen.len() >= SEEN {
                seen.clear();
            }
            seen.insert(token.to_owned(), claims.clone());
        }
        claims.map_err(|why| match why {
            Invalid::Signature => "the token's signature is wrong",
            Invalid::Expired => EXPIRED,
            Invalid::Audience => "the token is meant for another audience",
            Invalid::Issuer => "the token has another issuer",
            Invalid::Malformed => MALFORMED,
        })
    }
}

/// Seconds since 1970, as tokens have them.
pub fn now() -> u64 {
    u64::try_from(jiff::Timestamp::now().as_second()).unwrap_or_default()
}
