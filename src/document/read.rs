//! Reads YAML that people wrote: strict, bounded, and with line, column and a mend in every fault.

use serde::de::DeserializeOwned;
use serde_saphyr::{Error as YamlError, Options, budget::BudgetBreach};

use super::tree;
use crate::{
    error::{Fault, Place},
    slo::Problem,
};

/// The largest document that is read, in bytes.
pub(super) const LARGEST: usize = 4 * 1024 * 1024;

/// The one set of reader options: strict booleans (`on` and `no` stay text), duplicate keys refused, bounded work.
#[must_use]
pub fn options() -> Options {
    serde_saphyr::options! {
        strict_booleans: true,
        duplicate_keys: serde_saphyr::DuplicateKeyPolicy::Error,
        with_snippet: false,
        budget: serde_saphyr::budget! { max_depth: 64, max_nodes: 200_000, max_documents: 256 },
    }
}

/// One of the documents in a file.
#[derive(Debug, Clone, Copy)]
pub struct Document<'a> {
    file: &'a str,
    text: &'a str,
    part: &'a str,
    lines_before: u64,
}

/// Splits a file into its documents; those with nothing but comments are left out.
///
/// A line that starts with `---` separates documents wherever it stands: YAML allows it nowhere else.
#[must_use]
pub fn documents<'a>(file: &'a str, text: &'a str) -> Vec<Document<'a>> {
    let mut found = Vec::new();
    let (mut start, mut lines_before) = (0, 0);
    let (mut at, mut line) = (0, 0);
    let mut close = |start: usize, end: usize, lines_before: u64| {
        let part = &text[start..end];
        if !is_blank(part) {
            found.push(Document { file, text, part, lines_before });
        }
    };
    for piece in text.split_inclusive('\n') {
        if piece.strip_prefix("---").is_some_and(|rest| rest.is_empty() || rest.starts_with(char::is_whitespace)) {
            close(start, at, lines_before);
            (start, lines_before) = (at, line);
        }
        at += piece.len();
        line += 1;
    }
    close(start, at, lines_before);
    found
}

fn is_blank(part: &str) -> bool {
    part.lines().map(str::trim_start).all(|line| {
        let line = line.strip_prefix("---").map_or(line, str::trim_start);
        line.is_empty() || line.starts_with('#') || line.starts_with('%') || line.trim_end() == "..."
    })
}

/// Reads a file that holds exactly one document.
///
/// # Errors
/// Where it holds none or several, or the document is not what `T` says.
pub fn parse<T: DeserializeOwned>(file: &str, text: &str) -> Result<T, Fault> {
    only(file, text)?.parse()
}

/// The only document of a file.
///
/// # Errors
/// Where the file holds none or several.
pub fn only<'a>(file: &'a str, text: &'a str) -> Result<Document<'a>, Fault> {
    let all = documents(file, text);
    match all.as_slice() {
        [one] => Ok(*one),
        [] => Err(Document { file, text, part: text, lines_before: 0 }.fault_at(
            1,
            1,
            "the file holds no document",
            "write one; `interlock schema` prints what it may hold",
        )),
        [_, second, ..] => Err(second.fault_at(
            1,
            1,
            format!("one document was expected, and the file holds {}", all.len()),
            "keep one, and move the others to files of their own",
        )),
    }
}

