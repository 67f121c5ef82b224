//! Whom a route lets in: what its token has to say, and who asks then.

use std::collections::{BTreeMap, BTreeSet};

use http::{HeaderMap, StatusCode, header};

use super::{host::Host, reply::Reply, request::SITE, turn::Asker};
use crate::lab::{
    identity::{Claims, MISSING},
    telemetry::Work,
};

/// The part of a path that names a site.
const SITE_PART: &str = "site";

/// What a token has to say for a route.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Requirement {
    /// One of these roles, where there are some.
    pub roles: BTreeSet<String>,
    /// All of these scopes.
    pub scopes: BTreeSet<String>,
    /// A site, and that of the request, where it names one.
    pub site: bool,
}

/// Who asks, as the token says; what headers say of that counts for nothing.
///
/// # Errors
/// The answer to whom the route does not let in.
pub async fn admit(
    host: &Host,
    required: &Requirement,
    (headers, params): (&HeaderMap, &BTreeMap<String, String>),
    asker: Asker,
    work: &Work,
) -> Result<Asker, Reply> {
    let Some(verifier) = &host.verifier else {
        return Err(Reply::later(StatusCode::SERVICE_UNAVAILABLE, 1, "there is no identity provider"));
    };
    let validating = work.internal("validate token");
    let token = asker.bearer.as_deref().and_then(|bearer| bearer.strip_prefix("Bearer "));
    let checked = verifier.check(token).await;
    if token.is_some() && checked.is_err() && !verifier.is_ready() {
        return Err(Reply::later(StatusCode::SERVICE_UNAVAILABLE, 1, "tokens cannot be checked at the moment"));
    }
    let named = [params.get(SITE_PART).map(String::as_str), headers.get(SITE).and_then(|site| site.to_str().ok())];
    let admitted = checked.map_err(unauthorized).and_then(|claims| {
        suffices(required, &claims, named.into_iter().flatten())?;
        Ok(claims)
    });
    match admitted {
        Ok(Claims { sub, role, scope, site, .. }) => {
            // A token of no site is bound to none.
            let site = site.or(asker.site);
            Ok(Asker { actor: Some(sub), role: Some(role), scope: Some(scope), site, ..asker })
        }
        Err(reply) => {
            validating.fail("not admitted", reply.detail());
            Err(reply)
        }
    }
}

fn suffices<'a>(
    required: &Requirement,
    claims: &Claims,
    named: impl IntoIterator<Item = &'a str>,
) -> Result<(), Reply> {
    let Requirement { roles, scopes, site } = required;
    if !roles.is_empty() && !roles.contains(&claims.role) {
        return Err(forbidden(required, format!("it takes the role {}", listed(roles, " or "))));
    }
    if let Some(missing) = scopes.iter().find(|scope| !claims.scope.split(' ').any(|one| one == *scope)) {
        return Err(forbidden(required, format!("it takes the scope {missing}")));
    }
    let own = claims.site.as_deref();
    match (site, own) {
        (true, None) => Err(forbidden(required, "it takes a token of a site".to_owned())),
        (true, Some(own)) if named.into_iter().any(|site| site != own) => {
            Err(forbidden(required, "it is about another site than the token's".to_owned()))
        }
        _ => Ok(()),
    }
}

fn listed(names: &BTreeSet<String>, between: &str) -> String {
    names.iter().map(String::as_str).collect::<Vec<_>>().join(between)
}

/// What is asked of whom is not known: <https://www.rfc-editor.org/rfc/rfc6750#section-3>.
fn unauthorized(why: &'static str) -> Reply {
    let challenge = match why {
        MISSING => "Bearer realm=\"services\"".to_owned(),
        _ => format!("Bearer realm=\"services\", error=\"invalid_token\", error_description=\"{why}\""),
    };
    challenged(Reply::problem(StatusCode::UNAUTHORIZED, why), &challenge)
}

fn forbidden(required: &Requirement, why: String) -> Reply {
    let scope = match required.scopes.is_empty() {
        true => String::new(),
        false => format!(", scope=\"{}\"", listed(&required.scopes, " ")),
    };
    let challenge = format!("Bearer realm=\"services\", error=\"insufficient_scope\"{scope}");
    challenged(Reply::problem(StatusCode::FORBIDDEN, why), &challenge)
}

fn challenged(reply: Reply, challenge: &str) -> Reply {
    // A scope that is no value of a header is left out with the rest; the status says enough.
    reply.clone().with_header(header::WWW_AUTHENTICATE.as_str(), challenge).unwrap_or(reply)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claims() -> Claims {
        Claims {
            iss: String::new(),
            sub: "ada".into(),
            aud: String::new(),
            iat: 0,
            exp: 0,
            role: "buyer".into(),
            scope: "orders:read orders:write".into(),
            site: Some("site-1".into()),
        }
    }

    fn required(roles: &[&str], scopes: &[&str], site: bool) -> Requirement {
        let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Requirement { roles: set(roles), scopes: set(scopes), site }
    }

    fn told(required: &Requirement, claims: &Claims, named: &[&str]) -> String {
        match suffices(required, claims, named.iter().copied()) {
            Ok(()) => "admitted".to_owned(),
            Err(reply) => {
                let challenge = reply.header("www-authenticate").into_string().unwrap_or_default();
                format!("{} {}; {challenge}", reply.status.as_u16(), reply.detail())
            }
        }
    }

    #[test]
    fn a_token_has_to_say_all_that_is_required() {
        let of_no_site = Claims { site: None, ..claims() };
        let told = [
            told(&required(&[], &[], false), &of_no_site, &["site-2"]),
            told(&required(&["admin", "buyer"], &["orders:write"], true), &claims(), &["site-1"]),
            told(&required(&["admin", "clerk"], &[], false), &claims(), &[]),
            told(&required(&[], &["orders:read", "orders:refund"], false), &claims(), &[]),
            told(&required(&[], &["orders"], false), &claims(), &[]),
            told(&required(&[], &[], true), &of_no_site, &[]),
            told(&required(&[], &[], true), &claims(), &["site-1", "site-2"]),
        ];
        insta::assert_snapshot!(told.join("\n"));
    }
}
