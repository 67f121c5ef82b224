//! What declarations are given: times, names, transitions, policies and requirements, as a script writes them.

use std::{collections::BTreeSet, time::Duration};

use rhai::{Array, Dynamic, ImmutableString as Text, Map};

use super::{admission::Requirement, declared::Policy};
use crate::model::HumanDuration;

/// What the names of metrics begin with that every service has.
const OWN_METRICS: [&str; 5] = ["http_server_", "rpc_server_", "script_", "messaging_", "outbox_"];

/// The transitions of a line such as `paid -> shipped, refunded`.
pub(super) fn transition(line: &str) -> Result<Vec<(String, String)>, String> {
    let hint = || format!("`{line}` is no transition; write it as \"paid -> shipped, refunded\"");
    let (from, to) = line.split_once("->").ok_or_else(hint)?;
    let from = from.trim();
    let all: Vec<_> = to.split(',').map(|to| (from.to_owned(), to.trim().to_owned())).collect();
    if from.is_empty() || all.iter().any(|(_, to)| to.is_empty()) { Err(hint()) } else { Ok(all) }
}

pub(super) fn requirement(what: &Map) -> Result<Requirement, String> {
    let mut required = Requirement::default();
    for (key, value) in what {
        match key.as_str() {
            "role" => required.roles = words(value).ok_or("`role` is a text, or some in an array")?,
            "scope" => required.scopes = words(value).ok_or("`scope` is a text, or some in an array")?,
            "site" => required.site = value.as_bool().map_err(|_| "`site` is true or false".to_owned())?,
            other => return Err(format!("`{other}` is nothing that a token says -> there are role, scope and site")),
        }
    }
    Ok(required)
}

/// One text or some, of which none is empty or has blanks.
fn words(value: &Dynamic) -> Option<BTreeSet<String>> {
    let all = value.clone().try_cast::<Array>().unwrap_or_else(|| vec![value.clone()]);
    let word = |one: Dynamic| one.try_cast::<Text>().map(String::from).filter(|word| is_word(word));
    let words: BTreeSet<_> = all.into_iter().map(word).collect::<Option<_>>()?;
    (!words.is_empty()).then_some(words)
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'"' | b'\\'))
}

pub(super) fn policy(how: &Map) -> Result<Policy, String> {
    let mut policy = Policy::default();
    for (key, value) in how {
        let text = || value.clone().into_string().map_err(|_| format!("`{key}` is a time such as \"500ms\""));
        let number = || value.as_int().ok().and_then(|n| u32::try_from(n).ok()).ok_or(format!("`{key}` is a number"));
        match key.as_str() {
            "timeout" => policy.timeout = duration(&text()?)?,
            "retries" => policy.retries = number()?.min(10),
            "back_off" => policy.back_off = duration(&text()?)?,
            "failures" => policy.failures = number()?.max(1),
            "cool_down" => policy.cool_down = duration(&text()?)?,
            other => {
                let known = "there are timeout, retries, back_off, failures and cool_down";
                return Err(format!("`{other}` is nothing that calls have -> {known}"));
            }
        }
    }
    Ok(policy)
}

/// A time as it is written, up to an hour.
///
/// # Errors
/// Where it is none.
pub fn duration(text: &str) -> Result<Duration, String> {
    let time = text.parse::<HumanDuration>()?.0;
    let fits = time > Duration::ZERO && time <= Duration::from_secs(3600);
    if fits { Ok(time) } else { Err(format!("`{text}` is not between 1ms and 1h")) }
}

pub(super) fn kebab(name: &str) -> Result<(), String> {
    let fits = name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.len() <= 64
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    if fits { Ok(()) } else { Err(format!("`{name}` is no name; it has small letters, digits and hyphens")) }
}

pub(super) fn setting_name(name: &str) -> Result<(), String> {
    let is_word = |word: &str| {
        word.starts_with(|c: char| c.is_ascii_lowercase())
            && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'_' | b'-'))
    };
    let fits = name.len() <= 64 && name.split('.').all(is_word);
    if fits { Ok(()) } else { Err(format!("`{name}` is no name of a setting; it is such as \"advisory.enabled\"")) }
}

pub(super) fn metric_name(name: &str) -> Result<(), String> {
    let fits = name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
    let is_free = !OWN_METRICS.iter().any(|prefix| name.starts_with(prefix));
    match (fits, is_free) {
        (true, true) => Ok(()),
        (false, _) => Err(format!("`{name}` is no name of a metric; it has small letters, digits and underscores")),
        (true, false) => Err(format!("`{name}` is a metric that every service has -> choose another name")),
    }
}