impl<'a> Document<'a> {
    /// Reads the document as a `T`.
    ///
    /// # Errors
    /// Where the text is no YAML, is too large, or is not what `T` says.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, Fault> {
        if self.text.len() > LARGEST {
            let what = format!("the file is longer than {LARGEST} bytes");
            return Err(self.fault_at(1, 1, what, "split it into several files"));
        }
        serde_saphyr::from_str_with_options(self.part, options()).map_err(|error| self.explain(&error))
    }

    /// Gives a problem its line and column: of the value that its path leads to, or of the deepest part that exists.
    #[must_use]
    pub fn fault(&self, problem: &Problem) -> Fault {
        let (line, column) = tree::find(self.part, &problem.at).unwrap_or((1, 1));
        self.fault_at(line, column, problem.what.clone(), problem.hint.clone())
    }

    fn fault_at(&self, line: u64, column: u64, what: impl Into<String>, hint: impl Into<String>) -> Fault {
        let place = Place { file: self.file.to_owned(), line: self.lines_before + line.max(1), column: column.max(1) };
        Fault { place, what: what.into(), hint: hint.into(), text: self.text.to_owned() }
    }

    fn explain(&self, error: &YamlError) -> Fault {
        let (line, column) = error.location().map_or((1, 1), |l| (l.line(), l.column()));
        let mut inner = error.without_snippet();
        while let YamlError::AliasError { error, .. } = inner {
            inner = error.without_snippet();
        }
        let (what, hint) = match inner {
            YamlError::SerdeUnknownField { field, expected, .. } => unknown("key", field, expected),
            YamlError::SerdeUnknownVariant { variant, expected, .. } => unknown("value", variant, expected),
            YamlError::SerdeMissingField { field, .. } => {
                (format!("`{field}` is missing"), format!("add `{field}:` here"))
            }
            YamlError::DuplicateMappingKey { key, .. } => (
                format!("the key `{}` stands here twice", key.as_deref().unwrap_or("?")),
                "keep one of the two: which one was meant cannot be guessed".to_owned(),
            ),
            YamlError::Budget { breach: BudgetBreach::Depth { .. }, .. } => (
                "the document is nested too deeply".to_owned(),
                "at most 64 levels are read; write it flatter".to_owned(),
            ),
            YamlError::InvalidBooleanStrict { .. } => (
                "this is neither true nor false".to_owned(),
                "write `true` or `false`; `yes` and `on` are plain text".to_owned(),
            ),
            YamlError::Budget { .. }
            | YamlError::AliasReplayLimitExceeded { .. }
            | YamlError::AliasExpansionLimitExceeded { .. }
            | YamlError::AliasReplayStackDepthExceeded { .. }
            | YamlError::AliasReplayCounterOverflow { .. } => (
                "the document grows beyond what is read".to_owned(),
                "at most 200000 values are read; write parts out instead of multiplying them by aliases".to_owned(),
            ),
            _ => from_words(&plain(inner)),
        };
        self.fault_at(line, column, what, hint)
    }
}

/// The reader's words without the place, which a fault carries by itself.
fn plain(error: &YamlError) -> String {
    strip_place(&error.without_snippet().to_string()).to_owned()
}

fn strip_place(words: &str) -> &str {
    let end =
        [" at line ", " (line ", " (defined"].iter().filter_map(|mark| words.rfind(mark)).min().unwrap_or(words.len());
    words[..end].trim_end_matches([':', ',']).trim_end()
}

/// What is wrong and how to mend it, from a message of serde.
pub(super) fn from_words(words: &str) -> (String, String) {
    for (start, kind) in [("unknown field `", "key"), ("unknown variant `", "value")] {
        let Some((name, rest)) = words.strip_prefix(start).and_then(|rest| rest.split_once('`')) else { continue };
        let expected: Vec<&str> = rest.split('`').skip(1).step_by(2).collect();
        return unknown(kind, name, &expected);
    }
    (strip_place(words).to_owned(), "mend it here; `interlock schema` prints what a document may hold".to_owned())
}

