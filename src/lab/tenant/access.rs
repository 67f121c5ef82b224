//! Whether the owner of a token may do what is asked: the role and the scope both have to allow it.

use http::HeaderMap;

use crate::lab::{http::CLAIMS, telemetry::Work};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// To see a tenant.
    Read,
    Write,
}

impl Access {
    const fn scope(self) -> &'static str {
        match self {
            Self::Read => "tenants:read",
            Self::Write => "tenants:write",
        }
    }

    const fn roles(self) -> &'static [&'static str] {
        match self {
            Self::Read => &["admin", "viewer"],
            Self::Write => &["admin"],
        }
    }
}

/// Checks the claims that the gateway has put into the headers.
///
/// # Errors
/// Why it is not allowed, for the user.
pub fn check(headers: &HeaderMap, access: Access, work: &Work) -> Result<(), String> {
    let checking = work.internal("check authorization");
    let [_, role, scope] = CLAIMS.map(|name| headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default());
    let checked = allowed(role, scope, access);
    checking.set("authorization.granted", checked.is_ok());
    if let Err(why) = &checked {
        checking.fail("forbidden", why.clone());
    }
    checked
}

fn allowed(role: &str, scope: &str, access: Access) -> Result<(), String> {
    if !access.roles().contains(&role) {
        return Err(format!("it takes the role {}", access.roles().join(" or ")));
    }
    if !scope.split(' ').any(|one| one == access.scope()) {
        return Err(format!("it takes the scope {}", access.scope()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn role_and_scope_both_have_to_allow_it() {
        let all = "tenants:read tenants:write";
        assert_eq!(allowed("viewer", "tenants:read", Access::Read), Ok(()));
        assert_eq!(allowed("admin", all, Access::Write), Ok(()));
        for (role, scope, access) in [
            ("viewer", all, Access::Write),
            ("admin", "tenants:read", Access::Write),
            ("admin", "tenants:reader", Access::Read),
            ("guest", all, Access::Read),
            ("", "", Access::Read),
        ] {
            assert!(allowed(role, scope, access).is_err(), "{role} with {scope}");
        }
    }
}
