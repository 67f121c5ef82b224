//! Whether a request may pass: it shows a valid token, whose claims take the token's place.

use http::{HeaderMap, HeaderValue, header};
use tokio_util::sync::CancellationToken;

use crate::lab::{
    features::GatewayDefect,
    http::CLAIMS,
    identity::{Claims, Jwt, MISSING, Verifier},
    telemetry::Work,
};

/// Checks the tokens of requests.
pub struct Bearer {
    verifier: Verifier,
    defects: Vec<GatewayDefect>,
}

impl Bearer {
    /// Checks with `verifier`, as far as the defects leave that.
    pub const fn new(verifier: Verifier, defects: Vec<GatewayDefect>) -> Self {
        Self { verifier, defects }
    }

    /// Whether there are keys to check with.
    pub fn is_ready(&self) -> bool {
        self.verifier.is_ready()
    }

    /// Keeps the keys fresh until `stop`.
    pub async fn follow(&self, stop: CancellationToken) {
        self.verifier.follow(stop).await;
    }

    /// Checks the token of a request, and puts what it says in its place.
    ///
    /// # Errors
    /// Why it is refused, for its user.
    pub async fn admit(&self, headers: &mut HeaderMap, work: Option<&Work>) -> Result<(), &'static str> {
        for name in CLAIMS {
            headers.remove(name);
        }
        let shown = headers.remove(header::AUTHORIZATION);
        let token = shown.as_ref().and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
        let claims = if self.defects.contains(&GatewayDefect::SkipValidation) {
            token.and_then(|token| Jwt::parse(token)?.unchecked()).ok_or(MISSING)
        } else {
            let validating = work.map(|work| work.internal("validate token"));
            let checked = self.verifier.check(token).await;
            if let (Some(validating), Err(why)) = (&validating, &checked) {
                validating.fail("invalid token", *why);
            }
            checked
        }?;
        let Claims { sub, role, scope, .. } = claims;
        for (name, value) in CLAIMS.into_iter().zip([sub, role, scope]) {
            headers.insert(name, HeaderValue::try_from(value).map_err(|_| "the token's claims are no plain text")?);
        }
        Ok(())
    }
}
