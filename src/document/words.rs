//! What the reader of documents says, in the words of whoever wrote them: what is wanted, and names that are near.

/// A message without the place at its end.
pub(super) fn strip_place(words: &str) -> &str {
    let end =
        [" at line ", " (line ", " (defined"].iter().filter_map(|mark| words.rfind(mark)).min().unwrap_or(words.len());
    words[..end].trim_end_matches([':', ',']).trim_end()
}

/// What is wrong and how to fix it, from a message of serde.
pub(super) fn from_words(words: &str) -> (String, String) {
    for (start, kind) in [("unknown field `", "key"), ("unknown variant `", "value")] {
        let Some((name, rest)) = words.strip_prefix(start).and_then(|rest| rest.split_once('`')) else { continue };
        let expected: Vec<&str> = rest.split('`').skip(1).step_by(2).collect();
        return unknown(kind, name, &expected);
    }
    let words = strip_place(words);
    // What a value of our own says of itself may bring its hint along.
    if let Some((what, hint)) = words.split_once(" -> ") {
        return (what.to_owned(), hint.to_owned());
    }
    if words.ends_with(ADDRESS) {
        return (format!("{ADDRESS} is wanted here"), ADDRESSES.to_owned());
    }
    match PLAIN.iter().find(|(start, ..)| words.starts_with(start)) {
        Some((_, what, hint)) => ((*what).to_owned(), (*hint).to_owned()),
        None if JARGON.iter().any(|word| words.contains(word)) => {
            (OTHER_KIND.to_owned(), "`interlock schema` names what prints all that may stand here".to_owned())
        }
        None => {
            (words.to_owned(), "fix it here; `interlock schema` names what prints all that may stand here".to_owned())
        }
    }
}

/// Beginnings of what the reader says in words of its own, each with what it means to who has written the document, and what to do.
const PLAIN: &[(&str, &str, &str)] = &[
    (
        "cannot deserialize null into string",
        "a text is wanted here, and there is none",
        "write one, or leave the key out",
    ),
    ("expected string scalar", "one text is wanted here, not a list or a map", "write it as `key: text`"),
    (
        "expected mapping start",
        "keys with values are wanted here",
        "write them as `key: value`, one to a line and indented",
    ),
    ("expected sequence start", "a list is wanted here", "write it as `[one, other]`, or each entry as `- one`"),
    ("expected string key for externally tagged enum", "one key is wanted here, which says the kind", KINDS),
    ("externally tagged enum", "one key is wanted here, which says the kind", KINDS),
    ("expected externally tagged enum", "one key is wanted here, which says the kind", KINDS),
    ("invalid u8", WHOLE, WHOLES),
    ("invalid u16", WHOLE, WHOLES),
    ("invalid u32", WHOLE, WHOLES),
    ("invalid u64", WHOLE, WHOLES),
    ("invalid usize", WHOLE, WHOLES),
    ("invalid i64", WHOLE, WHOLES),
    ("invalid floating point", "this is no number", "write one such as 0.01"),
    ("expected four digit year", TIME, TIMES),
    ("expected six digit year", TIME, TIMES),
    ("failed to parse", TIME, TIMES),
];
/// What is wanted where a node may be its address alone, or a map.
pub(super) const ADDRESS: &str = "the address of a node";
const ADDRESSES: &str =
    "write it such as `pg1: 10.0.0.1:5432`, or `pg1: {sql: \"10.0.0.1:5432\", rest: \"http://10.0.0.1:8008\"}`";
/// What is said of a value of another kind than was wanted.
pub(super) const OTHER_KIND: &str = "this is not of the kind that is wanted here";
/// What only whoever has written a reader understands.
const JARGON: [&str; 9] =
    ["tagged", "struct ", "variant", "mapping start", "scalar", "sequence", "deserialize", "invalid type", "visitor"];
const KINDS: &str = "such as `lab: {}`; `interlock schema` names what prints the kinds";
const WHOLE: &str = "this is no whole number that fits here";
const WHOLES: &str = "write one such as 3";
const TIME: &str = "this is no time";
const TIMES: &str = "write it such as 2026-12-24T00:00:00Z";

/// That a key or value is unknown, and the one that may be meant.
pub(super) fn unknown(kind: &str, name: &str, expected: &[&str]) -> (String, String) {
    let what = format!("unknown {kind} `{name}`");
    let hint = match (nearest(name, expected.iter().copied()), expected) {
        (Some(near), _) => format!("did you mean `{near}`?"),
        (None, []) => format!("remove it: no {kind} may stand here"),
        (None, _) => format!("one of {} may stand here", listed(expected)),
    };
    (what, hint)
}

/// Names in backticks, with commas between them.
pub(super) fn listed(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// The known name that is nearest to what was written, if one is near enough to be meant.
pub fn nearest<'n>(written: &str, known: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    let written = written.to_lowercase();
    let reach = (written.chars().count() / 3).max(1);
    known
        .into_iter()
        .map(|name| (strsim::damerau_levenshtein(&written, &name.to_lowercase()), name))
        .filter(|(distance, _)| *distance <= reach)
        .min()
        .map(|(_, name)| name)
}
