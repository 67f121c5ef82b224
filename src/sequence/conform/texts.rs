//! What texts of a diagram mean to a check: names, endpoints, statuses, how often.

use std::{borrow::Cow, sync::LazyLock};

use regex::Regex;

#[expect(clippy::expect_used, reason = "the patterns are written here, and a test reads them all")]
fn regex(pattern: &str) -> Regex {
    Regex::new(pattern).expect("a regular expression")
}

static MARKUP: LazyLock<Regex> = LazyLock::new(|| regex(r"(?i)<br\s*/?>|#(\d{1,7});|#\w+;"));
static ENDPOINT: LazyLock<Regex> =
    LazyLock::new(|| regex(r"\b(GET|POST|PUT|PATCH|DELETE|HEAD|OPTIONS)\s+(?:https?://[^/\s]+)?(/\S*)"));
static STATUS: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"(?i)(?:^|\(|\b(?:return|returns|returned|http|status|code|error|response|respond|responds|with|answer)[:\s(]+)([1-5][0-9]{2})\b(?:\s*(\S+))?",
    )
});
static EXACTLY: LazyLock<Regex> = LazyLock::new(|| regex(r"(?i)\b([0-9]{1,6})\s*(?:times|x)\b"));
static RANGE: LazyLock<Regex> =
    LazyLock::new(|| regex(r"(?i)\b([0-9]{1,6})\s*(?:-|–|to|\.\.)\s*([0-9]{1,6})\s*(?:times|x)\b"));
static MOST: LazyLock<Regex> =
    LazyLock::new(|| regex(r"(?i)\b(?:max(?:imum|\.)?|at most|up to)\s*(?:of\s*)?([0-9]{1,6})\b(?:\s*([a-z%]+))?"));
static LEAST: LazyLock<Regex> =
    LazyLock::new(|| regex(r"(?i)\b(?:min(?:imum|\.)?|at least)\s*(?:of\s*)?([0-9]{1,6})\b(?:\s*([a-z%]+))?"));

/// Words behind a number that make it an amount or a time.
const UNITS: &[&str] = &[
    "ms", "s", "sec", "secs", "second", "seconds", "m", "min", "mins", "minute", "minutes", "h", "hour", "hours", "d",
    "day", "days", "%", "percent", "kb", "mb", "gb", "bytes", "rows", "items", "records", "results", "entries",
    "users", "messages", "events",
];

/// Words by which a participant is known for a bus: what goes to it is handed on, and not answered.
const BUSES: &[&str] =
    &["bus", "broker", "queue", "topic", "stream", "kafka", "rabbitmq", "eventbridge", "nats", "pubsub", "sns", "sqs"];

/// A text as it is drawn: entities are characters, and what else is markup is a blank.
pub(super) fn shown(text: &str) -> Cow<'_, str> {
    MARKUP.replace_all(text, |groups: &regex::Captures<'_>| {
        let number = groups.get(1).and_then(|number| number.as_str().parse().ok()).and_then(char::from_u32);
        number.unwrap_or(' ').to_string()
    })
}

/// A name of a diagram as names are compared.
pub(super) fn plain(name: &str) -> String {
    letters(&shown(name))
}

/// A name of a span, which has no markup, as names are compared: its letters and digits in lower case.
pub(super) fn letters(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// The words of a name, in lower case; also those that only capitals tell apart.
pub(super) fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut before = ' ';
    for c in shown(name).chars() {
        if !c.is_alphanumeric() || (c.is_uppercase() && before.is_lowercase()) {
            words.push(String::new());
        }
        if c.is_alphanumeric()
            && let Some(word) = words.last_mut()
        {
            word.extend(c.to_lowercase());
        }
        before = c;
    }
    words.retain(|word| !word.is_empty());
    words
}

pub(super) fn is_bus(name: &str) -> bool {
    words(name).iter().any(|word| BUSES.contains(&word.as_str()))
}

/// Whether a text is of a pattern, in which `*` stands for any text. Linear but for the product of both lengths.
pub(super) fn glob(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else { return rest.is_empty() };
    for part in middle {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

/// A method of HTTP, and a path whose `{...}` stand for any segment.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Endpoint {
    pub method: String,
    pub path: Vec<String>,
}

/// The endpoint that a text names, such as `GET /tenants/{id} (token)`; none where it is cut off.
pub(super) fn endpoint(text: &str) -> Option<Endpoint> {
    named_endpoint(&shown(text))
}

pub(super) fn named_endpoint(name: &str) -> Option<Endpoint> {
    let groups = ENDPOINT.captures(name)?;
    if groups.get(2)?.as_str().ends_with('…') {
        return None;
    }
    Some(Endpoint { method: groups.get(1)?.as_str().to_owned(), path: segments(groups.get(2)?.as_str()) })
}

/// The segments of a path, without its query and what a sentence puts behind it.
pub(super) fn segments(path: &str) -> Vec<String> {
    let path = path.split(['?', '#', '=']).next().unwrap_or_default().trim_end_matches([',', ';', ':', '.', ')']);
    path.split('/').filter(|s| !s.is_empty()).map(str::to_owned).collect()
}

/// Whether two paths may be the same; a parameter in either stands for any segment.
pub(super) fn same_path(a: &[String], b: &[String]) -> bool {
    let parameter = |s: &str| s.starts_with('{') || s.starts_with(':') || s.starts_with('<');
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.eq_ignore_ascii_case(b) || parameter(a) || parameter(b))
}

