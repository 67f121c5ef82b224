//! Identifiers of requirements and the like, such as `FR-PAY-012`: written alike, and defined once.

use std::{
    collections::{BTreeMap, HashMap},
    path::Path,
    sync::LazyLock,
};

use regex::Regex;

use super::{report::Finding, run::Source};
use crate::sequence::{Code, Diagnostic, Lines, Span, markdown::Document};

/// Words with hyphens or underscores, and a number with dots behind them.
#[expect(clippy::expect_used, reason = "the pattern is written here, and a test reads it")]
static IDENTIFIER: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"\b([A-Za-z]{2,12}(?:[-_][A-Za-z]{2,12})*)([-_]?)([0-9]{1,5}(?:\.[0-9]{1,3})*(?:-[0-9]+)*)\b")
        .expect("a regular expression")
});

/// Families of others: standards, proposals and advisories, which many documents speak of and none defines, and whose names
/// are written in more than one way.
const FOREIGN: &[&str] = &[
    "AES", "BCP", "BIP", "CVE", "CWE", "DEP", "EIP", "ERC", "ES", "GHSA", "GO", "HTTP", "IEC", "IEEE", "IPV", "ISO",
    "JEP", "JSR", "KEP", "MD", "PEP", "RFC", "RSA", "RUSTSEC", "SEP", "SHA", "SIP", "STD", "TLS", "UTC", "UTF", "XEP",
    "ZIP",
];

/// How many members a family needs before a stranger to it can be told.
const FAMILY: usize = 3;

/// An identifier where it stands.
struct Seen<'a> {
    document: usize,
    span: Span,
    written: &'a str,
    family: String,
    mark: &'a str,
    number: &'a str,
}

impl Seen<'_> {
    fn digits(&self) -> usize {
        self.number.split(['.', '-']).next().unwrap_or_default().len()
    }

    fn is_padded(&self) -> bool {
        self.number.len() > 1 && self.number.starts_with('0')
    }

    /// Whether it is written as identifiers are: in capitals, with a hyphen.
    fn is_plain(&self) -> bool {
        self.mark == "-" && !self.written.contains(|c: char| c.is_ascii_lowercase() || c == '_')
    }

    fn canonical(&self) -> String {
        format!("{}-{}", self.family, self.number)
    }
}

pub(super) fn check(sources: &[Source], documents: &[Document]) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut families: BTreeMap<String, Vec<Seen<'_>>> = BTreeMap::new();
    for (document, (source, read)) in sources.iter().zip(documents).enumerate() {
        for prose in &read.prose {
            for seen in identifiers(&source.text, *prose, document) {
                families.entry(seen.family.clone()).or_default().push(seen);
            }
        }
    }
    for members in families.values() {
        found.extend(strangers(members));
    }
    found.extend(defined_twice(sources, documents));
    found
}

fn identifiers<'a>(text: &'a str, prose: Span, document: usize) -> impl Iterator<Item = Seen<'a>> {
    IDENTIFIER.captures_iter(prose.of(text)).filter_map(move |groups| {
        let whole = groups.get(0)?;
        let (family, mark, number) = (groups.get(1)?.as_str(), groups.get(2)?.as_str(), groups.get(3)?.as_str());
        let span = Span::new(whole.start(), whole.end()).moved(prose.start);
        let family = family.to_uppercase().replace('_', "-");
        if FOREIGN.contains(&family.as_str()) {
            return None;
        }
        Some(Seen { document, span, written: whole.as_str(), family, mark, number })
    })
}