fn unknown(kind: &str, name: &str, expected: &[&str]) -> (String, String) {
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "camelCase", deny_unknown_fields)]
    struct Sample {
        #[serde(rename = "name")]
        _name: String,
        #[serde(default, rename = "maxBake")]
        _max_bake: Option<crate::model::HumanDuration>,
        #[serde(default, rename = "kind")]
        _kind: Option<Kind>,
        #[serde(default, rename = "on")]
        _on: Option<bool>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Kind {
        Lab,
        Kubernetes,
    }

    fn said(text: &str) -> String {
        let fault = parse::<Sample>("a.yaml", text).unwrap_err();
        format!("{fault}\n  {}", fault.hint)
    }

    #[test]
    fn faults_name_the_place_and_the_mend() {
        let all = [
            "name: a\nmaxBakr: 5m\n",
            "name: a\nkind: kubernets\n",
            "name: a\nkind: moon\n",
            "kind: lab\n",
            "name: a\nname: b\n",
            "name: a\nmaxBake: 5\n",
            "name: a\non: yes\n",
            "name: [a\n",
            "",
            "name: a\n---\n# c\nname: b\n",
            "name: a\n  b: c\n",
        ];
        let said: Vec<String> = all.into_iter().map(said).collect();
        insta::assert_snapshot!(said.join("\n"), @r"
a.yaml:2:1: unknown key `maxBakr`
  did you mean `maxBake`?
a.yaml:2:7: unknown value `kubernets`
  did you mean `kubernetes`?
a.yaml:2:7: unknown value `moon`
  one of `lab`, `kubernetes` may stand here
a.yaml:1:1: `name` is missing
  add `name:` here
a.yaml:2:1: the key `name` stands here twice
  keep one of the two: which one was meant cannot be guessed
a.yaml:2:10: `5` is no duration such as 90s or 5m: time unit needed, for example 5sec or 5ms
  mend it here; `interlock schema` prints what a document may hold
a.yaml:2:5: this is neither true nor false
  write `true` or `false`; `yes` and `on` are plain text
a.yaml:1:7: expected string scalar
  mend it here; `interlock schema` prints what a document may hold
a.yaml:1:1: the file holds no document
  write one; `interlock schema` prints what it may hold
a.yaml:2:1: one document was expected, and the file holds 2
  keep one, and move the others to files of their own
a.yaml:2:4: mapping values are not allowed in this context
  mend it here; `interlock schema` prints what a document may hold
");
    }

    #[test]
    fn positions_hold_in_later_documents() {
        let text = "# first\n---\nname: a\n---\n---\nname: b\nkind: lab\nbake: 1m\n";
        let all = documents("a.yaml", text);
        assert_eq!(all.len(), 2);
        all[0].parse::<Sample>().unwrap();
        let fault = all[1].parse::<Sample>().unwrap_err();
        assert_eq!(fault.place.to_string(), "a.yaml:8:1");
        let fault = all[1].fault(&Problem::new("kind", "no", "yes"));
        assert_eq!(fault.place.to_string(), "a.yaml:7:7");
    }

    #[test]
    fn bombs_are_refused_in_clear_words() {
        let mut text = String::from("a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n");
        for i in 1..12 {
            let p = i - 1;
            text += &format!("a{i}: &a{i} [*a{p},*a{p},*a{p},*a{p},*a{p},*a{p},*a{p},*a{p},*a{p},*a{p}]\n");
        }
        let fault = parse::<BTreeMap<String, serde_json::Value>>("a.yaml", &text).unwrap_err();
        assert!(fault.what.starts_with("the document grows beyond what is read"), "{fault}");
        let fault = parse::<serde_json::Value>("a.yaml", &"[".repeat(100_000)).unwrap_err();
        assert!(!fault.what.is_empty());
    }

    #[test]
    fn words_of_other_formats_are_understood() {
        let (what, hint) = from_words("unknown field `bakee`, expected one of `bake`, `maxBake`");
        assert_eq!((what.as_str(), hint.as_str()), ("unknown key `bakee`", "did you mean `bake`?"));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]
        #[test]
        fn the_reader_never_panics(at in 0usize..400, with in "\\PC{0,6}|[\\[\\]{}:&*!|>'\"%@`,\\-\\n\t ]{0,6}") {
            let text = include_str!("../../scenarios/lab/interlock.yaml");
            let at = (0..=at.min(text.len())).rev().find(|i| text.is_char_boundary(*i)).unwrap_or(0);
            let mutated = format!("{}{with}{}", &text[..at], &text[at..]);
            for document in documents("a.yaml", &mutated) {
                if let Err(fault) = document.parse::<super::super::Platform>() {
                    prop_assert!(fault.place.line >= 1 && fault.place.column >= 1);
                }
                let _ = document.fault(&Problem::new("services.tenant.smoke.0", "", ""));
            }
        }
    }
}