/// The status of HTTP that a reply's text names, such as `Return 503 + Retry-After`.
pub(in crate::sequence) fn status(text: &str) -> Option<u16> {
    let text = shown(text);
    STATUS.captures_iter(&text).find_map(|groups| {
        let behind = groups.get(2).map_or("", |m| m.as_str()).trim_end_matches(|c: char| !c.is_alphanumeric());
        let number = groups.get(1)?.as_str().parse().ok()?;
        (!UNITS.contains(&behind.to_lowercase().as_str())).then_some(number)
    })
}

/// How often the label of a loop says that it is run: at least, and at most.
pub(super) fn bounds(label: &str) -> (u32, Option<u32>) {
    let number = |groups: &regex::Captures<'_>, at: usize| groups.get(at).and_then(|m| m.as_str().parse().ok());
    let count = |pattern: &Regex| {
        pattern
            .captures(label)
            .filter(|g| g.get(2).is_none_or(|unit| !is_unit(unit.as_str())))
            .and_then(|g| number(&g, 1))
    };
    if let Some(groups) = RANGE.captures(label)
        && let (Some(least), Some(most)) = (number(&groups, 1), number(&groups, 2))
        && least <= most
    {
        return (least, Some(most));
    }
    let (least, most) = (count(&LEAST), count(&MOST));
    match (least, most, EXACTLY.captures(label).and_then(|g| number(&g, 1))) {
        (None, None, Some(exactly)) => (exactly, Some(exactly)),
        (least, most, _) => (least.unwrap_or(0).min(most.unwrap_or(u32::MAX)), most),
    }
}

fn is_unit(word: &str) -> bool {
    UNITS.contains(&word.to_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_say_how_often() {
        let cases = [
            ("3 times", (3, Some(3))),
            ("retry (max 3)", (0, Some(3))),
            ("up to 5 times", (0, Some(5))),
            ("at least 2", (2, None)),
            ("2-4 times", (2, Some(4))),
            ("Monitor (5 min)", (0, None)),
            ("at most 30 seconds", (0, None)),
            ("every minute", (0, None)),
            ("", (0, None)),
        ];
        for (label, expected) in cases {
            assert_eq!(bounds(label), expected, "{label}");
        }
    }

    #[test]
    fn replies_name_statuses_and_not_amounts() {
        let cases = [
            ("Return 503 + Retry-After", Some(503)),
            ("200 OK", Some(200)),
            ("Error (500 - unavailable)", Some(500)),
            ("Response (202 accepted)", Some(202)),
            ("Return 200 rows", None),
            ("with 150 ms", None),
            ("order 404 is shipped", None),
            ("done", None),
        ];
        for (text, expected) in cases {
            assert_eq!(status(text), expected, "{text}");
        }
    }

    #[test]
    fn endpoints_fit_by_their_segments() {
        let asked = endpoint("GET /tenants/{id}?full=1 (token)").unwrap();
        assert_eq!((asked.method.as_str(), asked.path.len()), ("GET", 2));
        for (path, fits) in [("/tenants/7", true), ("/tenants/:id/", true), ("/tenants", false), ("/users/7", false)] {
            assert_eq!(same_path(&asked.path, &segments(path)), fits, "{path}");
        }
        assert_eq!(endpoint("forward the request"), None);
    }

    #[test]
    fn globs_and_names() {
        for (pattern, text, fits) in [
            ("a*c", "abbc", true),
            ("a*c", "abcd", false),
            ("*", "", true),
            ("a", "ab", false),
            ("*b*", "abc", true),
            ("aa*aa", "aaa", false),
        ] {
            assert_eq!(glob(pattern, text), fits, "{pattern} {text}");
        }
        assert_eq!(shown("GET /a/#60;id#62;#nbsp;b<br/>c"), "GET /a/<id> b c");
        assert_eq!(plain("Public Web<br/>Application"), "publicwebapplication");
        assert!(is_bus("EventBus") && is_bus("event-bus") && is_bus("Kafka") && !is_bus("Business"));
        assert!(STATUS.is_match("200") && RANGE.is_match("1-2 times") && LEAST.is_match("min 1"));
    }
}
