//! Reads YAML that people wrote: strict, bounded, and with line, column and a fix in every fault.

use serde::de::DeserializeOwned;
use serde_saphyr::{Error as YamlError, Options, budget::BudgetBreach};

use super::{
    tree,
    words::{from_words, strip_place, unknown},
};
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
    /// Whether the part is one element of a list of documents.
    listed: bool,
}

/// Splits a file into its documents; those with nothing but comments are left out.
///
/// A line that starts with `---` separates documents wherever it stands: YAML allows it nowhere else. The elements of a list
/// are documents as well.
#[must_use]
pub fn documents<'a>(file: &'a str, text: &'a str) -> Vec<Document<'a>> {
    let mut found = Vec::new();
    let (mut start, mut lines_before) = (0, 0);
    let (mut at, mut line) = (0, 0);
    let mut close = |start: usize, end: usize, lines_before: u64| {
        let part = &text[start..end];
        let whole = Document { file, text, part, lines_before, listed: false };
        if !is_blank(part) {
            whole.elements(&mut found);
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
        [] => Err(Document::whole(file, text).fault_at(
            1,
            1,
            "the file holds no document",
            "write one; `interlock schema` names what prints all that it may hold",
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
    /// A file as one document, whatever it holds.
    pub(super) const fn whole(file: &'a str, text: &'a str) -> Self {
        Self { file, text, part: text, lines_before: 0, listed: false }
    }

    /// The documents of a part: itself, or the elements of the list that it is.
    fn elements(self, found: &mut Vec<Self>) {
        let is_element = |line: &str| line.strip_prefix('-').is_some_and(|rest| rest.starts_with(char::is_whitespace));
        let is_nothing =
            |line: &str| line.trim_start().is_empty() || line.starts_with(['#', '%']) || line.starts_with("---");
        if !self.part.lines().find(|line| !is_nothing(line)).is_some_and(is_element) {
            return found.push(self);
        }
        let (mut start, mut lines_before) = (None, self.lines_before);
        let (mut at, mut line) = (0, self.lines_before);
        for piece in self.part.split_inclusive('\n') {
            if is_element(piece) {
                if let Some(start) = start.replace(at) {
                    found.push(Self { part: &self.part[start..at], lines_before, listed: true, ..self });
                }
                lines_before = line;
            }
            at += piece.len();
            line += 1;
        }
        if let Some(start) = start {
            found.push(Self { part: &self.part[start..], lines_before, listed: true, ..self });
        }
    }

    /// Reads the document as a `T`.
    ///
    /// # Errors
    /// Where the text is no YAML, is too large, or is not what `T` says.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, Fault> {
        if self.text.len() > LARGEST {
            let what = format!("the file is longer than {LARGEST} bytes");
            return Err(self.fault_at(1, 1, what, "split it into several files"));
        }
        if self.listed {
            let one = serde_saphyr::from_str_with_options::<Vec<T>>(self.part, options());
            let one = one.map_err(|error| self.explain(&error))?.pop();
            return one.ok_or_else(|| self.fault_at(1, 1, "an element of the list is empty", "remove it"));
        }
        serde_saphyr::from_str_with_options(self.part, options()).map_err(|error| self.explain(&error))
    }

    /// Gives a problem its line and column: of the value that its path leads to, or of the deepest part that exists.
    #[must_use]
    pub fn fault(&self, problem: &Problem) -> Fault {
        let path: Vec<String> = self.listed.then(|| "0".to_owned()).into_iter().chain(problem.at.clone()).collect();
        let (line, column) = tree::find(self.part, &path).unwrap_or((1, 1));
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
  fix it here; `interlock schema` names what prints all that may stand here
a.yaml:2:5: this is neither true nor false
  write `true` or `false`; `yes` and `on` are plain text
a.yaml:1:7: one text is wanted here, not a list or a map
  write it as `key: text`
a.yaml:1:1: the file holds no document
  write one; `interlock schema` names what prints all that it may hold
a.yaml:2:1: one document was expected, and the file holds 2
  keep one, and move the others to files of their own
a.yaml:2:4: mapping values are not allowed in this context
  fix it here; `interlock schema` names what prints all that may stand here
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
            text.push_str(&format!("a{i}: &a{i} [*a{p},*a{p},*a{p},*a{p},*a{p},*a{p},*a{p},*a{p},*a{p},*a{p}]\n"));
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