/// Members of a family that do not look like the others.
fn strangers(members: &[Seen<'_>]) -> Vec<Finding> {
    let plain: Vec<&Seen<'_>> = members.iter().filter(|seen| seen.is_plain()).collect();
    let different: std::collections::HashSet<&str> = plain.iter().map(|seen| seen.number).collect();
    if different.len() < FAMILY {
        return Vec::new();
    }
    let mut widths: HashMap<usize, usize> = HashMap::new();
    for seen in &plain {
        *widths.entry(seen.digits()).or_default() += 1;
    }
    let usual = widths.iter().max_by_key(|(width, count)| (**count, **width)).map_or(0, |(width, _)| *width);
    // Where nobody pads numbers with zeros, they have as many digits as they need; and so have those beyond the last padded one.
    let padded = plain.iter().any(|seen| seen.is_padded());
    let odd = |seen: &Seen<'_>| padded && (seen.digits() < usual || (seen.digits() > usual && seen.is_padded()));
    let example = plain.iter().find(|p| p.digits() == usual).map(|p| p.canonical()).unwrap_or_default();
    let rare = |width: usize| widths.get(&width).is_some_and(|count| count * 4 <= plain.len());
    members
        .iter()
        .filter_map(|seen| {
            let what = if !seen.is_plain() {
                format!("`{}` is written otherwise than the others of its family", seen.written)
            } else if odd(seen) && rare(seen.digits()) {
                format!("`{}` has {} digits where its family has {usual}", seen.written, seen.digits())
            } else {
                return None;
            };
            let fix = format!("write it as the others are, such as `{example}`");
            Some(Finding {
                document: seen.document,
                diagnostic: Diagnostic::new(Code::OddIdentifier, seen.span, what, fix),
            })
        })
        .collect()
}

/// Headings that begin with an identifier, and anchors that are one, define it; both beside each other do so once.
fn defined_twice(sources: &[Source], documents: &[Document]) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut first: HashMap<String, (usize, Span, bool)> = HashMap::new();
    let lines: Vec<Lines<'_>> = sources.iter().map(|source| Lines::new(&source.text)).collect();
    let line = |document: usize, at: usize| lines.get(document).map_or(0, |lines: &Lines<'_>| lines.place(at).0);
    for (document, read) in documents.iter().enumerate() {
        if sources.get(document).is_some_and(|source| is_changelog(&source.path)) {
            continue;
        }
        for (name, span, heading) in definitions(read) {
            let Some((other, before, other_heading)) = first.get(&name) else {
                first.insert(name, (document, span, heading));
                continue;
            };
            // An anchor and the heading beneath it are one definition.
            let beside = *other == document
                && *other_heading != heading
                && line(document, span.start) <= line(document, before.end) + 3;
            if beside {
                first.insert(name, (document, span, true));
                continue;
            }
            let place = sources.get(*other).map(|s| s.path.display().to_string()).unwrap_or_default();
            let what = format!("`{name}` is defined a second time; first in {place}:{}", line(*other, before.start));
            let diagnostic =
                Diagnostic::new(Code::DuplicateIdentifier, span, what, "give one of them a number of its own");
            found.push(Finding { document, diagnostic });
        }
    }
    found
}

/// Whether a document tells what has changed: its headings speak of what others define.
fn is_changelog(path: &Path) -> bool {
    let name = path.file_stem().unwrap_or_default().to_string_lossy().to_lowercase();
    name.contains("changelog") || ["changes", "history", "news", "releases", "release-notes"].contains(&name.as_str())
}

fn definitions(read: &Document) -> Vec<(String, Span, bool)> {
    let whole = |text: &str, rest: bool| {
        let groups = IDENTIFIER.captures(text)?;
        let all = groups.get(0)?;
        let ends = rest || all.end() == text.len();
        let plain = groups.get(2)?.as_str() == "-" && !all.as_str().contains(|c: char| c.is_ascii_lowercase());
        let own = !FOREIGN.contains(&groups.get(1)?.as_str());
        (all.start() == 0 && ends && plain && own).then(|| all.as_str().to_owned())
    };
    let anchors =
        read.anchors.iter().filter(|a| !a.heading).filter_map(|a| Some((whole(&a.name, false)?, a.span, false)));
    let headings = read.headings.iter().filter_map(|h| Some((whole(&h.text, true)?, h.span, true)));
    let mut all: Vec<_> = anchors.chain(headings).collect();
    all.sort_by_key(|(_, span, _)| span.start);
    all
}
