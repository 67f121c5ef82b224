//! The identity provider of a full lab: signs tokens, and publishes the key that they are checked with.

mod claims;
mod jwt;
mod keys;
mod routes;

pub use claims::{AUDIENCE, Claims, ISSUER, Order, Token};
pub use jwt::{Invalid, Jwt, KeySet};
pub use routes::serve;

/// Where the keys are, as OpenID Connect has it.
pub const JWKS: &str = "/.well-known/jwks.json";
