//! Fields whose values no log, span or metric shows, by the names that a script declares.

use std::collections::{BTreeMap, BTreeSet};

use rhai::Dynamic;
use serde_json::Value;

use super::{declared::Route, value};

/// What stands in a log or a label in the place of a value.
pub const REDACTED: &str = "[redacted]";
/// The same in an address, where brackets would be encoded:
/// <https://opentelemetry.io/docs/specs/semconv/registry/attributes/url/>.
pub const REDACTED_IN_URL: &str = "REDACTED";

/// The names of fields that are not shown, whatever their case.
#[derive(Debug, Clone, Default)]
pub struct Redacted(BTreeSet<String>);

impl Redacted {
    /// Hides one more field.
    pub fn add(&mut self, field: &str) {
        self.0.insert(field.to_lowercase());
    }

    #[must_use]
    pub fn hides(&self, field: &str) -> bool {
        self.0.contains(&field.to_lowercase())
    }

    /// Puts something else in the place of its fields, however deep.
    pub fn redact(&self, value: &mut Value) {
        match value {
            Value::Object(map) => {
                for (name, inner) in map {
                    match self.hides(name) {
                        true => *inner = Value::from(REDACTED),
                        false => self.redact(inner),
                    }
                }
            }
            Value::Array(all) => all.iter_mut().for_each(|one| self.redact(one)),
            _ => {}
        }
    }

    /// What a script has thrown, as a text without these fields; none where it is no map and no array.
    #[must_use]
    pub fn thrown(&self, thrown: &Dynamic) -> Option<String> {
        let mut value = value::json(thrown).ok().filter(|value| value.is_object() || value.is_array())?;
        self.redact(&mut value);
        Some(value.to_string())
    }

    /// A path as logs and spans may show it: without these fields where it fits a route that has them.
    #[must_use]
    pub fn path(&self, routes: &[Route], path: &str) -> String {
        let has_some = |route: &&Route| route.template.parts().any(|part| self.hides(part));
        let shown = |route: &Route| {
            let parts: BTreeMap<_, _> = route.template.matches(path)?;
            route.template.fill(|part| Some(self.in_url(part, parts.get(part)?.clone()))).ok()
        };
        routes.iter().filter(has_some).find_map(shown).unwrap_or_else(|| path.to_owned())
    }

    /// The value of a part of a path or a query as spans may show it.
    #[must_use]
    pub fn in_url(&self, field: &str, value: String) -> String {
        if self.hides(field) { REDACTED_IN_URL.to_owned() } else { value }
    }
}

#[cfg(test)]
mod tests {
    use rhai::{FnPtr, Position};
    use serde_json::json;

    use super::*;
    use crate::lab::script::route::Template;

    fn redacted() -> Redacted {
        let mut redacted = Redacted::default();
        redacted.add("Card");
        redacted
    }

    #[test]
    fn declared_fields_are_redacted_however_deep() {
        let mut value = json!({ "order": 7, "payment": [{ "Card": { "number": "4111" } }], "card": null });
        redacted().redact(&mut value);
        assert_eq!(value, json!({ "order": 7, "payment": [{ "Card": REDACTED }], "card": REDACTED }));
    }

    #[test]
    fn a_path_is_shown_without_them_and_others_as_they_are() {
        let route = |path: &str| Route {
            method: http::Method::GET,
            template: Template::parse(path).unwrap(),
            requires: None,
            handler: FnPtr::new("show").unwrap(),
            at: Position::NONE,
        };
        let routes = [route("/cards/open"), route("/cards/{card}"), route("/orders/{id}")];
        assert_eq!(redacted().path(&routes, "/cards/4111"), "/cards/REDACTED");
        assert_eq!(redacted().path(&routes, "/orders/a%2Fb"), "/orders/a%2Fb");
        assert_eq!(redacted().path(&routes, "/nowhere"), "/nowhere");
    }

    #[test]
    fn what_is_thrown_is_a_text_without_them() {
        let thrown = value::dynamic(json!({ "card": "4111", "order": 7 }));
        assert_eq!(redacted().thrown(&thrown).unwrap(), r#"{"card":"[redacted]","order":7}"#);
        assert_eq!(redacted().thrown(&"no paper".into()), None);
    }
}
