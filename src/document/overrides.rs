//! Single values that the environment or a flag sets over the platform file.
//!
//! `INTERLOCK_DEFAULTS_MAX_BAKE=10m` sets `defaults.maxBake`; `--set metrics.prometheus.url=...` sets any scalar.
//! A flag comes after the environment, and the environment after the file.

use serde_json::Value;

use super::{Defaults, Platform, nearest, words};
use crate::error::{Fault, Place};

/// The beginning of the environment variables that set defaults.
const PREFIX: &str = "INTERLOCK_DEFAULTS_";

/// One value that is set over the platform file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Override {
    /// Keys and indices from the root.
    pub path: Vec<String>,
    /// The value as it was written.
    pub value: String,
    /// How it was given, for faults, such as `--set defaults.bake`, without the value.
    pub given: String,
}

/// Gathers overrides from the environment and then from the values of `--set`.
///
/// # Errors
/// Where a variable names no default, or a flag has no `=`.
pub fn overrides<'e>(
    environment: impl IntoIterator<Item = (&'e str, &'e str)>,
    sets: &[String],
) -> Result<Vec<Override>, Fault> {
    let known = default_names();
    let mut all = Vec::new();
    for (variable, value) in environment {
        let Some(rest) = variable.strip_prefix(PREFIX) else { continue };
        let given = variable.to_owned();
        let Some(name) = known.iter().find(|name| screaming(name) == rest) else {
            let screamed: Vec<String> = known.iter().map(|n| screaming(n)).collect();
            let hint = match nearest(rest, screamed.iter().map(String::as_str)) {
                Some(near) => format!("did you mean `{PREFIX}{near}`?"),
                None => format!("unset it; the names are those under `defaults`, such as `{PREFIX}BAKE`"),
            };
            return Err(fault(&given, format!("`{variable}` sets no default that exists"), hint));
        };
        all.push(Override { path: vec!["defaults".to_owned(), name.clone()], value: value.to_owned(), given });
    }
    for set in sets {
        let split = set.split_once('=');
        // The value is not shown: it may be a secret.
        let given = format!("--set {}", split.map_or(set.as_str(), |(path, _)| path));
        let Some((path, value)) = split else {
            return Err(fault(&given, "there is no `=`", "write `--set PATH=VALUE`, such as `--set defaults.bake=1m`"));
        };
        let path: Vec<String> = path.split('.').map(|part| part.trim().to_owned()).collect();
        if path.iter().any(String::is_empty) {
            return Err(fault(&given, "a part of the path is empty", "write it such as `defaults.bake`"));
        }
        all.push(Override { path, value: value.to_owned(), given });
    }
    all.sort_by_key(|o| o.given.starts_with("--set"));
    Ok(all)
}

/// Sets one value over a platform.
pub(super) fn apply(platform: &Platform, over: &Override) -> Result<Platform, Fault> {
    let odd = |what: String, hint: &str| fault(&over.given, what, hint);
    let written: Value = serde_saphyr::from_str_with_options(&over.value, super::options())
        .unwrap_or_else(|_| Value::String(over.value.clone()));
    if written.is_array() || written.is_object() {
        return Err(odd("only single values can be set".to_owned(), "write lists and maps in the platform file"));
    }
    let whole = serde_json::to_value(platform).map_err(|e| odd(e.to_string(), "write it in the platform file"))?;
    let with = |value: Value| -> Result<Platform, Fault> {
        let mut whole = whole.clone();
        *spot(&mut whole, over)? = value;
        serde_json::from_value(whole).map_err(|e| {
            let (what, hint) = words::from_words(&e.to_string());
            fault(&over.given, what, hint)
        })
    };
    // A name may look like a number: what does not fit as it reads is tried as text.
    with(written.clone()).or_else(|first| {
        if written.is_string() {
            return Err(first);
        }
        with(over.value.clone().into()).map_err(|second| {
            let text_is_wrong_too = second.what == words::OTHER_KIND;
            if text_is_wrong_too { first } else { second }
        })
    })
}

/// The place of an override in the whole value; keys that are not yet there are added, for the reader to judge.
fn spot<'v>(whole: &'v mut Value, over: &Override) -> Result<&'v mut Value, Fault> {
    let mut here = whole;
    for (depth, part) in over.path.iter().enumerate() {
        let named_by_people = depth == 1 && over.path[0] == "services";
        if here.is_null() {
            *here = Value::Object(serde_json::Map::new());
        }
        here = match here {
            Value::Object(map) => {
                if named_by_people && !map.contains_key(part) {
                    let hint = match nearest(part, map.keys().map(String::as_str)) {
                        Some(near) => format!("did you mean `{near}`?"),
                        None => "add it to the platform file first".to_owned(),
                    };
                    return Err(fault(&over.given, format!("there is no service `{part}`"), hint));
                }
                map.entry(part.clone()).or_insert(Value::Null)
            }
            Value::Array(items) => {
                let length = items.len();
                part.parse::<usize>().ok().and_then(|i| items.get_mut(i)).ok_or_else(|| {
                    let what = format!("`{part}` is none of the {length} entries here");
                    fault(&over.given, what, "count entries from 0")
                })?
            }
            _ => {
                let what = format!("`{}` is a single value and has no `{part}`", over.path[..depth].join("."));
                return Err(fault(&over.given, what, "leave the rest of the path out"));
            }
        };
    }
    Ok(here)
}

/// A fault in something that stands in no file: its place is named by how it was given.
pub(super) fn fault(given: &str, what: impl Into<String>, hint: impl Into<String>) -> Fault {
    let place = Place { file: given.to_owned(), line: 1, column: 1 };
    Fault { place, what: what.into(), hint: hint.into(), text: given.to_owned() }
}

fn default_names() -> Vec<String> {
    match serde_json::to_value(Defaults::default()) {
        Ok(Value::Object(map)) => map.keys().cloned().collect(),
        _ => Vec::new(),
    }
}

/// `maxBake` as `MAX_BAKE`.
fn screaming(name: &str) -> String {
    let mut out = String::new();
    for c in name.chars() {
        if c.is_ascii_uppercase() {
            out.push('_');
        }
        out.push(c.to_ascii_uppercase());
    }
    out
}
