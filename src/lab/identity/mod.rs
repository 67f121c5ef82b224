//! The lab's identity provider: logs users in, signs tokens, and publishes the key that they are checked with.

mod claims;
mod codes;
mod jwt;
mod keys;
mod oidc;
mod routes;
mod users;
mod verifier;

pub use claims::{Claims, Order, SERVICES, TENANTS, Token};
pub use jwt::Jwt;
pub use routes::{Options, serve};
pub use users::check as check_users;
pub use verifier::{MISSING, Verifier, now};

/// Where the keys are, as OpenID Connect has it.
pub const JWKS: &str = "/.well-known/jwks.json";
